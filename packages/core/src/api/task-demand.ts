import type { WorkerDemand } from "../messages/common.ts";
import { ownLaunch } from "../worker/own-launch.ts";
import type { Demand } from "./options.ts";

/** What work asks of a node, whole but for the job: that is known once this process has joined. */
export function demandOf(demand: Demand, name: string): Omit<WorkerDemand, "jobId"> {
  return { ...demand, launch: ownLaunch(), name };
}
