/**
 * How one process uses its node's store. Storing takes blocks of the arena, fills them and tells the node; no answer is
 * waited for. Reading pins the object at the node and gives a buffer over its bytes; when the last such buffer of this
 * process was collected, the object is unpinned.
 *
 * Buffers are copy-on-write for the process, so tasks are kept apart here. What a task wrote is dropped before the next
 * task reads, which gets a buffer of its own. Two tasks that run at the same time get separate mappings.
 */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { FinalizerKind, Finalizers } from "../base/finalizers.ts";
import type { ObjectId } from "../base/ids.ts";
import type { StoreGateway } from "../messages/objects.ts";
import type { Arena } from "./arena.ts";
import type { Disk } from "./disk.ts";
import type { Extent } from "./object-machine.ts";
import type { Label } from "./object-table.ts";
import { type Fill, Overflow, type OverflowLimits } from "./overflow.ts";

export interface StoreClientDependencies {
  readonly arena: Arena;
  readonly gateway: StoreGateway;
  /** The node's spill directory. */
  readonly disk: Disk;
  readonly clock: Clock;
  readonly finalizers: Finalizers;
}

/** A task, or the life of an actor or driver: within it, the same object is the same buffer. */
export class Scope {
  /** By object and range. */
  readonly views = new Map<string, View>();
  isEnded = false;
}

/** One buffer that was handed out and not yet collected, as far as is known. */
interface View {
  readonly buffer: WeakRef<ArrayBuffer>;
  readonly scope: Scope;
  readonly key: string;
  /** Set when it has a mapping of its own. */
  readonly close: (() => void) | undefined;
}

/** An object that this process has pinned. */
interface Held {
  readonly id: ObjectId;
  readonly extent: Extent;
  readonly views: Set<View>;
  /** Who was given the last buffer that is not apart: as long as it is the same, nobody else can have one. */
  lastScope: Scope | undefined;
  /** How often it is pinned at the node. */
  pins: number;
  /** Readers that have not closed it. */
  open: number;
}

interface HandedOut {
  readonly held: Held;
  readonly view: View;
}

export interface Put {
  /** False while it waits in the overflow. */
  readonly isStored: boolean;
  /** Settles when it is in the arena or on the node's disk; rejects with STORE_FULL, OUT_OF_DISK or OBJECT_FREED. */
  readonly stored: Promise<void>;
}

export interface GetOptions {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Enough for a burst of results, and small against a worker's heap; a tenth of the heap limit is what callers give. */
const DEFAULT_LIMITS: OverflowLimits = { maxHeapBytes: 256 * 1024 ** 2, maxDiskBytes: 4 * 1024 ** 3 };

/** An object that is open for reading. */
export interface ObjectMemory {
  readonly byteLength: number;
  /** Its first bytes, at most 64 KiB: where a reader finds what it is. Good until `close`. */
  readonly head: ArrayBuffer;
  /** A buffer over just these bytes, which keeps the object in memory. Within a scope the same range is the same buffer. */
  range(start: number, byteLength: number): ArrayBuffer;
  /** The reader has what it wants: nothing but the buffers of ranges keeps the object now. */
  close(): void;
}

const HEAD_BYTES = 64 * 1024;

const alreadyStored = Promise.resolve();

export class StoreClient {
  readonly #arena: Arena;
  readonly #gateway: StoreGateway;
  readonly #clock: Clock;
  readonly #finalizers: Finalizers;
  readonly #overflow: Overflow;
  readonly #held = new Map<ObjectId, Held>();
  readonly #handedOut: FinalizerKind<HandedOut> = { dispose: (handedOut) => this.#collected(handedOut) };
  #unpins: ObjectId[] = [];

  constructor({ arena, gateway, disk, clock, finalizers }: StoreClientDependencies, limits: OverflowLimits = DEFAULT_LIMITS) {
    this.#arena = arena;
    this.#gateway = gateway;
    this.#clock = clock;
    this.#finalizers = finalizers;
    this.#overflow = new Overflow({ arena, gateway, disk, limits });
  }

