/**
 * map: a function over many items, as a lazy stream. Items are taken from the source only as there is room for them, so a
 * source without end is fine; small items travel in batches whose size follows the measured duration; what is under way
 * is cancelled when the consumer leaves or an item fails.
 */
import { availableParallelism } from "node:os";
import { realClock } from "../base/clock.ts";
import { withoutControlCharacters } from "../base/control-characters.ts";
import { RaiaError } from "../base/errors.ts";
import { existingRuntime, isInitialized } from "./init.ts";
import { receivedBatch, runBatch } from "./map-batch.ts";
import { MapLoop } from "./map-loop.ts";
import type { AnyIterator, RunningBatch, Settled } from "./map-loop-options.ts";
import { cancel, get } from "./objects.ts";
import type { TaskOptions } from "./option-types.ts";
import { checkMapOptions } from "./options.ts";
import { remote } from "./remote.ts";

export type { Settled } from "./map-loop-options.ts";

export interface MapOptions<OnError extends "throw" | "collect" = "throw" | "collect">
  extends Omit<TaskOptions, "numReturns" | "generatorBackpressure"> {
  /** Tasks under way at a time. Default: twice as many as the cluster can run at once, 4 at least, 1,024 at most. */
  readonly concurrency?: number | undefined;
  /** Results in the order of the items. Default true; false gives them as they come. */
  readonly ordered?: boolean | undefined;
  /**
   * `throw`: an error ends the stream, where its item stands: the results of earlier items come first, and what is under
   * way for later ones is cancelled at once. Unordered, the results that are ready come first. `collect`: each result is
   * `{ status, value | reason }`. Default "throw".
   */
  readonly onError?: OnError | undefined;
  /** Milliseconds of work that short items are put together for, into one task. Default 4. */
  readonly batchMs?: number | undefined;
  /** Items in one task at most. Default 1,024; 1 where `timeoutMs` or `retryExceptions` is given, which are about single items. */
  readonly maxBatch?: number | undefined;
  /** Ends the stream with its reason when it aborts, and cancels what is under way. */
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_BATCH_MS = 4;
const DEFAULT_MAX_BATCH = 1024;
const LEAST_DEFAULT_CONCURRENCY = 4;
const MOST_DEFAULT_CONCURRENCY = 1024;

/**
 * Runs `fn` over each item, in tasks, and gives the results as an async iterator. Nothing happens before the first result is
 * asked for; leaving the loop early cancels what is under way. An item that is a ref arrives as a ref.
 *
 * @param fn takes one item; what it captures travels with it
 * @throws {RaiaError} INVALID_ARGUMENT, INVALID_OPTION
 */
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
export function map(
  items: Iterable<unknown> | AsyncIterable<unknown>,
  fn: (item: never) => unknown,
  options: MapOptions = {},
): AsyncIterableIterator<unknown> {
  checkArguments(items, fn);
  const {
    concurrency,
    ordered = true,
    onError = "throw",
    batchMs = DEFAULT_BATCH_MS,
    maxBatch,
    signal,
    ...taskOptions
  }: MapOptions = checkMapOptions(options);
  const collects = onError === "collect";
  const aboutOneItem = taskOptions.timeoutMs !== undefined || (taskOptions.retryExceptions ?? false) !== false;
  const anyFn = fn as (item: unknown) => unknown;
  // Tried again is what fails: an error that is kept as a result is not.
  const keepsErrors = collects && !aboutOneItem;
  const run = remote((batch: readonly unknown[]) => runBatch(anyFn, batch, keepsErrors), {
    ...taskOptions,
    name: taskOptions.name ?? (withoutControlCharacters(fn.name) || "map"),
  });
  return new MapLoop(
    () => iteratorOf(items),
    {
      clock: realClock,
      start: (batch): RunningBatch => {
        const ref = run.remote(batch);
        const result = get(ref).then((sent) => receivedBatch(sent, existingRuntime()));
        return { result, cancel: () => cancel(ref) };
      },
    },
    {
      concurrency: concurrency ?? defaultConcurrency(taskOptions.numCpus ?? 1),
      ordered,
      collects,
      batchMs,
      maxBatch: aboutOneItem ? 1 : (maxBatch ?? DEFAULT_MAX_BATCH),
      mayRerun: taskOptions.maxRetries !== 0,
      signal,
    },
  );
}

function checkArguments(items: unknown, fn: unknown): void {
  const isIterable = typeof items === "object" && items !== null && (Symbol.iterator in items || Symbol.asyncIterator in items);
  if (!isIterable && typeof items !== "string") {
    throw new RaiaError("INVALID_ARGUMENT", { call: "map", expected: "an iterable or async iterable of items", got: typeof items });
  }
  if (typeof fn !== "function") throw new RaiaError("INVALID_ARGUMENT", { call: "map", expected: "a function", got: typeof fn });
}

function iteratorOf(items: Iterable<unknown> | AsyncIterable<unknown>): AnyIterator {
  const source = Object(items) as Iterable<unknown> | AsyncIterable<unknown>;
  return (Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()) as AnyIterator;
}

/** Enough that every slot has work, and the next piece of it. */
function defaultConcurrency(numCpus: number): number {
  const runtime = isInitialized() ? existingRuntime() : undefined;
  const cpus = runtime?.cluster.isJoined ? (runtime.cluster.registered.resources["CPU"] ?? 0) / 10_000 : availableParallelism();
  const slots = Math.ceil(cpus / Math.max(numCpus, 0.001));
  return Math.min(MOST_DEFAULT_CONCURRENCY, Math.max(LEAST_DEFAULT_CONCURRENCY, 2 * slots));
}
