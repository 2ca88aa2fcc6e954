/**
 * Says what a call that this process has waits for: its turn behind others, or what its own code waits for, and so on from process
 * to process. Two that wait for each other come back to a call that is named on the way already.
 */
import { describeEntry } from "../objects/describe-entry.ts";
import { ObjectEntry } from "../objects/object-entry.ts";
import type { Explanation } from "../state/explanation.ts";
import type { CallExecution } from "./call-execution.ts";

/** Of several calls or values so many are looked into. */
const MAX_FOLLOWED = 3;

export type FollowEntry = (entry: ObjectEntry, path: readonly string[]) => Promise<Explanation>;

/** @param path ids of the calls that wait for this, each for the next */
export async function explainRun(execution: CallExecution, path: readonly string[], follow: FollowEntry): Promise<Explanation> {
  const beside = execution.host?.runningBeside(execution);
  const isRunning = beside === undefined || beside.has(execution);
  if (isRunning && execution.awaited.size === 0) return { state: "running", reasons: [] };
  const blockers = isRunning ? [execution] : [...beside];
  const explained = await Promise.all(blockers.slice(0, MAX_FOLLOWED).map((blocker) => explainBlocker(blocker, path, follow)));
  const isDeadlocked = explained.length > 0 && explained.length === blockers.length && explained.every(isDeadlock);
  const state = isDeadlocked ? "deadlocked" : isRunning ? "running" : "assigned";
  const reasons = explained.flatMap(({ reasons: own }) => own);
  return { state, reasons: isRunning ? reasons : reasons.map((reason) => `behind another call: ${reason}`) };
}

async function explainBlocker(blocker: CallExecution, path: readonly string[], follow: FollowEntry): Promise<Explanation> {
  const { name, taskId, awaited } = blocker;
  if (path.includes(taskId)) return { state: "deadlocked", reasons: [`${name} waits for this: they wait for each other, for ever`] };
  const open = [...awaited].flat().filter((entry): entry is ObjectEntry => entry instanceof ObjectEntry && !entry.isSettled);
  if (open.length === 0) return { state: "running", reasons: [`${name} runs`] };
  const explained = await Promise.all(
    open.slice(0, MAX_FOLLOWED).map(async (entry) => {
      const { state, reasons } = await follow(entry, [...path, taskId]);
      return { state, reasons: [`${name} waits for ${describeEntry(entry)}: ${reasons.join("; ") || state}`] };
    }),
  );
  // A get ends with its first failure only: it waits for ever as soon as one of its values does.
  return { state: explained.some(isDeadlock) ? "deadlocked" : "running", reasons: explained.flatMap(({ reasons }) => reasons) };
}

function isDeadlock({ state }: Explanation): boolean {
  return state === "deadlocked";
}
