/**
 * One object in one file: a header, then the bytes. The checksum in the header is over the bytes, so that a disk that
 * gives back something else is found out; the header is written last, so that a file that was cut short has none.
 */
import { RaiaError } from "../base/errors.ts";
import { zlib } from "../base/late-modules.ts";
import type { DiskFile } from "./disk.ts";

const MAGIC = 0x5241_4953; // "RAIS"
const VERSION = 1;
export const SPILL_HEADER_BYTES = 256;
const MAX_ID_BYTES = 128;

/** Between two chunks the event loop runs: 1 MiB takes half a millisecond to check. */
const CHUNK_BYTES = 1024 * 1024;

export interface SpillHeader {
  readonly id: string;
  readonly bytes: number;
  readonly crc: number;
}

/** Fixed offsets: magic 0, version 4, id length 8, crc 12, object length 16 (u64), crc of the header 24, id 32. */
export function encodeSpillHeader({ id, bytes, crc }: SpillHeader): Uint8Array {
  const header = Buffer.alloc(SPILL_HEADER_BYTES);
  const idBytes = header.write(id, 32, MAX_ID_BYTES, "utf8");
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(VERSION, 4);
  header.writeUInt32LE(idBytes, 8);
  header.writeUInt32LE(crc, 12);
  header.writeBigUInt64LE(BigInt(bytes), 16);
  header.writeUInt32LE(zlib().crc32(header), 24);
  return header;
}

/** @throws {RaiaError} OBJECT_CORRUPT when it is no header of this version */
function decodeSpillHeader(encoded: Uint8Array): SpillHeader {
  const header = Buffer.from(encoded);
  if (header.byteLength !== SPILL_HEADER_BYTES) throw corrupt("the file is too short");
  const crc = header.readUInt32LE(24);
  header.writeUInt32LE(0, 24);
  if (header.readUInt32LE(0) !== MAGIC || header.readUInt32LE(4) !== VERSION) throw corrupt("not a spilled object of this version");
  if (zlib().crc32(header) !== crc) throw corrupt("the header is damaged");
  return {
    id: header.toString("utf8", 32, 32 + header.readUInt32LE(8)),
    bytes: Number(header.readBigUInt64LE(16)),
    crc: header.readUInt32LE(12),
  };
}

/**
 * Writes an object, a chunk a turn.
 *
 * @param isWanted asked before each chunk
 * @returns false when it was not wanted any more, and the file is incomplete
 */
export async function writeSpillFile(file: DiskFile, id: string, bytes: Uint8Array, isWanted: () => boolean): Promise<boolean> {
  let crc = 0;
  for (let done = 0; done < bytes.byteLength; done += CHUNK_BYTES) {
    if (!isWanted()) return false;
    const chunk = bytes.subarray(done, done + CHUNK_BYTES);
    crc = zlib().crc32(chunk, crc);
    await file.write(chunk, SPILL_HEADER_BYTES + done);
  }
  await file.write(encodeSpillHeader({ id, bytes: bytes.byteLength, crc }), 0);
  return true;
}

/**
 * Reads an object back and checks it.
 *
 * @throws {RaiaError} OBJECT_CORRUPT when it is not what was written; what was read so far must not be used
 */
export async function readSpillFile(file: DiskFile, id: string, into: Uint8Array): Promise<void> {
  const encoded = new Uint8Array(SPILL_HEADER_BYTES);
  const header = decodeSpillHeader(encoded.subarray(0, await file.read(encoded, 0)));
  if (header.id !== id || header.bytes !== into.byteLength) throw corrupt("the file holds another object");
  let crc = 0;
  for (let done = 0; done < into.byteLength; done += CHUNK_BYTES) {
    const chunk = into.subarray(done, done + CHUNK_BYTES);
    if ((await file.read(chunk, SPILL_HEADER_BYTES + done)) !== chunk.byteLength) throw corrupt("the file is too short");
    crc = zlib().crc32(chunk, crc);
  }
  if (crc !== header.crc) throw corrupt("the checksum differs");
}

function corrupt(reason: string): RaiaError {
  return new RaiaError("OBJECT_CORRUPT", { reason });
}
