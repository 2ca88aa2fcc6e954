/**
 * Where a process keeps what it stores while the arena is full. `put` cannot wait, so its copy goes to the heap first and
 * past that, at once, to the disk; both are bounded, and past the bounds `put` fails with the budget. From the heap,
 * objects move to the arena in the order they came, as the node makes room; a file is handed to the node as an object
 * that is spilled already.
 */
import { type ErrorCode, type Facts, RaiaError } from "../base/errors.ts";
import type { ObjectId } from "../base/ids.ts";
import { zlib } from "../base/late-modules.ts";
import type { StoreGateway } from "../messages/objects.ts";
import type { Arena } from "./arena.ts";
import type { Disk } from "./disk.ts";
import type { Label } from "./object-table.ts";
import { encodeSpillHeader } from "./spill-file.ts";
import { overflowPrefix } from "./spiller.ts";
import { tooLarge } from "./too-large.ts";

export interface OverflowLimits {
  readonly maxHeapBytes: number;
  /** Files that the node has not taken over yet. */
  readonly maxDiskBytes: number;
}

export interface OverflowDependencies {
  readonly arena: Arena;
  readonly gateway: StoreGateway;
  readonly disk: Disk;
  readonly limits: OverflowLimits;
}

/** Writes the encoded object into memory of exactly its size. */
export type Fill = (target: Uint8Array) => void;

interface Waiting {
  readonly id: ObjectId;
  readonly label: Label;
  readonly heap: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Overflow {
  readonly #deps: OverflowDependencies;
  /** In the heap, oldest first. */
  readonly #waiting = new Map<ObjectId, Waiting>();
  #heapBytes = 0;
  #diskBytes = 0;
  #files = 0;
  #isMoving = false;
  #usage: Facts = {};

  constructor(deps: OverflowDependencies) {
    this.#deps = deps;
  }

  get heapBytes(): number {
    return this.#heapBytes;
  }

  get diskBytes(): number {
    return this.#diskBytes;
  }

  /**
   * Takes a copy now.
   *
   * @returns settles when the node has it
   * @throws {RaiaError} STORE_FULL or OUT_OF_DISK when no budget is left
   */
  add(id: ObjectId, bytes: number, label: Label, fill: Fill): Promise<void> {
    const { arena, limits } = this.#deps;
    this.#askUsage();
    if (bytes > arena.capacityBytes) throw tooLarge(bytes, arena.capacityBytes);
    if (this.#heapBytes + bytes <= limits.maxHeapBytes) return this.#keepInHeap(id, bytes, label, fill);
    if (this.#diskBytes + bytes <= limits.maxDiskBytes) return this.#keepOnDisk(id, bytes, label, fill);
    throw this.#refusal(this.#usage.diskIsFull === true ? "OUT_OF_DISK" : "STORE_FULL", bytes);
  }

  /** A copy of what this process itself still holds in its heap. */
  copyOf(id: ObjectId): ArrayBuffer | undefined {
    const heap = this.#waiting.get(id)?.heap;
    return heap === undefined ? undefined : new Uint8Array(heap).buffer;
  }

  /** The object is needed no more. */
  free(id: ObjectId): void {
    const entry = this.#waiting.get(id);
    if (entry === undefined) return;
    this.#drop(entry);
    entry.reject(new RaiaError("OBJECT_FREED", { object: id }));
  }

  #drop({ id, heap }: Waiting): void {
    if (this.#waiting.delete(id)) this.#heapBytes -= heap.byteLength;
  }

  #keepInHeap(id: ObjectId, bytes: number, label: Label, fill: Fill): Promise<void> {
    const heap = new Uint8Array(bytes);
    fill(heap);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const former = this.#waiting.get(id);
    if (former !== undefined) {
      // The same task ran again: one copy is enough, and whoever waits for the first waits for this one.
      this.#drop(former);
      promise.then(former.resolve, former.reject);
    }
    this.#heapBytes += bytes;
    this.#waiting.set(id, { id, label, heap, resolve, reject });
    void this.#move();
    return promise;
  }

  /** Carries objects to the arena, one after the other. Nothing rejects: each object settles its own promise. */
  async #move(): Promise<void> {
    if (this.#isMoving) return;
    this.#isMoving = true;
    for (const entry of this.#waiting.values()) await this.#moveOne(entry);
    this.#isMoving = false;
  }

  async #moveOne(entry: Waiting): Promise<void> {
    const { arena, gateway } = this.#deps;
    const { id, label, heap, resolve, reject } = entry;
    const bytes = heap.byteLength;
    // Freed, or stored anew, while there was no room.
    const isStale = (): boolean => this.#waiting.get(id) !== entry;
    try {
      const { offset } = await gateway.requestSpace({ bytes });
      if (isStale()) return arena.release(offset, bytes);
      arena.write(offset, heap);
      gateway.sealObject({ id, extent: { offset, bytes }, label });
      this.#drop(entry);
      resolve();
    } catch (error) {
      if (isStale()) return;
      this.#drop(entry);
      this.#abandon(id, label, error);
      reject(error);
    }
  }

  #keepOnDisk(id: ObjectId, bytes: number, label: Label, fill: Fill): Promise<void> {
    const { arena, disk } = this.#deps;
    const content = new Uint8Array(bytes);
    fill(content);
    const file = `${overflowPrefix(arena.slot)}${this.#files++}`;
    try {
      disk.writeWholeSync(file, [encodeSpillHeader({ id, bytes, crc: zlib().crc32(content) }), content]);
    } catch (error) {
      throw this.#refusal("OUT_OF_DISK", bytes, error);
    }
    this.#diskBytes += bytes;
    return this.#handOver(id, bytes, label, file);
  }

  async #handOver(id: ObjectId, bytes: number, label: Label, file: string): Promise<void> {
    const { gateway, disk } = this.#deps;
    try {
      await gateway.adoptFile({ id, file, bytes, label });
    } catch (error) {
      await disk.unlink(file).catch(() => {
        // The node removes it when this process ends.
      });
      this.#abandon(id, label, error);
      throw error;
    } finally {
      this.#diskBytes -= bytes;
    }
  }

  /** Those who wait for the object must learn that it does not come. */
  #abandon(id: ObjectId, label: Label, error: unknown): void {
    const code = RaiaError.is(error, "STORE_FULL") || RaiaError.is(error, "OUT_OF_DISK") ? error.code : "OBJECT_LOST";
    const facts = RaiaError.is(error) ? error.facts : { cause: String(error) };
    this.#deps.gateway.abandonObject({ id, label, code: code as "STORE_FULL" | "OUT_OF_DISK" | "OBJECT_LOST", facts });
  }

  /** `add` cannot wait for the node's figures, so they are asked for ahead, and an error shows the latest. */
  #askUsage(): void {
    this.#deps.gateway.askUsage({}).then(
      (usage) => (this.#usage = usage as unknown as Facts),
      () => {
        // Without an answer the error shows this process's own figures.
      },
    );
  }

  #refusal(code: ErrorCode, bytes: number, cause?: unknown): RaiaError {
    const { arena, limits } = this.#deps;
    const facts = {
      requestedBytes: bytes,
      capacityBytes: arena.capacityBytes,
      overflowHeapBytes: this.#heapBytes,
      maxOverflowHeapBytes: limits.maxHeapBytes,
      overflowDiskBytes: this.#diskBytes,
      maxOverflowDiskBytes: limits.maxDiskBytes,
      ...this.#usage,
    };
    return new RaiaError(code, facts, { cause });
  }
}
