/** What the cluster is doing, for programs. */
import type { ActorState, JobState, Limited, NodeState, StoreUsage, WorkerState } from "../worker/state/cluster-state.ts";
import type { TraceEvent } from "../worker/state/chrome-trace.ts";
import type { Explanation } from "../worker/state/explanation.ts";
import { kindOf, ObjectRef } from "../worker/objects/object-ref.ts";
import type { ObjectState, TaskState } from "../worker/state/state-rows.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";
import { isActorHandle, recordOf } from "./actor-class.ts";
import { checkCallOptions, refuseOptions } from "./call-options.ts";
import { existingRuntime } from "./init.ts";
import { isPlacementGroup } from "./placement-group.ts";

/** The processes of the cluster: workers and drivers. */
export async function listWorkers(): Promise<readonly WorkerState[]> {
  refuseOptions("listWorkers", arguments[0]);
  return (await joined()).state.workers();
}

/** Tasks under way, and those that ended as long as they are remembered (the last 20,000 events of a job). */
export async function listTasks(options?: Limited): Promise<readonly TaskState[]> {
  checkCallOptions("list", options);
  return (await (await joined()).state.tasks(options)).rows;
}

/** Actors, dead ones included as long as they are remembered. */
export async function listActors(options?: Limited): Promise<readonly ActorState[]> {
  checkCallOptions("list", options);
  return (await (await joined()).state.actors(options)).rows;
}

/** Objects of all processes, the largest first. */
export async function listObjects(options?: Limited): Promise<readonly ObjectState[]> {
  checkCallOptions("list", options);
  return (await (await joined()).state.objects(options)).rows;
}

export async function listJobs(): Promise<readonly JobState[]> {
  refuseOptions("listJobs", arguments[0]);
  return (await joined()).state.jobs();
}

export async function nodes(): Promise<readonly NodeState[]> {
  refuseOptions("nodes", arguments[0]);
  return (await joined()).state.nodes();
}

/** All that the nodes have, in whole units. */
export async function clusterResources(): Promise<Readonly<Record<string, number>>> {
  return sum((await nodes()).map(({ total }) => total));
}

/** What is free now. */
export async function availableResources(): Promise<Readonly<Record<string, number>>> {
  return sum((await nodes()).map(({ available }) => available));
}

function sum(sets: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const set of sets) for (const [name, count] of Object.entries(set)) total[name] = (total[name] ?? 0) + count;
  return total;
}

/** Shared memory of each node in bytes: capacity, use, what is read now, what is on disk, top owners. */
export async function storeUsage(): Promise<readonly { readonly nodeId: string; readonly usage: StoreUsage }[]> {
  return (await joined()).state.storeUsage();
}

/**
 * What happened to this job's tasks, as events of the Trace Event Format, which chrome://tracing and ui.perfetto.dev draw:
 * calls, how long each waited for a worker, how long it ran, how long each `get` took. A second behind.
 */
export async function timeline(): Promise<readonly TraceEvent[]> {
  const runtime = await joined();
  const { events } = await runtime.state.timeline({ jobId: runtime.cluster.jobId });
  return events;
}

/** Says why a value is not there yet, or how an actor or a placement group stands. Answers at once, even when an owner does not. */
export async function explain(target: ObjectRef | object): Promise<Explanation> {
  const runtime = existingRuntime();
  if (isPlacementGroup(target)) return runtime.groups.explain(target.id);
  if (ObjectRef.isRef(target)) return runtime.explainer.explain(ObjectRef.entryOf(target));
  if (!isActorHandle(target) && kindOf(target, "actor") === "object") ObjectRef.entryOf(target);
  const { client } = recordOf(target);
  if (!runtime.cluster.isJoined) return { state: "waiting", reasons: ["this process has not joined its cluster yet"] };
  return runtime.cluster.control.explainActor({ actorId: client.actorId });
}

async function joined(): Promise<WorkerRuntime> {
  const runtime = existingRuntime();
  await runtime.cluster.joined;
  return runtime;
}
