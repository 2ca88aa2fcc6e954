/** A line that is rewritten in place on a terminal, and written now and then where there is none. */

import type { WriteStream } from "node:tty";

/** Where there is no terminal, a line this often keeps a log readable. */
const plainIntervalMs = 3000;

export class LiveLine {
  readonly #stream: NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns">>;
  readonly #now: () => number;
  #lastPlainMs: number;
  #open = false;

  constructor(
    stream: NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns">>,
    now: () => number = performance.now.bind(performance),
  ) {
    this.#stream = stream;
    this.#now = now;
    this.#lastPlainMs = Number.NEGATIVE_INFINITY;
  }

  show(line: string): void {
    if (this.#stream.isTTY === true) {
      // A line that wraps could not be rewritten.
      this.#stream.write(`\r\x1b[2K${line.slice(0, (this.#stream.columns ?? 80) - 1)}`);
      this.#open = true;
    } else if (this.#now() - this.#lastPlainMs >= plainIntervalMs) {
      this.#lastPlainMs = this.#now();
      this.#stream.write(`${line}\n`);
    }
  }

  /** Takes the line away, so that what follows starts on a clean one. */
  clear(): void {
    if (this.#open) this.#stream.write("\r\x1b[2K");
    this.#open = false;
  }
}
