/** What a node holds now, counted where it is held: for listings, tests and the simulator, and for whoever must be ended. */
import type { ResourceSet } from "../base/resources.ts";
import type { WorkerRow } from "../messages/leases.ts";
import type { Infer } from "../wire/schema.ts";
import type { BundleTable } from "./bundle-table.ts";
import type { HostedActors } from "./hosted-actors.ts";
import type { Victim } from "./kill-policy.ts";
import type { LeaseQueue } from "./lease-queue.ts";
import type { MemberTable } from "./member-table.ts";
import type { ResourceLedger } from "./resource-ledger.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface NodeInspection {
  readonly total: ResourceSet;
  readonly available: ResourceSet;
  /** CPU units that tasks which went on use beyond what there is. */
  readonly owedCpu: number;
  readonly leases: readonly {
    readonly leaseId: string;
    readonly ownerId: string;
    readonly workerId: string;
    readonly isActor: boolean;
    /** Its CPU is lent to others meanwhile. */
    readonly isWaiting: boolean;
    readonly resources: ResourceSet;
    /** The bundle that it has them from; of the node itself undefined. */
    readonly bundle: string | undefined;
  }[];
  readonly bundles: readonly BundleInspection[];
  readonly ledgerLeases: readonly string[];
  readonly pendingLeases: number;
  /** Taken from owners that have not heard of it. */
  readonly takenLeases: number;
  readonly members: number;
  readonly actors: readonly { readonly actorId: string; readonly incarnation: number; readonly workerId: string | undefined }[];
  readonly workers: readonly { readonly workerId: string; readonly state: string; readonly leases: number; readonly actors: number }[];
}

/** A bundle of a placement group. */
export interface BundleInspection {
  readonly groupId: string;
  readonly index: number;
  readonly epoch: number;
  readonly state: string;
  /** Under which the node's ledger has lent it what it has. */
  readonly holdId: string;
  readonly total: ResourceSet;
  readonly available: ResourceSet;
  readonly owedCpu: number;
}

export interface NodeInspectorDependencies {
  readonly ledger: ResourceLedger;
  readonly bundles: BundleTable;
  readonly pool: WorkerPool;
  readonly queue: LeaseQueue;
  readonly members: MemberTable;
  readonly actors: HostedActors;
}

export class NodeInspector {
  readonly #deps: NodeInspectorDependencies;

  constructor(deps: NodeInspectorDependencies) {
    this.#deps = deps;
  }

  inspect(): NodeInspection {
    const { ledger, bundles, pool, queue, members, actors } = this.#deps;
    const held = [...bundles.all()];
    return {
      total: ledger.total,
      available: ledger.available,
      owedCpu: ledger.owedCpu,
      leases: [...queue.leases()].flatMap(({ leaseId, request, state, holding, room }) =>
        holding === undefined
          ? []
          : {
              leaseId,
              ownerId: request.ownerId,
              workerId: holding.worker.workerId,
              isActor: request.isActor,
              isWaiting: state.kind === "waiting",
              resources: holding.grant.resources,
              bundle: room?.bundle?.holdId,
            },
      ),
      bundles: held.map(({ groupId, index, epoch, machine, holdId, ledger: own }) => ({
        groupId,
        index,
        epoch,
        state: machine.state.kind,
        holdId,
        total: own.total,
        available: own.available,
        owedCpu: own.owedCpu,
      })),
      ledgerLeases: [...ledger.leaseIds(), ...held.flatMap((bundle) => [...bundle.ledger.leaseIds()])],
      pendingLeases: queue.pendingCount,
      takenLeases: queue.takenCount,
      members: members.size,
      actors: [...actors.all()].map(({ actorId, incarnation, worker }) => ({ actorId, incarnation, workerId: worker?.workerId })),
      workers: [...pool.all()].map(({ workerId, state, leaseIds, actorIds }) => ({
        workerId,
        state: state.kind,
        leases: leaseIds.size,
        actors: actorIds.size,
      })),
    };
  }

  listWorkers(): { workers: Infer<typeof WorkerRow>[] } {
    const { pool, queue, members, actors } = this.#deps;
    const workers = [...pool.all()].map((worker) => {
      const running = [...worker.leaseIds].map((leaseId) => queue.lease(leaseId)?.request.demand.name ?? "");
      const hosted = [...worker.actorIds].map((actorId) => actors.get(actorId)?.spec.className ?? "");
      const residentBytes = worker.process?.sampleMemory();
      return {
        workerId: worker.workerId,
        pid: worker.pid,
        kind: worker.actorIds.size > 0 ? "actor" : "task",
        state: worker.state.kind,
        jobId: worker.jobId ?? "",
        running: [...running, ...hosted],
        ...(residentBytes !== undefined && { residentBytes }),
        ...(worker.address !== "" && { address: worker.address }),
      };
    });
    const drivers = members
      .drivers()
      .map(({ workerId, pid, jobId, address }) => ({ workerId, pid, kind: "driver", state: "busy", jobId, running: [], address }));
    return { workers: [...workers, ...drivers] };
  }

  /** Who may be ended for want of memory, measured now. */
  victims(): Victim[] {
    const { pool, queue, actors } = this.#deps;
    const victims: Victim[] = [];
    for (const worker of pool.all()) {
      const leases = [...worker.leaseIds].flatMap((leaseId) => queue.lease(leaseId) ?? []);
      const hosted = [...worker.actorIds].flatMap((actorId) => actors.get(actorId) ?? []);
      if (leases.length + hosted.length === 0) continue;
      const grants = [...leases, ...hosted.flatMap(({ leaseId }) => queue.lease(leaseId) ?? [])];
      victims.push({
        workerId: worker.workerId,
        jobId: worker.jobId ?? "",
        isRetriable: leases.every(({ request }) => request.demand.mayRerun) && hosted.every(({ spec }) => spec.maxRestarts !== 0),
        startedAtMs: Math.max(0, ...grants.map(({ holding }) => holding?.grantedAtMs ?? 0)),
        privateBytes: worker.process?.sampleMemory() ?? 0,
      });
    }
    return victims;
  }
}
