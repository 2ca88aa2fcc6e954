/** What a process owns, as rows for lists. */
import { taskIdOf } from "../../base/ids.ts";
import type { OwnedObject, OwnedTask } from "../../messages/owners.ts";
import type { Infer } from "../../wire/schema.ts";
import { callState } from "../calls/call-life.ts";
import { Call } from "../calls/call.ts";
import { type ObjectEntry, objectState, type StoredAt } from "../objects/object-entry.ts";
import type { Failure } from "../objects/object-reader.ts";

export function objectRow(entry: ObjectEntry): Infer<typeof OwnedObject> {
  const { payload, state } = entry;
  const stored = state === objectState.stored ? (payload as StoredAt) : undefined;
  return {
    id: entry.table.idOf(entry),
    state: stateWord(entry),
    bytes: stored?.sizeBytes ?? (payload instanceof Uint8Array ? payload.length : 0),
    handles: entry.handles,
    holds: entry.holds,
    borrowers: entry.borrowers?.size ?? 0,
    site: entry.site,
    ...(stored !== undefined && { nodeId: stored.nodeId }),
  };
}

function stateWord({ state, payload }: ObjectEntry): string {
  switch (state) {
    case objectState.pending:
      return "pending";
    case objectState.value:
    case objectState.bytes:
      return "inline";
    case objectState.stored:
      return "stored";
    case objectState.failure:
      return (payload as Failure).code === "OBJECT_FREED" ? "freed" : "error";
    default:
      return "error";
  }
}

/** The task that makes the entry; of several results the first has the row. */
export function taskRow(entry: ObjectEntry): Infer<typeof OwnedTask> | undefined {
  const call = entry.task;
  if (!(call instanceof Call) || call.entry !== entry) return undefined;
  const { template, attempt, actorId } = call;
  const where = call.state === callState.pushed ? call.holder?.whereabouts?.(call) : undefined;
  return {
    taskId: taskIdOf(entry.table.self.workerId, call.sequence),
    name: template.name,
    jobId: template.wire.jobId,
    state: taskStateWord(call, where?.hasBegun ?? false),
    attempt,
    ...(actorId !== undefined && { actorId }),
    ...(where !== undefined && { workerId: where.workerId, pid: where.pid }),
  };
}

function taskStateWord(call: Call, hasBegun: boolean): string {
  if (call.state === callState.waiting) return "waiting";
  if (call.state === callState.queued) return "queued";
  return hasBegun ? "running" : "assigned";
}
