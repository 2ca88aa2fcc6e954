/** Virtual time: it stands still while code runs, then jumps to the next event. Events of one moment keep their order. */
import type { Clock, Timer } from "@raia/core/internal";

interface Event {
  readonly atMs: number;
  readonly order: number;
  fn: (() => void) | undefined;
}

export class SimClock implements Clock {
  #nowMs = 0;
  #order = 0;
  /** A binary heap by time, then by order. */
  readonly #heap: Event[] = [];
  steps = 0;
  #wallOffsetMs = 1_700_000_000_000;

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  /** Somebody sets the machine's clock. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  after(delayMs: number, fn: () => void): Timer {
    const event: Event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
    this.#push(event);
    return { cancel: () => void (event.fn = undefined) };
  }

  soon(fn: () => void): void {
    this.after(0, fn);
  }

  /** Runs the next event. @returns false when there is none */
  step(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      if (event.fn === undefined) continue;
      this.#nowMs = event.atMs;
      this.steps++;
      event.fn();
      return true;
    }
  }

  /** Events that are still to come and were not cancelled. */
  get pendingCount(): number {
    return this.#heap.reduce((count, { fn }) => count + (fn === undefined ? 0 : 1), 0);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
