/**
 * The arena as mapped memory: one file without a name (Linux) or in the temporary directory (elsewhere), mapped twice in
 * each process. Writers and atomics use the shared mapping, readers the private one. The mappings last as long as the
 * process: buffers over them may be alive anywhere, and reading one after an unmap would end the process.
 */
import { closeSync, ftruncateSync, openSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { RaiaError } from "../base/errors.ts";
import { type ApartView, ArenaBase, type ArenaLayout, layoutFor, writeHeader } from "./arena.ts";
import { openArenaFile } from "./arena-file.ts";
import { BLOCK_BYTES } from "./block-table.ts";
import { createMemoryFile, dropPages, map, pageBytes, populate, punchHole, remapPrivate, unmap, view } from "./posix.ts";
import type { TouchableMemory } from "./pretouch-loop.ts";
import { writtenRuns } from "./written-pages.ts";

const isLinux = process.platform === "linux";

export class SharedArena extends ArenaBase implements TouchableMemory {
  /** What another process passes to `open`. */
  readonly path: string;
  readonly #descriptor: number;
  readonly #totalBytes: number;
  readonly #shared: bigint;
  readonly #private: bigint;
  #whole: ArrayBuffer | undefined;

  private constructor(slot: number, layout: ArenaLayout, file: OpenFile, shared: bigint) {
    super(slot, layout, view(shared, layout.blocksOffset));
    this.path = file.path;
    this.#descriptor = file.descriptor;
    this.#totalBytes = layout.totalBytes;
    this.#shared = shared;
    this.#private = map(file.descriptor, 0, layout.totalBytes, "private");
  }

  /**
   * Makes the arena of a node. Memory is used only as it is touched.
   *
   * @param directory where the file goes on systems without anonymous files
   * @throws {RaiaError} OUT_OF_DISK when that directory cannot hold it; SYSTEM_CALL_FAILED when it cannot be mapped
   */
  static create({ capacityBytes, slot, directory }: { capacityBytes: number; slot: number; directory: string }): SharedArena {
    const layout = layoutFor(capacityBytes);
    const file = isLinux ? anonymousFile() : temporaryFile(directory, layout.totalBytes);
    ftruncateSync(file.descriptor, layout.totalBytes);
    const shared = map(file.descriptor, 0, layout.totalBytes, "shared");
    writeHeader(new Int32Array(view(shared, BLOCK_BYTES)), layout);
    return new SharedArena(slot, layout, file, shared);
  }

  /**
   * Maps the arena that the node made.
   *
   * @param path as the node's `path`
   * @throws {RaiaError} PROTOCOL when the file is not a whole arena of this version
   */
  static open({ path, slot }: { path: string; slot: number }): SharedArena {
    const { descriptor, layout } = openArenaFile(path);
    return new SharedArena(slot, layout, { descriptor, path }, map(descriptor, 0, layout.totalBytes, "shared"));
  }

  writable(offset: number, bytes: number): Uint8Array {
    // One view for all writes: making a view costs a collection for each gigabyte, a subarray nothing. It never leaves
    // the store, and a process that stores nothing large never makes it.
    this.#whole ??= view(this.#shared, this.#totalBytes);
    return new Uint8Array(this.#whole, offset, bytes);
  }

  readable(offset: number, bytes: number): ArrayBuffer {
    return withoutTransfer(view(this.#private + BigInt(offset), bytes));
  }

  readableApart(offset: number, bytes: number): ApartView {
    // A mapping begins on a page.
    const lead = offset % pageBytes();
    const address = map(this.#descriptor, offset - lead, lead + bytes, "private");
    return { buffer: withoutTransfer(view(address + BigInt(lead), bytes)), close: () => unmap(address, lead + bytes) };
  }

  dropPrivate(offset: number, bytes: number): void {
    const address = this.#private + BigInt(offset);
    if (!isLinux) return remapPrivate(address, this.#descriptor, offset, bytes);
    for (const run of writtenRuns(address, bytes, pageBytes())) dropPages(address + BigInt(run.offset), run.bytes);
  }

  populate(first: number, count: number): Promise<boolean> {
    return populate(this.#addressOf(first), count * BLOCK_BYTES);
  }

  giveBack(first: number, count: number): Promise<boolean> {
    return punchHole(this.#addressOf(first), count * BLOCK_BYTES);
  }

  #addressOf(block: number): bigint {
    return this.#shared + BigInt(this.blocksOffset + block * BLOCK_BYTES);
  }

  /** Closes the file; a file in the temporary directory goes with that directory. The mappings stay, see above. */
  close(): void {
    closeSync(this.#descriptor);
  }
}

/**
 * `transfer()` would move the memory to a new buffer whose collection nobody watches, so it makes a copy instead.
 * (Transferring to another thread is refused by Node itself.)
 */
function withoutTransfer(buffer: ArrayBuffer): ArrayBuffer {
  return Object.defineProperties(buffer, copyingTransfer);
}

function copyTo(this: ArrayBuffer, bytes: number = this.byteLength): ArrayBuffer {
  return this.slice(0).transfer(bytes);
}

const copyingTransfer: PropertyDescriptorMap = { transfer: { value: copyTo }, transferToFixedLength: { value: copyTo } };

interface OpenFile {
  readonly descriptor: number;
  readonly path: string;
}

function anonymousFile(): OpenFile {
  const descriptor = createMemoryFile("raia");
  return { descriptor, path: `/proc/${process.pid}/fd/${descriptor}` };
}

function temporaryFile(directory: string, bytes: number): OpenFile {
  const { bavail, bsize } = statfsSync(directory);
  // A mapped file that cannot grow ends the process at the first touch, so the room must be there.
  if (bavail * bsize < bytes) throw new RaiaError("OUT_OF_DISK", { directory, freeBytes: bavail * bsize, neededBytes: bytes });
  const path = join(directory, "arena");
  return { descriptor: openSync(path, "wx+", 0o600), path };
}
