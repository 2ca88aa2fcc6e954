/** What the user code of a simulation reaches beside the API: the clock of its process, its collector, a book of what ran. */
import { type Clock, currentRuntime } from "@raia/core/internal";
import type { SimCounts } from "./sim-counts.ts";
import type { SimFinalizers } from "./sim-finalizers.ts";

export interface SimContext {
  readonly clock: Clock;
  readonly finalizers: SimFinalizers;
  readonly counts: SimCounts;
  /** How often each task began, by a key that its submitter drew. */
  readonly starts: Map<number, number>;
  /** Remote functions by their options. */
  readonly handles: Map<string, unknown>;
  nextKey: number;
  nextInstance: number;
  /** What user code sees that must never be. */
  fail(error: Error): void;
}

let current: SimContext | undefined;

export function setSimContext(context: SimContext | undefined): void {
  current = context;
}

export function simContext(): SimContext {
  if (current === undefined) throw new Error("user code of a simulation runs outside of one");
  return current;
}

/** Sleeps on the clock of the process that asks; one that was killed never wakes. */
export function simSleep(delayMs: number): Promise<void> {
  const clock = currentRuntime()?.clock ?? simContext().clock;
  return new Promise((resolve) => clock.after(delayMs, resolve));
}
