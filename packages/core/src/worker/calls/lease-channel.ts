/**
 * One leased worker as its owner sees it: which calls are under way there, which of them it has begun, and how long they
 * take. Calls are pipelined behind one another up to a depth that follows the measured duration; those not begun can be
 * taken back through their claim words.
 */
import type { Infer } from "../../wire/schema.ts";
import { claimRecall, claimStart, hasStarted, latestGeneration, nextGeneration, queuedWord } from "../../base/claim-word.ts";
import type { DeathCause } from "../../messages/common.ts";
import type { LeaseReply } from "../../messages/leases.ts";
import { callState } from "./call-life.ts";
import type { Cancellation } from "../cancellation.ts";
import type { Call, CallSlotHolder, Whereabouts } from "./call.ts";
import type { CallResults, ResultOrigin } from "./call-results.ts";
import type { ArgumentWriter } from "./call-arguments.ts";
import { NO_CLAIM, type Push, writePush } from "./task-frames.ts";
import type { LinkChannel, WorkerLink } from "./worker-link.ts";

export interface LeaseGrant {
  readonly leaseId: string;
  readonly nodeId: string;
  readonly workerId: string;
  readonly pid: number;
  /** Others may run in the same process. */
  readonly isShared: boolean;
  /** Shared with worker and node; one word a slot. Undefined where owner or worker cannot reach shared memory. */
  readonly claims: Int32Array | undefined;
  /** Bytes from the start of the worker's claim words to these. */
  readonly claimOffset: number;
  readonly accelerators: Infer<typeof LeaseReply>["accelerators"];
  readonly deviceVariables: Infer<typeof LeaseReply>["deviceVariables"];
}

export interface LeaseEvents {
  /** There is room for more. */
  hasRoom(channel: LeaseChannel): void;
  /** The running call waits for others: what it holds up needs another place. */
  waits(channel: LeaseChannel): void;
  /** A call was not begun and needs another place. */
  requeue(call: Call): void;
  /** Asked when a call's code threw: true when it will be tried again. */
  retryAfterError(call: Call, bytes: Buffer, start: number, end: number): boolean;
  /** The worker takes no more calls. */
  retired(channel: LeaseChannel): void;
  /** The connection is gone: what was under way must be sorted out once the cause is known. */
  lost(channel: LeaseChannel, reason: string): void;
}

/** Enough queued work to hide a round trip; more would only make recalling slower. */
const PIPELINE_TARGET_MS = 4;
const AVERAGE_WEIGHT = 0.1;
/** Until one call has been measured, nothing is queued behind it. */
const UNKNOWN_MS = Number.POSITIVE_INFINITY;

/** How long calls of one shape take: shared by the leases of that shape. */
export class DurationEstimate {
  averageMs = UNKNOWN_MS;

  add(durationMs: number): void {
    this.averageMs = this.averageMs === UNKNOWN_MS ? durationMs : this.averageMs + AVERAGE_WEIGHT * (durationMs - this.averageMs);
  }

  depth(limit: number): number {
    if (this.averageMs === UNKNOWN_MS) return 1;
    return Math.max(1, Math.min(limit, Math.floor(PIPELINE_TARGET_MS / Math.max(this.averageMs, 0.001))));
  }
}

export class LeaseChannel implements LinkChannel, ResultOrigin, CallSlotHolder {
  readonly grant: LeaseGrant;
  readonly link: WorkerLink;
  readonly number: number;
  readonly #events: LeaseEvents;
  readonly #results: CallResults;
  readonly #estimate: DurationEstimate;
  readonly #arguments: ArgumentWriter;
  readonly #claims: Int32Array;
  readonly #slots: (Call | undefined)[];
  readonly #free: number[];
  readonly #push: Push = { slot: 0, claim: 0, template: 0, sequence: 0, attempt: 0 };
  #generation: number;
  inFlight = 0;
  /** False while the running task waits: the worker would give back what it gets. */
  isReady = true;
  /** No new calls: the worker retires, or the node wants it back. */
  isClosing = false;
  /** The process ends with this lease. */
  isRetiring = false;
  lastResultAtMs = 0;
  idleSinceMs = 0;
  /** When it was last given a call, having none. */
  busySinceMs = 0;
  /** Set when the node said why the worker died. */
  deathCause: DeathCause | undefined;
  /** Others than this process's own calls that died with the worker: set with the cause. */
  strangers = 0;
  isLost = false;

