/**
 * Keeps the event loop looking for input for a moment after the last activity instead of sleeping at once: waking a
 * process that sleeps costs more than a whole call (100 us against 15 on the same machine). A spin is short, so an idle
 * process soon sleeps. Where calls come by the hundred a wake-up is shared by all of them, and a spin would only keep the CPU
 * from the process that has the work.
 */
import type { Clock } from "./clock.ts";

/** Long enough for a short call and its answer, short enough to cost nothing that could be noticed. */
export const SPIN_MS = 0.1;

/** What came with more calls than this came as a batch. */
const MAX_CALLS = 8;

export class Spinner {
  readonly #clock: Clock;
  readonly #spinMs: number;
  #untilMs = 0;
  #isSpinning = false;

  constructor(clock: Clock, spinMs: number) {
    this.#clock = clock;
    this.#spinMs = spinMs;
  }

  /** So many calls or answers were received; where they are few the next may be near. */
  touch(calls: number): void {
    if (this.#spinMs === 0 || calls > MAX_CALLS) return;
    this.#untilMs = this.#clock.nowMs() + this.#spinMs;
    if (this.#isSpinning) return;
    this.#isSpinning = true;
    this.#clock.soon(this.#turn);
  }

  readonly #turn = (): void => {
    if (this.#clock.nowMs() < this.#untilMs) this.#clock.soon(this.#turn);
    else this.#isSpinning = false;
  };
}
