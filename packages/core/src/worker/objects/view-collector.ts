/**
 * Finds views of shared memory that were dropped, since they keep their objects in memory for every process. Minor collections
 * find the young ones; one that a task has held for long survives those, and an idle process would keep it for ever. So a
 * process that has read nothing for a while and still holds views collects the whole heap, once; and when the node is short
 * of memory it does so when it is asked.
 */
import type { Clock } from "../../base/clock.ts";
import type { Finalizers } from "../../base/finalizers.ts";

/** Longer than pauses between calls of a busy program. */
const IDLE_MS = 100;
const LONG_IDLE_MS = 3000;
/** Between full collections that the node asks for. */
const WHOLE_EVERY_MS = 5000;

export class ViewCollector {
  readonly #finalizers: Finalizers;
  readonly #clock: Clock;
  readonly #holdsViews: () => boolean;
  #made = 0;
  #isWatching = false;
  #wholeAtMs = Number.NEGATIVE_INFINITY;

  constructor(finalizers: Finalizers, clock: Clock, holdsViews: () => boolean) {
    this.#finalizers = finalizers;
    this.#clock = clock;
    this.#holdsViews = holdsViews;
  }

  viewMade(): void {
    this.#made++;
    if (!this.#isWatching) this.#watch();
  }

  #watch(): void {
    this.#isWatching = true;
    const seen = this.#made;
    this.#clock.after(IDLE_MS, () => {
      if (this.#made !== seen) {
        this.#watch();
        return;
      }
      this.#isWatching = false;
      this.#finalizers.collect();
      this.#clock.after(LONG_IDLE_MS, () => {
        if (this.#made === seen) this.#collectWhole();
      });
    });
  }

  roomWanted(): void {
    if (!this.#holdsViews()) return;
    this.#finalizers.collect();
    // What that has found is given back in a later turn.
    this.#clock.soon(() => {
      if (this.#clock.nowMs() - this.#wholeAtMs >= WHOLE_EVERY_MS) this.#collectWhole();
    });
  }

  #collectWhole(): void {
    if (!this.#holdsViews()) return;
    this.#wholeAtMs = this.#clock.nowMs();
    this.#finalizers.collect(true);
  }
}
