/**
 * Makes room in the arena: for those who ask, and ahead of them in the background. One object is written at a time, since
 * the disk is the limit; requests are served in the order they came, but a small one passes a large one that waits for
 * readers to finish. Room is handed out as blocks that already belong to the asker, so nobody can take it in between.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { type Facts, RaiaError } from "../base/errors.ts";
import type { Arena } from "./arena.ts";
import { BLOCK_BYTES, blocksFor } from "./block-table.ts";
import { cheapestWindow } from "./eviction-policy.ts";
import type { ObjectRecord, ObjectTable } from "./object-table.ts";
import { tooLarge } from "./too-large.ts";

export interface SpaceLimits {
  /** Bytes on disk, all spilled objects together. */
  readonly maxSpillBytes: number;
  /** The part of the arena above which objects are spilled in the background. */
  readonly spillAboveFraction: number;
  /** How long a request waits for readers to finish before it gets STORE_FULL. */
  readonly spaceTimeoutMs: number;
  /** How long it waits for a full disk to have room again before it gets OUT_OF_DISK. */
  readonly diskTimeoutMs: number;
}

interface Request {
  readonly slot: number;
  readonly bytes: number;
  readonly askedAtMs: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: RaiaError) => void;
}

export interface SpaceDependencies {
  readonly arena: Arena;
  readonly table: ObjectTable;
  readonly clock: Clock;
  readonly limits: SpaceLimits;
  /** Writes an object to disk and lets go of its blocks. @returns the error number when the disk refused */
  readonly spill: (record: ObjectRecord) => Promise<string | undefined>;
  /** Called before anything is spilled, at most once a second: processes may let go of what they have not collected yet. */
  readonly askToCollect: () => void;
  /** What an error says about the store. */
  readonly budget: () => Facts;
}

/** Each is a process or a restore that waits; more than this means that something repeats itself. */
const MAX_REQUESTS = 4096;
const DISK_RETRY_MS = 500;
const COLLECT_EVERY_MS = 1000;
/** While somebody waits: blocks that were never sealed are given up without a message. */
const LOOK_AGAIN_MS = 250;

