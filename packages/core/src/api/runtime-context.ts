/** Who and where the running code is. */
import { toCounts } from "../base/resources.ts";
import { currentContext } from "../worker/task-context.ts";
import { currentTrace, type TraceContext } from "./call-context.ts";
import { existingRuntime } from "./init.ts";

export interface RuntimeContext {
  readonly jobId: string;
  readonly nodeId: string;
  readonly workerId: string;
  readonly namespace: string;
  /** Absent in a driver. */
  readonly taskId: string | undefined;
  readonly taskName: string | undefined;
  readonly actorId: string | undefined;
  /** The placement group that the task or actor runs in. */
  readonly placementGroupId: string | undefined;
  /** How often the call was tried before: 0 at first. */
  readonly attempt: number;
  /** How often the actor was made anew. */
  readonly actorRestarts: number;
  /** What the running task or actor holds, in whole units: `{ CPU: 1 }`. */
  readonly resources: Readonly<Record<string, number>>;
  /** Indices of the devices that it may use, by resource. */
  readonly accelerators: Readonly<Record<string, readonly number[]>>;
  /** The trace for which the running code works, when its caller had one. */
  readonly traceContext: TraceContext | undefined;
  /** Aborts when the call is cancelled; never in a driver. */
  readonly signal: AbortSignal;
}

/** @throws {RaiaError} NOT_INITIALIZED when Raia does not run here */
export function runtimeContext(): RuntimeContext {
  const runtime = existingRuntime();
  const task = currentContext();
  return {
    jobId: runtime.cluster.jobId,
    nodeId: runtime.cluster.nodeId,
    workerId: runtime.cluster.self.workerId,
    namespace: runtime.cluster.namespace,
    taskId: task?.taskId,
    taskName: task?.name,
    actorId: task?.actor?.actorId,
    placementGroupId: task?.placementGroup?.id,
    attempt: task?.attempt ?? 0,
    actorRestarts: task?.actor?.restarts ?? 0,
    resources: toCounts(task?.resources ?? {}),
    accelerators: task?.accelerators ?? {},
    traceContext: currentTrace(task?.ambient),
    get signal() {
      return task?.signal ?? neverAborts;
    },
  };
}

const neverAborts = new AbortController().signal;
