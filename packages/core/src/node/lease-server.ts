/** Lends workers to the owners of tasks, and sees to it that each owner gets its turn. */
import type { Clock, Timer } from "../base/clock.ts";
import type { DeathCause } from "../messages/common.ts";
import { leaseEvents, type LeaseReply, type leaseService } from "../messages/leases.ts";
import { hostService } from "../messages/tasks.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Handlers } from "../wire/service.ts";
import type { DeviceVariables } from "./accelerators/device-variables.ts";
import { shownDevices } from "./accelerators/shown-devices.ts";
import type { BundleServer } from "./bundle-server.ts";
import type { ControlLink } from "./control-link.ts";
import type { HostedActors } from "./hosted-actors.ts";
import type { Holding } from "./lease-machine.ts";
import type { LeaseOwners, LeaseQueue } from "./lease-queue.ts";
import type { Lease, LeaseRequest } from "./lease.ts";
import type { MemberTable } from "./member-table.ts";
import type { OutputHub } from "./output-hub.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface LeaseServerDependencies {
  readonly nodeId: string;
  readonly clock: Clock;
  readonly members: MemberTable;
  readonly pool: WorkerPool;
  readonly output: OutputHub;
  readonly control: ControlLink;
  readonly deviceVariables: DeviceVariables | undefined;
}

/** How long a lease is its owner's, however many wait: handing it over costs two round trips. */
const TURN_MS = 20;
/** A loop that lives answers sooner. The worker is asked again as late, since what runs there may take long. */
const OWNER_ANSWER_MS = 300;

export class LeaseServer implements LeaseOwners {
  readonly #deps: LeaseServerDependencies;
  readonly #queue: () => LeaseQueue;
  #turn: Timer | undefined;
  grantedCount = 0;

  /** @param queue whose owners this speaks to; each needs the other */
  constructor(deps: LeaseServerDependencies, queue: () => LeaseQueue) {
    this.#deps = deps;
    this.#queue = queue;
  }

  handlers(actors: HostedActors, bundles: BundleServer): Handlers<typeof leaseService, Connection> {
    const queue = this.#queue();
    const { pool } = this.#deps;
    /** Whoever names another's lease is not heard. */
    const ownLease = (leaseId: string, peer: Connection): Lease | undefined => {
      const lease = queue.lease(leaseId);
      return lease?.request.ownerId === peer.peerId ? lease : undefined;
    };
    return {
      requestLease: (request) => this.#request(request),
      cancelLease: ({ leaseId }) => queue.cancel(leaseId),
      returnLease: ({ leaseId, discard }, peer) => {
        if (ownLease(leaseId, peer) !== undefined) queue.giveBack(leaseId, discard);
      },
      killLeasedWorker: ({ leaseId, graceMs }, peer) => {
        const worker = ownLease(leaseId, peer)?.holding?.worker;
        if (worker !== undefined) pool.stop(worker, { by: "user" }, graceMs);
      },
      taskBlocked: ({ leaseIds }) => {
        for (const leaseId of leaseIds) queue.block(leaseId);
      },
      taskUnblocked: ({ leaseIds }) => {
        for (const leaseId of leaseIds) queue.unblock(leaseId);
        return {};
      },
      actorExited: ({ actorId }, peer) => actors.exited(actorId, peer.peerId),
      explainLease: ({ leaseId }) => bundles.explain(leaseId),
    };
  }

  #request({ leaseId, ownerId, demand }: Pick<LeaseRequest, "leaseId" | "ownerId" | "demand">): Promise<Infer<typeof LeaseReply>> {
    return new Promise((resolve, reject) => {
      this.#queue().add({
        leaseId,
        ownerId,
        demand,
        isActor: false,
        granted: (holding) => resolve(this.#granted(demand, holding)),
        refused: (error) => (error.code === "TASK_CANCELLED" ? resolve({ status: "cancelled" }) : reject(error)),
        spilled: (spillAddress) => resolve({ status: "spilled", spillAddress }),
      });
    });
  }

  #granted(demand: LeaseRequest["demand"], { worker, claims, grant }: Holding): Infer<typeof LeaseReply> {
    const { nodeId, output, control, deviceVariables } = this.#deps;
    this.grantedCount++;
    output.setSource(worker.workerId, { pid: worker.pid, name: demand.name, jobId: demand.jobId });
    control.reportSoon();
    return {
      status: "granted",
      workerId: worker.workerId,
      address: worker.address,
      pid: worker.pid,
      nodeId,
      claimOffset: worker.claimOffset + 4 * claims.first,
      claimCount: worker.isThread ? 0 : claims.count,
      claimInWorker: 4 * claims.first,
      ...shownDevices(grant, deviceVariables),
    };
  }

  // -- what owners are told ---------------------------------------------------------------------------------------

  async ended({ leaseId, request }: Lease, cause: DeathCause, strangers: number): Promise<void> {
    try {
      await this.#deps.members.connectionOf(request.ownerId)?.client(leaseEvents).leaseEnded({ leaseId, cause, strangers });
    } catch {
      // The owner is gone as well.
    }
  }

  roomChanged(): void {
    this.#deps.control.reportSoon();
  }

  askBack({ leaseId, request }: Lease): void {
    this.#deps.members.connectionOf(request.ownerId)?.client(leaseEvents).recallLease({ leaseId });
    this.#takeLater(leaseId);
  }

  /**
   * An owner whose loop stands still cannot return it. Its worker is asked instead, and promises to take no more calls on a
   * lease on which nothing runs.
   */
  #takeLater(leaseId: string): void {
    this.#deps.clock.after(OWNER_ANSWER_MS, () => {
      const worker = this.#queue().lease(leaseId)?.holding?.worker;
      if (worker === undefined) return;
      (worker.connection as Connection)
        .client(hostService)
        .yieldLease({ leaseId })
        .then(
          ({ yielded, discard }) => {
            if (yielded) this.#queue().take(leaseId, discard);
            else this.#takeLater(leaseId);
          },
          () => {
            // The worker has died: its leases end with it.
          },
        );
    });
  }

  /** Those who have had their turn are asked to return what they can do without. */
  starved(ownerId: string, groupId: string | undefined): void {
    const { clock } = this.#deps;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { leaseId, request, holding, target } of this.#queue().leases()) {
      if (holding === undefined || request.isActor || request.ownerId === ownerId || target?.groupId !== groupId) continue;
      const leftMs = holding.grantedAtMs + TURN_MS - clock.nowMs();
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else this.#queue().turnOver(leaseId);
    }
    if (nextMs === Number.POSITIVE_INFINITY || this.#turn !== undefined) return;
    this.#turn = clock.after(nextMs, () => {
      this.#turn = undefined;
      this.#queue().schedule();
    });
  }
}
