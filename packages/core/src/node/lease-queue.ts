/**
 * Requests for workers, and who gets one next. A request waits for resources and for a process; jobs are served in turn,
 * requests of one job in order, but a request that must wait does not hold back a smaller one of another shape.
 */
import { resourceSet, isDeviceResource, lacking, shapeKey, showLack, unitsOf } from "../base/resources.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { Deque } from "../base/deque.ts";
import { type ErrorCode, RaiaError } from "../base/errors.ts";
import type { DeathCause, WorkerDemand } from "../messages/common.ts";
import { neverHere, type PlacingNode } from "./lease-placement-policy.ts";
import type { Grant, ResourceLedger } from "./resource-ledger.ts";
import { type PoolWorker, SHARED_CLAIMS } from "./pool-worker.ts";
import { StartFailures } from "./start-failures.ts";
import { launchKeyOf, type WorkerPool } from "./worker-pool.ts";

export interface LeaseRequest {
  readonly leaseId: string;
  readonly ownerId: string;
  readonly demand: WorkerDemand;
  readonly launchKey: string;
  /** An actor's process: not taken back, not shared with tasks. */
  readonly isActor: boolean;
  granted(granted: GrantedLease): void;
  failed(error: RaiaError): void;
  timer: Timer | undefined;
  /** Why this node can never run it, in words. */
  readonly never: string | undefined;
}

export interface GrantedLease {
  readonly request: LeaseRequest;
  readonly worker: PoolWorker;
  readonly grant: Grant;
  readonly claims: { readonly first: number; readonly count: number };
  readonly grantedAtMs: number;
}

export interface LeaseQueueOptions {
  /** How long a request that can never be served waits before it fails. */
  readonly infeasibleAfterMs: number;
  /** Waiting processes, for each CPU, before children run inside waiting ones. */
  readonly waitingPerCpu: number;
}

/** Leases of no CPU at all that one process takes. */
const MAX_FREE_LEASES_PER_PROCESS = 90;
/** Actors that share a process, however little each takes: what dies with the process stays bounded. */
const MAX_ACTORS_PER_PROCESS = 2000;
const NO_CLAIMS = { first: 0, count: 0 };
const UNITS_PER_CPU = 10_000;
/** Processes that are started ahead of a tree of tasks at a time. */
const MAX_SPARES = 4;

export class LeaseQueue {
  readonly #node: PlacingNode;
  readonly #ledger: ResourceLedger;
  readonly #pool: WorkerPool;
  readonly #clock: Clock;
  readonly #options: LeaseQueueOptions;
  readonly #askBack: (ownerId: string) => void;
  readonly #byJob = new Map<string, Deque<LeaseRequest>>();
  readonly #requests = new Map<string, LeaseRequest>();
  readonly #granted = new Map<string, GrantedLease>();
  readonly #startFailures = new StartFailures();
  #isScheduled = false;
  /** Until the next start may be tried. */
  #pause: Timer | undefined;

  /** @param askBack asked when an owner waits while others have what it needs */
  constructor(
    node: PlacingNode,
    ledger: ResourceLedger,
    pool: WorkerPool,
    clock: Clock,
    options: LeaseQueueOptions,
    askBack: (ownerId: string) => void,
  ) {
    this.#node = node;
    this.#ledger = ledger;
    this.#pool = pool;
    this.#clock = clock;
    this.#options = options;
    this.#askBack = askBack;
  }

  get pendingCount(): number {
    return this.#requests.size;
  }

  lease(leaseId: string): GrantedLease | undefined {
    return this.#granted.get(leaseId);
  }

  leases(): Iterable<GrantedLease> {
    return this.#granted.values();
  }

