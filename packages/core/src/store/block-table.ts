/**
 * Who has which block of the arena: one 32-bit word a block, in memory that every process of the node shares. A process
 * takes free blocks by compare-exchange, so that storing a value needs no message; the word names the taker, so that
 * what a dead process had taken and not handed over can be found and freed.
 *
 *   word = 0                 free
 *   word = slot              taken by the process with that slot, being written
 *   word = slot | SEALED     handed over to the node (the slot is the node's)
 *
 * Taking is first fit from a shared low hint, so that memory that was used before is used again before fresh memory is
 * touched: a first touch costs up to forty times a later one. The hint is only a hint; a wrong one costs time.
 */
import { assert } from "../base/assert.ts";

/** 64 KiB: a multiple of every page size in use, and small against the objects that come here (over 100 KiB). */
export const BLOCK_BYTES = 64 * 1024;
const MAX_SLOT = 0xffff;
const SLOT_MASK = 0xffff;
const SEALED = 0x1_0000;

export function blocksFor(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES);
}

export class BlockTable {
  readonly #words: Int32Array;
  readonly #hint: Int32Array;
  /** The lowest free block that the last search came across. */
  #lowestSeen = 0;

  /**
   * @param words one a block, all zero at first
   * @param hint one word: no block below it is believed to be free
   */
  constructor(words: Int32Array, hint: Int32Array) {
    this.#words = words;
    this.#hint = hint;
  }

  get blockCount(): number {
    return this.#words.length;
  }

  /**
   * Takes `count` neighbouring blocks for `slot`.
   *
   * @returns the first block; undefined when there is no such run, or others took it meanwhile
   * @complexity O(blocks): 12,800 blocks (800 MiB) take half a millisecond
   */
  take(count: number, slot: number): number | undefined {
    assert(count > 0 && slot > 0 && slot <= MAX_SLOT, "a run of blocks and a slot");
    const hint = Math.max(0, Math.min(Atomics.load(this.#hint, 0), this.blockCount));
    const first = this.#takeFrom(hint, count, slot);
    // The hint may have passed blocks that were freed while it was moved.
    if (first === undefined) return hint > 0 ? this.#takeFrom(0, count, slot) : undefined;
    const lowestFree = this.#lowestSeen === first ? first + count : this.#lowestSeen;
    // Fails when somebody freed a lower block meanwhile: theirs is the better hint.
    if (lowestFree > hint) Atomics.compareExchange(this.#hint, 0, hint, lowestFree);
    return first;
  }

  #takeFrom(start: number, count: number, slot: number): number | undefined {
    const words = this.#words;
    let run = 0;
    this.#lowestSeen = words.length;
    for (let block = start; block < words.length; block++) {
      if (words[block] !== 0) run = 0;
      else if (++run === 1 && block < this.#lowestSeen) this.#lowestSeen = block;
      if (run === count) {
        const first = block - count + 1;
        const stop = this.#claim(first, count, slot);
        if (stop === undefined) return first;
        // Somebody else was quicker at `stop`: look on behind it.
        block = stop;
        run = 0;
      }
    }
    return undefined;
  }

  /** @returns undefined when all are ours now; else the block that was not free, with the others given back */
  #claim(first: number, count: number, slot: number): number | undefined {
    const words = this.#words;
    for (let block = first; block < first + count; block++) {
      if (Atomics.compareExchange(words, block, 0, slot) === 0) continue;
      for (let ours = first; ours < block; ours++) Atomics.store(words, ours, 0);
      return block;
    }
    return undefined;
  }

  /** Frees blocks. The caller has made sure that nobody reads them. */
  free(first: number, count: number): void {
    for (let block = first; block < first + count; block++) Atomics.store(this.#words, block, 0);
    this.#lowerHint(first);
  }

  #lowerHint(first: number): void {
    let hint = Atomics.load(this.#hint, 0);
    while (first < hint) {
      const seen = Atomics.compareExchange(this.#hint, 0, hint, first);
      if (seen === hint) return;
      hint = seen;
    }
  }

  /** True when every one of the blocks is held by `slot` and not sealed. */
  isHeldBy(slot: number, first: number, count: number): boolean {
    if (first < 0 || count <= 0 || first + count > this.blockCount) return false;
    for (let block = first; block < first + count; block++) {
      if (Atomics.load(this.#words, block) !== slot) return false;
    }
    return true;
  }

  /** Hands blocks over to `nodeSlot`, so that they outlive the process that wrote them. */
  seal(first: number, count: number, nodeSlot: number): void {
    for (let block = first; block < first + count; block++) Atomics.store(this.#words, block, nodeSlot | SEALED);
  }

  /**
   * Frees what a dead process had taken and not handed over.
   *
   * @returns the number of blocks freed
   */
  sweep(slot: number): number {
    let freed = 0;
    for (let block = this.blockCount - 1; block >= 0; block--) {
      if (this.#words[block] !== slot || Atomics.compareExchange(this.#words, block, slot, 0) !== slot) continue;
      freed++;
      this.#lowerHint(block);
    }
    return freed;
  }

  /** Takes these very blocks for `slot`. @returns false when they were not all free */
  takeAt(first: number, count: number, slot: number): boolean {
    return this.#claim(first, count, slot) === undefined;
  }

  /** Which blocks are in use, by anybody, at this moment: 1 for used. */
  usage(): Uint8Array {
    const used = new Uint8Array(this.#words.length);
    for (let block = 0; block < used.length; block++) used[block] = this.#words[block] === 0 ? 0 : 1;
    return used;
  }

  /** The slot that holds a block, and whether it is sealed; undefined when it is free. */
  holder(block: number): { readonly slot: number; readonly isSealed: boolean } | undefined {
    const word = Atomics.load(this.#words, block);
    return word === 0 ? undefined : { slot: word & SLOT_MASK, isSealed: (word & SEALED) !== 0 };
  }
}
