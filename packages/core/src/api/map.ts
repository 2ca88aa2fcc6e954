/**
 * map: a function over many items, as a lazy stream. Items are taken from the source only as there is room for them, so a
 * source without end is fine; small items travel in batches whose size follows the measured duration; what is under way
 * is cancelled when the consumer leaves or an item fails.
 */
import { RaiaError } from "../base/errors.ts";
import type { ObjectRef } from "../worker/object-ref.ts";
import { cancel, get } from "./objects.ts";
import type { TaskOptions } from "./option-types.ts";
import { remote } from "./remote.ts";

export interface MapOptions<OnError extends "throw" | "collect" = "throw" | "collect"> extends Omit<TaskOptions, "numReturns" | "name"> {
  /** Batches under way at a time. Default: twice the CPUs of the cluster, 4 at least. */
  readonly concurrency?: number;
  /** Results in the order of the items. Default true; false gives them as they come. */
  readonly ordered?: boolean;
  /** `throw`: the first error ends the stream. `collect`: each result is `{ status, value | reason }`. Default "throw". */
  readonly onError?: OnError;
  /** Items in one task at most. Default 1,024. */
  readonly maxBatch?: number;
}

export type Settled<R> = { readonly status: "fulfilled"; readonly value: R } | { readonly status: "rejected"; readonly reason: unknown };

/** A batch aims at this: long enough to hide what a task costs, short enough to spread and to cancel. */
const TARGET_BATCH_MS = 4;
const DEFAULT_MAX_BATCH = 1024;
const DEFAULT_CONCURRENCY = 4;

export interface BatchResult {
  readonly outcomes: readonly Settled<unknown>[];
  readonly durationMs: number;
}

export function map<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fn: (item: T) => R,
  options: MapOptions<"collect"> & { readonly onError: "collect" },
): AsyncIterableIterator<Settled<Awaited<R>>>;
export function map<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fn: (item: T) => R,
  options?: MapOptions<"throw">,
): AsyncIterableIterator<Awaited<R>>;
export async function* map(
  items: Iterable<unknown> | AsyncIterable<unknown>,
  fn: (item: never) => unknown,
  options: MapOptions = {},
): AsyncIterableIterator<unknown> {
  const { concurrency = DEFAULT_CONCURRENCY, ordered = true, onError = "throw", maxBatch = DEFAULT_MAX_BATCH, ...taskOptions } = options;
  checkOptions(items, fn, concurrency, maxBatch);
  const stopAtError = onError === "throw";
  // The closure takes `fn` along, by value or by reference, as any function takes what it captures.
  const run = remote((batch: readonly unknown[]) => runBatch(fn as (item: unknown) => unknown, batch, stopAtError), {
    ...taskOptions,
    name: fn.name || "map",
  });
  const source = iteratorOf(items);
  const inFlight: Batch[] = [];
  const sizing = new BatchSize(maxBatch);
  let isExhausted = false;
  try {
    for (;;) {
      while (!isExhausted && inFlight.length < concurrency) {
        const batch = await take(source, sizing.items);
        isExhausted = batch.isLast;
        if (batch.items.length > 0) inFlight.push(new Batch(run.remote(batch.items)));
      }
      const next = ordered ? inFlight[0] : await firstSettled(inFlight);
      if (next === undefined) return;
      const { outcomes, durationMs } = await next.result;
      inFlight.splice(inFlight.indexOf(next), 1);
      sizing.measured(outcomes.length, durationMs);
      for (const outcome of outcomes) {
        if (onError === "collect") yield outcome;
        else if (outcome.status === "rejected") throw outcome.reason;
        else yield outcome.value;
      }
    }
  } finally {
    // The consumer left, or an item failed: what is under way is of no use.
    for (const { ref } of inFlight) cancel(ref);
    await source.return?.(undefined);
  }
}

/** @internal Runs in the worker. */
export async function runBatch(fn: (item: unknown) => unknown, items: readonly unknown[], stopAtError: boolean): Promise<BatchResult> {
  const startMs = performance.now();
  const outcomes: Settled<unknown>[] = [];
  for (const item of items) {
    try {
      outcomes.push({ status: "fulfilled", value: await fn(item) });
    } catch (reason) {
      outcomes.push({ status: "rejected", reason });
      if (stopAtError) break;
    }
  }
  return { outcomes, durationMs: performance.now() - startMs };
}

class Batch {
  readonly ref: ObjectRef<BatchResult>;
  readonly result: Promise<BatchResult>;

  constructor(ref: ObjectRef<BatchResult>) {
    this.ref = ref;
    this.result = get(ref);
    // Whoever awaits it gets the error; a batch that is cancelled at the end is awaited by nobody.
    this.result.catch(() => {});
  }
}

async function firstSettled(batches: readonly Batch[]): Promise<Batch | undefined> {
  if (batches.length === 0) return undefined;
  return Promise.race(
    batches.map((batch) =>
      batch.result.then(
        () => batch,
        () => batch,
      ),
    ),
  );
}

/** How many items the next batch takes: one until something was measured, then as many as fill the target. */
class BatchSize {
  items = 1;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  measured(count: number, durationMs: number): void {
    const wanted = Math.floor(TARGET_BATCH_MS / Math.max(durationMs / count, 0.001));
    // Doubling at most, so that one quick batch does not hide slow items behind it.
    this.items = Math.max(1, Math.min(this.#limit, wanted, 2 * this.items));
  }
}

async function take(source: Iterator<unknown> | AsyncIterator<unknown>, count: number): Promise<{ items: unknown[]; isLast: boolean }> {
  const items: unknown[] = [];
  while (items.length < count) {
    const step = source.next();
    const { done, value } = (step instanceof Promise ? await step : step) as IteratorResult<unknown, undefined>;
    if (done) return { items, isLast: true };
    items.push(value);
  }
  return { items, isLast: false };
}

function iteratorOf(items: Iterable<unknown> | AsyncIterable<unknown>): Iterator<unknown> | AsyncIterator<unknown> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}

function checkOptions(items: unknown, fn: unknown, concurrency: number, maxBatch: number): void {
  const isIterable = typeof items === "object" && items !== null && (Symbol.iterator in items || Symbol.asyncIterator in items);
  if (!isIterable && typeof items !== "string")
    throw new RaiaError("INVALID_ARGUMENT", { call: "map", expected: "an iterable or async iterable of items", got: typeof items });
  if (typeof fn !== "function") throw new RaiaError("INVALID_ARGUMENT", { call: "map", expected: "a function", got: typeof fn });
  for (const [option, value] of Object.entries({ concurrency, maxBatch })) {
    if (!Number.isInteger(value) || value < 1) throw new RaiaError("INVALID_OPTION", { option, value, allowed: "a whole number from 1" });
  }
}
