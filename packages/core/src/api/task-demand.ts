import { type ResourceSet, unitsOf } from "../base/resources.ts";
import type { WorkerDemand } from "../messages/common.ts";
import { currentContext } from "../worker/task-context.ts";
import { ownLaunch } from "../worker/own-launch.ts";
import type { CheckedOptions, Demand } from "./options.ts";

/** What work asks of a node, whole but for the job: that is known once this process has joined. */
export function demandOf(demand: Demand, name: string): Omit<WorkerDemand, "jobId"> {
  const launch = ownLaunch();
  const heap = demand.isolation !== "shared" ? heapLimitFlags(demand.resources) : [];
  return { ...demand, launch: { ...launch, execArgv: [...launch.execArgv, ...heap] }, name };
}

/**
 * Where work goes that names no place of its own: into the placement group of the code that submits it, when that group
 * captures what is submitted there. What it submits in turn follows it.
 */
export function capturedStrategy(options: CheckedOptions): Demand["strategy"] | undefined {
  const group = currentContext()?.placementGroup;
  if (group?.capturesChildTasks !== true || options["schedulingStrategy"] !== undefined) return undefined;
  return { kind: "PLACEMENT_GROUP", placementGroupId: group.id, bundleIndex: -1, captureChildTasks: true };
}

/** With less a worker does not start. */
const LEAST_HEAP_MIB = 32;

/** Work that asks for memory and has a process to itself gets a heap of that size: it fails by its own limit, not by the machine's. */
function heapLimitFlags(resources: ResourceSet): readonly string[] {
  const bytes = unitsOf(resources, "memory");
  return bytes === 0 ? [] : [`--max-old-space-size=${Math.max(LEAST_HEAP_MIB, Math.floor(bytes / 1024 ** 2))}`];
}
