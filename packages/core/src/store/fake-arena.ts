/**
 * An arena in ordinary memory, for `inProcess` mode and the simulator: the same allocation, without mapping. Readers get
 * copies, which is what copy-on-write looks like from outside. The memory of the blocks is taken when the first large object
 * comes: most tests have none.
 */
import { type ApartView, ArenaBase, type ArenaLayout, layoutFor, writeHeader } from "./arena.ts";

/** What the processes of one arena share. */
class SharedMemory {
  readonly layout: ArenaLayout;
  /** Header, block table and words. */
  readonly front: ArrayBuffer;
  #blocks: ArrayBuffer | undefined;

  constructor(layout: ArenaLayout) {
    this.layout = layout;
    this.front = new ArrayBuffer(layout.blocksOffset);
    writeHeader(new Int32Array(this.front, 0, 64), layout);
  }

  get blocks(): ArrayBuffer {
    this.#blocks ??= new ArrayBuffer(this.layout.totalBytes - this.layout.blocksOffset);
    return this.#blocks;
  }
}

export class FakeArena extends ArenaBase {
  readonly #memory: SharedMemory;

  constructor(slot: number, memory: SharedMemory) {
    super(slot, memory.layout, memory.front);
    this.#memory = memory;
  }

  static create(capacityBytes: number, slot: number): FakeArena {
    return new FakeArena(slot, new SharedMemory(layoutFor(capacityBytes)));
  }

  /** The same memory as another process sees it. */
  attach(slot: number): FakeArena {
    return new FakeArena(slot, this.#memory);
  }

  writable(offset: number, bytes: number): Uint8Array {
    return new Uint8Array(this.#memory.blocks, offset - this.blocksOffset, bytes);
  }

  readable(offset: number, bytes: number): ArrayBuffer {
    return this.#copy(offset, bytes);
  }

  readableApart(offset: number, bytes: number): ApartView {
    return { buffer: this.#copy(offset, bytes), close: () => {} };
  }

  #copy(offset: number, bytes: number): ArrayBuffer {
    const start = offset - this.blocksOffset;
    return this.#memory.blocks.slice(start, start + bytes);
  }

  /** Readers wrote into copies of their own: there is nothing to forget. */
  dropPrivate(): void {}
}
