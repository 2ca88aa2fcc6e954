/**
 * How much of one worker's output goes to its driver: a burst, then a steady rate. Two buckets, lines and bytes, and an
 * exact count of what was turned away. The log file gets everything.
 */
export class OutputLimiter {
  #lines = BURST_LINES;
  #bytes = BURST_BYTES;
  #filledAtMs: number;
  #isShut = false;
  #dropped = 0;

  constructor(nowMs: number) {
    this.#filledAtMs = nowMs;
  }

  /** To be called before lines are asked for, once per chunk. */
  refill(nowMs: number): void {
    const elapsedMs = nowMs - this.#filledAtMs;
    this.#filledAtMs = nowMs;
    this.#lines = Math.min(BURST_LINES, this.#lines + (elapsedMs * LINES_PER_SECOND) / 1000);
    this.#bytes = Math.min(BURST_BYTES, this.#bytes + (elapsedMs * BYTES_PER_SECOND) / 1000);
    if (this.#lines >= LINES_PER_SECOND && this.#bytes >= BYTES_PER_SECOND) this.#isShut = false;
  }

  admit(bytes: number): boolean {
    if (this.#lines < 1 || this.#bytes < bytes) this.#isShut = true;
    if (this.#isShut) return false;
    this.#lines -= 1;
    this.#bytes -= bytes;
    return true;
  }

  drop(lines: number): void {
    this.#dropped += lines;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Lines dropped since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

/** A long report in one go passes; nobody reads a thousand lines a second. */
const BURST_LINES = 10_000;
const LINES_PER_SECOND = 1_000;
const BURST_BYTES = 2 << 20;
const BYTES_PER_SECOND = 1 << 20;
