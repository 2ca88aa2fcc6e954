/** What calls ask of a worker, the calls and leases of that kind, and what follows from how they stand. */
import type { Timer } from "../../base/clock.ts";
import { Deque } from "../../base/deque.ts";
import type { WorkerDemand } from "../../messages/common.ts";
import type { Call } from "./call.ts";
import type { Reached } from "./worker-silence.ts";
import { DurationEstimate, type LeaseChannel } from "./lease-channel.ts";

/** How often leases are compared while one is idle and another has work behind a running call. */
export const REBALANCE_MS = 5;
/** Less work than this is not worth taking from one worker to another. */
const MIN_STOLEN_MS = 0.5;
/** As long as that, one guess at a call's duration counts at most. */
const MAX_ESTIMATE_MS = 1000;
/** Short calls behind others that are worth one more lease. */
const SHORT_CALLS_PER_LEASE = 64;

export class Shape {
  readonly key: string;
  readonly demand: WorkerDemand;
  readonly maxLeases: number;
  /** For calls that may have brought down a process which they shared. */
  readonly isAlone: boolean;
  readonly queue = new Deque<Call>();
  readonly leases: LeaseChannel[] = [];
  readonly requests = new Set<string>();
  /** Of these, those that were granted and whose workers are being reached, by lease. */
  readonly reaching = new Map<string, Reached>();
  readonly estimate = new DurationEstimate();
  isScheduled = false;
  timer: Timer | undefined;

  constructor(key: string, demand: WorkerDemand, maxLeases: number, isAlone: boolean) {
    this.key = key;
    this.isAlone = isAlone;
    this.demand = demand;
    this.maxLeases = maxLeases;
  }

  /** How many more calls a lease may take. Behind one that may kill the process, the result of the one before could be lost. */
  roomOn(lease: LeaseChannel): number {
    return this.isAlone ? Math.min(lease.room, 1 - lease.inFlight) : lease.room;
  }

  /** Leases that its calls could use, with those that it has or has asked for. */
  get wantedLeases(): number {
    const stuck = this.leases.reduce((sum, lease) => sum + Math.max(0, lease.inFlight - 1), 0);
    const forStuck = this.estimate.averageMs > REBALANCE_MS ? stuck : Math.ceil(stuck / SHORT_CALLS_PER_LEASE);
    return Math.min(this.maxLeases, this.queue.length + forStuck);
  }

  /** How many more leases to ask for. */
  get missingLeases(): number {
    const asked = this.requests.size + this.leases.filter((lease) => lease.inFlight === 0).length;
    // A lease whose task waits holds no CPU: its child needs one of its own, however deep the tree.
    const active = this.leases.filter((lease) => lease.isReady).length;
    return Math.min(this.wantedLeases - asked, this.maxLeases - active - this.requests.size);
  }

  /**
   * From which lease to take calls for an idle one, and how many.
   *
   * @param isUrgent the idle lease is new, and was asked for because there is work
   */
  victimOf(thief: LeaseChannel, nowMs: number, isUrgent: boolean): { readonly victim: LeaseChannel; readonly count: number } | undefined {
    if (this.roomOn(thief) <= 0) return undefined;
    let victim: LeaseChannel | undefined;
    for (const lease of this.leases) {
      if (lease !== thief && lease.inFlight > 1 && (victim === undefined || lease.inFlight > victim.inFlight)) victim = lease;
    }
    if (victim === undefined) return undefined;
    const waiting = victim.inFlight - 1;
    const isStuck = nowMs - victim.lastResultAtMs > REBALANCE_MS;
    const expectedMs = waiting * Math.min(this.estimate.averageMs, MAX_ESTIMATE_MS);
    if (!isUrgent && !isStuck && expectedMs < MIN_STOLEN_MS) return undefined;
    return { victim, count: Math.min(this.roomOn(thief), isStuck ? waiting : Math.ceil(waiting / 2)) };
  }
}
