/** What a function captures that is too much to travel with its code: bytes go to the store, the rest is worth a word. */
import type { LargeCaptureWarning } from "../../values/function-hooks.ts";
import type { ObjectEntry } from "./object-entry.ts";

export interface CaptureStore {
  put(bytes: Uint8Array): ObjectEntry;
  read(entry: ObjectEntry): Promise<unknown>;
}

const MiB = 1024 * 1024;
/** Captures that are named. */
const MAX_SHOWN = 5;

export function warnOfLargeCaptures({ function: name, bytes, captures }: LargeCaptureWarning): void {
  const shown = captures.slice(0, MAX_SHOWN).map((capture) => `${capture.path} ${(capture.bytes / MiB).toFixed(1)} MiB`);
  const text = `${name} captures ${(bytes / MiB).toFixed(1)} MiB, which every process that runs it receives: ${shown.join(", ")}. put() the large ones and pass the refs as arguments.`;
  process.emitWarning(text, { type: "RaiaWarning", code: "RAIA_LARGE_CAPTURE" });
}
