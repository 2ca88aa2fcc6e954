/**
 * Small pieces of shared words, lent by the node: claim words of leases, for one. Only the node keeps the book; others
 * are told an offset. A piece is whole cache lines, so that two processes that spin on different pieces do not disturb
 * one another.
 */
import { assert } from "../base/assert.ts";
import { WORDS_BYTES } from "./arena.ts";

const LINE_BYTES = 64;
const WORDS_PER_LINE = LINE_BYTES / Int32Array.BYTES_PER_ELEMENT;
const LINES = WORDS_BYTES / LINE_BYTES;

export class WordRegion {
  readonly #start: number;
  /** 1 for a line that is lent. */
  readonly #lent = new Uint8Array(LINES);
  #searchFrom = 0;
  #lentLines = 0;

  /** @param blocksOffset where the blocks of the arena begin: the region ends there */
  constructor(blocksOffset: number) {
    this.#start = blocksOffset - WORDS_BYTES;
  }

  get lentBytes(): number {
    return this.#lentLines * LINE_BYTES;
  }

  /**
   * Lends `count` words; what they held before is for the borrower to clear.
   *
   * @returns the offset in the arena; undefined when all 4 MiB are lent
   */
  claim(count: number): number | undefined {
    assert(count > 0, "some words");
    const lines = linesFor(count);
    const first = this.#findFree(this.#searchFrom, lines) ?? this.#findFree(0, lines);
    if (first === undefined) return undefined;
    this.#lent.fill(1, first, first + lines);
    this.#lentLines += lines;
    this.#searchFrom = first + lines;
    return this.#start + first * LINE_BYTES;
  }

  release(offset: number, count: number): void {
    const first = (offset - this.#start) / LINE_BYTES;
    const lines = linesFor(count);
    assert(Number.isInteger(first) && this.#lent.subarray(first, first + lines).every((lent) => lent === 1), "these words are lent");
    this.#lent.fill(0, first, first + lines);
    this.#lentLines -= lines;
    this.#searchFrom = Math.min(this.#searchFrom, first);
  }

  #findFree(from: number, lines: number): number | undefined {
    for (let line = from, run = 0; line < LINES; line++) {
      run = this.#lent[line] === 0 ? run + 1 : 0;
      if (run === lines) return line - lines + 1;
    }
    return undefined;
  }
}

function linesFor(count: number): number {
  return Math.ceil(count / WORDS_PER_LINE);
}
