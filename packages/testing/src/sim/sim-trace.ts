/** What happened, in its order: as a number that two runs of one seed must agree on, and as lines for who looks at one. */
import { TraceHash } from "./trace-hash.ts";

export class SimTrace {
  readonly #hash = new TraceHash();
  readonly #write: ((line: string) => void) | undefined;

  /** @param write takes the lines; without it there are none, and they cost nothing */
  constructor(write?: (line: string) => void) {
    this.#write = write;
  }

  get hash(): string {
    return this.#hash.value;
  }

  get isWatched(): boolean {
    return this.#write !== undefined;
  }

  delivered(link: string, nowMs: number): void {
    this.#hash.add(link, nowMs);
  }

  sent(stream: string, names: readonly string[], nowMs: number): void {
    this.tell(`${shortened(stream)} ${names.join(", ")}`, nowMs);
  }

  /** A fault, or a step of the program. */
  say(what: string, nowMs: number): void {
    this.#hash.add(what, nowMs);
    this.tell(what, nowMs);
  }

  /** A line that only those see who watch. */
  tell(what: string, nowMs: number): void {
    this.#write?.(`${nowMs.toFixed(3).padStart(12)} ms  ${what}`);
  }
}

/** Processes are known by the beginning of their ids. */
function shortened(stream: string): string {
  return stream.replace(/^([dw]-[0-9a-f]{6})[0-9a-f]*/, "$1");
}
