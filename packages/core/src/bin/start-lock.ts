/**
 * One start of a standing cluster at a time. The lock is the system's, on the directory of all sessions itself: it ends
 * with whoever holds it, and there is no file that one that was shot could leave.
 */
import { closeSync, openSync } from "node:fs";
import { RaiaError } from "../base/errors.ts";
import { tryLock } from "../store/posix.ts";

const POLL_MS = 20;
/** Longer than a start may take; one that is stopped holds its lock for ever. */
const MAX_WAIT_MS = 60_000;

/**
 * Waits for other starts to end.
 *
 * @param root holds a session of the caller's, so that nobody removes it as empty meanwhile and locks another of its name
 * @returns gives the lock back
 * @throws {RaiaError} CLUSTER_START_FAILED when `signal` aborts, or another start does not end
 */
export async function lockStart(root: string, signal: AbortSignal | undefined): Promise<() => void> {
  const descriptor = openSync(root, "r");
  try {
    for (let waitedMs = 0; !tryLock(descriptor); waitedMs += POLL_MS) {
      if (signal?.aborted) throw interrupted();
      if (waitedMs >= MAX_WAIT_MS)
        throw new RaiaError("CLUSTER_START_FAILED", { reason: "another start of a cluster of this user does not end", directory: root });
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return () => closeSync(descriptor);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

export function interrupted(): RaiaError {
  return new RaiaError("CLUSTER_START_FAILED", { reason: "it was interrupted" });
}
