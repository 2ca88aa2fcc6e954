/**
 * The arena as a thread reaches it: by reading and writing its file, never by mapping it, because a view of mapped memory
 * would end the process when the thread is terminated. So values are copies. What needs compare-exchange cannot be done
 * this way: room is asked of the node, and words are not to be had.
 */
import { readSync, writeSync } from "node:fs";
import { RaiaError } from "../base/errors.ts";
import type { ApartView, Arena, ArenaLayout } from "./arena.ts";
import { openArenaFile } from "./arena-file.ts";
import { BLOCK_BYTES, type BlockTable } from "./block-table.ts";

export class FileArena implements Arena {
  readonly slot: number;
  readonly capacityBytes: number;
  readonly blocksOffset: number;
  readonly #descriptor: number;

  private constructor(slot: number, layout: ArenaLayout, descriptor: number) {
    this.slot = slot;
    this.capacityBytes = layout.blockCount * BLOCK_BYTES;
    this.blocksOffset = layout.blocksOffset;
    this.#descriptor = descriptor;
  }

  /** @throws {RaiaError} PROTOCOL when the file is not a whole arena of this version */
  static open({ path, slot }: { path: string; slot: number }): FileArena {
    const { descriptor, layout } = openArenaFile(path);
    return new FileArena(slot, layout, descriptor);
  }

  get blocks(): BlockTable {
    throw unsupported("blocks");
  }

  /** Never: the node gives room. */
  allocate(): undefined {}

  allocateFor(): undefined {}

  /** Its blocks are swept when the thread ends. */
  release(): void {}

  adopt(): boolean {
    throw unsupported("adopt");
  }

  writable(): Uint8Array {
    throw unsupported("writable");
  }

  write(offset: number, content: Uint8Array): void {
    for (let done = 0; done < content.length; ) done += writeSync(this.#descriptor, content, done, content.length - done, offset + done);
  }

  readable(offset: number, bytes: number): ArrayBuffer {
    const content = new Uint8Array(bytes);
    for (let done = 0; done < bytes; ) {
      const got = readSync(this.#descriptor, content, done, bytes - done, offset + done);
      if (got === 0) throw new RaiaError("OBJECT_LOST", { reason: "the arena ends before the object does", offset, bytes });
      done += got;
    }
    return content.buffer;
  }

  readableApart(offset: number, bytes: number): ApartView {
    return { buffer: this.readable(offset, bytes), close: () => {} };
  }

  /** Each reader has a copy: there is nothing that others could see. */
  dropPrivate(): void {}

  words(): undefined {}
}

function unsupported(call: string): RaiaError {
  return new RaiaError("UNSUPPORTED", { call, reason: "a thread does not map the arena" });
}
