/**
 * Which process serves a request: an idle one, a shared one with room, one whose tasks all wait; otherwise one is started,
 * and the request waits for it.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { isDeviceResource, type ResourceSet, UNITS_PER_ONE, unitsOf } from "../base/resources.ts";
import type { DeathCause } from "../messages/common.ts";
import type { Lease } from "./lease.ts";
import type { LeaseRooms } from "./lease-rooms.ts";
import { CLAIMS_PER_WORKER, type PoolWorker, SHARED_CLAIMS } from "./pool-worker.ts";
import { StartFailures } from "./start-failures.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** Leases of no CPU at all that one process takes. */
const MAX_FREE_LEASES_PER_PROCESS = 90;
/** Actors that share a process, however little each takes: what dies with the process stays bounded. */
const MAX_ACTORS_PER_PROCESS = 2000;
/** Processes that are started ahead of a tree of tasks at a time. */
const MAX_SPARES = 4;
/** Leases of waiting tasks in one process: half of its claim words stay for others. */
const MAX_WAITING_LEASES = CLAIMS_PER_WORKER / 2 / SHARED_CLAIMS;

export class WorkerFinder {
  readonly #rooms: LeaseRooms;
  readonly #pool: WorkerPool;
  readonly #clock: Clock;
  readonly #waitingPerCpu: number;
  readonly #retry: () => void;
  readonly #startFailures = new StartFailures();
  /** Until the next start may be tried. */
  #pause: Timer | undefined;

  /**
   * @param waitingPerCpu waiting processes, for each CPU, before children run inside waiting ones
   * @param retry a start that had to wait may be tried now
   */
  constructor(rooms: LeaseRooms, pool: WorkerPool, clock: Clock, waitingPerCpu: number, retry: () => void) {
    this.#rooms = rooms;
    this.#pool = pool;
    this.#clock = clock;
    this.#waitingPerCpu = waitingPerCpu;
    this.#retry = retry;
  }

  /** @param queued all requests that wait: as many processes are started as they can use */
  find(lease: Lease, queued: Iterable<Lease>): PoolWorker | undefined {
    const { demand, isActor } = lease.request;
    if (demand.isolation === "shared") {
      const shared = this.#findShared(lease);
      if (shared !== undefined) return shared;
    }
    // With a group its processes may end, too.
    const idle = this.#pool.findIdle(lease.launchKey, demand.jobId, !isActor && lease.target === undefined);
    if (idle !== undefined) {
      if (demand.isolation === "shared") idle.sharedUnits = 0;
      return idle;
    }
    // Devices are shown to a process as a whole: work that holds one does not run beside others.
    const hasDevice = Object.keys(demand.resources).some(isDeviceResource);
    if (!isActor && !hasDevice && this.#hasTooManyWaiting()) {
      const waiting = this.#findWaiting(lease);
      if (waiting !== undefined) return waiting;
    }
    this.#startFor(lease, queued);
    return undefined;
  }

