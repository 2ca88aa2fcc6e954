/**
 * Touches memory of the arena before it is needed, in a thread, since the first touch of a page costs up to forty times a
 * later one; and gives memory back to the system when nothing was stored for a while. How far ahead follows from how
 * much is used: who stores little pays for little.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { BLOCK_BYTES, type BlockTable } from "./block-table.ts";

/** What of the arena this needs. Runs are blocks: the first, and how many. */
export interface TouchableMemory {
  readonly slot: number;
  readonly blocks: BlockTable;
  /** Touches pages without changing them. @returns false when the system cannot, or has no memory for it */
  populate(first: number, count: number): Promise<boolean>;
  /** Gives the memory of blocks that this process has taken back to the system. @returns false when it cannot */
  giveBack(first: number, count: number): Promise<boolean>;
}

export interface PretouchDependencies {
  readonly memory: TouchableMemory;
  readonly clock: Clock;
  /** Memory that this node may still take, inside its control group. */
  readonly availableBytes: () => number;
}

const MiB = 1024 * 1024;
/** Far enough for the burst of a large put, and what a user may find missing without missing it. */
const MAX_AHEAD_BLOCKS = (256 * MiB) / BLOCK_BYTES;
/** A step: some tens of milliseconds of a thread. */
const STEP_BLOCKS = (16 * MiB) / BLOCK_BYTES;
/** Touching ahead must never be what brings the machine to its limit. */
const KEEP_AVAILABLE_BYTES = 1024 * MiB;
/** After use begins: a burst is seen as one. */
const GATHER_MS = 20;
/** While nothing is missing, however much is stored: looking costs a pass over the table of blocks. */
const CONTENT_MS = 250;
const IDLE_MS = 30_000;

export class PretouchLoop {
  readonly #deps: PretouchDependencies;
  /** 1 for a block whose memory the system has given, as far as is known. */
  readonly #touched: Uint8Array;
  #lastUseMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #wasContent = false;
  #isStepping = false;
  #isClosed = false;
  /** The system refused once: older kernels always do. */
  #cannot = false;

  constructor(deps: PretouchDependencies) {
    this.#deps = deps;
    this.#touched = new Uint8Array(deps.memory.blocks.blockCount);
  }

  /** Something was stored. */
  noteUse(): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#lastUseMs = nowMs;
    if (this.#isStepping || this.#isClosed) return;
    const delayMs = this.#wasContent ? CONTENT_MS : GATHER_MS;
    // A timer for idleness may be far off; a near one must not be put off by each use.
    if (this.#dueMs > nowMs + delayMs) this.#schedule(delayMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  get touchedBlocks(): number {
    return count(this.#touched, 1);
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    this.#dueMs = this.#deps.clock.nowMs() + delayMs;
    this.#timer = this.#deps.clock.after(delayMs, () => void this.#step());
  }

  async #step(): Promise<void> {
    this.#isStepping = true;
    this.#dueMs = Number.POSITIVE_INFINITY;
    const nextMs = await this.#stepOnce();
    this.#isStepping = false;
    if (nextMs !== undefined && !this.#isClosed) this.#schedule(nextMs);
  }

  /** @returns when to look again; undefined when there is nothing to do until something is stored */
  async #stepOnce(): Promise<number | undefined> {
    const { memory, clock, availableBytes } = this.#deps;
    const used = memory.blocks.usage();
    for (let block = 0; block < used.length; block++) this.#touched[block]! |= used[block]!;
    const idleMs = clock.nowMs() - this.#lastUseMs;
    if (idleMs >= IDLE_MS) return this.#giveBackOnce(used);

    const run = this.#cannot || availableBytes() < KEEP_AVAILABLE_BYTES ? undefined : runToTouch(used, this.#touched);
    this.#wasContent = run === undefined;
    if (run === undefined) return IDLE_MS - idleMs;
    this.#cannot = !(await memory.populate(run.first, run.count));
    if (!this.#cannot) this.#touched.fill(1, run.first, run.first + run.count);
    return 0;
  }

  async #giveBackOnce(used: Uint8Array): Promise<number | undefined> {
    const { memory } = this.#deps;
    const run = runToGiveBack(used, this.#touched);
    // What is in use may be freed later, and nobody tells.
    if (run === undefined) return used.includes(1) ? IDLE_MS : undefined;
    // Taken, so that nobody writes what is about to vanish.
    if (!memory.blocks.takeAt(run.first, run.count, memory.slot)) return 0;
    await memory.giveBack(run.first, run.count);
    memory.blocks.free(run.first, run.count);
    this.#touched.fill(0, run.first, run.first + run.count);
    return 0;
  }
}

export interface BlockRun {
  readonly first: number;
  readonly count: number;
}

/** The lowest untouched blocks, while fewer touched ones are free than are used, up to the maximum. */
export function runToTouch(used: Uint8Array, touched: Uint8Array): BlockRun | undefined {
  const usedBlocks = count(used, 1);
  const readyBlocks = count(touched, 1) - usedBlocks;
  const missing = Math.min(MAX_AHEAD_BLOCKS, usedBlocks) - readyBlocks;
  const first = touched.indexOf(0);
  if (missing <= 0 || first < 0) return undefined;
  return { first, count: Math.min(missing, STEP_BLOCKS, runEnd(touched, first) - first) };
}

/** Blocks that are touched and free. */
export function runToGiveBack(used: Uint8Array, touched: Uint8Array): BlockRun | undefined {
  for (let first = touched.indexOf(1); first >= 0 && first < touched.length; first++) {
    if (touched[first] === 0 || used[first] === 1) continue;
    let end = first + 1;
    while (end < touched.length && end - first < STEP_BLOCKS && touched[end] === 1 && used[end] === 0) end++;
    return { first, count: end - first };
  }
  return undefined;
}

function runEnd(touched: Uint8Array, first: number): number {
  const end = touched.indexOf(1, first);
  return end < 0 ? touched.length : end;
}

function count(flags: Uint8Array, flag: number): number {
  let sum = 0;
  for (const each of flags) if (each === flag) sum++;
  return sum;
}
