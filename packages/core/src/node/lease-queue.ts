/**
 * Requests for workers, and who gets one next. A request waits for resources and for a process; jobs are served in turn,
 * requests of one job in order, but a request that must wait does not hold back a smaller one of another shape.
 */
import type { Clock } from "../base/clock.ts";
import { Deque } from "../base/deque.ts";
import { type ErrorCode, type Facts, RaiaError } from "../base/errors.ts";
import { LruMap } from "../base/lru-map.ts";
import { type ResourceSet, unitsOf } from "../base/resources.ts";
import type { DeathCause, WorkerDemand } from "../messages/common.ts";
import type { Bundle } from "./bundle-table.ts";
import type { Holding, LeaseEffect, LeaseEvent } from "./lease-machine.ts";
import { Lease, type LeaseRequest } from "./lease.ts";
import type { LeaseRooms } from "./lease-rooms.ts";
import { neverHere, type PlacingNode } from "./lease-placement-policy.ts";
import type { PoolWorker } from "./pool-worker.ts";
import type { WorkerFinder } from "./worker-finder.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** Who has leases, as the queue speaks to them. */
export interface LeaseOwners {
  /** An owner waits while others have what it needs. @param groupId of the placement group in which it wants it */
  starved(ownerId: string, groupId: string | undefined): void;
  askBack(lease: Lease): void;
  /** Something came back, or was lent on: control places by what is free. */
  roomChanged(): void;
  /** Its worker died, with work of so many others. @returns settles when the owner knows, or is gone itself */
  ended(lease: Lease, cause: DeathCause, strangers: number): Promise<void>;
}

/** Who keeps the bundles of placement groups, as the queue speaks to it. */
export interface BundleKeeper {
  /** No bundle that could serve it is here. */
  homeless(lease: Lease): void;
  /** Something came back to a bundle. */
  returned(bundle: Bundle): void;
}

/** How long a request that can never be served waits before it fails. */
const INFEASIBLE_AFTER_MS = 5000;
/** Shapes of one job that are looked at in one round, when none of them can be served. */
const MAX_BLOCKED_SHAPES = 64;
/** Far more than end while one message is on its way. */
const MAX_OVER = 4096;
const NO_CLAIMS = { first: 0, count: 0 };

export class LeaseQueue {
  readonly #node: PlacingNode;
  readonly #rooms: LeaseRooms;
  readonly #pool: WorkerPool;
  readonly #finder: WorkerFinder;
  readonly #clock: Clock;
  readonly #owners: LeaseOwners;
  readonly #bundles: BundleKeeper;
  readonly #byJob = new Map<string, Deque<Lease>>();
  readonly #queued = new Map<string, Lease>();
  readonly #granted = new Map<string, Lease>();
  /** Ids of those that ended of late: a request may arrive again when it was served, and its worker dead, already. */
  readonly #over = new LruMap<string, true>(MAX_OVER);
  /** Taken from owners that have not heard of it yet. */
  readonly #taken = new Map<string, Lease>();
  #isScheduled = false;

  constructor(
    node: PlacingNode,
    rooms: LeaseRooms,
    pool: WorkerPool,
    finder: WorkerFinder,
    clock: Clock,
    owners: LeaseOwners,
    bundles: BundleKeeper,
  ) {
    this.#node = node;
    this.#rooms = rooms;
    this.#pool = pool;
    this.#finder = finder;
    this.#clock = clock;
    this.#owners = owners;
    this.#bundles = bundles;
  }

  get pendingCount(): number {
    return this.#queued.size;
  }

  /** A lease that was granted and not returned. */
  lease(leaseId: string): Lease | undefined {
    return this.#granted.get(leaseId) ?? this.#taken.get(leaseId);
  }

  /** Leases whose claim words are lent though others have their workers. */
  get takenCount(): number {
    return this.#taken.size;
  }

  /** All that are granted. */
  leases(): Iterable<Lease> {
    return this.#granted.values();
  }

