/**
 * Holds the items of a `Queue`, and those who wait at either end. Waiting calls are promises here and cost no process; they
 * run in groups of their own, so that any number of readers who wait cannot keep the writer out for whom they wait.
 */
import { realClock } from "../base/clock.ts";
import { Deque } from "../base/deque.ts";
import { currentContext } from "../worker/task-context.ts";

/** An item in a box: `undefined` is an item as well, and a ref stays a ref. */
export type Boxed = readonly [item: unknown];

interface Waiter {
  /** Absent for one who wants an item. */
  readonly box: Boxed | undefined;
  wake(box: Boxed | undefined): void;
}

export class QueueActor {
  readonly #maxSize: number;
  readonly #items = new Deque<Boxed>();
  /** In the order in which they came: a set keeps it, and forgets one in its middle at no cost. */
  readonly #readers = new Set<Waiter>();
  readonly #writers = new Set<Waiter>();

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** @returns false when there was no room within the time */
  async put(box: Boxed, timeoutMs: number | undefined): Promise<boolean> {
    if (this.putNowait([box])) return true;
    return (await this.#wait(this.#writers, box, timeoutMs)) !== undefined;
  }

  /** @returns `undefined` when no item came within the time */
  async get(timeoutMs: number | undefined): Promise<Boxed | undefined> {
    return this.getNowait(1)?.[0] ?? (await this.#wait(this.#readers, undefined, timeoutMs));
  }

  /** All of them or none. @returns whether there was room */
  putNowait(boxes: readonly Boxed[]): boolean {
    if (this.#items.length + boxes.length > this.#maxSize + this.#readers.size) return false;
    for (const box of boxes) {
      const reader = firstOf(this.#readers);
      if (reader === undefined) this.#items.push(box);
      else reader.wake(box);
    }
    return true;
  }

  /** So many items, or `undefined` when there are fewer. */
  getNowait(count: number): Boxed[] | undefined {
    if (this.#items.length < count) return undefined;
    const boxes = Array.from({ length: count }, () => this.#items.shift() as Boxed);
    this.#admitWriters();
    return boxes;
  }

  size(): number {
    return this.#items.length;
  }

  #admitWriters(): void {
    while (this.#items.length < this.#maxSize) {
      const writer = firstOf(this.#writers);
      if (writer === undefined) return;
      this.#items.push(writer.box as Boxed);
      writer.wake(writer.box);
    }
  }

  /** First come, first served, until the time is over or the call is cancelled. */
  #wait(waiters: Set<Waiter>, box: Boxed | undefined, timeoutMs: number | undefined): Promise<Boxed | undefined> {
    return new Promise((resolve) => {
      const signal = currentContext()?.signal;
      const waiter: Waiter = {
        box,
        wake: (given) => {
          waiters.delete(waiter);
          timer?.cancel();
          signal?.removeEventListener("abort", giveUp);
          resolve(given);
        },
      };
      const giveUp = (): void => waiter.wake(undefined);
      const timer = timeoutMs === undefined ? undefined : realClock.after(timeoutMs, giveUp);
      signal?.addEventListener("abort", giveUp, { once: true });
      waiters.add(waiter);
    });
  }
}

function firstOf(waiters: ReadonlySet<Waiter>): Waiter | undefined {
  const [first] = waiters;
  return first;
}
