/**
 * How many items the next task of a `map` takes. A task costs some tens of microseconds, so short items travel together,
 * as many as fill a few milliseconds; items that take long travel alone. Pure.
 */
export class BatchSizePolicy {
  readonly #targetMs: number;
  readonly #most: number;
  #items = 1;
  #itemMs: number | undefined;

  /** @param targetMs what a batch should take: long enough to hide what a task costs, short enough to spread and to cancel */
  constructor(targetMs: number, most: number) {
    this.#targetMs = targetMs;
    this.#most = most;
  }

  get items(): number {
    return this.#items;
  }

  /**
   * @param durationMs of a whole batch: running it, and encoding it where it was made, so that large items make small batches
   */
  measured(items: number, durationMs: number): void {
    const itemMs = durationMs / items;
    // Slower counts at once, faster a little at a time: an item that waits behind a slow one is what users notice.
    this.#itemMs = this.#itemMs === undefined || itemMs > this.#itemMs ? itemMs : this.#itemMs + (itemMs - this.#itemMs) * FASTER_WEIGHT;
    const wanted = Math.floor(this.#targetMs / Math.max(this.#itemMs, LEAST_ITEM_MS));
    // Doubling at most, so that one quick batch does not put a thousand slow items behind one another.
    this.#items = Math.max(1, Math.min(wanted, this.#most, Math.max(2 * items, this.#items)));
  }
}

const FASTER_WEIGHT = 0.3;
/** Clocks tell no shorter times reliably. */
const LEAST_ITEM_MS = 0.0005;
