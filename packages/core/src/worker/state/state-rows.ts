/** Puts together what several processes say of one task or object. Pure. */
import type { TaskEvent as TaskEventType } from "../../messages/control.ts";
import type { StoredList } from "../../messages/objects.ts";
import type { OwnedObject, OwnedTask } from "../../messages/owners.ts";
import { ownerOfTask } from "../../base/ids.ts";
import type { Infer } from "../../wire/schema.ts";

type TaskEvent = Infer<typeof TaskEventType>;
type StoredObject = Infer<typeof StoredList>["objects"][number];

export interface TaskState {
  readonly taskId: string;
  readonly name: string;
  /** waiting, queued, assigned, running, finished, failed; submitted when nobody has said more. */
  readonly state: string;
  readonly attempt: number;
  readonly jobId: string;
  /** The process that called it. */
  readonly ownerPid?: number | undefined;
  /** The process that runs or ran it. */
  readonly pid?: number | undefined;
  readonly actorId?: string | undefined;
  /** Milliseconds since 1970. */
  readonly submittedAtMs?: number | undefined;
  readonly startedAtMs?: number | undefined;
  readonly durationMs?: number | undefined;
  /** Why it failed, in a line. */
  readonly error?: string | undefined;
}

export interface ObjectState {
  readonly objectId: string;
  /** pending, inline (with its owner), stored (in shared memory), spilled (on disk), error, freed */
  readonly state: string;
  readonly bytes: number;
  readonly ownerId: string;
  /** Absent when the owner did not answer. */
  readonly ownerPid?: number | undefined;
  /** Where it was put, or the function that makes it. */
  readonly site: string;
  /** Refs in the owner, and what else keeps the object there. */
  readonly handles: number;
  readonly holds: number;
  /** Other processes with refs. */
  readonly borrowers: number;
  /** Processes that read it now. */
  readonly pins: number;
  /** Milliseconds since 1970. */
  readonly createdAtMs?: number | undefined;
}

/**
 * @param isAlive asked with the beginning of an id, as a task's own has it
 * @returns those under way first, then the latest of the past
 */
export function mergeTasks(
  live: readonly (Infer<typeof OwnedTask> & { readonly ownerPid: number })[],
  events: readonly TaskEvent[],
  pidOfActor: ReadonlyMap<string, number | undefined>,
  isAlive: (ownerId: string) => boolean,
): TaskState[] {
  const past = new Map<string, TaskState>();
  for (const event of events) {
    const known = past.get(event.taskId);
    const row = rowAfter(known, event);
    if (row !== undefined) past.set(event.taskId, row);
  }
  // The owner's word stands, whatever the process did that ran it.
  for (const { taskId, state, error } of events) {
    const row = past.get(taskId);
    if (state === "unfinished" && row !== undefined) past.set(taskId, withError({ ...row, state: "failed" }, error));
  }
  const underWay = live.map(({ taskId, name, state, attempt, jobId, ownerPid, pid, actorId }): TaskState => {
    const runsIn = pid ?? (actorId === undefined ? undefined : pidOfActor.get(actorId));
    const { submittedAtMs } = past.get(taskId) ?? {};
    past.delete(taskId);
    return { taskId, name, state, attempt, jobId, ownerPid, pid: runsIn, actorId, submittedAtMs };
  });
  // Who might say more of what it submitted is gone.
  const ended = [...past.values()].map((row) =>
    row.state === "submitted" && !isAlive(ownerOfTask(row.taskId)) ? { ...row, state: "failed", error: "its caller is gone" } : row,
  );
  return [...underWay, ...ended.sort((a, b) => latest(b) - latest(a))];
}

function rowAfter(known: TaskState | undefined, event: TaskEvent): TaskState | undefined {
  const { taskId, name, state, attempt, jobId, pid, atMs, durationMs, error } = event;
  const base: TaskState = known ?? { taskId, name, state: "submitted", attempt: 0, jobId };
  switch (state) {
    case "submitted":
      return { ...base, ownerPid: pid, submittedAtMs: atMs };
    case "finished":
    case "failed":
      // Reports of two processes may come in any order; the last attempt counts.
      return attempt < base.attempt
        ? base
        : withError({ ...base, state, attempt, pid, startedAtMs: atMs, durationMs: durationMs ?? 0 }, error);
    case "unfinished":
      return { ...base, attempt: Math.max(base.attempt, attempt), ownerPid: pid };
    default:
      return known;
  }
}

/** In place of what an earlier attempt failed with. */
function withError({ error: _earlier, ...row }: TaskState, error: string | undefined): TaskState {
  return error === undefined ? row : { ...row, error };
}

function latest({ startedAtMs, submittedAtMs }: TaskState): number {
  return startedAtMs ?? submittedAtMs ?? 0;
}

/** @returns the largest first */
export function mergeObjects(
  live: readonly (Infer<typeof OwnedObject> & { readonly ownerId: string; readonly ownerPid: number })[],
  stored: readonly StoredObject[],
): ObjectState[] {
  const inStore = new Map(stored.map((object) => [object.id, object]));
  const owned = live.map(({ id, state, bytes, ownerId, ownerPid, site, handles, holds, borrowers }): ObjectState => {
    const there = inStore.get(id);
    inStore.delete(id);
    return {
      objectId: id,
      state: there === undefined ? state : placeOf(there.state),
      bytes: there?.bytes ?? bytes,
      ownerId,
      ownerPid,
      site: there?.site ?? site,
      handles,
      holds,
      borrowers,
      pins: there?.pins ?? 0,
      createdAtMs: there?.createdAtMs,
    };
  });
  // Their owner did not answer, or is gone and the node has yet to clean up.
  const others = [...inStore.values()].map(
    ({ id, state, bytes, ownerId, site, pins, createdAtMs }): ObjectState => ({
      objectId: id,
      state: placeOf(state),
      bytes,
      ownerId,
      site: site ?? "",
      handles: 0,
      holds: 0,
      borrowers: 0,
      pins,
      createdAtMs,
    }),
  );
  return [...owned, ...others].sort((a, b) => b.bytes - a.bytes);
}

/** The store's word for where an object is, in one that people ask for. */
function placeOf(state: string): string {
  return state === "spilled" || state === "restoring" ? "spilled" : "stored";
}
