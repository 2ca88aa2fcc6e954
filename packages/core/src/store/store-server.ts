/**
 * The store of one node: which objects are in its arena and on its disk, who reads them, and what leaves memory when. It
 * knows processes by their slots and speaks no protocol; whoever holds the connections calls it. A process's messages
 * are handled before its death is, in the order they were sent.
 */
import type { Clock } from "../base/clock.ts";
import { type ErrorCode, type Facts, RaiaError } from "../base/errors.ts";
import { type ObjectId, ownerPart } from "../base/ids.ts";
import type { StoredList, StoreUsage } from "../messages/objects.ts";
import type { Infer } from "../wire/schema.ts";
import type { Arena } from "./arena.ts";
import type { Disk } from "./disk.ts";
import type { Extent, ObjectEffect, ObjectEvent } from "./object-machine.ts";
import { ObjectMover } from "./object-mover.ts";
import { type Label, type ObjectRecord, ObjectTable } from "./object-table.ts";
import { nextChange } from "./object-waiter.ts";
import { type Legacy, Orphans } from "./orphans.ts";
import { SpaceLoop, type SpaceLimits } from "./space-loop.ts";
import { overflowPrefix, Spiller } from "./spiller.ts";

export interface StoreOptions extends Partial<SpaceLimits> {
  /** See `SpaceDependencies.askToCollect`. */
  readonly askToCollect?: () => void;
  /** Called when an object was stored: the pretouch loop wants to know. */
  readonly onStored?: () => void;
}

export interface StoreDependencies {
  /** The node's own handle: its slot is the node's. */
  readonly arena: Arena;
  readonly disk: Disk;
  readonly clock: Clock;
}

export interface SealRequest {
  readonly id: ObjectId;
  readonly extent: Extent;
  readonly label: Label;
}

export interface AdoptRequest {
  readonly id: ObjectId;
  /** Name of a whole spill file in the spill directory, beginning with the process's overflow prefix. */
  readonly file: string;
  readonly bytes: number;
  readonly label: Label;
}

export interface AbandonRequest {
  readonly id: ObjectId;
  readonly label: Label;
  readonly code: ErrorCode;
  readonly facts?: Facts | undefined;
}

export interface PinOptions {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** As much disk as fits a few arenas of a large machine; the session's disk is shared with logs. */
const DEFAULT_MAX_SPILL_BYTES = 256 * 1024 ** 3;
const TOP_OWNERS = 5;

export class StoreServer {
  readonly #arena: Arena;
  readonly #clock: Clock;
  readonly #table = new ObjectTable();
  readonly #spiller: Spiller;
  readonly #space: SpaceLoop;
  readonly #mover: ObjectMover;
  readonly #limits: SpaceLimits;
  readonly #onStored: () => void;
  /** How often each slot has died: what was waited for in an earlier life must not touch a later one. */
  readonly #deaths = new Map<number, number>();
  readonly #orphans = new Orphans((ids) => this.free(ids));

