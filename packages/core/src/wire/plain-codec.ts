/** Plain data inside hot frames: msgpack without schema, for what both ends of one version wrote. */
import { RaiaError } from "../base/errors.ts";
import { packr } from "./msgpack.ts";

export function packPlain(value: unknown): Buffer {
  return packr.pack(value);
}

export function unpackPlain(bytes: Uint8Array, start: number, end: number): unknown {
  try {
    return packr.unpack(bytes.subarray(start, end));
  } catch (error) {
    throw new RaiaError("PROTOCOL", { reason: "unreadable data" }, { cause: error });
  }
}

/** A copy that does not keep the frame's buffer alive. */
export function packedFrom(bytes: Buffer, start: number, end: number): Buffer {
  const length = end - start;
  const copy = Buffer.allocUnsafeSlow(length);
  // Calling into the runtime's copy costs more than a few bytes.
  if (length > 32) bytes.copy(copy, 0, start, end);
  else for (let i = 0; i < length; i++) copy[i] = bytes[start + i] as number;
  return copy;
}
