/** The file that an arena is in, as those open it who did not make it. */
import { fstatSync, openSync, readSync } from "node:fs";
import { RaiaError } from "../base/errors.ts";
import { type ArenaLayout, readHeader } from "./arena.ts";
import { BLOCK_BYTES } from "./block-table.ts";

/** @throws {RaiaError} PROTOCOL when the file is not a whole arena of this version */
export function openArenaFile(path: string): { readonly descriptor: number; readonly layout: ArenaLayout } {
  const descriptor = openSync(path, "r+");
  const header = new Int32Array(BLOCK_BYTES / Int32Array.BYTES_PER_ELEMENT);
  readSync(descriptor, header, 0, header.byteLength, 0);
  const layout = readHeader(header);
  const { size } = fstatSync(descriptor);
  // Touching a mapped page behind the end of the file ends the process.
  if (size < layout.totalBytes) throw new RaiaError("PROTOCOL", { reason: "arena is cut short", bytes: size, expected: layout.totalBytes });
  return { descriptor, layout };
}
