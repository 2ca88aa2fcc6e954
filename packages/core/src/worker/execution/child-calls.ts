/** The calls that running calls have made and that are still under way, for a recursive cancellation. */
import type { Cancellation } from "../cancellation.ts";

export interface ChildCall {
  cancel(cancellation: Cancellation): void;
}

export class ChildCalls {
  readonly #open = new Set<ChildCall>();
  #cancelledWith: Cancellation | undefined;
  #emptied: (() => void) | undefined;

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** @returns what to call when the child has ended */
  add(child: ChildCall): () => void {
    this.#open.add(child);
    // Its parent is told to stop, and goes on making calls.
    const cancelledWith = this.#cancelledWith;
    if (cancelledWith !== undefined) queueMicrotask(() => this.#open.has(child) && child.cancel(cancelledWith));
    return () => {
      if (this.#open.delete(child) && this.isEmpty) this.#emptied?.();
    };
  }

  /** Those under way, and those to come. */
  cancel(cancellation: Cancellation): void {
    this.#cancelledWith = cancellation;
    for (const child of [...this.#open]) child.cancel(cancellation);
  }

  whenEmpty(fn: () => void): void {
    this.#emptied = fn;
  }
}

/**
 * Calls of an owner that have ended, and whose own calls go on: when it cancels one before it has heard of its end, they must
 * not go on. One for each owner.
 */
export class EndedParents {
  /** By the number that the owner gave the parent. */
  readonly #children = new Map<number, ChildCalls>();

  add(sequence: number, children: ChildCalls): void {
    if (children.isEmpty) return;
    this.#children.set(sequence, children);
    children.whenEmpty(() => this.#children.delete(sequence));
  }

  cancel(sequence: number, cancellation: Cancellation): void {
    this.#children.get(sequence)?.cancel(cancellation);
  }
}
