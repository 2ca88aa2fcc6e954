import { RaiaError } from "../base/errors.ts";
import { type ResourceSet, unitsOf } from "../base/resources.ts";
import type { WorkerDemand } from "../messages/common.ts";
import { ownLaunch } from "../worker/own-launch.ts";
import type { Demand } from "./options.ts";

/** What work asks of a node, whole but for the job: that is known once this process has joined. */
export function demandOf(demand: Demand, name: string): Omit<WorkerDemand, "jobId"> {
  if (demand.strategy.kind === "PLACEMENT_GROUP")
    throw new RaiaError("UNSUPPORTED", {
      option: "schedulingStrategy.placementGroup",
      reason: "this version has no placement groups; on one machine, ask for the resources themselves",
    });
  const launch = ownLaunch();
  const heap = demand.isolation !== "shared" ? heapLimitFlags(demand.resources) : [];
  return { ...demand, launch: { ...launch, execArgv: [...launch.execArgv, ...heap] }, name };
}

/** With less a worker does not start. */
const LEAST_HEAP_MIB = 32;

/** Work that asks for memory and has a process to itself gets a heap of that size: it fails by its own limit, not by the machine's. */
function heapLimitFlags(resources: ResourceSet): readonly string[] {
  const bytes = unitsOf(resources, "memory");
  return bytes === 0 ? [] : [`--max-old-space-size=${Math.max(LEAST_HEAP_MIB, Math.floor(bytes / 1024 ** 2))}`];
}
