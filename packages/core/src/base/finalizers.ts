/**
 * Garbage collection comes in through this interface, so that the simulator decides when something was collected. The
 * callback must not hold what it waits for, or that is never collected.
 */
export interface Finalizers {
  /** Calls `fn` once, in a later turn, after `target` was collected; never when `release` was called first. */
  watch(target: WeakKey, fn: () => void): Watch;
}

export interface Watch {
  /** `fn` will not be called any more. */
  release(): void;
}

const registry = new FinalizationRegistry<() => void>((fn) => fn());

export const realFinalizers: Finalizers = {
  watch(target, fn) {
    // The callback itself is the token: it lives as long as the registration does.
    registry.register(target, fn, fn);
    return { release: () => void registry.unregister(fn) };
  },
};

/** Collection that happens when told. */
export class FakeFinalizers implements Finalizers {
  readonly #watched = new Map<WeakKey, Set<() => void>>();

  watch(target: WeakKey, fn: () => void): Watch {
    const callbacks = this.#watched.get(target) ?? new Set();
    this.#watched.set(target, callbacks.add(fn));
    return { release: () => void callbacks.delete(fn) };
  }

  /** Runs the callbacks of `target`, as if it had been collected. */
  collect(target: WeakKey): void {
    const callbacks = this.#watched.get(target);
    this.#watched.delete(target);
    for (const fn of callbacks ?? []) fn();
  }

  /** Everything watched, oldest first. */
  get watched(): readonly WeakKey[] {
    return [...this.#watched].filter(([, callbacks]) => callbacks.size > 0).map(([target]) => target);
  }
}
