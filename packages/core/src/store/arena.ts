/**
 * The memory of one node that its processes share. It begins with a header, the block table and a region of small
 * words; the rest is blocks that hold objects. Offsets count bytes from the start of the arena and are the same in
 * every process.
 *
 *   header (64 KiB) | block table | words (4 MiB) | blocks of 64 KiB ...
 *
 * Writers see the shared memory itself; readers see it copy-on-write, each object as a buffer of its own, so that no
 * stray write reaches another process and nothing outside the object can be reached.
 */
import { assert } from "../base/assert.ts";
import { RaiaError } from "../base/errors.ts";
import { BLOCK_BYTES, BlockTable, blocksFor } from "./block-table.ts";

export interface Arena {
  /** Which process of the node this is: 1 to 65,535, given by the node. */
  readonly slot: number;
  /** Bytes that objects can use, all together. */
  readonly capacityBytes: number;
  readonly blocks: BlockTable;
  /** Where the blocks begin, in bytes from the start of the arena. */
  readonly blocksOffset: number;
  /** Takes room for an object: an offset, or undefined when there is no run of free blocks that long. */
  allocate(bytes: number): number | undefined;
  /** As `allocate`, for another process; the node's way to hand out room that it made. */
  allocateFor(slot: number, bytes: number): number | undefined;
  /** Frees an object's blocks. Nobody may be reading them. */
  release(offset: number, bytes: number): void;
  /** Hands the blocks of process `from` over to this one, the node. False when they are not that process's. */
  adopt(offset: number, bytes: number, from: number): boolean;
  /** The shared memory itself, for the one who allocated it. Do not keep it past `release` or sealing. */
  writable(offset: number, bytes: number): Uint8Array;
  /** Writes an object whole, as the one who was given the room. */
  write(offset: number, content: Uint8Array): void;
  /** The object as a buffer of its own, copy-on-write. The caller has pinned it for as long as the buffer lives. */
  readable(offset: number, bytes: number): ArrayBuffer;
  /** As `readable`, but writes to one such buffer are not seen in any other; `close` it when it was collected. */
  readableApart(offset: number, bytes: number): ApartView;
  /** Forgets what this process wrote into `readable` buffers of that range. */
  dropPrivate(offset: number, bytes: number): void;
  /** Shared words, for compare-exchange between processes; undefined where they cannot be had. `offset` as given by the node. */
  words(offset: number, count: number): Int32Array | undefined;
}

export interface ApartView {
  readonly buffer: ArrayBuffer;
  readonly close: () => void;
}

const MAGIC = 0x52414941; // "RAIA"
const VERSION = 1;
const HEADER_BYTES = BLOCK_BYTES;
export const WORDS_BYTES = 4 * 1024 * 1024;

/** Indices of words in the header. The hint stands alone in its cache line, because every allocation writes it. */
const MAGIC_WORD = 0;
const VERSION_WORD = 1;
const BLOCK_COUNT_WORD = 2;
const HINT_WORD = 32;

/** Where everything is, for an arena of so many blocks. */
export interface ArenaLayout {
  readonly blockCount: number;
  readonly tableOffset: number;
  readonly wordsOffset: number;
  readonly blocksOffset: number;
  readonly totalBytes: number;
}

/** Below this the arena could not hold one object beside another. */
const MIN_BLOCKS = 16;
/** 16 TiB: the numbers of blocks and the address space of a process are far from their ends. */
const MAX_BLOCKS = 2 ** 28;

