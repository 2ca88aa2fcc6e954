/** What the cluster is doing, for programs and for the command line. */
import { toCounts } from "../base/resources.ts";
import { existingRuntime } from "./init.ts";

export interface WorkerState {
  readonly workerId: string;
  readonly pid: number;
  /** `task`, `actor` or `driver`. */
  readonly kind: string;
  readonly state: string;
  readonly jobId: string;
  /** Names of the tasks or actors that it has. */
  readonly running: readonly string[];
  /** Private memory; absent where it cannot be told. */
  readonly residentBytes?: number | undefined;
}

/** The processes of this node: workers and drivers. */
export async function listWorkers(): Promise<readonly WorkerState[]> {
  const { workers } = await existingRuntime().process.listWorkers({});
  return workers;
}

export interface ActorSummary {
  readonly actorId: string;
  readonly className: string;
  readonly name?: string | undefined;
  readonly namespace: string;
  readonly jobId: string;
  readonly state: string;
  readonly restarts: number;
  readonly pid?: number | undefined;
}

/** Actors, dead ones included as long as control remembers them. */
export async function listActors({ limit = 1000 }: { readonly limit?: number } = {}): Promise<readonly ActorSummary[]> {
  const { actors } = await existingRuntime().control.listActors({ limit });
  return actors;
}

export async function listJobs(): Promise<
  readonly { readonly jobId: string; readonly state: string; readonly driverPid: number; readonly entrypoint: string }[]
> {
  const { jobs } = await existingRuntime().control.listJobs({});
  return jobs;
}

export interface NodeState {
  readonly nodeId: string;
  readonly state: string;
  /** In whole units: `{ CPU: 2 }`. */
  readonly total: Readonly<Record<string, number>>;
  readonly available: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
}

export async function nodes(): Promise<readonly NodeState[]> {
  const { nodes: rows } = await existingRuntime().control.listNodes({});
  return rows.map(({ nodeId, state, total, available, labels }) => ({
    nodeId,
    state,
    total: toCounts(total),
    available: toCounts(available),
    labels,
  }));
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

/** The store of this node: capacity, use, spilled bytes, top owners. */
export async function storeUsage(): Promise<unknown> {
  const { facts } = await existingRuntime().process.nodeStatus({});
  return (facts as { readonly store?: unknown }).store;
}
