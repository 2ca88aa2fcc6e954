/**
 * An arena in ordinary memory, for `inProcess` mode and the simulator: the same allocation, without mapping. Readers get
 * copies, which is what copy-on-write looks like from outside.
 */
import { type ApartView, ArenaBase, type ArenaLayout, layoutFor, writeHeader } from "./arena.ts";

export class FakeArena extends ArenaBase {
  readonly #memory: ArrayBuffer;
  readonly #layout: ArenaLayout;

  constructor(slot: number, layout: ArenaLayout, memory: ArrayBuffer) {
    super(slot, layout, memory);
    this.#memory = memory;
    this.#layout = layout;
  }

  static create(capacityBytes: number, slot: number): FakeArena {
    const layout = layoutFor(capacityBytes);
    const memory = new ArrayBuffer(layout.totalBytes);
    writeHeader(new Int32Array(memory, 0, 64), layout);
    return new FakeArena(slot, layout, memory);
  }

  /** The same memory as another process sees it. */
  attach(slot: number): FakeArena {
    return new FakeArena(slot, this.#layout, this.#memory);
  }

  writable(offset: number, bytes: number): Uint8Array {
    return new Uint8Array(this.#memory, offset, bytes);
  }

  readable(offset: number, bytes: number): ArrayBuffer {
    return this.#memory.slice(offset, offset + bytes);
  }

  readableApart(offset: number, bytes: number): ApartView {
    return { buffer: this.#memory.slice(offset, offset + bytes), close: () => {} };
  }

  /** Readers wrote into copies of their own: there is nothing to forget. */
  dropPrivate(): void {}
}
