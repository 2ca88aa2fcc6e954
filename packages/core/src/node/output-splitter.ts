/**
 * Cuts the bytes of one stream into lines, holding never more than one line's beginning. Text is made only of lines that
 * are admitted; the rest is counted in its bytes, at under a nanosecond each.
 */
export class LineSplitter {
  /** The beginning of a line whose end has not come yet. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** Its whole length so far; what is past `MAX_LINE_BYTES` is counted and not kept. */
  #lineBytes = 0;

  /**
   * @param admit asked at the end of each line, with the bytes that would be emitted; once it says no, the rest of the chunk is dropped unasked
   * @param emit gets the line without its end; a long one is cut and says how long it was
   * @returns lines dropped
   */
  push(chunk: Buffer, admit: (bytes: number) => boolean, emit: (line: string) => void): number {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end < 0) {
        this.#keep(chunk, start, chunk.byteLength);
        return 0;
      }
      this.#keep(chunk, start, end);
      start = end + 1;
      if (!admit(Math.min(this.#lineBytes, MAX_LINE_BYTES))) {
        this.#clear();
        const dropped = 1 + countNewlines(chunk, start);
        this.#keep(chunk, Math.max(start, chunk.lastIndexOf(NEWLINE) + 1), chunk.byteLength);
        return dropped;
      }
      emit(this.#take());
    }
  }

  /** The last line of a stream that ended without a newline. */
  end(): string | undefined {
    return this.#lineBytes === 0 ? undefined : this.#take();
  }

  #keep(chunk: Buffer, start: number, end: number): void {
    const room = Math.min(end - start, MAX_LINE_BYTES - this.#keptBytes);
    // A copy: a short piece would otherwise hold the whole chunk in memory until its line ends.
    if (room > 0) this.#kept.push(Buffer.from(chunk.subarray(start, start + room)));
    this.#keptBytes += Math.max(0, room);
    this.#lineBytes += end - start;
  }

  #take(): string {
    const bytes = this.#kept.length === 1 ? this.#kept[0]! : Buffer.concat(this.#kept);
    const text = bytes.toString("utf8");
    const line =
      this.#lineBytes > this.#keptBytes ? `${text}... (${this.#lineBytes} bytes)` : text.endsWith("\r") ? text.slice(0, -1) : text;
    this.#clear();
    return line;
  }

  #clear(): void {
    this.#kept = [];
    this.#keptBytes = 0;
    this.#lineBytes = 0;
  }
}

const NEWLINE = 10;
/** A screen full; what is longer is a dump, and whole in the log file. */
const MAX_LINE_BYTES = 8 * 1024;

/** Four bytes a step: a byte of `differing` is zero where there is a newline, and `found` has a bit for each such byte. */
function countNewlines(chunk: Buffer, start: number): number {
  let count = 0;
  let at = start;
  for (; at < chunk.byteLength && (chunk.byteOffset + at) % 4 !== 0; at++) if (chunk[at] === NEWLINE) count++;
  if (at === chunk.byteLength) return count; // A view of no words must be aligned all the same.
  const words = new Uint32Array(chunk.buffer, chunk.byteOffset + at, (chunk.byteLength - at) >>> 2);
  for (let index = 0; index < words.length; index++) {
    const differing = words[index]! ^ 0x0a0a0a0a;
    const found = ~(((differing & 0x7f7f7f7f) + 0x7f7f7f7f) | differing | 0x7f7f7f7f);
    count += Math.imul(found >>> 7, 0x01010101) >>> 24;
  }
  for (at += words.byteLength; at < chunk.byteLength; at++) if (chunk[at] === NEWLINE) count++;
  return count;
}
