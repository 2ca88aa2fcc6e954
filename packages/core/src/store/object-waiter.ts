/** Waits for an object on behalf of a process. */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { ObjectRecord, Waiter } from "./object-table.ts";

export interface WaitLimits {
  /** Whose wait it is: it ends with that process. */
  readonly slot: number;
  /** Infinite where there is no limit. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Settles when something happens to the object.
 *
 * @param forgotten nobody waits any more for an object of which nothing but waiting is known
 * @throws {RaiaError} GET_TIMEOUT, TASK_CANCELLED, and what the object fails with
 */
export function nextChange(
  record: ObjectRecord,
  { slot, deadlineMs, signal }: WaitLimits,
  clock: Clock,
  forgotten: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      record.waiters.delete(waiter);
      timer?.cancel();
      signal?.removeEventListener("abort", aborted);
    };
    const waiter: Waiter = {
      slot,
      resolve: () => {
        leave();
        resolve();
      },
      reject: (error) => {
        leave();
        reject(error);
        if (record.waiters.size === 0 && record.state.kind === "creating") forgotten();
      },
    };
    const timedOut = (): void => waiter.reject(new RaiaError("GET_TIMEOUT", { object: record.id, state: record.state.kind }));
    const aborted = (): void => waiter.reject(new RaiaError("TASK_CANCELLED", { object: record.id }));
    const timer = Number.isFinite(deadlineMs) ? clock.after(deadlineMs - clock.nowMs(), timedOut) : undefined;
    record.waiters.add(waiter);
    if (signal?.aborted) aborted();
    else signal?.addEventListener("abort", aborted, { once: true });
  });
}