  constructor(
    grant: LeaseGrant,
    link: WorkerLink,
    jobId: string,
    events: LeaseEvents,
    results: CallResults,
    estimate: DurationEstimate,
    writer: ArgumentWriter,
  ) {
    this.grant = grant;
    // Without words nobody can take a call back: one at a time, and it counts as begun.
    this.#claims = grant.claims ?? new Int32Array(1);
    this.#generation = latestGeneration(this.#claims);
    this.link = link;
    this.#events = events;
    this.#results = results;
    this.#estimate = estimate;
    this.#arguments = writer;
    this.#slots = new Array<Call | undefined>(this.#claims.length).fill(undefined);
    this.#free = Array.from(this.#slots.keys()).reverse();
    this.number = link.open(this, {
      kind: "lease",
      id: grant.leaseId,
      jobId,
      claimOffset: grant.claimOffset,
      ...(grant.accelerators && { accelerators: grant.accelerators }),
      ...(grant.deviceVariables && { deviceVariables: grant.deviceVariables }),
    });
  }

  get nodeId(): string {
    return this.grant.nodeId;
  }

  /** How many more calls may be pushed now. */
  get room(): number {
    if (!this.isReady || this.isClosing || this.isLost || this.deathCause !== undefined) return 0;
    return this.#estimate.depth(this.#slots.length) - this.inFlight;
  }

