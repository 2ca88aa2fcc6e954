/**
 * Reads what a ByteWriter wrote, out of bytes that nobody vouches for: every read is checked against the end, so hostile
 * bytes end in an error and never in bytes of a neighbour.
 */
import { RaiaError } from "./errors.ts";

const scratch = new Float64Array(1);
const scratchBytes = new Uint8Array(scratch.buffer);

/** Methods of buffers that Node's types leave out: they skip the look at the name of the encoding. */
interface RawText {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
}

export class ByteReader {
  readonly buffer: Buffer;
  position: number;
  readonly end: number;

  /** Reads `bytes[start, end)`. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    if (!(start >= 0 && start <= end && end <= bytes.length)) throw malformed("bounds");
    this.buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  u8(): number {
    if (this.position >= this.end) throw malformed("truncated");
    return this.buffer[this.position++] as number;
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  i32(): number {
    const at = this.skip(4);
    const { buffer } = this;
    return (
      (buffer[at] as number) | ((buffer[at + 1] as number) << 8) | ((buffer[at + 2] as number) << 16) | ((buffer[at + 3] as number) << 24)
    );
  }

  f64(): number {
    const at = this.skip(8);
    const { buffer } = this;
    for (let i = 0; i < 8; i++) scratchBytes[i] = buffer[at + i] as number;
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
      if (value > Number.MAX_SAFE_INTEGER || scale > 2 ** 56) throw malformed("number too large");
    } while (byte >= 0x80);
    return value;
  }

  /** A number of things of which each takes `bytesEach` at least: more than can be there is refused before room is made for them. */
  count(bytesEach = 1): number {
    const count = this.varuint();
    if (count * bytesEach > this.end - this.position) throw malformed("count beyond the end");
    return count;
  }

  /** @returns where the skipped bytes begin */
  skip(length: number): number {
    const at = this.position;
    if (length > this.end - at) throw malformed("truncated");
    this.position = at + length;
    return at;
  }

  /** The next bytes, not copied. */
  view(length: number): Buffer {
    const at = this.skip(length);
    return this.buffer.subarray(at, at + length);
  }

  latin1(length: number): string {
    const at = this.skip(length);
    return (this.buffer as unknown as RawText).latin1Slice(at, at + length);
  }

  utf8(): string {
    const length = this.varuint();
    const at = this.skip(length);
    return (this.buffer as unknown as RawText).utf8Slice(at, at + length);
  }

  utf16(): string {
    const length = this.varuint();
    const at = this.skip(length);
    return (this.buffer as unknown as RawText).ucs2Slice(at, at + length);
  }
}

export function malformed(reason: string): RaiaError {
  return new RaiaError("PROTOCOL", { reason: `malformed value: ${reason}` });
}