  /**
   * Stores an object. Its copy is taken before this returns.
   *
   * @param bytes of the encoded object, at least 1
   * @param fill writes exactly that many bytes, and does not keep `target`
   * @throws {RaiaError} STORE_FULL or OUT_OF_DISK when arena and overflow are full; what `fill` throws
   */
  putSync(id: ObjectId, bytes: number, label: Label, fill: Fill): Put {
    const offset = this.#arena.allocate(bytes);
    if (offset === undefined) {
      const stored = this.#overflow.add(id, bytes, label, fill);
      // Who does not wait for it learns of a failure from the object itself.
      stored.catch(() => {});
      return { isStored: false, stored };
    }
    try {
      fill(this.#arena.writable(offset, bytes));
    } catch (error) {
      this.#arena.release(offset, bytes);
      throw error;
    }
    this.#gateway.sealObject({ id, extent: { offset, bytes }, label });
    return { isStored: true, stored: alreadyStored };
  }

  /**
   * Opens an object for reading, without a copy: it is pinned until it is closed, and as long as a buffer over it lives. Waits
   * until it is finished, and in memory.
   *
   * @throws {RaiaError} GET_TIMEOUT, TASK_CANCELLED, OBJECT_FREED, OBJECT_LOST, OBJECT_CORRUPT, STORE_FULL, OUT_OF_DISK
   */
  async open(id: ObjectId, scope: Scope, { timeoutMs, signal }: GetOptions = {}): Promise<ObjectMemory> {
    const held = this.#held.get(id);
    if (held !== undefined) return this.#memoryOf(held, scope);
    const copy = this.#overflow.copyOf(id);
    if (copy !== undefined) return memoryOfCopy(copy);
    const pinning = this.#gateway.pinObjects({ ids: [id], timeoutMs });
    const { extents } = await untilAborted(pinning, signal, () => this.#unpinLater(id, 1));
    return this.#memoryOf(this.#hold(id, extents[0]!), scope);
  }

  /** All the bytes of an object as one buffer; see `open`. */
  async get(id: ObjectId, scope: Scope, options?: GetOptions): Promise<ArrayBuffer> {
    const memory = await this.open(id, scope, options);
    const all = memory.range(0, memory.byteLength);
    memory.close();
    return all;
  }

  #memoryOf(held: Held, scope: Scope): ObjectMemory {
    const { offset, bytes } = held.extent;
    held.open++;
    // What a task wrote is in its own ranges: nobody is handed these bytes.
    const head = this.#arena.readable(offset, Math.min(bytes, HEAD_BYTES));
    return {
      byteLength: bytes,
      head,
      range: (start, byteLength) => this.#view(held, scope, start, byteLength),
      close: () => {
        held.open--;
        this.#letGo(held);
      },
    };
  }

  /**
   * The scope is over: its buffers are not handed out again. What it wrote is dropped before the next scope reads the
   * object, and not yet now, since finding the written pages of a gigabyte takes some milliseconds.
   */
  endScope(scope: Scope): void {
    scope.isEnded = true;
    scope.views.clear();
  }

  /** The owner needs these no more. Buffers that were handed out stay as they are. */
  free(ids: readonly ObjectId[]): void {
    for (const id of ids) this.#overflow.free(id);
    this.#gateway.freeObjects({ ids });
  }

  /** Bytes that wait for room: in the heap, on disk. */
  get overflow(): { readonly heapBytes: number; readonly diskBytes: number } {
    return { heapBytes: this.#overflow.heapBytes, diskBytes: this.#overflow.diskBytes };
  }

  /** Objects that buffers of this process keep in memory. */
  get heldCount(): number {
    return this.#held.size;
  }

  #hold(id: ObjectId, extent: Extent): Held {
    const held = this.#held.get(id) ?? { id, extent, views: new Set<View>(), lastScope: undefined, pins: 0, open: 0 };
    held.pins++;
    this.#held.set(id, held);
    return held;
  }

  #view(held: Held, scope: Scope, start: number, bytes: number): ArrayBuffer {
    const key = `${held.id}:${start}:${bytes}`;
    const cached = scope.views.get(key)?.buffer.deref();
    if (cached !== undefined) return cached;
    const offset = held.extent.offset + start;
    if (held.lastScope === scope) return this.#handOut(held, scope, key, this.#arena.readable(offset, bytes), undefined);
    const inTheWay = [...held.views].filter((view) => view.close === undefined && view.scope !== scope);
    if (inTheWay.some((view) => !view.scope.isEnded)) {
      const { buffer, close } = this.#arena.readableApart(offset, bytes);
      return this.#handOut(held, scope, key, buffer, close);
    }
    // Now and not at the end of their scopes: they may be in a variable of a module, and written to since.
    if (inTheWay.length > 0) this.#dropWritten(held);
    held.lastScope = scope;
    return this.#handOut(held, scope, key, this.#arena.readable(offset, bytes), undefined);
  }

  #handOut(held: Held, scope: Scope, key: string, buffer: ArrayBuffer, close: (() => void) | undefined): ArrayBuffer {
    const view: View = { buffer: new WeakRef(buffer), scope, key, close };
    held.views.add(view);
    if (!scope.isEnded) scope.views.set(key, view);
    this.#finalizers.watch(this.#handedOut, buffer, { held, view });
    return buffer;
  }

  #collected({ held, view }: HandedOut): void {
    held.views.delete(view);
    if (view.scope.views.get(view.key) === view) view.scope.views.delete(view.key);
    view.close?.();
    this.#letGo(held);
  }

  #letGo(held: Held): void {
    if (held.views.size > 0 || held.open > 0 || this.#held.get(held.id) !== held) return;
    // Before the unpin: afterwards the blocks may hold another object, whose readers must not see these pages.
    this.#dropWritten(held);
    this.#held.delete(held.id);
    this.#unpinLater(held.id, held.pins);
  }

  #dropWritten({ extent }: Held): void {
    this.#arena.dropPrivate(extent.offset, extent.bytes);
  }

  /** Unpins are gathered for a turn: a collection finds many buffers at once. */
  #unpinLater(id: ObjectId, pins: number): void {
    if (this.#unpins.length === 0) this.#clock.soon(() => this.#flushUnpins());
    for (let pin = 0; pin < pins; pin++) this.#unpins.push(id);
  }

  #flushUnpins(): void {
    const ids = this.#unpins;
    this.#unpins = [];
    this.#gateway.unpinObjects({ ids });
  }
}

/** An object that this process itself still keeps: whoever reads it has a copy. */
function memoryOfCopy(copy: ArrayBuffer): ObjectMemory {
  const range = (start: number, byteLength: number): ArrayBuffer =>
    byteLength === copy.byteLength ? copy : copy.slice(start, start + byteLength);
  return { byteLength: copy.byteLength, head: range(0, Math.min(copy.byteLength, HEAD_BYTES)), range, close: () => {} };
}

/** As the promise, but rejects when `signal` aborts; `late` is called if it is fulfilled after all. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, late: () => void): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new RaiaError("TASK_CANCELLED", {}));
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } catch (error) {
    promise.then(late, () => {
      // Nothing was pinned, so there is nothing to undo.
    });
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
