/** Frames as a peer may send them, right or wrong, for tests. */
import { FRAME_HEADER_BYTES } from "./frame.ts";

export function frameOf(kind: number, tag: number, call: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + body.length);
  bytes.writeUInt32LE(bytes.length - 4, 0);
  bytes[4] = kind;
  bytes.writeUInt16LE(tag, 5);
  bytes.writeUInt32LE(call, 7);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}
