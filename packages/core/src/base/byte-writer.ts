/**
 * A buffer that grows while it is written. Everything is little endian. Growing replaces `buffer`; slices of the old one stay valid and keep what they showed.
 */
import { RaiaError } from "./errors.ts";

/** What one writer holds at most; a longer message is a mistake or belongs into the store. */
const MAX_BYTES = 2 ** 31 - 1;

const scratch = new Float64Array(1);
const scratchBytes = new Uint8Array(scratch.buffer);

export class ByteWriter {
  buffer: Buffer;
  position = 0;

  constructor(initialBytes = 256) {
    this.buffer = Buffer.allocUnsafeSlow(Math.max(16, initialBytes));
  }

  /** Makes room for `bytes` more. @throws {RaiaError} LIMIT_EXCEEDED past 2 GiB */
  ensure(bytes: number): void {
    if (this.position + bytes > this.buffer.length) this.#grow(bytes);
  }

  u8(value: number): void {
    if (this.position >= this.buffer.length) this.#grow(1);
    this.buffer[this.position++] = value;
  }

  u16(value: number): void {
    this.ensure(2);
    const { buffer, position } = this;
    buffer[position] = value;
    buffer[position + 1] = value >>> 8;
    this.position = position + 2;
  }

  u32(value: number): void {
    this.ensure(4);
    this.setU32(this.position, value);
    this.position += 4;
  }

  i32(value: number): void {
    this.u32(value);
  }

  f64(value: number): void {
    this.ensure(8);
    const { buffer, position } = this;
    scratch[0] = value;
    for (let i = 0; i < 8; i++) buffer[position + i] = scratchBytes[i] as number;
    this.position = position + 8;
  }

  /** Seven bits a byte, the lowest first. @param value an integer from 0 to 2^53 - 1 */
  varuint(value: number): void {
    this.ensure(8);
    const { buffer } = this;
    let at = this.position;
    let rest = value;
    while (rest > 0x7fffffff) {
      buffer[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      buffer[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[at++] = rest;
    this.position = at;
  }

  bytes(source: Uint8Array): void {
    const { length } = source;
    this.ensure(length);
    const { buffer, position } = this;
    // Calling into the runtime's copy costs more than a few bytes.
    if (length > 32) buffer.set(source, position);
    else for (let i = 0; i < length; i++) buffer[position + i] = source[i] as number;
    this.position = position + length;
  }

  /** varuint bytes, UTF-8. Halves of surrogate pairs are lost. */
  utf8(text: string): void {
    const length = Buffer.byteLength(text);
    this.varuint(length);
    this.ensure(length);
    // Text of one byte a character is copied without looking at it again.
    this.position += this.buffer.write(text, this.position, length, length === text.length ? "latin1" : "utf8");
  }

  /** varuint bytes, UTF-16: any string as it is. */
  utf16(text: string): void {
    const length = text.length * 2;
    this.varuint(length);
    this.ensure(length);
    this.position += this.buffer.write(text, this.position, length, "utf16le");
  }

  /** Overwrites what was written earlier. */
  setU32(at: number, value: number): void {
    const { buffer } = this;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
  }

  /** A copy of what was written; the writer starts anew. */
  take(): Buffer {
    const taken = Buffer.allocUnsafeSlow(this.position);
    this.buffer.copy(taken, 0, 0, this.position);
    this.position = 0;
    return taken;
  }

  reset(): void {
    this.position = 0;
  }

  #grow(bytes: number): void {
    const needed = this.position + bytes;
    if (needed > MAX_BYTES) throw new RaiaError("LIMIT_EXCEEDED", { limit: "bytes of one message", maximum: MAX_BYTES, needed });
    const larger = Buffer.allocUnsafeSlow(Math.min(MAX_BYTES, Math.max(needed, this.buffer.length * 2)));
    this.buffer.copy(larger, 0, 0, this.position);
    this.buffer = larger;
  }
}