  /** Safe to repeat: a request that is known already, or was and is over, is not taken twice. */
  add(request: LeaseRequest): void {
    if (this.#queued.has(request.leaseId) || this.#granted.has(request.leaseId)) return;
    if (this.#over.get(request.leaseId) === true) {
      request.refused(new RaiaError("TASK_CANCELLED", { lease: request.leaseId, reason: "it is over" }));
      return;
    }
    let never: string | undefined;
    try {
      never = neverHere(request.demand, this.#node, this.#rooms.node.total, this.#rooms.node.available);
    } catch (error) {
      if (!RaiaError.is(error)) throw error;
      request.refused(error);
      return;
    }
    const lease = new Lease(request, never);
    this.#queued.set(lease.leaseId, lease);
    let queue = this.#byJob.get(request.demand.jobId);
    if (queue === undefined) this.#byJob.set(request.demand.jobId, (queue = new Deque()));
    queue.push(lease);
    if (never !== undefined) lease.timer = this.#clock.after(INFEASIBLE_AFTER_MS, () => this.#refuseInfeasible(lease, never));
    if (!this.#rooms.isHere(lease)) this.#bundles.homeless(lease);
    this.schedule();
  }

  /** Requests that want to be served by that placement group, and which none of its bundles here could serve. */
  homelessIn(groupId: string): Lease[] {
    return [...this.#queued.values()].filter((lease) => lease.target?.groupId === groupId && !this.#rooms.isHere(lease));
  }

  /** Of a request that none of the bundles here could serve, its group. */
  homelessGroupOf(leaseId: string): string | undefined {
    const lease = this.#queued.get(leaseId);
    return lease === undefined || this.#rooms.isHere(lease) ? undefined : lease.target?.groupId;
  }

  /** Their placement group is gone, or will never have its places. */
  refuseIn(groupId: string, code: ErrorCode, facts: Facts): void {
    for (const { leaseId, target } of [...this.#queued.values()])
      if (target?.groupId === groupId) this.#tell(leaseId, { kind: "refused", code, facts });
  }

  refuse(leaseId: string, code: ErrorCode, facts: Facts): void {
    this.#tell(leaseId, { kind: "refused", code, facts });
  }

  spill(leaseId: string, address: string): void {
    this.#tell(leaseId, { kind: "spilled", address });
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#serve();
    });
  }

  // -- what happens to leases -------------------------------------------------------------------------------------

  cancel(leaseId: string): void {
    this.#tell(leaseId, { kind: "cancelled" });
  }

  /** @param discard nobody shall use the process again */
  giveBack(leaseId: string, discard = false): void {
    this.#tell(leaseId, { kind: "returned", discard });
  }

  /** What a lease was for is over, granted or not. */
  drop(leaseId: string, code: ErrorCode, facts: Facts): void {
    this.#tell(leaseId, this.#queued.has(leaseId) ? { kind: "refused", code, facts } : { kind: "returned", discard: false });
  }

  block(leaseId: string): void {
    this.#tell(leaseId, { kind: "blocked" });
  }

  unblock(leaseId: string): void {
    this.#tell(leaseId, { kind: "unblocked" });
  }

  /** Its owner is asked to return it, once. */
  turnOver(leaseId: string): void {
    this.#tell(leaseId, { kind: "turnOver" });
  }

  /** Its owner does not answer, and nothing runs on it. @param discard the process takes no more work */
  take(leaseId: string, discard: boolean): void {
    this.#tell(leaseId, { kind: "taken", discard });
  }

  workerDied(worker: PoolWorker, cause: DeathCause): void {
    const leases = [...worker.leaseIds].flatMap((leaseId) => this.#granted.get(leaseId) ?? []);
    const taken = [...this.#taken.values()].filter(({ state }) => state.kind === "taken" && state.holding.worker === worker);
    for (const { leaseId, request } of [...leases, ...taken]) {
      const others = leases.filter((other) => other.request.ownerId !== request.ownerId);
      this.#tell(leaseId, { kind: "workerDied", cause, strangers: worker.actorIds.size + others.length });
    }
  }

  /** A process is there: what waits may start more of its kind. */
  workerStarted(launchKey: string): void {
    this.#finder.workerStarted(launchKey);
    this.schedule();
  }

  /** A process ended before it could take work. */
  workerStartFailed(launchKey: string, cause: DeathCause): void {
    if (!this.#finder.workerStartFailed(launchKey, cause)) return;
    for (const { leaseId, launchKey: wanted, request } of [...this.#queued.values()])
      if (wanted === launchKey) this.#tell(leaseId, { kind: "refused", ...startRefusal(request.demand, cause) });
  }

  /** Requests and leases of an owner that is gone; its actors are control's to end. */
  ownerDied(ownerId: string): void {
    const isOwned = ({ request, holding }: Lease): boolean => request.ownerId === ownerId && !(request.isActor && holding !== undefined);
    const owned = [...this.#queued.values(), ...this.#granted.values(), ...this.#taken.values()].filter(isOwned);
    for (const { leaseId } of owned) this.#tell(leaseId, { kind: "ownerDied" });
  }

  /** An actor runs with less than it needed to be placed. */
  shrink(leaseId: string, resources: ResourceSet): void {
    const lease = this.#granted.get(leaseId);
    if (lease?.holding === undefined || lease.room === undefined) return;
    const { worker, grant } = lease.holding;
    const after = lease.room.ledger.shrink(leaseId, resources);
    if (worker.sharedUnits !== undefined) worker.sharedUnits += unitsOf(after.resources, "CPU") - unitsOf(grant.resources, "CPU");
    this.#tell(leaseId, { kind: "shrunk", grant: after });
    this.#owners.roomChanged();
    this.schedule();
  }

  /** What is said of a lease that is over, or was never here, comes too late and changes nothing. */
  #tell(leaseId: string, event: LeaseEvent): void {
    const lease = this.lease(leaseId) ?? this.#queued.get(leaseId);
    if (lease === undefined) return;
    for (const effect of lease.handle(event, this.#clock.nowMs())) this.#perform(lease, effect);
    if (lease.state.kind === "ended") this.#over.set(leaseId, true);
  }

  #perform(lease: Lease, effect: LeaseEffect): void {
    const { leaseId, request } = lease;
    switch (effect.kind) {
      case "leaveQueue":
        this.#leaveQueue(lease);
        break;
      case "tellGranted":
        this.#granted.set(leaseId, lease);
        request.granted(effect.holding);
        break;
      case "tellRefused":
        request.refused(new RaiaError(effect.code, effect.facts));
        break;
      case "tellSpilled":
        request.spilled(effect.address);
        break;
      case "lendCpu":
        lease.room?.ledger.block(leaseId);
        lease.holding?.worker.waitingLeases.add(leaseId);
        this.#finder.startSpares(lease);
        this.#owners.roomChanged();
        this.schedule();
        break;
      case "claimCpu":
        lease.room?.ledger.unblock(leaseId);
        lease.holding?.worker.waitingLeases.delete(leaseId);
        break;
      case "askBack":
        this.#owners.askBack(lease);
        break;
      case "free":
        this.#freeWorker(lease, effect.holding);
        this.#freeClaims(effect.holding);
        break;
      case "freeWorker":
        this.#taken.set(leaseId, lease);
        this.#freeWorker(lease, effect.holding);
        break;
      case "freeClaims":
        this.#taken.delete(leaseId);
        this.#freeClaims(effect.holding);
        break;
      case "tellEnded":
        effect.worker.told.push(this.#owners.ended(lease, effect.cause, effect.strangers));
        break;
      case "discardWorker":
        void this.#pool.leave(effect.worker, { by: "node" });
        break;
      case "dismissWorker":
        this.#pool.abandon(effect.worker);
        break;
    }
  }

  #leaveQueue(lease: Lease): void {
    lease.timer?.cancel();
    this.#queued.delete(lease.leaseId);
    const { jobId } = lease.request.demand;
    const queue = this.#byJob.get(jobId);
    queue?.remove(lease);
    if (queue?.length === 0) this.#byJob.delete(jobId);
  }

  #freeClaims({ worker, claims }: Holding): void {
    if (claims.count > 0) worker.returnClaims(claims.first);
  }

  /** The worker may serve another. */
  #freeWorker(lease: Lease, { worker, grant }: Holding): void {
    const { leaseId, room } = lease;
    this.#granted.delete(leaseId);
    room?.ledger.release(leaseId);
    if (room?.bundle !== undefined) this.#bundles.returned(room.bundle);
    worker.leaseIds.delete(leaseId);
    worker.waitingLeases.delete(leaseId);
    if (worker.sharedUnits !== undefined) worker.sharedUnits -= unitsOf(grant.resources, "CPU");
    this.#pool.tookBack(worker);
    this.#owners.roomChanged();
    this.schedule();
  }

  #refuseInfeasible({ leaseId, request: { isActor, demand } }: Lease, never: string): void {
    const code = isActor ? "ACTOR_UNSCHEDULABLE" : "TASK_UNSCHEDULABLE";
    // Calls of other functions may be of the same kind: their owner names the one that fails.
    this.#tell(leaseId, { kind: "refused", code, facts: { ...(isActor && { name: demand.name }), lacks: [never], nodes: 1 } });
  }

  // -- who is next ------------------------------------------------------------------------------------------------

  #serve(): void {
    // Owners that wait for what others hold, by where they want it.
    const starved = new Map<string, Lease>();
    for (const queue of [...this.#byJob.values()]) {
      // By shape, whether it is resources that it lacks.
      const blocked = new Map<string, boolean>();
      for (const lease of [...queue]) {
        if (lease.state.kind !== "queued" || lease.never !== undefined || !this.#rooms.isHere(lease)) continue;
        let lacksResources = blocked.get(lease.shapeKey);
        if (lacksResources === undefined) {
          if (this.#tryGrant(lease)) continue;
          lacksResources = this.#rooms.find(lease) === undefined;
          blocked.set(lease.shapeKey, lacksResources);
        }
        // Also behind another's request: that one may be of who holds what both wait for.
        if (lacksResources) starved.set(`${lease.request.ownerId}|${lease.target?.groupId ?? ""}`, lease);
        if (blocked.size > MAX_BLOCKED_SHAPES) break;
      }
    }
    for (const { request, target } of starved.values()) this.#owners.starved(request.ownerId, target?.groupId);
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

  #tryGrant(lease: Lease): boolean {
    const { leaseId, request, resources } = lease;
    const room = this.#rooms.find(lease);
    if (room === undefined) return false;
    const worker = this.#finder.find(lease, this.#queued.values());
    if (worker === undefined) return false;
    const isShared = worker.sharedUnits !== undefined || worker.leaseIds.size > 0;
    // Calls of an actor are not claimed: they cannot go elsewhere.
    const claims = request.isActor ? NO_CLAIMS : worker.takeClaims(!isShared);
    if (claims === undefined) return false;
    const grant = room.ledger.acquire(leaseId, resources);
    if (grant === undefined) {
      if (claims.count > 0) worker.returnClaims(claims.first);
      return false;
    }
    lease.room = room;
    if (worker.sharedUnits !== undefined) worker.sharedUnits += unitsOf(resources, "CPU");
    if (worker.leaseIds.size + worker.actorIds.size === 0) worker.placementGroupId = lease.target?.groupId;
    worker.jobId = request.demand.jobId;
    this.#pool.gave(worker);
    if (!request.isActor) worker.leaseIds.add(leaseId);
    this.#tell(leaseId, { kind: "found", holding: { worker, grant, claims, grantedAtMs: this.#clock.nowMs() } });
    return true;
  }

  // -- looking ----------------------------------------------------------------------------------------------------

  /** Why a request waits, for people. */
  explain(leaseId: string): { state: string; position?: number; reasons: string[] } {
    if (this.#granted.has(leaseId)) return { state: "granted", reasons: [] };
    const lease = this.#queued.get(leaseId);
    if (lease === undefined) return { state: "unknown", reasons: [] };
    const lacks = lease.never === undefined ? this.#rooms.lacks(lease) : [lease.never];
    const position = [...(this.#byJob.get(lease.request.demand.jobId) ?? [])].indexOf(lease);
    const starting = this.#pool.countStarting(lease.launchKey);
    const reasons = lacks.length > 0 ? lacks : [starting > 0 ? `a worker process is starting (${starting})` : "no worker process is free"];
    return { state: "queued", position, reasons };
  }
}

/** Why no process of this kind can be had. */
function startRefusal({ name, runtimeEnv }: WorkerDemand, cause: DeathCause): { code: ErrorCode; facts: Facts } {
  const { kind, exitCode, signal, stderrTail } = cause;
  if (kind === "start-failed") {
    const facts = { name, reason: "no worker process can be started", ...(cause.facts as Facts | undefined) };
    return { code: "SYSTEM_CALL_FAILED", facts };
  }
  const { setupHook, workingDir } = runtimeEnv;
  return { code: "RUNTIME_ENV_FAILED", facts: { name, setupHook, workingDir, cause: kind, exitCode, signal, stderrTail } };
}
