/**
 * From `.remote()` to a worker: calls wait for what they depend on, queue by shape (what they ask of a worker), and are
 * pushed straight to leased workers. A lease is reused while there is work; calls queue behind one another on it when they
 * are short, and are taken back when another worker is free or theirs is stuck.
 */
import type { Clock } from "../../base/clock.ts";
import { RaiaError } from "../../base/errors.ts";
import type { DeathCause, WorkerDemand } from "../../messages/common.ts";
import { callState } from "./call-life.ts";
import type { Call, CallSlotHolder } from "./call.ts";
import type { ArgumentWriter } from "./call-arguments.ts";
import type { CallResults } from "./call-results.ts";
import type { Cancellation } from "../cancellation.ts";
import { CallLimits } from "./call-limits.ts";
import { CallReadiness } from "./call-readiness.ts";
import { LeaseChannel, type LeaseEvents, type LeaseGrant } from "./lease-channel.ts";
import { type LeaseCalls, LeaseRequests } from "./lease-requests.ts";
import { type EndCode, objectState } from "../objects/object-entry.ts";
import { deathFailure, failureOf, isCrash, shouldRetryError } from "./retry-policy.ts";
import { REBALANCE_MS, Shape } from "./shape.ts";
import { WorkerDeaths } from "./worker-deaths.ts";
import type { WorkerLink } from "./worker-link.ts";

/** A lease without work goes back after this long. */
const IDLE_LEASE_MS = 500;
/** Leases wanted at a time for one shape, however much is queued. */
const MAX_LEASES_PER_SHAPE = 1024;

export class TaskSubmitter {
  readonly #shapes = new Map<string, Shape>();
  readonly #calls: LeaseCalls;
  readonly #results: CallResults;
  readonly #arguments: ArgumentWriter;
  readonly #limits: CallLimits;
  readonly #readiness: CallReadiness;
  readonly #deaths: WorkerDeaths;
  readonly #clock: Clock;
  readonly #requests: LeaseRequests;
  readonly #byLease = new Map<string, LeaseChannel>();
  #endedWith: EndCode | undefined;

