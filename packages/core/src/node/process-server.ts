/** The processes of this machine, from their registration to the end of their connection. */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { ProcessRegistered, processService, RegisterProcess } from "../messages/leases.ts";
import { storeEvents } from "../messages/objects.ts";
import type { StoreServer } from "../store/store-server.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Handlers } from "../wire/service.ts";
import type { ControlLink } from "./control-link.ts";
import type { LeaseQueue } from "./lease-queue.ts";
import type { Member, MemberTable } from "./member-table.ts";
import type { OutputHub } from "./output-hub.ts";
import { CLAIMS_PER_WORKER, type PoolWorker } from "./pool-worker.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface ProcessServerDependencies {
  readonly clock: Clock;
  readonly members: MemberTable;
  readonly pool: WorkerPool;
  readonly queue: LeaseQueue;
  readonly store: StoreServer;
  readonly output: OutputHub;
  readonly control: ControlLink;
  /** What every process is told of its node. */
  readonly node: Pick<
    Infer<typeof ProcessRegistered>,
    "nodeId" | "arenaPath" | "arenaBytes" | "spillDirectory" | "sessionDirectory" | "resources" | "labels"
  >;
  /** The last driver is gone: an `init()` cluster ends with it. */
  driverGone(workerId: string): void;
}

type Served = "registerProcess" | "ownsShared" | "flushOutput" | "collectEvents";

/** Between the end of a worker's connection and the system's word on its death. */
const LOST_WORKER_MS = 1000;

export class ProcessServer {
  readonly #deps: ProcessServerDependencies;

  constructor(deps: ProcessServerDependencies) {
    this.#deps = deps;
  }

  handlers(connection: Connection): Pick<Handlers<typeof processService, Connection>, Served> {
    const { pool, clock, output } = this.#deps;
    return {
      registerProcess: (request) => this.#register(request, connection),
      ownsShared: ({ owns }) => {
        const worker = pool.get(connection.peerId);
        if (worker !== undefined) pool.ownsShared(worker, owns);
      },
      // What a worker wrote before its result is in its pipe by now, and read within a turn or two.
      flushOutput: ({ jobId }) =>
        new Promise((resolve) =>
          clock.after(1, () =>
            clock.soon(() => {
              output.endJob(jobId);
              resolve({});
            }),
          ),
        ),
      collectEvents: async ({ jobId }) => {
        await pool.collectEvents(jobId);
        return {};
      },
    };
  }

  #register(
    { workerId, kind, pid, address, jobId }: Infer<typeof RegisterProcess>,
    connection: Connection,
  ): Infer<typeof ProcessRegistered> {
    const { clock, members, pool, node } = this.#deps;
    if (workerId !== connection.peerId)
      throw new RaiaError("AUTHENTICATION", { reason: "a process registers under another name", peer: workerId.slice(0, 8) });
    const worker = kind === "worker" ? pool.registered(workerId, connection, address, pid) : undefined;
    if (kind === "worker" && worker === undefined)
      throw new RaiaError("AUTHENTICATION", { reason: "this node did not start that worker", worker: workerId.slice(0, 8) });
    const slot = worker?.arenaSlot ?? pool.takeSlot();
    const member: Member = { workerId, kind, connection, slot, jobId: jobId ?? "", pid, address };
    members.add(member);
    connection.onClosed(() => this.#gone(member, worker));
    // The reply must be on its way before a lease names the worker.
    if (worker !== undefined) clock.soon(() => pool.announceReady(worker));
    return {
      ...node,
      arenaSlot: slot,
      claimOffset: worker?.claimOffset ?? 0,
      claimCount: worker === undefined || worker.isThread ? 0 : CLAIMS_PER_WORKER,
    };
  }

  #gone(member: Member, worker: PoolWorker | undefined): void {
    const { clock, members, pool, queue, store, control } = this.#deps;
    if (!members.remove(member)) return;
    queue.ownerDied(member.workerId);
    control.ownerEnded(member.workerId);
    // With a driver its job ends, and all that it owned; what a worker left may be in use elsewhere.
    store.ownerDied(member.workerId, worker === undefined ? undefined : () => this.#askHolders(member.workerId));
    if (worker === undefined) {
      store.processDied(member.slot);
      pool.returnSlot(member.slot);
      if (members.drivers().length === 0) this.#deps.driverGone(member.workerId);
    } else {
      // As a rule it has died, and its cause is a moment behind the end of its connection. A worker that lives on without
      // one can be given nothing and tell nothing.
      clock.after(LOST_WORKER_MS, () => pool.stop(worker, { by: "node" }, 0));
    }
  }

  /** Settles when every process has said what it holds of that owner's, or is gone itself. */
  async #askHolders(ownerId: string): Promise<void> {
    const asked = [...this.#deps.members.all()].map(({ connection }) => connection.client(storeEvents).ownerGone({ ownerId }));
    await Promise.allSettled(asked);
  }
}
