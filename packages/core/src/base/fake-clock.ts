import type { Clock, Timer } from "./clock.ts";

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Time that moves only when told. Timers fire in order of time, then of creation. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #entries: Entry[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Timer {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
    this.#entries.push(entry);
    return { cancel: () => void (this.#entries = this.#entries.filter((other) => other !== entry)) };
  }

  soon(fn: () => void): void {
    this.after(0, fn);
  }

  /** Moves time forward by `ms`, firing what falls due on the way. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#entries.filter((entry) => entry.atMs <= untilMs).sort(byTime)[0];
      if (next === undefined) break;
      this.#entries = this.#entries.filter((entry) => entry !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fn();
    }
    this.#nowMs = untilMs;
  }
}

function byTime(a: Entry, b: Entry): number {
  return a.atMs - b.atMs || a.order - b.order;
}
