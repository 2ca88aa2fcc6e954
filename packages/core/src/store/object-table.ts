/**
 * The objects that one node's store knows: their states, who reads them, and sums by state. It performs nothing: each
 * event returns the effects of the object's machine for the server to carry out.
 */
import { assert } from "../base/assert.ts";
import type { ObjectId } from "../base/ids.ts";
import { Machine } from "../base/machine.ts";
import { type ObjectEffect, type ObjectEvent, type ObjectState, objectTable } from "./object-machine.ts";

export interface Label {
  /** The process that decides how long the object lives. */
  readonly ownerId: string;
  /** Where in the user's code it was made. */
  readonly site?: string | undefined;
  /** Objects of the same owner that its value refers to. */
  readonly nested?: readonly ObjectId[] | undefined;
}

/** Somebody who waits until the object can be read. */
export interface Waiter {
  readonly slot: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class ObjectRecord {
  readonly id: ObjectId;
  readonly createdAtMs: number;
  readonly waiters = new Set<Waiter>();
  /** Unknown while nobody but readers has spoken of it. */
  label: Label | undefined;
  readonly machine: Machine<ObjectState, ObjectEvent, ObjectEffect>;

  constructor(id: ObjectId, createdAtMs: number) {
    this.id = id;
    this.createdAtMs = createdAtMs;
    this.machine = new Machine(`object ${id}`, objectTable, { kind: "creating" });
  }

  get state(): ObjectState {
    return this.machine.state;
  }

  get bytes(): number {
    return bytesOf(this.state);
  }
}

export interface OwnerUsage {
  readonly ownerId: string;
  readonly bytes: number;
  readonly objects: number;
}

/**
 * How many freed ids are remembered: a message about one may still be on its way (a seal from another process, a late
 * reader), and must find it freed instead of waiting for ever. 16,384 ids take 2 MB; the oldest are forgotten.
 */
const MAX_REMEMBERED_IDS = 16 * 1024;

export class ObjectTable {
  readonly #records = new Map<ObjectId, ObjectRecord>();
  readonly #freed = new Set<ObjectId>();
  /** Sealed and unread, the one that has been so for longest first. */
  readonly #evictable = new Set<ObjectRecord>();
  readonly #pins = new Map<number, Map<ObjectId, number>>();
  readonly #bytes: Record<ObjectState["kind"], number> = {
    creating: 0,
    sealed: 0,
    spilling: 0,
    spilled: 0,
    restoring: 0,
    leaving: 0,
    lost: 0,
    freed: 0,
  };
  #pinnedBytes = 0;

  get(id: ObjectId): ObjectRecord | undefined {
    return this.#records.get(id);
  }

  /** The record of an object, made when it is new. */
  ensure(id: ObjectId, wallMs: number): ObjectRecord {
    const known = this.#records.get(id);
    if (known !== undefined) return known;
    const record = new ObjectRecord(id, wallMs);
    this.#records.set(id, record);
    return record;
  }

  wasFreed(id: ObjectId): boolean {
    return this.#freed.has(id);
  }

  rememberFreed(id: ObjectId): void {
    this.#freed.add(id);
    if (this.#freed.size <= MAX_REMEMBERED_IDS) return;
    for (const oldest of this.#freed) {
      this.#freed.delete(oldest);
      break;
    }
  }

  /** Takes one step in an object's life. @returns what is to be done now */
  handle(record: ObjectRecord, event: ObjectEvent, nowMs: number): readonly ObjectEffect[] {
    this.#count(record.state, -1);
    const effects = record.machine.handle(event, nowMs);
    this.#count(record.state, 1);
    const { state } = record;
    if (state.kind !== "sealed" || state.pins > 0) this.#evictable.delete(record);
    else this.#evictable.add(record);
    if (state.kind === "freed") {
      this.#records.delete(record.id);
      if (event.kind !== "unwanted") this.rememberFreed(record.id);
    }
    return effects;
  }

  #count(state: ObjectState, sign: 1 | -1): void {
    const bytes = bytesOf(state);
    this.#bytes[state.kind] += sign * bytes;
    if ((state.kind === "sealed" && state.pins > 0) || state.kind === "leaving") this.#pinnedBytes += sign * bytes;
  }

  /** Notes that a process reads an object once more. The event `pinned` is the caller's. */
  addPin(slot: number, id: ObjectId): void {
    const pins = this.#pins.get(slot) ?? new Map<ObjectId, number>();
    this.#pins.set(slot, pins.set(id, (pins.get(id) ?? 0) + 1));
  }

  /** @returns false when the process has no such pin */
  dropPin(slot: number, id: ObjectId): boolean {
    const pins = this.#pins.get(slot);
    const count = pins?.get(id);
    if (pins === undefined || count === undefined) return false;
    if (count > 1) pins.set(id, count - 1);
    else pins.delete(id);
    return true;
  }

  /** Forgets the pins of a process. @returns what they were */
  dropPinsOf(slot: number): ReadonlyMap<ObjectId, number> {
    const pins = this.#pins.get(slot) ?? new Map<ObjectId, number>();
    this.#pins.delete(slot);
    return pins;
  }

  get evictable(): Iterable<ObjectRecord> {
    return this.#evictable;
  }

  get records(): Iterable<ObjectRecord> {
    return this.#records.values();
  }

  get size(): number {
    return this.#records.size;
  }

  /** Bytes of objects in the arena, with and without readers. */
  get arenaBytes(): number {
    return this.#bytes.sealed + this.#bytes.spilling + this.#bytes.leaving;
  }

  get pinnedBytes(): number {
    return this.#pinnedBytes;
  }

  /** Bytes of objects on disk. */
  get spilledBytes(): number {
    return this.#bytes.spilled + this.#bytes.restoring;
  }

  /** Who has most, in memory and on disk together. @complexity O(objects) */
  topOwners(count: number): readonly OwnerUsage[] {
    const owners = new Map<string, { ownerId: string; bytes: number; objects: number }>();
    for (const { label, bytes } of this.#records.values()) {
      const ownerId = label?.ownerId ?? "unknown";
      const owner = owners.get(ownerId) ?? { ownerId, bytes: 0, objects: 0 };
      owner.bytes += bytes;
      owner.objects++;
      owners.set(ownerId, owner);
    }
    return [...owners.values()].sort((a, b) => b.bytes - a.bytes).slice(0, count);
  }

  /** The invariants, for tests and the simulator: sums agree with a recount. */
  check(): void {
    const pins = new Map<ObjectId, number>();
    for (const ofProcess of this.#pins.values()) {
      for (const [id, count] of ofProcess) pins.set(id, (pins.get(id) ?? 0) + count);
    }
    let arenaBytes = 0;
    for (const { id, state } of this.#records.values()) {
      if ("extent" in state) arenaBytes += state.extent.bytes;
      assert(("pins" in state ? state.pins : 0) === (pins.get(id) ?? 0), `the pins of ${id} are those of its readers`);
    }
    assert(arenaBytes === this.arenaBytes, "bytes in the arena add up");
  }
}

function bytesOf(state: ObjectState): number {
  if ("extent" in state) return state.extent.bytes;
  return "file" in state ? state.file.bytes : 0;
}
