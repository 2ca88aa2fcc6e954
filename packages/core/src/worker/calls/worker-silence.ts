/** Workers that were lent, run nothing, and do not answer: they were stopped with a signal, or their machine is overloaded. */
import type { Clock } from "../../base/clock.ts";
import type { WorkerLink } from "./worker-link.ts";

/** Longer than a process without work is kept from its loop by others of its machine. Then another worker is asked for. */
export const WORKER_SILENCE_MS = 5_000;

/** A worker that is being reached. */
export interface Reached {
  readonly pid: number;
  readonly sinceMs: number;
}

/**
 * Connects to a worker that was lent.
 *
 * @param isShared its loop may be busy with others' work, so that its silence means nothing
 * @returns undefined when it has died meanwhile, or does not answer
 */
export async function reachWorker(clock: Clock, link: Promise<WorkerLink>, isShared: boolean): Promise<WorkerLink | undefined> {
  const reached = link.catch(() => undefined);
  if (isShared) return reached;
  const late = Promise.withResolvers<undefined>();
  const timer = clock.after(WORKER_SILENCE_MS, () => late.resolve(undefined));
  try {
    return await Promise.race([reached, late.promise]);
  } finally {
    timer.cancel();
  }
}