export class SpaceLoop {
  readonly #deps: SpaceDependencies;
  #requests: Request[] = [];
  #isRunning = false;
  #again = false;
  #diskErrno: string | undefined;
  #diskFullSinceMs = 0;
  #diskTriedAtMs = 0;
  #askedToCollectAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(deps: SpaceDependencies) {
    this.#deps = deps;
  }

  /** Set while the disk refuses to take more. */
  get diskErrno(): string | undefined {
    return this.#diskErrno;
  }

  get waiting(): number {
    return this.#requests.length;
  }

  /**
   * Room for one object.
   *
   * @returns the offset of blocks that belong to `slot`, not sealed
   * @throws {RaiaError} STORE_FULL when readers hold too much for too long, OUT_OF_DISK when the disk is full for too long
   */
  request(slot: number, bytes: number): Promise<number> {
    const { arena, clock, budget } = this.#deps;
    const offset = this.#requests.length === 0 ? arena.allocateFor(slot, bytes) : undefined;
    if (offset !== undefined) return Promise.resolve(offset);
    if (bytes > arena.capacityBytes) return Promise.reject(tooLarge(bytes, arena.capacityBytes));
    if (this.#requests.length >= MAX_REQUESTS) {
      return Promise.reject(new RaiaError("STORE_FULL", { requestedBytes: bytes, waiting: this.#requests.length, ...budget() }));
    }
    return new Promise((resolve, reject) => {
      this.#requests.push({ slot, bytes, askedAtMs: clock.nowMs(), resolve, reject });
      this.kick();
    });
  }

  /** A process died: nobody waits for its requests. */
  cancel(slot: number): void {
    const gone = this.#requests.filter((request) => request.slot === slot);
    this.#requests = this.#requests.filter((request) => request.slot !== slot);
    for (const { reject } of gone) reject(new RaiaError("CONNECTION_LOST", { reason: "the process that asked for room is gone" }));
  }

  /** Something changed: blocks were freed, a reader left, an object arrived. */
  kick(): void {
    this.#again = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    // A bug in here must end the process: without the loop, everybody would wait for ever.
    void this.#run();
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      this.#serve();
      const victim = this.#nextVictim();
      if (victim === undefined) continue;
      this.#askToCollect();
      this.#noteDisk(await this.#deps.spill(victim));
      this.#again = true;
    }
    this.#isRunning = false;
    this.#setTimer();
  }

  #serve(): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#requests = this.#requests.filter((request) => {
      const offset = this.#deps.arena.allocateFor(request.slot, request.bytes);
      if (offset !== undefined) request.resolve(offset);
      else if (this.#isOverdue(request, nowMs)) request.reject(this.#refusal(request));
      else return true;
      return false;
    });
  }

  /** A disk that has been full for so long is not waited for anew by each who asks: that it still is must be seen once. */
  #isOverdue({ askedAtMs }: Request, nowMs: number): boolean {
    if (nowMs - askedAtMs >= this.#timeoutMs) return true;
    return this.#diskErrno !== undefined && nowMs - this.#diskFullSinceMs >= this.#timeoutMs && this.#diskTriedAtMs > askedAtMs;
  }

  get #timeoutMs(): number {
    const { diskTimeoutMs, spaceTimeoutMs } = this.#deps.limits;
    return this.#diskErrno === undefined ? spaceTimeoutMs : diskTimeoutMs;
  }

  #refusal({ bytes }: Request): RaiaError {
    const facts = { requestedBytes: bytes, ...this.#deps.budget() };
    return this.#diskErrno === undefined
      ? new RaiaError("STORE_FULL", facts)
      : new RaiaError("OUT_OF_DISK", { errno: this.#diskErrno, ...facts });
  }

  /** One object that has to leave memory now. */
  #nextVictim(): ObjectRecord | undefined {
    const { arena, table, clock, limits } = this.#deps;
    if (this.#diskErrno !== undefined && clock.nowMs() < this.#diskTriedAtMs + DISK_RETRY_MS) return undefined;
    const neededBlocks = this.#requests[0] === undefined ? 0 : blocksFor(this.#requests[0].bytes);
    const victim = neededBlocks > 0 ? this.#inTheWay(neededBlocks) : undefined;
    const isAbove = table.arenaBytes > arena.capacityBytes * limits.spillAboveFraction;
    const chosen = victim ?? (isAbove ? first(table.evictable) : undefined);
    if (chosen === undefined || table.spilledBytes + chosen.bytes > limits.maxSpillBytes) return undefined;
    return chosen;
  }

  #inTheWay(neededBlocks: number): ObjectRecord | undefined {
    const { arena, table } = this.#deps;
    const candidates: { record: ObjectRecord; firstBlock: number; blocks: number }[] = [];
    for (const record of table.evictable) {
      if (record.state.kind !== "sealed") continue;
      const { offset, bytes } = record.state.extent;
      candidates.push({ record, firstBlock: (offset - arena.blocksOffset) / BLOCK_BYTES, blocks: blocksFor(bytes) });
    }
    const window = cheapestWindow(arena.blocks.usage(), candidates, neededBlocks);
    // Nothing in the way: the blocks became free this very moment.
    if (window?.length === 0) this.#again = true;
    return window?.[0]?.record;
  }

  #askToCollect(): void {
    const nowMs = this.#deps.clock.nowMs();
    if (nowMs - this.#askedToCollectAtMs < COLLECT_EVERY_MS) return;
    this.#askedToCollectAtMs = nowMs;
    this.#deps.askToCollect();
  }

  #noteDisk(errno: string | undefined): void {
    this.#diskTriedAtMs = this.#deps.clock.nowMs();
    if (this.#diskErrno === undefined) this.#diskFullSinceMs = this.#diskTriedAtMs;
    this.#diskErrno = errno;
  }

  /** Looks again while somebody waits: to refuse the oldest, to try the disk anew, and for blocks freed in silence. */
  #setTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const oldest = this.#requests[0];
    if (oldest === undefined) return;
    const nowMs = this.#deps.clock.nowMs();
    const lookInMs = Math.min(LOOK_AGAIN_MS, oldest.askedAtMs + this.#timeoutMs - nowMs);
    const retryInMs = this.#diskErrno === undefined ? lookInMs : this.#diskTriedAtMs + DISK_RETRY_MS - nowMs;
    // A try that is due and was not made had nothing to write.
    this.#timer = this.#deps.clock.after(Math.max(0, retryInMs > 0 ? Math.min(lookInMs, retryInMs) : lookInMs), () => this.kick());
  }
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
