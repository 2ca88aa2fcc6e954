/** What a task of `map` does, in its worker: one function over a few items, one after another. */
import { assert } from "../base/assert.ts";
import { currentRuntime } from "../worker/current-runtime.ts";
import { currentContext } from "../worker/task-context.ts";
import { encodeThrown, reviveThrown } from "../worker/thrown.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";

export interface BatchResult {
  /** A result for each item that was run. Where `errors` has an index, what stands here means nothing. */
  readonly values: readonly unknown[];
  readonly errors: readonly { readonly index: number; readonly reason: unknown }[];
  /** Milliseconds that the function took for all of them. */
  readonly durationMs: number;
}

/** As it travels: what was thrown is sent as errors of tasks are, whatever their properties hold. */
export interface SentBatch extends Omit<BatchResult, "errors"> {
  readonly errors: readonly { readonly index: number; readonly thrown: Uint8Array }[];
}

export function receivedBatch({ errors, ...batch }: SentBatch, runtime: WorkerRuntime): BatchResult {
  return {
    ...batch,
    errors: errors.map(({ index, thrown }) => ({ index, reason: reviveThrown(thrown, runtime.hooks) })),
  };
}

/**
 * Items run one at a time, so that `concurrency` says how many run at once, whatever the size of a batch.
 *
 * @param keepsErrors an error is noted, and the next item follows; otherwise it is the last of the results, or fails the task
 *   when there are none before it
 */
export async function runBatch(fn: (item: unknown) => unknown, items: readonly unknown[], keepsErrors: boolean): Promise<SentBatch> {
  const startMs = performance.now();
  const values: unknown[] = [];
  const errors: { index: number; thrown: Uint8Array }[] = [];
  for (const [index, item] of items.entries()) {
    try {
      const value = fn(item);
      // Each await costs a turn; most functions that are worth a batch have none.
      values.push(isThenable(value) ? await value : value);
    } catch (reason) {
      if (!keepsErrors && index === 0) throw reason;
      errors.push({ index, thrown: encoded(reason) });
      values.push(undefined);
      if (!keepsErrors) break;
    }
  }
  return { values, errors, durationMs: performance.now() - startMs };
}

function encoded(reason: unknown): Uint8Array {
  const [context, runtime] = [currentContext(), currentRuntime()];
  assert(context !== undefined && runtime !== undefined, "a batch runs in a task");
  return encodeThrown(reason, runtime.hooks, { task: context.name, pid: runtime.pid, node: runtime.cluster.nodeId });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