  constructor({ arena, disk, clock }: StoreDependencies, options: StoreOptions = {}) {
    this.#arena = arena;
    this.#clock = clock;
    this.#onStored = options.onStored ?? (() => {});
    this.#spiller = new Spiller(arena, disk);
    this.#limits = {
      maxSpillBytes: options.maxSpillBytes ?? DEFAULT_MAX_SPILL_BYTES,
      spillAboveFraction: options.spillAboveFraction ?? 0.8,
      spaceTimeoutMs: options.spaceTimeoutMs ?? 60_000,
      diskTimeoutMs: options.diskTimeoutMs ?? 5_000,
    };
    this.#space = new SpaceLoop({
      arena,
      table: this.#table,
      clock,
      limits: this.#limits,
      spill: (record) => this.#mover.spill(record),
      askToCollect: options.askToCollect ?? (() => {}),
      budget: () => this.#budget(),
    });
    this.#mover = new ObjectMover({
      arena,
      spiller: this.#spiller,
      step: (record, event) => this.#step(record, event),
      requestRoom: (bytes) => this.#space.request(arena.slot, bytes),
      release: (extent) => this.#release(extent),
      kickSpace: () => this.#space.kick(),
    });
  }

  /**
   * Takes over an object that process `slot` has written.
   *
   * @throws {RaiaError} PROTOCOL when the blocks are not that process's own
   */
  seal(slot: number, { id, extent, label }: SealRequest): void {
    if (!this.#arena.adopt(extent.offset, extent.bytes, slot)) {
      throw new RaiaError("PROTOCOL", { reason: "a process seals blocks that it does not hold", object: id, slot, ...extent });
    }
    if (this.#isUnwanted(id)) return this.#release(extent);
    this.#label(id, label, { kind: "sealed", extent });
    this.#onStored();
    this.#space.kick();
  }

  /**
   * Keeps objects in memory for process `slot`: waits for those that are not finished, brings back those on disk.
   *
   * @returns where they are, in the order of `ids`; each counts as one pin
   * @throws {RaiaError} GET_TIMEOUT, OBJECT_FREED, OBJECT_LOST, OBJECT_CORRUPT, STORE_FULL, OUT_OF_DISK: then none is pinned
   */
  async pin(slot: number, ids: readonly ObjectId[], { timeoutMs, signal }: PinOptions = {}): Promise<readonly Extent[]> {
    const life = this.#deaths.get(slot);
    const deadlineMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.#clock.nowMs() + timeoutMs;
    const extents: Extent[] = [];
    const pinned: ObjectId[] = [];
    try {
      for (const id of ids) {
        extents.push(await this.#reach(slot, life, id, deadlineMs, signal));
        pinned.push(id);
      }
      return extents;
    } catch (error) {
      if (this.#deaths.get(slot) === life) this.unpin(slot, pinned);
      throw error;
    }
  }

  /** The process reads them no more; an id stands as often as it was pinned. */
  unpin(slot: number, ids: readonly ObjectId[]): void {
    for (const id of ids) {
      // Not there when the process was declared dead meanwhile.
      if (this.#table.dropPin(slot, id)) this.#handle(id, { kind: "unpinned", pins: 1 });
    }
    if (ids.length > 0) this.#space.kick();
  }

  /** Their owner needs them no more. Bytes go when the last reader is done; new readers get OBJECT_FREED. */
  free(ids: readonly ObjectId[]): void {
    for (const id of ids) {
      if (this.#table.get(id) === undefined) this.#table.rememberFreed(id);
      else this.#handle(id, { kind: "freed" });
      this.#orphans.removed(id);
    }
    this.#space.kick();
  }

  /** @returns the offset of blocks that belong to `slot` now. See `SpaceLoop.request`. */
  requestSpace(slot: number, bytes: number): Promise<number> {
    return this.#space.request(slot, bytes);
  }

  /**
   * Takes over an object that a process wrote to disk itself, because memory was full.
   *
   * @throws {RaiaError} STORE_FULL when the disk budget is used up; PROTOCOL when the file is not that process's
   */
  async adoptFile(slot: number, { id, file, bytes, label }: AdoptRequest): Promise<void> {
    if (!file.startsWith(overflowPrefix(slot))) throw new RaiaError("PROTOCOL", { reason: "not a file of this process", file, slot });
    if (this.#table.spilledBytes + bytes > this.#limits.maxSpillBytes) {
      throw new RaiaError("STORE_FULL", { requestedBytes: bytes, ...this.#budget() });
    }
    const life = this.#deaths.get(slot);
    const name = await this.#spiller.adopt(file);
    if (this.#isUnwanted(id) || this.#deaths.get(slot) !== life) return this.#spiller.unlink(name);
    this.#label(id, label, { kind: "adopted", file: { name, bytes } });
  }

  /** A process could not store an object: those who wait for it get the error. */
  abandon({ id, label, code, facts = {} }: AbandonRequest): void {
    if (!this.#isUnwanted(id)) this.#label(id, label, { kind: "abandoned", failure: { code, facts } });
  }

  /** A process is gone: it reads nothing more, and what it had not finished writing is free. */
  processDied(slot: number): void {
    this.#deaths.set(slot, (this.#deaths.get(slot) ?? 0) + 1);
    for (const record of this.#table.records) {
      for (const waiter of record.waiters) {
        if (waiter.slot === slot) waiter.reject(new RaiaError("CONNECTION_LOST", { reason: "the process that waited is gone" }));
      }
    }
    for (const [id, pins] of this.#table.dropPinsOf(slot)) this.#handle(id, { kind: "unpinned", pins });
    this.#orphans.keeperDied(slot);
    this.#space.cancel(slot);
    this.#arena.blocks.sweep(slot);
    void this.#spiller.sweep(slot);
    this.#space.kick();
  }

  /**
   * An owner is gone. What it had not finished is waited for no more; the rest stays for those who hold refs to it.
   *
   * @param askHolders settles when every process has said what it keeps; absent: nothing outlives this owner
   */
  ownerDied(ownerId: string, askHolders?: () => Promise<unknown>): void {
    const owner = ownerPart(ownerId);
    const records = [...this.#table.records].filter(({ id }) => ownerPart(id) === owner);
    const left = askHolders === undefined ? [] : records.filter(({ id }) => this.has(id)).map(legacyOf);
    const kept = new Set(left.map(({ id }) => id));
    void this.#orphans.ownerDied(ownerId, left, left.length > 0 ? askHolders!() : Promise.resolve());
    this.free(records.filter(({ id }) => !kept.has(id)).map(({ id }) => id));
  }

  /** Their owner is gone, and process `slot` holds refs to them. @returns those that are here: they stay for it */
  keepOrphans(slot: number, ids: readonly ObjectId[]): { readonly id: ObjectId; readonly bytes: number }[] {
    const found = ids.filter((id) => this.has(id));
    this.#orphans.keep(slot, found);
    return found.map((id) => ({ id, bytes: this.#table.get(id)?.bytes ?? 0 }));
  }

  dropOrphans(slot: number, ids: readonly ObjectId[]): void {
    this.#orphans.drop(slot, ids);
  }

  /** Whether an object is here, in memory or on disk, and can be read. */
  has(id: ObjectId): boolean {
    const kind = this.#table.get(id)?.state.kind;
    return kind === "sealed" || kind === "spilling" || kind === "spilled" || kind === "restoring";
  }

  usage(): Infer<typeof StoreUsage> {
    return {
      capacityBytes: this.#arena.capacityBytes,
      usedBytes: this.#table.arenaBytes,
      pinnedBytes: this.#table.pinnedBytes,
      spilledBytes: this.#table.spilledBytes,
      maxSpillBytes: this.#limits.maxSpillBytes,
      diskIsFull: this.#space.diskErrno !== undefined,
      topOwners: this.#table.topOwners(TOP_OWNERS),
    };
  }

  /** For `raia memory`: the largest first. @complexity O(n log n) in the number of objects */
  list(limit: number): Infer<typeof StoredList> {
    const objects = [...this.#table.records]
      .map((record) => describe(record))
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, limit);
    return { objects, total: this.#table.size };
  }

  /** The invariants, for tests and the simulator. */
  check(): void {
    this.#table.check();
  }

  async #reach(slot: number, life: number | undefined, id: ObjectId, deadlineMs: number, signal?: AbortSignal): Promise<Extent> {
    for (;;) {
      if (this.#deaths.get(slot) !== life) throw new RaiaError("CONNECTION_LOST", { reason: "the process that waited is gone" });
      if (this.#isUnwanted(id)) throw this.#gone(id);
      const record = this.#table.ensure(id, this.#clock.wallMs());
      const { state } = record;
      switch (state.kind) {
        case "sealed":
        case "spilling":
          this.#step(record, { kind: "pinned" });
          this.#table.addPin(slot, id);
          return state.extent;
        case "leaving":
        case "freed":
          throw this.#gone(id);
        case "lost":
          throw new RaiaError(state.failure.code, { object: id, ...state.failure.facts });
        case "spilled":
          this.#step(record, { kind: "wanted" });
          break;
        case "creating":
        case "restoring":
          break;
      }
      await nextChange(record, { slot, deadlineMs, signal }, this.#clock, () => this.#step(record, { kind: "unwanted" }));
    }
  }

  #label(id: ObjectId, label: Label, event: ObjectEvent): void {
    const record = this.#table.ensure(id, this.#clock.wallMs());
    record.label ??= label;
    this.#step(record, event);
  }

  #handle(id: ObjectId, event: ObjectEvent): void {
    const record = this.#table.get(id);
    if (record !== undefined) this.#step(record, event);
  }

  #step(record: ObjectRecord, event: ObjectEvent): void {
    for (const effect of this.#table.handle(record, event, this.#clock.nowMs())) this.#perform(record, effect);
  }

  #perform(record: ObjectRecord, effect: ObjectEffect): void {
    switch (effect.kind) {
      case "wake":
        for (const waiter of [...record.waiters]) waiter.resolve();
        break;
      case "fail": {
        const { code, facts } = effect.failure;
        const error = code === "OBJECT_FREED" ? this.#gone(record.id) : new RaiaError(code, { object: record.id, ...facts });
        for (const waiter of [...record.waiters]) waiter.reject(error);
        break;
      }
      case "release":
        this.#release(effect.extent);
        break;
      case "unlink":
        void this.#spiller.unlink(effect.file.name);
        break;
      case "read":
        void this.#mover.restore(record, effect.file);
        break;
      case "write": // The space loop chose it and carries it out.
      case "forget": // The table has done it.
        break;
    }
  }

  #release({ offset, bytes }: Extent): void {
    this.#arena.release(offset, bytes);
    this.#space.kick();
  }

  /** Nobody can ask for it any more: it was freed, or its owner is gone. */
  #isUnwanted(id: ObjectId): boolean {
    return this.#table.wasFreed(id) || this.#orphans.isUnwanted(id);
  }

  #gone(id: ObjectId): RaiaError {
    return new RaiaError(this.#orphans.hasDeadOwner(id) ? "OWNER_DIED" : "OBJECT_FREED", { object: id });
  }

  #budget(): Facts {
    const { topOwners, ...sums } = this.usage();
    return { ...sums, topOwners: topOwners.map(({ ownerId, bytes, objects }) => ({ ownerId, bytes, objects })) };
  }
}

function legacyOf({ id, label }: ObjectRecord): Legacy {
  return { id, nested: label?.nested ?? [] };
}

function describe({ id, bytes, state, label, createdAtMs }: ObjectRecord): Infer<typeof StoredList>["objects"][number] {
  return {
    id,
    bytes,
    state: state.kind,
    pins: "pins" in state ? state.pins : 0,
    ownerId: label?.ownerId ?? "unknown",
    site: label?.site,
    createdAtMs,
  };
}