  /** Safe to repeat: a request that is known already is not taken twice. */
  add(request: Omit<LeaseRequest, "launchKey" | "timer" | "never">): void {
    if (this.#requests.has(request.leaseId) || this.#granted.has(request.leaseId)) return;
    let never: string | undefined;
    try {
      never = neverHere(request.demand, this.#node, this.#ledger.total, this.#ledger.available);
    } catch (error) {
      if (!RaiaError.is(error)) throw error;
      request.failed(error);
      return;
    }
    const full: LeaseRequest = { ...request, launchKey: launchKeyOf(request.demand), timer: undefined, never };
    this.#requests.set(full.leaseId, full);
    let queue = this.#byJob.get(full.demand.jobId);
    if (queue === undefined) this.#byJob.set(full.demand.jobId, (queue = new Deque()));
    queue.push(full);
    if (never !== undefined) {
      full.timer = this.#clock.after(this.#options.infeasibleAfterMs, () => this.#failInfeasible(full));
    }
    this.schedule();
  }

  #failInfeasible(request: LeaseRequest): void {
    const code: ErrorCode = request.isActor ? "ACTOR_UNSCHEDULABLE" : "TASK_UNSCHEDULABLE";
    this.fail(request.leaseId, new RaiaError(code, { name: request.demand.name, lacks: [request.never ?? ""], nodes: 1 }));
  }

  fail(leaseId: string, error: RaiaError): void {
    const request = this.#requests.get(leaseId);
    if (request === undefined) return;
    this.#forget(request);
    request.failed(error);
  }

  #forget(request: LeaseRequest): void {
    request.timer?.cancel();
    this.#requests.delete(request.leaseId);
    const queue = this.#byJob.get(request.demand.jobId);
    queue?.remove(request);
    if (queue?.length === 0) this.#byJob.delete(request.demand.jobId);
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#serve();
    });
  }

  // -- who is next ------------------------------------------------------------------------------------------------

  #serve(): void {
    // Owners that wait for what others hold.
    const starved = new Set<string>();
    for (const queue of [...this.#byJob.values()]) {
      // What one shape of this job cannot get, the next of the same shape cannot get either.
      const blocked = new Set<string>();
      for (const request of [...queue]) {
        const key = `${shapeKey(resourceSet(Object.entries(request.demand.resources)))}|${request.launchKey}|${request.demand.isolation}`;
        if (blocked.has(key) || request.never !== undefined) continue;
        if (!this.#tryGrant(request)) {
          blocked.add(key);
          if (!this.#ledger.canGrant(resourceSet(Object.entries(request.demand.resources)))) starved.add(request.ownerId);
        }
        if (blocked.size > 64) break;
      }
    }
    for (const ownerId of starved) this.#askBack(ownerId);
    this.#rotate();
  }

  /** The job that was served first is served last next time. */
  #rotate(): void {
    const first = this.#byJob.entries().next();
    if (first.done || this.#byJob.size < 2) return;
    const [jobId, queue] = first.value;
    this.#byJob.delete(jobId);
    this.#byJob.set(jobId, queue);
  }

  #tryGrant(request: LeaseRequest): boolean {
    const resources = resourceSet(Object.entries(request.demand.resources));
    if (!this.#ledger.canGrant(resources)) return false;
    const worker = this.#findWorker(request, unitsOf(resources, "CPU"));
    if (worker === undefined) return false;
    const isShared = worker.sharedUnits !== undefined || worker.leaseIds.size > 0;
    // Calls of an actor are not claimed: they cannot go elsewhere.
    const claims = request.isActor ? NO_CLAIMS : worker.takeClaims(!isShared);
    if (claims === undefined) return false;
    const grant = this.#ledger.acquire(request.leaseId, resources);
    if (grant === undefined) {
      if (claims.count > 0) worker.returnClaims(claims.first);
      return false;
    }
    if (worker.sharedUnits !== undefined) worker.sharedUnits += unitsOf(resources, "CPU");
    worker.jobId = request.demand.jobId;
    this.#pool.gave(worker);
    if (!request.isActor) worker.leaseIds.add(request.leaseId);
    this.#forget(request);
    const granted: GrantedLease = { request, worker, grant, claims, grantedAtMs: this.#clock.nowMs() };
    this.#granted.set(request.leaseId, granted);
    request.granted(granted);
    return true;
  }

  #findWorker(request: LeaseRequest, cpuUnits: number): PoolWorker | undefined {
    const { demand, launchKey, isActor } = request;
    if (demand.isolation === "shared") {
      const shared = this.#findShared(request, cpuUnits);
      if (shared !== undefined) return shared;
    }
    const idle = this.#pool.findIdle(launchKey, demand.jobId, !isActor);
    if (idle !== undefined) {
      if (demand.isolation === "shared") idle.sharedUnits = 0;
      return idle;
    }
    // Devices are shown to a process as a whole: work that holds one does not run beside others.
    const hasDevice = Object.keys(demand.resources).some(isDeviceResource);
    if (!isActor && !hasDevice && this.#hasTooManyWaiting()) {
      const waiting = this.#findWaiting(request);
      if (waiting !== undefined) return waiting;
    }
    this.#startFor(request);
    return undefined;
  }

  #findShared({ demand, launchKey, isActor }: LeaseRequest, cpuUnits: number): PoolWorker | undefined {
    for (const worker of this.#pool.all()) {
      if (!worker.isUsable || worker.sharedUnits === undefined || worker.jobId !== demand.jobId || worker.launchKey !== launchKey) continue;
      if (isActor !== worker.actorIds.size > 0 && worker.leaseIds.size + worker.actorIds.size > 0) continue;
      if (isActor) {
        if (worker.actorIds.size < MAX_ACTORS_PER_PROCESS && worker.sharedUnits + cpuUnits <= UNITS_PER_CPU) return worker;
        continue;
      }
      const hasRoom = worker.leaseIds.size < MAX_FREE_LEASES_PER_PROCESS && worker.sharedUnits + cpuUnits <= UNITS_PER_CPU;
      if (hasRoom) return worker;
    }
    return undefined;
  }

  #hasTooManyWaiting(): boolean {
    let waiting = 0;
    for (const worker of this.#pool.all()) if (worker.isWaiting) waiting++;
    return waiting >= this.#options.waitingPerCpu * Math.max(1, unitsOf(this.#ledger.total, "CPU") / UNITS_PER_CPU);
  }

  /** The waiting process of this job with the fewest tasks. */
  #findWaiting({ demand, launchKey }: LeaseRequest): PoolWorker | undefined {
    let best: PoolWorker | undefined;
    for (const worker of this.#pool.all()) {
      if (!worker.isWaiting || worker.jobId !== demand.jobId || worker.launchKey !== launchKey || worker.state.kind !== "busy") continue;
      if (worker.leaseIds.size * SHARED_CLAIMS > 512) continue;
      if (best === undefined || worker.leaseIds.size < best.leaseIds.size) best = worker;
    }
    return best;
  }

  /** One process is started for each request that could run now, and no more. */
  #startFor(request: LeaseRequest): void {
    const starting = this.#pool.countStarting(request.launchKey);
    let wanting = 0;
    for (const other of this.#requests.values()) if (other.launchKey === request.launchKey) wanting++;
    const canRun = Math.max(
      1,
      Math.ceil(
        unitsOf(this.#ledger.available, "CPU") / Math.max(1, unitsOf(resourceSet(Object.entries(request.demand.resources)), "CPU") || 1),
      ),
    );
    for (let i = starting; i < Math.min(wanting, canRun); i++) if (!this.#startWorker(request)) return;
  }

  #startWorker({ demand, launchKey }: LeaseRequest): boolean {
    const pauseMs = this.#startFailures.pauseMs(launchKey, this.#clock.nowMs());
    if (pauseMs > 0) {
      this.#scheduleIn(pauseMs);
      return false;
    }
    const { execArgv, cwd } = demand.launch;
    const { envVars, setupHook, workingDir } = demand.runtimeEnv;
    return this.#pool.start({ execArgv, cwd: workingDir ?? cwd, envVars, setupHook, workingDir }, launchKey) !== undefined;
  }

  /** A process is there: what waits may start more of its kind. */
  workerStarted(launchKey: string): void {
    this.#startFailures.started(launchKey);
    this.schedule();
  }

  /** A process ended before it could take work. */
  workerStartFailed(launchKey: string, cause: DeathCause): void {
    if (!this.#startFailures.failed(launchKey, cause, this.#clock.nowMs())) return;
    for (const { leaseId, demand, launchKey: wanted } of [...this.#requests.values()]) {
      if (wanted !== launchKey) continue;
      const { setupHook, workingDir } = demand.runtimeEnv;
      const { kind, exitCode, signal, stderrTail } = cause;
      this.fail(
        leaseId,
        new RaiaError("RUNTIME_ENV_FAILED", { name: demand.name, setupHook, workingDir, cause: kind, exitCode, signal, stderrTail }),
      );
    }
  }

  #scheduleIn(pauseMs: number): void {
    if (this.#pause !== undefined) return;
    this.#pause = this.#clock.after(pauseMs, () => {
      this.#pause = undefined;
      this.schedule();
    });
  }

  // -- ends -------------------------------------------------------------------------------------------------------

  /** The lease is over; the worker may serve another. */
  release(leaseId: string): GrantedLease | undefined {
    const lease = this.#granted.get(leaseId);
    if (lease === undefined) return undefined;
    this.#granted.delete(leaseId);
    const { worker, claims, grant } = lease;
    this.#ledger.release(leaseId);
    worker.leaseIds.delete(leaseId);
    worker.waitingLeases.delete(leaseId);
    if (claims.count > 0) worker.returnClaims(claims.first);
    if (worker.sharedUnits !== undefined) worker.sharedUnits -= unitsOf(grant.resources, "CPU");
    this.#pool.tookBack(worker);
    this.schedule();
    return lease;
  }

  block(leaseId: string): void {
    const lease = this.#granted.get(leaseId);
    if (lease === undefined) return;
    this.#ledger.block(leaseId);
    lease.worker.waitingLeases.add(leaseId);
    this.#startSpares(lease.request);
    this.schedule();
  }

  /**
   * Tasks that wait are likely to wait for children, whose children will wait: each level needs a process, and starting one
   * takes longer than the task. As many are started ahead as wait already, within reason.
   */
  #startSpares(request: LeaseRequest): void {
    let waiting = 0;
    let ready = 0;
    for (const worker of this.#pool.all()) {
      if (worker.isWaiting) waiting++;
      if (worker.launchKey === request.launchKey && (worker.state.kind === "idle" || worker.state.kind === "starting")) ready++;
    }
    if (this.#hasTooManyWaiting()) return;
    for (let missing = Math.min(waiting, MAX_SPARES) - ready; missing > 0; missing--) this.#startWorker(request);
  }

  unblock(leaseId: string): void {
    const lease = this.#granted.get(leaseId);
    if (lease === undefined) return;
    this.#ledger.unblock(leaseId);
    lease.worker.waitingLeases.delete(leaseId);
  }

  /** An actor runs with less than it needed to be placed. */
  shrink(leaseId: string, resources: Readonly<Record<string, number>>): void {
    const lease = this.#granted.get(leaseId);
    if (lease === undefined) return;
    const grant = this.#ledger.shrink(leaseId, resourceSet(Object.entries(resources)));
    const { worker } = lease;
    if (worker.sharedUnits !== undefined) worker.sharedUnits += unitsOf(grant.resources, "CPU") - unitsOf(lease.grant.resources, "CPU");
    this.#granted.set(leaseId, { ...lease, grant });
    this.schedule();
  }

  /** Why a request waits, for people. */
  explain(leaseId: string): { state: string; position?: number; reasons: string[] } {
    if (this.#granted.has(leaseId)) return { state: "granted", reasons: [] };
    const request = this.#requests.get(leaseId);
    if (request === undefined) return { state: "unknown", reasons: [] };
    const resources = resourceSet(Object.entries(request.demand.resources));
    const lacks =
      request.never === undefined ? lacking(resources, this.#ledger.total, this.#ledger.available).map(showLack) : [request.never];
    const position = [...(this.#byJob.get(request.demand.jobId) ?? [])].indexOf(request);
    const starting = this.#pool.countStarting(request.launchKey);
    const reasons = lacks.length > 0 ? lacks : [starting > 0 ? `a worker process is starting (${starting})` : "no worker process is free"];
    return { state: "queued", position, reasons };
  }

  /** Requests and leases of an owner that is gone. */
  *ofOwner(ownerId: string): Iterable<string> {
    for (const request of this.#requests.values()) if (request.ownerId === ownerId) yield request.leaseId;
    for (const lease of this.#granted.values())
      if (lease.request.ownerId === ownerId && !lease.request.isActor) yield lease.request.leaseId;
  }
}
