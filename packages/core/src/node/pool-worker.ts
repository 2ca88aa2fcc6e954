/** One worker process as its node keeps it: what it may run, what it runs now. */
import type { Timer } from "../base/clock.ts";
import { Machine } from "../base/machine.ts";
import type { Connection } from "../wire/connection.ts";
import type { LaunchedWorker } from "./worker-launcher.ts";
import { type WorkerEffect, type WorkerEvent, type WorkerState, workerTable } from "./worker-machine.ts";

/** Words for the calls of one lease that has the process to itself: the deepest pipeline. */
const EXCLUSIVE_CLAIMS = 256;
/** Words for a lease beside others. */
export const SHARED_CLAIMS = 8;
export const CLAIMS_PER_WORKER = 1024;

export class PoolWorker {
  readonly workerId: string;
  /** Which work may use it: flags, directory, environment. */
  readonly launchKey: string;
  /** Byte offset of its claim words in the arena. */
  readonly claimOffset: number;
  readonly arenaSlot: number;
  /** It cannot reach shared memory. */
  readonly isThread: boolean;
  readonly #life = new Machine<WorkerState, WorkerEvent, WorkerEffect>("worker process", workerTable, { kind: "starting" });
  process: LaunchedWorker | undefined;
  connection: Connection | undefined;
  /** Until it has registered. A timer that was left would keep all of this for its minute. */
  registration: Timer | undefined;
  address = "";
  pid = 0;
  /** Set with the first work it gets: module state is never shared between jobs. */
  jobId: string | undefined;
  /** The placement group that its work is in: with that it ends, so nothing else shares it. */
  placementGroupId: string | undefined;
  /** CPU units of the leases that share it; undefined while one has it to itself. */
  sharedUnits: number | undefined;
  readonly leaseIds = new Set<string>();
  readonly actorIds = new Set<string>();
  readonly waitingLeases = new Set<string>();
  readonly #freeShares: number[] = [];
  isExclusiveTaken = false;
  /** Others use objects that it owns: they would be lost with it. */
  ownsShared = false;
  /** Of a process that leaves: settles when it has said whether others use what it owns. */
  answer: Promise<void> = Promise.resolve();
  /** Owners of its leases that are being told of its death: until they know, they may write to its claim words. */
  readonly told: Promise<void>[] = [];
  /** Settles when the process is gone. */
  readonly #gone = Promise.withResolvers<void>();

  constructor(workerId: string, launchKey: string, claimOffset: number, arenaSlot: number, isThread = false) {
    this.workerId = workerId;
    this.launchKey = launchKey;
    this.isThread = isThread;
    this.claimOffset = claimOffset;
    this.arenaSlot = arenaSlot;
    for (let at = CLAIMS_PER_WORKER - SHARED_CLAIMS; at >= EXCLUSIVE_CLAIMS; at -= SHARED_CLAIMS) this.#freeShares.push(at);
  }

  get state(): WorkerState {
    return this.#life.state;
  }

  /** @returns what its pool does now */
  handle(event: WorkerEvent, nowMs: number): readonly WorkerEffect[] {
    return this.#life.handle(event, nowMs);
  }

  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  markGone(): void {
    this.#gone.resolve();
  }

  get isUsable(): boolean {
    return this.state.kind === "idle" || this.state.kind === "busy";
  }

  /** Every task here waits: its event loop has time for the children of the same job. */
  get isWaiting(): boolean {
    return this.leaseIds.size > 0 && this.actorIds.size === 0 && this.waitingLeases.size === this.leaseIds.size;
  }

  /** @returns index of the first word and their number; undefined when all are taken */
  takeClaims(exclusive: boolean): { first: number; count: number } | undefined {
    if (exclusive && !this.isExclusiveTaken) {
      this.isExclusiveTaken = true;
      return { first: 0, count: EXCLUSIVE_CLAIMS };
    }
    const first = this.#freeShares.pop();
    return first === undefined ? undefined : { first, count: SHARED_CLAIMS };
  }

  returnClaims(first: number): void {
    if (first === 0) this.isExclusiveTaken = false;
    else this.#freeShares.push(first);
  }
}
