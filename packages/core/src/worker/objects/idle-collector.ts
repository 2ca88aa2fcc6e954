/**
 * Finds handles that were dropped. The garbage collector comes when memory is wanted, and a process that has gone idle
 * wants none: objects would be kept for nobody. So once no new handle was made for a while, young memory is collected, once.
 */
import type { Clock } from "../../base/clock.ts";
import type { Finalizers } from "../../base/finalizers.ts";

/** Longer than pauses between calls of a busy program, so that it never pays for this. */
const IDLE_MS = 100;

export class IdleCollector {
  readonly #finalizers: Finalizers;
  readonly #clock: Clock;
  #made = 0;
  #seen = 0;
  #isWatching = false;

  constructor(finalizers: Finalizers, clock: Clock) {
    this.#finalizers = finalizers;
    this.#clock = clock;
  }

  handleMade(): void {
    this.#made++;
    if (!this.#isWatching) this.#watch();
  }

  #watch(): void {
    this.#isWatching = true;
    this.#seen = this.#made;
    this.#clock.after(IDLE_MS, () => {
      if (this.#made !== this.#seen) {
        this.#watch();
        return;
      }
      this.#isWatching = false;
      this.#finalizers.collect();
    });
  }
}