  push(call: Call): void {
    const slot = this.#free.pop() as number;
    this.#generation = nextGeneration(this.#generation);
    const claim = queuedWord(this.#generation);
    Atomics.store(this.#claims, slot, claim);
    if (this.grant.claims === undefined) claimStart(this.#claims, slot, claim);
    this.#slots[slot] = call;
    this.inFlight++;
    call.moveTo(callState.pushed);
    call.slot = slot;
    call.claim = claim;
    call.holder = this;
    this.link.define(call.template);
    const push = this.#push;
    push.slot = slot;
    push.claim = this.grant.claims === undefined ? NO_CLAIM : claim;
    push.template = call.template.id;
    push.sequence = call.sequence;
    push.attempt = call.attempt;
    if (call.dependencies === undefined) {
      writePush(this.link.connection, this.number, push, call.args, call.argsStart, call.argsEnd);
    } else {
      const args = this.#arguments.withDependencies(call);
      writePush(this.link.connection, this.number, push, args, 0, args.length);
    }
  }

  #take(slot: number): Call | undefined {
    const call = this.#slots[slot];
    if (call === undefined) return undefined;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    this.inFlight--;
    call.slot = -1;
    call.holder = undefined;
    return call;
  }

  // -- what the worker says ---------------------------------------------------------------------------------------

  result(slot: number, microseconds: number, status: number, bytes: Buffer, start: number, end: number): void {
    const call = this.#take(slot);
    if (call === undefined) return;
    this.#estimate.add(microseconds / 1000);
    if ((status & 0x7f) === 2 && !call.isSettled && this.#events.retryAfterError(call, bytes, start, end)) return;
    this.#results.complete(call, status, bytes, start, end, this);
  }

  item(slot: number, index: number, status: number, bytes: Buffer, start: number, end: number): void {
    const call = this.#slots[slot];
    if (call !== undefined) this.#results.item(call, index, status, bytes, start, end, this);
  }

  frameDone(): void {
    this.#events.hasRoom(this);
  }

  gaveBack(slots: readonly number[]): void {
    for (const slot of slots) {
      const call = this.#take(slot);
      if (call !== undefined && !call.isSettled) this.#events.requeue(call);
    }
    this.#events.hasRoom(this);
  }

  ready(ready: boolean): void {
    this.isReady = ready;
    if (ready) this.#events.hasRoom(this);
    else this.#events.waits(this);
  }

  retiring(): void {
    this.isClosing = true;
    this.isRetiring = true;
    this.#events.retired(this);
  }

  /** Claim words say it. */
  began(): void {}

  closed(reason: string): void {
    if (this.isLost) return;
    this.isLost = true;
    this.#events.lost(this, reason);
  }

  refsTaken(handover: number): void {
    if (!this.link.connection.isClosed) this.link.worker.resultRefsTaken({ handover });
  }

  // -- taking back ------------------------------------------------------------------------------------------------

  /** Takes back up to `count` calls that the worker has not begun, the last pushed first. */
  recall(count: number): Call[] {
    const pushed = this.#slots.filter((call): call is Call => call !== undefined).sort((a, b) => b.claim - a.claim);
    const recalled: Call[] = [];
    for (const call of pushed) {
      if (recalled.length === count) break;
      if (claimRecall(this.#claims, call.slot, call.claim)) {
        this.#take(call.slot);
        recalled.push(call);
      }
    }
    return recalled;
  }

  /** Takes back one call; false when the worker has begun it. */
  recallOne(call: Call): boolean {
    if (!claimRecall(this.#claims, call.slot, call.claim)) return false;
    this.#take(call.slot);
    return true;
  }

  cancelCall(call: Call, cancellation: Cancellation): void {
    if (this.recallOne(call)) {
      // Nothing may be left here: without a word the lease would stay idle for ever.
      this.#events.hasRoom(this);
      return;
    }
    this.link.cancel(this.number, call, cancellation);
  }

  explainRun(call: Call, path: readonly string[], withinMs: number) {
    return this.link.explainRun(this.number, call, path, withinMs);
  }

  streamCredit(call: Call, consumed: number): void {
    if (call.slot >= 0 && !this.isLost) this.link.worker.streamCredit({ channel: this.number, slot: call.slot, consumed });
  }

  streamStop(call: Call): void {
    if (call.slot < 0 || this.isLost) return;
    if (!this.recallOne(call)) {
      this.link.worker.streamStop({ channel: this.number, slot: call.slot });
      return;
    }
    // The worker would not know of what it has not begun. In the queue it is seen that nobody wants this one.
    if (!call.isSettled) this.#events.requeue(call);
    this.#events.hasRoom(this);
  }

  /** Whether the slot still holds the call that was claimed with that word. */
  isBusyWith(slot: number, claim: number): boolean {
    return this.#slots[slot]?.claim === claim && !this.isLost;
  }

  /** Where a call that was pushed here is. */
  whereabouts(call: Call): Whereabouts {
    const hasBegun = call.slot >= 0 && hasStarted(this.#claims, call.slot, call.claim);
    const isNext = !hasBegun && this.begunCount === 0;
    return { workerId: this.grant.workerId, pid: this.grant.pid, hasBegun, ...(isNext && { nextSinceMs: this.busySinceMs }) };
  }

  /** How many calls the worker has begun and not answered, one that was cancelled meanwhile among them. */
  get begunCount(): number {
    return this.#slots.filter((call) => call !== undefined && hasStarted(this.#claims, call.slot, call.claim)).length;
  }

  /** After the worker's death: what it had begun, and what it had not. */
  takeAll(): { begun: Call[]; notBegun: Call[] } {
    const begun: Call[] = [];
    const notBegun: Call[] = [];
    for (let slot = 0; slot < this.#slots.length; slot++) {
      const call = this.#slots[slot];
      if (call === undefined) continue;
      (hasStarted(this.#claims, slot, call.claim) ? begun : notBegun).push(call);
      this.#take(slot);
    }
    return { begun, notBegun };
  }
}
