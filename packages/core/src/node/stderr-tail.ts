/**
 * The end of what a process wrote to stderr, for the cause of its death. Bounded, and cheap when a process floods: of each
 * chunk only the end is copied, and lines are made when somebody asks.
 */
export class StderrTail {
  /** Made at the first byte: most workers never write one. */
  #ring: Buffer | undefined;
  #written = 0;

  push(chunk: Buffer): void {
    const ring = (this.#ring ??= Buffer.allocUnsafe(RING_BYTES));
    const tail = chunk.byteLength > RING_BYTES ? chunk.subarray(chunk.byteLength - RING_BYTES) : chunk;
    const at = (this.#written + chunk.byteLength - tail.byteLength) % RING_BYTES;
    const first = tail.copy(ring, at);
    tail.copy(ring, 0, first);
    this.#written += chunk.byteLength;
  }

  /** At most the last 50 lines, each cut at 1,000 characters; the oldest may lack its beginning. */
  lines(): string[] {
    if (this.#ring === undefined) return [];
    const at = this.#written % RING_BYTES;
    const bytes =
      this.#written <= RING_BYTES
        ? this.#ring.subarray(0, this.#written)
        : Buffer.concat([this.#ring.subarray(at), this.#ring.subarray(0, at)]);
    const lines = bytes.toString("utf8").split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines.slice(-MAX_LINES).map((line) => (line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}...` : line));
  }
}

/** Enough for V8's last words (3 KiB) after a user's own. */
const RING_BYTES = 16 * 1024;
const MAX_LINES = 50;
const MAX_LINE_CHARS = 1000;
