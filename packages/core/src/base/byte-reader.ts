/**
 * Reads what a ByteWriter wrote, out of bytes that nobody vouches for: every read is checked against the end, so hostile
 * bytes end in an error and never in bytes of a neighbour.
 */
import { RaiaError } from "./errors.ts";

const scratch = new Float64Array(1);
const scratchBytes = new Uint8Array(scratch.buffer);

export class ByteReader {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;

  /** Reads `bytes[start, end)`. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    if (start < 0 || end > bytes.length || start > end) throw malformed("bounds");
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  u8(): number {
    if (this.position >= this.end) throw malformed("truncated");
    return this.bytes[this.position++] as number;
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  i32(): number {
    const at = this.advance(4);
    const { bytes } = this;
    return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
  }

  f64(): number {
    const at = this.advance(8);
    const { bytes } = this;
    for (let i = 0; i < 8; i++) scratchBytes[i] = bytes[at + i] as number;
    return scratch[0] as number;
  }

  /** At most 2^53 - 1. */
  varuint(): number {
    let byte = this.u8();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 128;
    do {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (value > Number.MAX_SAFE_INTEGER) throw malformed("number too large");
    } while (byte >= 0x80);
    return value;
  }

  /** A number of things of which each takes `bytesEach` at least: more than can be there is refused before room is made for them. */
  count(bytesEach: number): number {
    const count = this.varuint();
    if (count * bytesEach > this.end - this.position) throw malformed("count beyond the end");
    return count;
  }

  /** Skips `length` bytes. @returns where they begin */
  advance(length: number): number {
    const at = this.position;
    if (length > this.end - at) throw malformed("truncated");
    this.position = at + length;
    return at;
  }
}

export function malformed(reason: string): RaiaError {
  return new RaiaError("PROTOCOL", { reason: `malformed value: ${reason}` });
}
