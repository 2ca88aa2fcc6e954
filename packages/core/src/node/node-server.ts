/**
 * The node daemon: lends workers, hosts actors for the control plane, keeps the objects of its machine. It runs no user
 * code, so nothing a task does can keep it from answering. Nothing else constructs its parts.
 */
import type { Infer } from "../wire/schema.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { LruMap } from "../base/lru-map.ts";
import type { Random } from "../base/random.ts";
import type { ResourceSet } from "../base/resources.ts";
import type { DeathCause } from "../messages/common.ts";
import { type ActorSpec, type ActorStarted, controlService, nodeControlService, nodeReports } from "../messages/control.ts";
import {
  leaseEvents,
  leaseService,
  type LeaseReply,
  outputEvents,
  processService,
  type RegisterProcess,
  type WorkerRow,
} from "../messages/leases.ts";
import { storeService } from "../messages/objects.ts";
import { hostService } from "../messages/tasks.ts";
import type { Arena } from "../store/arena.ts";
import { storeHandlers } from "../store/store-handlers.ts";
import type { StoreServer } from "../store/store-server.ts";
import { WordRegion } from "../store/word-region.ts";
import type { Connection } from "../wire/connection.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import type { Client, Handlers } from "../wire/service.ts";
import type { Victim } from "./kill-policy.ts";
import type { DeviceVariables } from "./accelerators/device-variables.ts";
import { type GrantedLease, LeaseQueue } from "./lease-queue.ts";
import type { NodeMemory } from "./memory-reader.ts";
import { OutputHub, type OutputLog } from "./output-hub.ts";
import { showOutputLine } from "./output-line.ts";
import type { PoolWorker } from "./pool-worker.ts";
import type { DeviceShares, Grant } from "./resource-ledger.ts";
import { ResourceLedger } from "./resource-ledger.ts";
import type { WorkerLauncher } from "./worker-launcher.ts";
import { WorkerPool } from "./worker-pool.ts";

export interface NodeDependencies {
  readonly nodeId: string;
  readonly address: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly arena: Arena & { readonly path?: string };
  readonly store: StoreServer;
  readonly launcher: WorkerLauncher;
  readonly resources: ResourceSet;
  readonly devices: DeviceShares | undefined;
  /** Absent where processes are not shown devices of their own, as in one process. */
  readonly deviceVariables?: DeviceVariables;
  readonly labels: Readonly<Record<string, string>>;
  readonly spillDirectory: string;
  readonly sessionDirectory: string;
  openLog(workerId: string, stream: "stdout" | "stderr"): OutputLog;
  /** Connections that were cut off because the peer broke the protocol or did not prove itself. */
  connectionsRejected(): number;
  /** The last driver is gone: an `init()` cluster ends with it. */
  driverGone(workerId: string): void;
}

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
  }[];
  readonly ledgerLeases: readonly string[];
  readonly pendingLeases: number;
  readonly askedBack: number;
  readonly members: number;
  readonly actors: readonly { readonly actorId: string; readonly incarnation: number; readonly workerId: string | undefined }[];
  readonly workers: readonly { readonly workerId: string; readonly state: string; readonly leases: number; readonly actors: number }[];
  readonly lentWordBytes: number;
}

interface Member {
  readonly workerId: string;
  readonly kind: "driver" | "worker";
  readonly connection: Connection;
  readonly slot: number;
  jobId: string;
  readonly pid: number;
  readonly address: string;
}

interface HostedActor {
  readonly spec: Infer<typeof ActorSpec>;
  readonly incarnation: number;
  readonly leaseId: string;
  worker: PoolWorker | undefined;
  isEnding: boolean;
}

const INFEASIBLE_AFTER_MS = 5000;
const WAITING_PER_CPU = 8;
/** How long a lease is its owner's, however many wait: handing it over costs two round trips. */
const TURN_MS = 20;
const IDLE_WORKER_MS = 10_000;
/** Between the end of a worker's connection and the system's word on its death. */
const LOST_WORKER_MS = 1000;
const REGISTER_TIMEOUT_MS = 60_000;
/** For calls that an ending actor has accepted, and its disposal. */
const EXIT_GRACE_MS = 30_000;

