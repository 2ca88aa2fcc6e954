/** A growable buffer to write to. When it grows, `buffer` is another one; slices taken before stay as they are. */
export class ByteWriter {
  buffer: Buffer;
  position = 0;

  constructor(initialBytes = 256) {
    this.buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** Makes room for `count` more bytes. */
  ensure(count: number): void {
    const needed = this.position + count;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.buffer.length));
    this.buffer.copy(larger, 0, 0, this.position);
    this.buffer = larger;
  }

  u8(value: number): void {
    this.ensure(1);
    this.buffer[this.position++] = value;
  }

  u32(value: number): void {
    this.ensure(4);
    this.buffer.writeUInt32LE(value, this.position);
    this.position += 4;
  }

  i32(value: number): void {
    this.ensure(4);
    const { buffer, position } = this;
    buffer[position] = value;
    buffer[position + 1] = value >> 8;
    buffer[position + 2] = value >> 16;
    buffer[position + 3] = value >> 24;
    this.position = position + 4;
  }

  f64(value: number): void {
    this.ensure(8);
    this.buffer.writeDoubleLE(value, this.position);
    this.position += 8;
  }

  /** Seven bits a byte, lowest first; up to 2^32 - 1. */
  varuint(value: number): void {
    this.ensure(5);
    let rest = value;
    while (rest > 127) {
      this.buffer[this.position++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.buffer[this.position++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.ensure(bytes.byteLength);
    this.buffer.set(bytes, this.position);
    this.position += bytes.byteLength;
  }
}
