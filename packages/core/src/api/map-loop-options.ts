/** What a map loop is told, and what it gives. */
import type { Clock } from "../base/clock.ts";
import type { BatchResult } from "./map-batch.ts";

export interface RunningBatch {
  readonly result: Promise<BatchResult>;
  /** What the batch is about is no longer wanted. Called at most once, and not after it has ended. */
  cancel(): void;
}

export interface MapLoopDependencies {
  readonly clock: Clock;
  /** Starts one task over the items. May throw: the error ends the map. */
  start(items: readonly unknown[]): RunningBatch;
}

export interface MapLoopOptions {
  /** Batches under way at a time. */
  readonly concurrency: number;
  readonly ordered: boolean;
  /** Errors are results; otherwise one ends the map. */
  readonly collects: boolean;
  /** Milliseconds that a batch aims at. */
  readonly batchMs: number;
  /** Items in a batch at most. */
  readonly maxBatch: number;
  /** Whether the items of a batch that failed as a whole (its process died) may be run again, each alone. */
  readonly mayRerun: boolean;
  readonly signal?: AbortSignal | undefined;
}

export type Settled<R> = { readonly status: "fulfilled"; readonly value: R } | { readonly status: "rejected"; readonly reason: unknown };

export type AnyIterator = Iterator<unknown, unknown, undefined> | AsyncIterator<unknown, unknown, undefined>;