/** Answers kept for repeated requests: far more than can be under way. */
const MAX_STARTED_ACTORS = 20_000;

export class NodeServer {
  readonly #deps: NodeDependencies;
  readonly #ledger: ResourceLedger;
  readonly #pool: WorkerPool;
  readonly #queue: LeaseQueue;
  readonly #words: WordRegion;
  readonly #output: OutputHub;
  readonly #members = new Map<string, Member>();
  readonly #actors = new Map<string, HostedActor>();
  /** Leases asked back already: once is enough. */
  readonly #askedBack = new Set<string>();
  #control: Client<typeof controlService> | undefined;
  #reports: Client<typeof nodeReports> | undefined;
  #report: Timer | undefined;
  readonly counters = { workersStarted: 0, workersDied: 0, leasesGranted: 0 };

  constructor(deps: NodeDependencies) {
    this.#deps = deps;
    this.#ledger = new ResourceLedger(deps.resources, deps.devices);
    const cpus = Math.max(1, Math.floor((deps.resources["CPU"] ?? 10_000) / 10_000));
    const words = new WordRegion(deps.arena.blocksOffset);
    this.#words = words;
    this.#pool = new WorkerPool(
      deps.launcher,
      words,
      deps.clock,
      deps.random,
      {
        ready: (worker) => {
          this.#queue.workerStarted(worker.launchKey);
          for (const start of this.#prestarts.splice(0)) start();
        },
        died: (worker, cause) => this.#workerDied(worker, cause),
        output: (worker, stream, chunk) => this.#output.receive(worker.workerId, stream, chunk),
        started: (worker) => {
          this.counters.workersStarted++;
          this.#output.addWorker(worker.workerId, { pid: worker.pid, name: "worker", jobId: "" });
        },
      },
      { keepIdle: cpus, idleMs: IDLE_WORKER_MS, maxStarting: Math.max(4, 2 * cpus), registerTimeoutMs: REGISTER_TIMEOUT_MS },
    );
    this.#queue = new LeaseQueue(
      { nodeId: deps.nodeId, labels: deps.labels },
      this.#ledger,
      this.#pool,
      deps.clock,
      { infeasibleAfterMs: INFEASIBLE_AFTER_MS, waitingPerCpu: WAITING_PER_CPU },
      (ownerId) => this.#askLeasesBack(ownerId),
    );
    this.#output = new OutputHub({
      clock: deps.clock,
      deliver: (jobId, lines) => {
        for (const member of this.#members.values()) {
          if (member.kind !== "driver" || member.jobId !== jobId) continue;
          const client = member.connection.client(outputEvents);
          for (const stream of ["stdout", "stderr"] as const) {
            const shown = lines.filter((line) => line.stream === stream).map(showOutputLine);
            if (shown.length > 0) client.outputLines({ stream, lines: shown });
          }
        }
      },
      openLog: (workerId, stream) => deps.openLog(workerId, stream),
    });
  }

  /**
   * Starts workers before anybody asks, so that the first task finds one. The others follow when the first is there: all at
   * once they would only slow each other down, and the first task with them.
   *
   * @param firstWorkerId a worker that is being started already
   */
  prestart(count: number, execArgv: readonly string[], cwd: string, firstWorkerId?: string): void {
    const key = JSON.stringify([execArgv, cwd, "", ""]);
    const spec = { execArgv, cwd, envVars: {}, setupHook: undefined };
    if (count > 0) this.#pool.start(spec, key, firstWorkerId);
    this.#prestarts = Array.from({ length: count - 1 }, () => () => void this.#pool.start(spec, key));
  }

  #prestarts: (() => void)[] = [];

  /** Joins the cluster: control asks this node over the same connection. */
  async joinControl(endpoint: Endpoint, controlAddress: string): Promise<void> {
    const connection = await endpoint.dial(controlAddress);
    this.attachControl(connection);
    await this.#control?.registerNode({
      nodeId: this.#deps.nodeId,
      address: this.#deps.address,
      total: this.#deps.resources,
      labels: this.#deps.labels,
    });
  }

  attachControl(connection: Connection): void {
    this.#control = connection.client(controlService);
    this.#reports = connection.client(nodeReports);
    connection.serve(nodeControlService, this.#controlHandlers());
  }

  // -- processes --------------------------------------------------------------------------------------------------

  /** Serves a process of this machine. */
  attach(connection: Connection): void {
    connection.serve(processService, {
      registerProcess: (request) => this.#register(request, connection),
      ownsShared: ({ owns }) => {
        const worker = this.#pool.get(connection.peerId);
        if (worker !== undefined) this.#pool.ownsShared(worker, owns);
      },
      listWorkers: () => this.#listWorkers(),
      // What a worker wrote before its result is in its pipe by now, and read within a turn or two.
      flushOutput: ({ jobId }) =>
        new Promise((resolve) =>
          this.#deps.clock.after(1, () =>
            this.#deps.clock.soon(() => {
              this.#output.endJob(jobId);
              resolve({});
            }),
          ),
        ),
      nodeStatus: () => ({
        nodeId: this.#deps.nodeId,
        total: this.#ledger.total,
        available: this.#ledger.available,
        pendingLeases: this.#queue.pendingCount,
        workers: this.#pool.size,
        facts: { ...this.counters, connectionsRejected: this.#deps.connectionsRejected(), store: this.#deps.store.usage() },
      }),
    });
    connection.serve(leaseService, this.#leaseHandlers());
    connection.serve(
      storeService,
      storeHandlers(this.#deps.store, (peer: Connection) => this.#memberOf(peer).slot),
    );
  }

  #memberOf(connection: Connection): Member {
    const member = this.#members.get(connection.peerId);
    if (member === undefined)
      throw new RaiaError("PROTOCOL", { reason: "the process has not registered", peer: connection.peerId.slice(0, 8) });
    return member;
  }

  #register(
    request: Infer<typeof RegisterProcess>,
    connection: Connection,
  ): ReturnType<Handlers<typeof processService, Connection>["registerProcess"]> {
    const { workerId, kind, pid, address } = request;
    if (workerId !== connection.peerId)
      throw new RaiaError("AUTHENTICATION", { reason: "a process registers under another name", peer: workerId.slice(0, 8) });
    const worker = kind === "worker" ? this.#pool.registered(workerId, connection, address, pid) : undefined;
    if (kind === "worker" && worker === undefined)
      throw new RaiaError("AUTHENTICATION", { reason: "this node did not start that worker", worker: workerId.slice(0, 8) });
    const slot = worker?.arenaSlot ?? this.#pool.takeSlot();
    const member: Member = { workerId, kind, connection, slot, jobId: request.jobId ?? "", pid, address };
    this.#members.set(workerId, member);
    connection.onClosed(() => this.#memberGone(member, worker));
    // The reply must be on its way before a lease names the worker.
    if (worker !== undefined) this.#deps.clock.soon(() => this.#pool.announceReady(worker));
    return {
      nodeId: this.#deps.nodeId,
      arenaPath: this.#deps.arena.path ?? "",
      arenaBytes: this.#deps.arena.capacityBytes,
      arenaSlot: slot,
      claimOffset: worker?.claimOffset ?? 0,
      claimCount: worker === undefined ? 0 : 1024,
      spillDirectory: this.#deps.spillDirectory,
      sessionDirectory: this.#deps.sessionDirectory,
      resources: this.#ledger.total,
      labels: this.#deps.labels,
    };
  }

  #memberGone(member: Member, worker: PoolWorker | undefined): void {
    if (this.#members.get(member.workerId) !== member) return;
    this.#members.delete(member.workerId);
    for (const leaseId of [...this.#queue.ofOwner(member.workerId)]) {
      const lease = this.#release(leaseId);
      if (lease === undefined) this.#queue.fail(leaseId, new RaiaError("OWNER_DIED", { owner: member.workerId.slice(0, 8) }));
      // Its tasks may still run there, for nobody: the process is not fit for others, unless they need what it owns.
      else void this.#pool.leave(lease.worker, { by: "node" }, 0);
    }
    this.#reports?.ownerEnded({ workerId: member.workerId });
    this.#deps.store.ownerDied(member.workerId);
    if (worker === undefined) {
      this.#deps.store.processDied(member.slot);
      this.#pool.returnSlot(member.slot);
      if (![...this.#members.values()].some(({ kind }) => kind === "driver")) this.#deps.driverGone(member.workerId);
    } else {
      // As a rule it has died, and its cause is a moment behind the end of its connection. A worker that lives on without
      // one can be given nothing and tell nothing.
      this.#deps.clock.after(LOST_WORKER_MS, () => this.#pool.stop(worker, { by: "node" }, 0));
    }
  }

  #workerDied(worker: PoolWorker, cause: DeathCause): void {
    this.counters.workersDied++;
    if (worker.connection === undefined) this.#queue.workerStartFailed(worker.launchKey, cause);
    this.#output.removeWorker(worker.workerId);
    this.#deps.store.processDied(worker.arenaSlot);
    const ended = [...worker.leaseIds].map((leaseId) => this.#release(leaseId)).filter((lease) => lease !== undefined);
    for (const lease of ended) {
      const { ownerId } = lease.request;
      const strangers = worker.actorIds.size + ended.filter(({ request }) => request.ownerId !== ownerId).length;
      this.#tellOwner(lease, cause, strangers);
    }
    for (const actorId of [...worker.actorIds]) this.#actorEnded(actorId, cause, false);
    this.#queue.schedule();
  }

  #release(leaseId: string): GrantedLease | undefined {
    this.#askedBack.delete(leaseId);
    return this.#queue.release(leaseId);
  }

  #tellOwner(lease: GrantedLease, cause: DeathCause, strangers: number): void {
    const owner = this.#members.get(lease.request.ownerId);
    if (owner !== undefined && !owner.connection.isClosed)
      owner.connection.client(leaseEvents).leaseEnded({ leaseId: lease.request.leaseId, cause, strangers });
  }

  // -- leases -----------------------------------------------------------------------------------------------------

  #leaseHandlers(): Handlers<typeof leaseService, Connection> {
    return {
      requestLease: ({ leaseId, ownerId, demand }) =>
        new Promise((resolve, reject) => {
          this.#queue.add({
            leaseId,
            ownerId,
            demand,
            isActor: false,
            granted: (lease) => resolve(this.#granted(lease)),
            failed: (error) => (error.code === "TASK_CANCELLED" ? resolve({ status: "cancelled" }) : reject(error)),
          });
        }),
      cancelLease: ({ leaseId }) => this.#queue.fail(leaseId, new RaiaError("TASK_CANCELLED", { lease: leaseId })),
      returnLease: ({ leaseId, discard }, peer) => {
        if (this.#queue.lease(leaseId)?.request.ownerId !== peer.peerId) return;
        const lease = this.#release(leaseId);
        if (lease !== undefined && discard && lease.worker.leaseIds.size === 0) void this.#pool.leave(lease.worker, { by: "node" });
        this.#reportSoon();
      },
      killLeasedWorker: ({ leaseId, graceMs }, peer) => {
        const lease = this.#queue.lease(leaseId);
        if (lease?.request.ownerId === peer.peerId) this.#pool.stop(lease.worker, { by: "user" }, graceMs);
      },
      taskBlocked: ({ leaseIds }) => {
        for (const leaseId of leaseIds) this.#queue.block(leaseId);
      },
      taskUnblocked: ({ leaseIds }) => {
        for (const leaseId of leaseIds) this.#queue.unblock(leaseId);
        return {};
      },
      actorExited: ({ actorId }, peer) => {
        const actor = this.#actors.get(actorId);
        if (actor?.worker?.workerId === peer.peerId) void this.#stopActor(actor, EXIT_GRACE_MS, "exited");
      },
      explainLease: ({ leaseId }) => this.#queue.explain(leaseId),
    };
  }

  #granted(lease: GrantedLease): Infer<typeof LeaseReply> {
    this.counters.leasesGranted++;
    const { worker, claims, request, grant } = lease;
    this.#output.setSource(worker.workerId, { pid: worker.pid, name: request.demand.name, jobId: request.demand.jobId });
    this.#reportSoon();
    return {
      status: "granted",
      workerId: worker.workerId,
      address: worker.address,
      pid: worker.pid,
      nodeId: this.#deps.nodeId,
      claimOffset: worker.claimOffset + 4 * claims.first,
      claimCount: claims.count,
      claimInWorker: 4 * claims.first,
      ...this.#devicesOf(grant),
    };
  }

  #devicesOf({ devices }: Grant): Pick<Infer<typeof LeaseReply>, "accelerators" | "deviceVariables"> {
    const accelerators = Object.fromEntries(Object.entries(devices).map(([name, shares]) => [name, shares.map(({ index }) => index)]));
    const deviceVariables = this.#deps.deviceVariables?.(accelerators);
    return { accelerators, ...(deviceVariables !== undefined && { deviceVariables }) };
  }

  /** An owner waits for what others hold: those who have had their turn are asked to return what they can do without. */
  #askLeasesBack(ownerId: string): void {
    const nowMs = this.#deps.clock.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { request, grantedAtMs } of this.#queue.leases()) {
      if (request.isActor || request.ownerId === ownerId || this.#askedBack.has(request.leaseId)) continue;
      const leftMs = grantedAtMs + TURN_MS - nowMs;
      if (leftMs > 0) {
        nextMs = Math.min(nextMs, leftMs);
        continue;
      }
      const owner = this.#members.get(request.ownerId);
      if (owner === undefined || owner.connection.isClosed) continue;
      this.#askedBack.add(request.leaseId);
      owner.connection.client(leaseEvents).recallLease({ leaseId: request.leaseId });
    }
    if (nextMs < Number.POSITIVE_INFINITY && this.#turn === undefined) {
      this.#turn = this.#deps.clock.after(nextMs, () => {
        this.#turn = undefined;
        this.#queue.schedule();
      });
    }
  }

  #turn: Timer | undefined;

  // -- actors -----------------------------------------------------------------------------------------------------

  #controlHandlers(): Handlers<typeof nodeControlService, Connection> {
    return {
      startActor: ({ spec, incarnation }) => this.#startActor(spec, incarnation),
      stopActor: async ({ actorId, incarnation, graceMs }) => {
        const actor = this.#actors.get(actorId);
        if (actor === undefined || actor.incarnation !== incarnation) return {};
        await this.#stopActor(actor, graceMs);
        return {};
      },
      jobEnded: ({ jobId }) => {
        this.#pool.endJob(jobId);
        this.#output.endJob(jobId);
      },
      explainActor: ({ actorId }) => {
        const actor = this.#actors.get(actorId);
        if (actor === undefined) return { state: "unknown", reasons: [] };
        return this.#queue.explain(actor.leaseId);
      },
    };
  }

  #startActor(spec: Infer<typeof ActorSpec>, incarnation: number): Promise<Infer<typeof ActorStarted>> {
    const leaseId = `actor-${spec.actorId}-${incarnation}`;
    const known = this.#startedActors.get(leaseId);
    if (known !== undefined) return known;
    const starting = this.#startNewActor(spec, incarnation, leaseId);
    this.#startedActors.set(leaseId, starting);
    return starting;
  }

  /** Control asks again when it does not know whether its request arrived: the same incarnation gets the same answer. */
  readonly #startedActors = new LruMap<string, Promise<Infer<typeof ActorStarted>>>(MAX_STARTED_ACTORS);

  #startNewActor(spec: Infer<typeof ActorSpec>, incarnation: number, leaseId: string): Promise<Infer<typeof ActorStarted>> {
    const actor: HostedActor = { spec, incarnation, leaseId, worker: undefined, isEnding: false };
    this.#actors.set(spec.actorId, actor);
    return new Promise((resolve) => {
      this.#queue.add({
        leaseId,
        ownerId: spec.ownerId,
        demand: spec.demand,
        isActor: true,
        granted: (lease) => void this.#construct(actor, lease).then(resolve),
        failed: (error) => {
          this.#actors.delete(spec.actorId);
          resolve({ status: "refused", cause: { kind: "unschedulable", facts: { code: error.code, ...error.facts } } });
        },
      });
    });
  }

  async #construct(actor: HostedActor, lease: GrantedLease): Promise<Infer<typeof ActorStarted>> {
    const { spec, incarnation } = actor;
    const { worker, grant } = lease;
    actor.worker = worker;
    worker.actorIds.add(spec.actorId);
    this.#output.setSource(worker.workerId, { pid: worker.pid, name: spec.className, jobId: spec.jobId });
    const host = (worker.connection as Connection).client(hostService);
    try {
      const created = await host.createActor({
        actorId: spec.actorId,
        incarnation,
        jobId: spec.jobId,
        namespace: spec.namespace,
        name: spec.className,
        functionHash: spec.functionHash,
        args: spec.args,
        ownerId: spec.ownerId,
        maxConcurrency: spec.maxConcurrency,
        concurrencyGroups: spec.concurrencyGroups,
        maxPendingCalls: spec.maxPendingCalls,
        ...this.#devicesOf(grant),
        resources: spec.runResources,
      });
      if (!created.ok) {
        this.#forgetActor(actor);
        if (worker.actorIds.size === 0) this.#pool.stop(worker, { by: "node" });
        return { status: "failed", ...(created.error && { error: created.error }), cause: { kind: "constructor-failed" } };
      }
      this.#queue.shrink(actor.leaseId, spec.runResources);
      return { status: "alive", address: worker.address, workerId: worker.workerId, pid: worker.pid };
    } catch (error) {
      // The worker died while it made the actor; `#workerDied` has told control, or does so now with the cause.
      if (RaiaError.is(error, "CONNECTION_LOST")) return { status: "workerDied", cause: await this.#causeOf(actor) };
      throw error;
    }
  }

  readonly #causes = new Map<string, DeathCause>();
  readonly #causeWaiters = new Map<string, (cause: DeathCause) => void>();

  /** Why the worker of an actor that was being made died; the word follows the connection's end. */
  #causeOf(actor: HostedActor): Promise<DeathCause> {
    const known = this.#causes.get(actor.leaseId);
    this.#causes.delete(actor.leaseId);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => this.#causeWaiters.set(actor.leaseId, resolve));
  }

  #forgetActor(actor: HostedActor): void {
    if (this.#actors.get(actor.spec.actorId) === actor) this.#actors.delete(actor.spec.actorId);
    actor.worker?.actorIds.delete(actor.spec.actorId);
    const lease = this.#queue.release(actor.leaseId);
    if (lease === undefined) this.#queue.fail(actor.leaseId, new RaiaError("ACTOR_DIED", { actor: actor.spec.className }));
    this.#reportSoon();
  }

  #actorEnded(actorId: string, cause: DeathCause, intended: boolean): void {
    const actor = this.#actors.get(actorId);
    if (actor === undefined) return;
    this.#forgetActor(actor);
    const waiter = this.#causeWaiters.get(actor.leaseId);
    if (waiter !== undefined) {
      this.#causeWaiters.delete(actor.leaseId);
      waiter(cause);
    }
    this.#reports?.actorEnded({ actorId, incarnation: actor.incarnation, cause, intended });
  }

  /** Ends an actor: gracefully when there is time for it; its process goes with it unless others live there. */
  async #stopActor(actor: HostedActor, graceMs: number, kind = "killed-by-user"): Promise<void> {
    const { worker } = actor;
    if (worker === undefined) {
      this.#forgetActor(actor);
      return;
    }
    if (actor.isEnding && graceMs > 0) return;
    actor.isEnding = true;
    const isAlone = worker.actorIds.size === 1 && worker.leaseIds.size === 0;
    if ((graceMs > 0 || !isAlone) && worker.connection !== undefined && !worker.connection.isClosed) {
      await worker.connection
        .client(hostService)
        .stopActor({ actorId: actor.spec.actorId, graceMs })
        .catch(() => {
          // It died first: `#workerDied` cleans up.
        });
    }
    if (this.#actors.get(actor.spec.actorId) !== actor) return;
    this.#forgetActor(actor);
    this.#reports?.actorEnded({
      actorId: actor.spec.actorId,
      incarnation: actor.incarnation,
      cause: { kind, pid: worker.pid },
      intended: true,
    });
    if (worker.actorIds.size > 0 || worker.leaseIds.size > 0) return;
    if (graceMs > 0) await this.#pool.leave(worker, { by: "node" });
    else this.#pool.stop(worker, { by: "node" }, isAlone ? 0 : undefined);
    // A process that leaves in its own time, because others use what it owns, is no longer this actor.
    if (worker.state.kind === "stopping") await worker.gone;
  }

  /** What it holds now, counted where it is held: for status pages, tests and the simulator. */
  inspect(): NodeInspection {
    return {
      total: this.#ledger.total,
      available: this.#ledger.available,
      owedCpu: this.#ledger.owedCpu,
      leases: [...this.#queue.leases()].map(({ request, grant, worker }) => ({
        leaseId: request.leaseId,
        ownerId: request.ownerId,
        workerId: worker.workerId,
        isActor: request.isActor,
        isWaiting: worker.waitingLeases.has(request.leaseId),
        resources: grant.resources,
      })),
      ledgerLeases: [...this.#ledger.leaseIds()],
      pendingLeases: this.#queue.pendingCount,
      askedBack: this.#askedBack.size,
      members: this.#members.size,
      actors: [...this.#actors.values()].map(({ spec, incarnation, worker }) => ({
        actorId: spec.actorId,
        incarnation,
        workerId: worker?.workerId,
      })),
      workers: [...this.#pool.all()].map(({ workerId, state, leaseIds, actorIds }) => ({
        workerId,
        state: state.kind,
        leases: leaseIds.size,
        actors: actorIds.size,
      })),
      lentWordBytes: this.#words.lentBytes,
    };
  }

  // -- when memory is short ---------------------------------------------------------------------------------------

  /** Who may be ended for want of memory, measured now. */
  victims(): Victim[] {
    const victims: Victim[] = [];
    for (const worker of this.#pool.all()) {
      const leases = [...worker.leaseIds].flatMap((leaseId) => this.#queue.lease(leaseId) ?? []);
      const actors = [...worker.actorIds].flatMap((actorId) => this.#actors.get(actorId) ?? []);
      if (leases.length + actors.length === 0) continue;
      const grants = [...leases, ...actors.flatMap(({ leaseId }) => this.#queue.lease(leaseId) ?? [])];
      victims.push({
        workerId: worker.workerId,
        jobId: worker.jobId ?? "",
        isRetriable: leases.every(({ request }) => request.demand.mayRerun) && actors.every(({ spec }) => spec.maxRestarts !== 0),
        startedAtMs: Math.max(0, ...grants.map(({ grantedAtMs }) => grantedAtMs)),
        privateBytes: worker.process?.sampleMemory() ?? 0,
      });
    }
    return victims;
  }

  /** Resolves when the process is gone. */
  async killForMemory({ workerId }: Victim, { usedBytes, totalBytes }: NodeMemory): Promise<void> {
    const worker = this.#pool.get(workerId);
    if (worker === undefined) return;
    this.#pool.stop(worker, { by: "memory-monitor", nodeUsedBytes: usedBytes, nodeTotalBytes: totalBytes }, 0);
    await worker.gone;
  }

  // -- looking ----------------------------------------------------------------------------------------------------

  #listWorkers(): { workers: Infer<typeof WorkerRow>[] } {
    const workers = [...this.#pool.all()].map((worker) => {
      const running = [...worker.leaseIds].map((leaseId) => this.#queue.lease(leaseId)?.request.demand.name ?? "");
      const actors = [...worker.actorIds].map((actorId) => this.#actors.get(actorId)?.spec.className ?? "");
      const residentBytes = worker.process?.sampleMemory();
      return {
        workerId: worker.workerId,
        pid: worker.pid,
        kind: worker.actorIds.size > 0 ? "actor" : "task",
        state: worker.state.kind,
        jobId: worker.jobId ?? "",
        running: [...running, ...actors],
        ...(residentBytes !== undefined && { residentBytes }),
        ...(worker.address !== "" && { address: worker.address }),
      };
    });
    const drivers = [...this.#members.values()]
      .filter((member) => member.kind === "driver")
      .map(({ workerId, pid, jobId, address }) => ({ workerId, pid, kind: "driver", state: "busy", jobId, running: [], address }));
    return { workers: [...workers, ...drivers] };
  }

  #reportSoon(): void {
    if (this.#report !== undefined) return;
    this.#report = this.#deps.clock.after(100, () => {
      this.#report = undefined;
      this.#control?.reportNode({ nodeId: this.#deps.nodeId, available: this.#ledger.available });
    });
  }

  shutdown(): void {
    this.#report?.cancel();
    this.#pool.stopAll();
  }
}
