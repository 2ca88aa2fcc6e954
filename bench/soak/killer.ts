/** Shoots workers of one cluster, at a steady rate. */
import { listWorkers } from "@raia/core";
import { type Random, randomBelow } from "@raia/core/internal";
import { descendantsOf } from "./process-figures.ts";
import type { Tally } from "./tally.ts";

/** In the proportion in which they stand here. */
const SIGNALS = ["SIGKILL", "SIGKILL", "SIGKILL", "SIGKILL", "SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT"] as const;

/** One shot. @returns whether there was somebody to shoot */
export async function shootWorker(headPid: number, random: Random, tally: Tally): Promise<boolean> {
  const workers = (await listWorkers()).filter(({ kind, state }) => kind !== "driver" && state !== "starting");
  // The cluster's own processes, whatever a listing says: a number may have passed to somebody else's process.
  const own = new Set(descendantsOf(headPid));
  const targets = workers.filter(({ pid }) => own.has(pid));
  const target = targets[randomBelow(random, targets.length)];
  const signal = SIGNALS[randomBelow(random, SIGNALS.length)];
  if (target === undefined || signal === undefined) return false;
  try {
    process.kill(target.pid, signal);
  } catch {
    return false; // It has just ended by itself.
  }
  tally.killed(`${target.kind} ${signal}`);
  return true;
}
