/** The runtime that user code finds around it. */
import { currentContext } from "./task-context.ts";
import type { WorkerRuntime } from "./worker-runtime.ts";

let processRuntime: WorkerRuntime | undefined;

/** The runtime of this process; code of a task sees the one that runs it. */
export function currentRuntime(): WorkerRuntime | undefined {
  // Contexts are made by execution/, which knows of its runtime no more than it needs; the runtime hands itself to it.
  return (currentContext()?.runtime as WorkerRuntime | undefined) ?? processRuntime;
}

export function setProcessRuntime(runtime: WorkerRuntime | undefined): void {
  processRuntime = runtime;
}