  constructor(ownerId: string, calls: LeaseCalls, results: CallResults, writer: ArgumentWriter, clock: Clock) {
    this.#calls = calls;
    this.#requests = new LeaseRequests(ownerId, calls, clock, {
      granted: (shape, grant, link) => this.#granted(shape, grant, link),
      vain: (shape) => this.#schedule(shape),
      // Its calls fail, all of them.
      refused: (shape, error) => this.#failQueue(shape, error),
    });
    this.#results = results;
    this.#readiness = new CallReadiness(results, (call, shape) => this.enqueue(call, shape));
    this.#arguments = writer;
    this.#clock = clock;
    const kill: LeaseCalls["kill"] = (leaseId, graceMs, reason) => calls.kill(leaseId, graceMs, reason);
    this.#deaths = new WorkerDeaths(clock, kill, () => this.#endedWith === undefined);
    this.#limits = new CallLimits(clock, results, kill);
  }

  /** @param cpuSlots how many of these the cluster could run at a time, to know how many leases are worth asking for */
  shape(key: string, demand: WorkerDemand, cpuSlots: number, isAlone = false): Shape {
    let shape = this.#shapes.get(key);
    if (shape === undefined) {
      shape = new Shape(key, demand, Math.min(MAX_LEASES_PER_SHAPE, Math.max(1, cpuSlots)), isAlone);
      this.#shapes.set(key, shape);
    }
    return shape;
  }

  /** The call has its arguments; it goes as soon as what it depends on is there. */
  submit(call: Call, shape: Shape, exports: readonly Promise<void>[] | undefined): void {
    call.holder = queued;
    const { queueTimeoutMs } = call.template;
    if (queueTimeoutMs !== undefined) this.#limits.startQueueLimit(call, queueTimeoutMs, () => this.#schedule(shape));
    // Most wait for nothing.
    if (exports === undefined && call.template.exported === undefined && call.dependencies === undefined) this.enqueue(call, shape);
    else this.#readiness.await(call, shape, exports);
  }

  enqueue(call: Call, shape: Shape): void {
    if (this.#endedWith !== undefined) {
      // Its code or an argument arrived after the queues were emptied: nobody would look at it again.
      this.#results.fail(call, { code: this.#endedWith, facts: { task: call.template.name } });
      return;
    }
    call.moveTo(callState.queued);
    shape.queue.push(call);
    this.#schedule(shape);
  }

  #schedule(shape: Shape): void {
    if (shape.isScheduled) return;
    shape.isScheduled = true;
    queueMicrotask(() => {
      shape.isScheduled = false;
      this.#dispatch(shape);
    });
  }

  // -- dispatch ---------------------------------------------------------------------------------------------------

  #dispatch(shape: Shape): void {
    // Spread over the leases there are, one call at a time while there are few, so that no worker idles behind another.
    const { queue, leases } = shape;
    if (queue.length > 0 && leases.length > 0) {
      const share = Math.max(1, Math.ceil(queue.length / leases.length));
      for (const lease of leases) this.#fill(shape, lease, share);
      for (const lease of leases) this.#fill(shape, lease, Number.POSITIVE_INFINITY);
    }
    this.#requests.match(shape);
    this.#watch(shape);
  }

  #fill(shape: Shape, lease: LeaseChannel, most: number): void {
    const { queue } = shape;
    let room = Math.min(shape.roomOn(lease), most);
    while (room > 0) {
      const call = queue.shift();
      if (call === undefined) return;
      // Cancelled while it was queued.
      if (call.isSettled) continue;
      // Its consumer has left, and nobody would stop what ran now.
      if (call.stream?.stopped === true) {
        this.#results.fail(call, { code: "TASK_CANCELLED", facts: { task: call.template.name } });
        continue;
      }
      if (call.template.timeoutMs !== undefined && lease.inFlight > 0) {
        queue.unshift(call);
        return;
      }
      if (this.#push(shape, call, lease)) room--;
    }
  }

  /** @returns false when the call has failed instead: what it depends on was freed while it was queued */
  #push(shape: Shape, call: Call, lease: LeaseChannel): boolean {
    const failed = call.dependencies?.find(({ entry }) => entry.state >= objectState.error);
    if (failed !== undefined) {
      this.#results.failLike(call, failed.entry);
      return false;
    }
    if (lease.inFlight === 0) lease.busySinceMs = this.#clock.nowMs();
    lease.push(call);
    const { timeoutMs } = call.template;
    if (timeoutMs !== undefined) this.#limits.startTimeLimit(call, lease, timeoutMs, () => this.#close(shape, lease, true));
    return true;
  }

  #granted(shape: Shape, grant: LeaseGrant, link: WorkerLink): void {
    const lease = new LeaseChannel(grant, link, shape.demand.jobId, this.#eventsOf(shape), this.#results, shape.estimate, this.#arguments);
    lease.idleSinceMs = this.#clock.nowMs();
    this.#byLease.set(grant.leaseId, lease);
    shape.leases.push(lease);
    this.#dispatch(shape);
    if (lease.inFlight === 0) this.#stealFor(shape, lease, true);
  }

  #failQueue(shape: Shape, error: unknown): void {
    for (let call = shape.queue.shift(); call !== undefined; call = shape.queue.shift()) this.#results.fail(call, failureOf(error, call));
  }

  #eventsOf(shape: Shape): LeaseEvents {
    return {
      hasRoom: (lease) => {
        lease.lastResultAtMs = this.#clock.nowMs();
        if (shape.queue.length > 0) this.#fill(shape, lease, Number.POSITIVE_INFINITY);
        if (lease.inFlight === 0) this.#becameIdle(shape, lease);
      },
      waits: () => this.#schedule(shape),
      requeue: (call) => this.#requeue(call, shape),
      retryAfterError: (call, bytes, start, end) => {
        if (!shouldRetryError(call, bytes, start, end)) return false;
        call.attempt++;
        if (call.retriesLeft > 0) call.retriesLeft--;
        this.#requeue(call, shape);
        return true;
      },
      retired: (lease) => {
        if (lease.inFlight === 0) this.#giveBack(shape, lease, true);
        this.#schedule(shape);
      },
      lost: (lease) => void this.#sortOut(shape, lease),
    };
  }

  #requeue(call: Call, shape: Shape): void {
    call.moveTo(callState.queued);
    call.holder = queued;
    shape.queue.unshift(call);
    this.#schedule(shape);
  }

  #becameIdle(shape: Shape, lease: LeaseChannel): void {
    lease.idleSinceMs = this.#clock.nowMs();
    if (lease.isClosing) {
      this.#giveBack(shape, lease, false);
      return;
    }
    this.#stealFor(shape, lease, false);
    this.#watch(shape);
  }

  /** Takes calls from where they wait behind others. `urgent`: a new lease, which was asked for because there is work. */
  #stealFor(shape: Shape, thief: LeaseChannel, urgent: boolean): void {
    const theft = shape.victimOf(thief, this.#clock.nowMs(), urgent);
    if (theft === undefined) return;
    for (const call of theft.victim.recall(theft.count)) {
      if (call.isSettled) continue;
      call.moveTo(callState.queued);
      this.#push(shape, call, thief);
    }
  }

  /** While leases are uneven or idle, looks again after a while; otherwise sleeps. */
  #watch(shape: Shape): void {
    if (shape.timer !== undefined || shape.leases.length === 0) return;
    const waiting = shape.queue.length > 0 || shape.leases.some((lease) => lease.inFlight > 1);
    const idle = shape.leases.some((lease) => lease.inFlight === 0);
    if (!waiting && !idle) return;
    shape.timer = this.#clock.after(waiting ? REBALANCE_MS : IDLE_LEASE_MS / 2, () => {
      shape.timer = undefined;
      this.#review(shape);
    });
  }

  #review(shape: Shape): void {
    const nowMs = this.#clock.nowMs();
    for (const lease of [...shape.leases]) {
      if (lease.inFlight > 0) continue;
      this.#stealFor(shape, lease, false);
      if (lease.inFlight === 0 && (lease.isClosing || nowMs - lease.idleSinceMs >= IDLE_LEASE_MS)) this.#giveBack(shape, lease, false);
    }
    this.#dispatch(shape);
  }

  #giveBack(shape: Shape, lease: LeaseChannel, discard: boolean): void {
    if (!this.#forget(shape, lease)) return;
    lease.link.close(lease.number);
    this.#calls.return(lease.grant.leaseId, discard || lease.isRetiring);
  }

  #forget(shape: Shape, lease: LeaseChannel): boolean {
    const index = shape.leases.indexOf(lease);
    if (index < 0) return false;
    shape.leases.splice(index, 1);
    this.#byLease.delete(lease.grant.leaseId);
    return true;
  }

  // -- when a worker dies -----------------------------------------------------------------------------------------

  /**
   * The node says why the worker of a lease is gone, and how many that are not ours went with it. Its claim words are lent
   * again as soon as we have heard: nothing is pushed there any more, and what they say of what has not begun counts now.
   */
  leaseEnded(leaseId: string, cause: DeathCause, strangers: number): void {
    const lease = this.#byLease.get(leaseId);
    if (lease === undefined) {
      this.#requests.workerDied(leaseId, this.#shapes.values());
      return;
    }
    lease.deathCause = cause;
    lease.strangers = strangers;
    this.#deaths.told(lease);
    // Results of what it had begun may still be in the connection's buffer: that is sorted out when it has closed.
    this.recallLease(leaseId);
  }

  async #sortOut(shape: Shape, lease: LeaseChannel): Promise<void> {
    const begunTogether = this.#deaths.countBegun(lease, this.#byLease.values());
    await this.#deaths.awaitCause(lease);
    // The node took the lease back meanwhile, with nothing running on it, and waits for our word.
    if (lease.deathCause === undefined) this.#calls.return(lease.grant.leaseId, true);
    this.#forget(shape, lease);
    const cause: DeathCause = lease.deathCause ?? { kind: "unknown", pid: lease.grant.pid };
    const hadNeighbours = begunTogether + lease.strangers > 1;
    const isSuspect = isCrash(cause) && (hadNeighbours || shape.demand.isolation === "shared");
    const { begun, notBegun } = lease.takeAll();
    for (const call of notBegun) if (!call.isSettled) this.#requeue(call, shape);
    for (const call of begun) {
      if (call.isSettled) {
        this.#results.freeUnreported(call);
        continue;
      }
      if (call.retriesLeft !== 0 && this.#endedWith === undefined) {
        call.attempt++;
        if (call.retriesLeft > 0) call.retriesLeft--;
        if (isSuspect) call.alone = true;
        this.#requeue(call, call.alone ? this.#aloneShape(shape) : shape);
      } else {
        this.#results.fail(call, deathFailure(call, cause, hadNeighbours));
        this.#results.freeUnreported(call);
      }
    }
    this.#schedule(shape);
  }

  /** The same work in a process of its own: for calls that may have brought down the one they shared. */
  #aloneShape(shape: Shape): Shape {
    if (shape.isAlone) return shape;
    return this.shape(`${shape.key}|alone`, { ...shape.demand, isolation: "process" }, shape.maxLeases, true);
  }

  /** The node wants the lease back: it goes when nothing runs on it. */
  recallLease(leaseId: string): void {
    const lease = this.#byLease.get(leaseId);
    if (lease === undefined) return;
    const shape = [...this.#shapes.values()].find((candidate) => candidate.leases.includes(lease));
    if (shape !== undefined) this.#close(shape, lease, false);
  }

  /** What it has not begun goes elsewhere. @param discard nobody shall use the process again */
  #close(shape: Shape, lease: LeaseChannel, discard: boolean): void {
    lease.isClosing = true;
    for (const call of lease.recall(Number.POSITIVE_INFINITY)) if (!call.isSettled) this.#requeue(call, shape);
    if (lease.inFlight === 0) this.#giveBack(shape, lease, discard);
    this.#schedule(shape);
  }

  // -- the end ----------------------------------------------------------------------------------------------------

  cancel(call: Call, cancellation: Cancellation): void {
    this.#limits.cancel(call, cancellation);
  }

  /** All that is under way fails with this code. */
  shutdown(code: EndCode): void {
    this.#endedWith = code;
    this.#requests.stop();
    for (const shape of this.#shapes.values()) {
      shape.timer?.cancel();
      this.#failQueue(shape, new RaiaError(code, {}));
      for (const lease of [...shape.leases]) {
        const { begun, notBegun } = lease.takeAll();
        for (const call of [...begun, ...notBegun]) this.#results.fail(call, { code, facts: { task: call.template.name } });
      }
    }
  }

  *shapes(): Iterable<Shape> {
    yield* this.#shapes.values();
  }
}

/** Holds a call that no worker has: there is nothing to stop. It leaves the queue when its turn comes. */
const queued: CallSlotHolder = { cancelCall: () => {} };
