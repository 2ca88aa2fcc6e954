/** What a task of `map` does, in its worker: one function over a few items, one after another. */

export interface BatchResult {
  /** A result for each item. Where `errors` has an index, what stands here means nothing. */
  readonly values: readonly unknown[];
  readonly errors: readonly { readonly index: number; readonly reason: unknown }[];
  /** Milliseconds that the function took for all of them. */
  readonly durationMs: number;
}

/**
 * Items run one at a time, so that `concurrency` says how many run at once, whatever the size of a batch.
 *
 * @param keepsErrors an error is noted, and the next item follows; otherwise it fails the task
 */
export async function runBatch(fn: (item: unknown) => unknown, items: readonly unknown[], keepsErrors: boolean): Promise<BatchResult> {
  const startMs = performance.now();
  const values: unknown[] = [];
  const errors: { index: number; reason: unknown }[] = [];
  for (const [index, item] of items.entries()) {
    try {
      const value = fn(item);
      // Each await costs a turn; most functions that are worth a batch have none.
      values.push(isThenable(value) ? await value : value);
    } catch (reason) {
      if (!keepsErrors) throw reason;
      errors.push({ index, reason });
      values.push(undefined);
    }
  }
  return { values, errors, durationMs: performance.now() - startMs };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
