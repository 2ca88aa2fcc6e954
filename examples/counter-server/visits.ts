/** How often each page was visited. Calls come one at a time, so there is nothing to lock. */
export class Visits {
  readonly #hits = new Map<string, number>();

  /** @returns the visits of `page`, this one included */
  add(page: string): number {
    const hits = (this.#hits.get(page) ?? 0) + 1;
    // Anyone may post any name: the thousandth page is the last to be counted.
    if (hits > 1 || this.#hits.size < 1000) this.#hits.set(page, hits);
    return hits;
  }

  all(): Record<string, number> {
    return Object.fromEntries(this.#hits);
  }
}
