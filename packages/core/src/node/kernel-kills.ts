import type { Clock } from "../base/clock.ts";

/**
 * Tells whether the kernel killed a process for want of memory. Its counter has no names, so each death by SIGKILL that
 * this node did not send may claim one kill of the last seconds, and each kill explains one death only.
 */
export class KernelKills {
  readonly #clock: Clock;
  readonly #count: () => number | undefined;
  /** Kills before the window: these explain nothing any more. */
  #settled: number;
  /** What was counted at the last sample, which becomes settled one window later. */
  #sampled: { readonly count: number; readonly atMs: number };

  /** @param count the kernel's counter; see `oomKillCounter` */
  constructor(clock: Clock, count: () => number | undefined) {
    this.#clock = clock;
    this.#count = count;
    this.#settled = count() ?? 0;
    this.#sampled = { count: this.#settled, atMs: clock.nowMs() };
  }

  /** To be called now and then (each claim does): forgets kills of other processes that are older than a window. */
  sample(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#sampled.atMs < WINDOW_MS) return;
    this.#settled = Math.max(this.#settled, this.#sampled.count);
    this.#sampled = { count: this.#count() ?? 0, atMs: nowMs };
  }

  /** Whether a kill is left to explain a death that was seen just now. */
  claim(): boolean {
    const isExplained = (this.#count() ?? 0) > this.#settled;
    if (isExplained) this.#settled++;
    return isExplained;
  }
}

/** A death is seen within milliseconds of the kill, seconds when the machine thrashes. */
const WINDOW_MS = 2000;