/** @param capacityBytes rounded down to whole blocks */
export function layoutFor(capacityBytes: number): ArenaLayout {
  const blockCount = Math.floor(capacityBytes / BLOCK_BYTES);
  if (!(blockCount >= MIN_BLOCKS && blockCount <= MAX_BLOCKS)) {
    const [minimumBytes, maximumBytes] = [MIN_BLOCKS * BLOCK_BYTES, MAX_BLOCKS * BLOCK_BYTES];
    throw new RaiaError("INVALID_OPTION", { option: "objectStoreMemory", value: capacityBytes, minimumBytes, maximumBytes });
  }
  const tableOffset = HEADER_BYTES;
  const wordsOffset = tableOffset + blocksFor(blockCount * 4) * BLOCK_BYTES;
  const blocksOffset = wordsOffset + WORDS_BYTES;
  return { blockCount, tableOffset, wordsOffset, blocksOffset, totalBytes: blocksOffset + blockCount * BLOCK_BYTES };
}

/** Writes the header of a new arena, whose memory is all zero. */
export function writeHeader(header: Int32Array, layout: ArenaLayout): void {
  header[VERSION_WORD] = VERSION;
  header[BLOCK_COUNT_WORD] = layout.blockCount;
  // Last: whoever sees the magic number sees the rest.
  Atomics.store(header, MAGIC_WORD, MAGIC);
}

/** Reads the header of an arena that another process made. @throws {RaiaError} PROTOCOL when it is none of this version */
export function readHeader(header: Int32Array): ArenaLayout {
  if (Atomics.load(header, MAGIC_WORD) !== MAGIC || header[VERSION_WORD] !== VERSION) {
    throw new RaiaError("PROTOCOL", { reason: "not an arena of this version", version: header[VERSION_WORD], expected: VERSION });
  }
  return layoutFor((header[BLOCK_COUNT_WORD] ?? 0) * BLOCK_BYTES);
}

/** What real and fake arenas have in common: everything but the mapping. `front` holds all that precedes the blocks. */
export abstract class ArenaBase implements Arena {
  readonly slot: number;
  readonly capacityBytes: number;
  readonly blocks: BlockTable;
  readonly blocksOffset: number;
  readonly #front: ArrayBuffer;

  constructor(slot: number, layout: ArenaLayout, front: ArrayBuffer) {
    this.slot = slot;
    this.capacityBytes = layout.blockCount * BLOCK_BYTES;
    this.blocksOffset = layout.blocksOffset;
    this.#front = front;
    this.blocks = new BlockTable(
      new Int32Array(front, layout.tableOffset, layout.blockCount),
      new Int32Array(front, HINT_WORD * Int32Array.BYTES_PER_ELEMENT, 1),
    );
  }

  allocate(bytes: number): number | undefined {
    return this.allocateFor(this.slot, bytes);
  }

  allocateFor(slot: number, bytes: number): number | undefined {
    assert(bytes > 0, "an object has bytes");
    const first = this.blocks.take(blocksFor(bytes), slot);
    return first === undefined ? undefined : this.blocksOffset + first * BLOCK_BYTES;
  }

  release(offset: number, bytes: number): void {
    this.blocks.free(this.#blockAt(offset), blocksFor(bytes));
  }

  adopt(offset: number, bytes: number, from: number): boolean {
    const first = (offset - this.blocksOffset) / BLOCK_BYTES;
    const count = blocksFor(bytes);
    if (!Number.isInteger(first) || !this.blocks.isHeldBy(from, first, count)) return false;
    this.blocks.seal(first, count, this.slot);
    return true;
  }

  write(offset: number, content: Uint8Array): void {
    this.writable(offset, content.length).set(content);
  }

  words(offset: number, count: number): Int32Array {
    assert(offset + count * Int32Array.BYTES_PER_ELEMENT <= this.blocksOffset, "words lie before the blocks");
    return new Int32Array(this.#front, offset, count);
  }

  #blockAt(offset: number): number {
    const block = (offset - this.blocksOffset) / BLOCK_BYTES;
    assert(Number.isInteger(block) && block >= 0, `${offset} is the offset of a block`);
    return block;
  }

  abstract writable(offset: number, bytes: number): Uint8Array;
  abstract readable(offset: number, bytes: number): ArrayBuffer;
  abstract readableApart(offset: number, bytes: number): ApartView;
  abstract dropPrivate(offset: number, bytes: number): void;
}
