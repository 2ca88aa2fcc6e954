/** What a simulated task is told to do, and what it must give: computed here without running anything. */
import type { ObjectRef } from "@raia/core";

export interface TaskOptionsPlan {
  readonly maxRetries: number;
  readonly numCpus: number;
  readonly maxCalls: number;
  readonly isolation?: "shared" | "process";
  readonly retryExceptions?: boolean;
  readonly timeoutMs?: number;
  readonly queueTimeoutMs?: number;
}

export type Plan =
  /** `heeds`: it ends when its signal aborts. */
  | { readonly op: "add"; readonly n: number; readonly sleepMs: number; readonly heeds?: boolean }
  /** A result that goes to the store. */
  | { readonly op: "array"; readonly n: number; readonly length: number }
  /** Waits for children of its own. */
  | {
      readonly op: "tree";
      readonly n: number;
      readonly how: "get" | "wait" | "each";
      readonly options: TaskOptionsPlan;
      readonly children: readonly Plan[];
    }
  /** Returns refs of children that it did not wait for. */
  | { readonly op: "refs"; readonly options: TaskOptionsPlan; readonly children: readonly Plan[] }
  /** Returns a ref of what it put itself: it owns what others read. */
  | { readonly op: "put"; readonly n: number; readonly isLarge: boolean }
  | { readonly op: "throw"; readonly n: number }
  /** Throws so often before it gives something. */
  | { readonly op: "flaky"; readonly n: number; readonly failures: number };

/** A value that a plan gives: a number, an array of equal numbers, or refs of such. */
export type PlanValue = number | Float64Array | { readonly refs: readonly ObjectRef<PlanValue>[] };

/** 128 KiB as an array: past what travels inside messages. */
export const LARGE_LENGTH = 16 * 1024;

/** The sum of what a plan gives; undefined when it throws. */
export function expectedOf(plan: Plan): number | undefined {
  switch (plan.op) {
    case "add":
    case "flaky":
      return plan.n;
    case "array":
      return plan.n * plan.length;
    case "put":
      return plan.isLarge ? plan.n * LARGE_LENGTH : plan.n;
    case "throw":
      return undefined;
    case "tree":
    case "refs": {
      const parts = plan.children.map(expectedOf);
      return sumOrUndefined(plan.op === "tree" ? [plan.n, ...parts] : parts);
    }
  }
}

export function sumOrUndefined(parts: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const part of parts) {
    if (part === undefined) return undefined;
    sum += part;
  }
  return sum;
}

export class PlannedError extends Error {
  override readonly name = "PlannedError";
}
