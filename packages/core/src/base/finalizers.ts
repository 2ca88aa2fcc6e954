/**
 * Finalisation comes through this interface, so that the simulator decides when the garbage collector has been. `held` is
 * passed to the callback some time after `target` became unreachable; it must not hold the target.
 */
export interface Finalizers {
  watch<Held>(kind: FinalizerKind<Held>, target: object, held: Held): void;
  /**
   * Runs a minor collection if that is possible here: what was dropped is found without waiting for memory to fill.
   *
   * @param isWhole a full one instead, if the heap is so small that it takes a moment: finds what has survived minor ones
   */
  collect(isWhole?: boolean): void;
}

/** One kind of finalizer: what to do with the held value. Created once. */
export interface FinalizerKind<Held> {
  readonly dispose: (held: Held) => void;
}

export function realFinalizers(): Finalizers {
  const registries = new Map<FinalizerKind<never>, FinalizationRegistry<unknown>>();
  return {
    watch(kind, target, held) {
      let registry = registries.get(kind);
      if (registry === undefined) {
        registry = new FinalizationRegistry<unknown>(kind.dispose as (held: unknown) => void);
        registries.set(kind, registry);
      }
      registry.register(target, held);
    },
    collect: (isWhole = false) => collectGarbage?.(isWhole),
  };
}

let collectGarbage: ((isWhole: boolean) => void) | undefined;

/** Gives `collect` its means; bin/ finds it, since it needs flags that only a process start may set. */
export function setCollector(collect: (isWhole: boolean) => void): void {
  collectGarbage = collect;
}