  #findShared({ request: { demand, isActor }, launchKey, resources, target }: Lease): PoolWorker | undefined {
    const cpuUnits = unitsOf(resources, "CPU");
    for (const worker of this.#pool.all()) {
      if (!worker.isUsable || worker.sharedUnits === undefined || worker.jobId !== demand.jobId || worker.launchKey !== launchKey) continue;
      if (worker.placementGroupId !== target?.groupId && worker.leaseIds.size + worker.actorIds.size > 0) continue;
      if (isActor !== worker.actorIds.size > 0 && worker.leaseIds.size + worker.actorIds.size > 0) continue;
      if (worker.sharedUnits + cpuUnits > UNITS_PER_ONE) continue;
      const isFull = isActor ? worker.actorIds.size >= MAX_ACTORS_PER_PROCESS : worker.leaseIds.size >= MAX_FREE_LEASES_PER_PROCESS;
      if (!isFull) return worker;
    }
    return undefined;
  }

  #hasTooManyWaiting(): boolean {
    let waiting = 0;
    for (const worker of this.#pool.all()) if (worker.isWaiting) waiting++;
    return waiting >= this.#waitingPerCpu * Math.max(1, unitsOf(this.#rooms.node.total, "CPU") / UNITS_PER_ONE);
  }

  /** The waiting process of this job with the fewest tasks. */
  #findWaiting({ request: { demand }, launchKey, target }: Lease): PoolWorker | undefined {
    let best: PoolWorker | undefined;
    for (const worker of this.#pool.all()) {
      if (!worker.isWaiting || worker.jobId !== demand.jobId || worker.launchKey !== launchKey || worker.state.kind !== "busy") continue;
      if (worker.leaseIds.size > MAX_WAITING_LEASES || worker.placementGroupId !== target?.groupId) continue;
      if (best === undefined || worker.leaseIds.size < best.leaseIds.size) best = worker;
    }
    return best;
  }

  /** One process is started for each request that could run now, and no more. */
  #startFor(lease: Lease, queued: Iterable<Lease>): void {
    const { launchKey, resources } = lease;
    const { demand, runResources } = lease.request;
    let wanting = 0;
    let actors = 0;
    for (const other of queued) {
      if (other.launchKey !== launchKey) continue;
      wanting++;
      if (other.request.isActor) actors++;
    }
    const free = this.#rooms.freeCpu(lease);
    let wanted = Math.min(wanting, roomFor(resources, free));
    // Actors are made one after another but live side by side, and a process takes longer to start than an actor to be made.
    if (runResources !== undefined && demand.isolation !== "shared")
      wanted = Math.max(wanted, Math.min(actors, roomFor(runResources, free)));
    for (let i = this.#pool.countStarting(launchKey); i < wanted; i++) if (!this.#start(lease)) return;
  }

  /**
   * Tasks that wait are likely to wait for children, whose children will wait: each level needs a process, and starting one
   * takes longer than the task. As many are started ahead as wait already, within reason.
   */
  startSpares(lease: Lease): void {
    if (this.#hasTooManyWaiting()) return;
    let waiting = 0;
    let ready = 0;
    for (const worker of this.#pool.all()) {
      if (worker.isWaiting) waiting++;
      if (worker.launchKey === lease.launchKey && (worker.state.kind === "idle" || worker.state.kind === "starting")) ready++;
    }
    for (let missing = Math.min(waiting, MAX_SPARES) - ready; missing > 0; missing--) this.#start(lease);
  }

  #start({ request: { demand }, launchKey }: Lease): boolean {
    const pauseMs = this.#startFailures.pauseMs(launchKey, this.#clock.nowMs());
    if (pauseMs > 0) {
      this.#retryIn(pauseMs);
      return false;
    }
    const { execArgv, cwd } = demand.launch;
    const { envVars, setupHook, workingDir } = demand.runtimeEnv;
    const isThread = demand.isolation === "thread";
    return this.#pool.start({ execArgv, cwd: workingDir ?? cwd, envVars, setupHook, workingDir, isThread }, launchKey) !== undefined;
  }

  #retryIn(pauseMs: number): void {
    if (this.#pause !== undefined) return;
    this.#pause = this.#clock.after(pauseMs, () => {
      this.#pause = undefined;
      this.#retry();
    });
  }

  workerStarted(launchKey: string): void {
    this.#startFailures.started(launchKey);
  }

  /** A process ended before it could take work. @returns whether no further start of its kind is worth trying */
  workerStartFailed(launchKey: string, cause: DeathCause): boolean {
    return this.#startFailures.failed(launchKey, cause, this.#clock.nowMs());
  }
}

/** How many of these the free CPUs can carry; one in any case, since this one was found to fit. */
function roomFor(resources: ResourceSet, freeCpu: number): number {
  return Math.max(1, Math.ceil(freeCpu / Math.max(1, unitsOf(resources, "CPU"))));
}
