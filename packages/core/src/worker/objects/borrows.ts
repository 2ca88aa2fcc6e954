/**
 * What this process borrows, by owner: the owner is told of each ref that comes and goes. When an owner dies, the node may
 * have what it stored; then the node takes its place, and is told when the last ref here goes.
 */
import type { Clock } from "../../base/clock.ts";
import { objectIdOf } from "../../base/ids.ts";
import type { OwnerAddress } from "../../messages/common.ts";
import { type EntryTable, ObjectEntry, objectState, type StoredAt } from "./object-entry.ts";

export interface BorrowEffects {
  /**
   * Tells an owner that this process borrows; resolves when the owner has noted it. Unknown ones are returned.
   *
   * @param held asked each time that it is told: the connection may be lost, and a ref be dropped meanwhile
   */
  addBorrows(owner: OwnerAddress, held: () => readonly number[]): Promise<readonly number[]>;
  removeBorrows(owner: OwnerAddress, sequences: readonly number[]): void;
  /** Asks the node to keep objects whose owner is gone. @returns bytes of those that it has, by id */
  keepOrphans(ownerId: string, ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
  dropOrphans(ids: readonly string[]): void;
}

export class Borrows {
  readonly #table: EntryTable;
  readonly #clock: Clock;
  readonly #effects: BorrowEffects;
  readonly #entries = new Map<string, ObjectEntry>();
  readonly #byOwner = new Map<string, Set<ObjectEntry>>();
  /** Those that the node keeps for this process, since their owner is gone. */
  readonly #orphans = new Set<ObjectEntry>();
  readonly #removals = new Map<string, { owner: OwnerAddress; sequences: number[] }>();
  #removalScheduled = false;

  constructor(table: EntryTable, clock: Clock, effects: BorrowEffects) {
    this.#table = table;
    this.#clock = clock;
    this.#effects = effects;
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): Iterable<ObjectEntry> {
    return this.#entries.values();
  }

  /** What this process holds of that owner. */
  of(workerId: string): number[] {
    return [...(this.#byOwner.get(workerId) ?? [])].map(({ sequence }) => sequence);
  }

  /** The entry of another's object, made when it is new: then it is in `fresh` until the owner knows. */
  resolve(owner: OwnerAddress, sequence: number, fresh: ObjectEntry[]): ObjectEntry {
    const key = borrowKey(owner.workerId, sequence);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = new ObjectEntry(this.#table, sequence, owner);
      this.#entries.set(key, entry);
      let peers = this.#byOwner.get(owner.workerId);
      if (peers === undefined) this.#byOwner.set(owner.workerId, (peers = new Set()));
      peers.add(entry);
      fresh.push(entry);
    }
    return entry;
  }

  /** Tells the owners of fresh entries that we borrow them, one message an owner. Unknown ones fail with UNKNOWN_REF. */
  async register(fresh: readonly ObjectEntry[]): Promise<void> {
    const byOwner = new Map<string, { owner: OwnerAddress; entries: ObjectEntry[] }>();
    for (const entry of fresh) {
      const owner = entry.owner as OwnerAddress;
      let group = byOwner.get(owner.workerId);
      if (group === undefined) byOwner.set(owner.workerId, (group = { owner, entries: [] }));
      group.entries.push(entry);
    }
    await Promise.all([...byOwner.values()].map(({ owner, entries }) => this.#registerAt(owner, entries)));
  }

  async #registerAt(owner: OwnerAddress, entries: readonly ObjectEntry[]): Promise<void> {
    this.#flushRemovals();
    const held = () => entries.filter(({ gone }) => !gone).map(({ sequence }) => sequence);
    let unknown: ReadonlySet<number>;
    try {
      unknown = new Set(await this.#effects.addBorrows(owner, held));
    } catch {
      // The owner cannot be reached: whoever waits for its objects must hear so.
      return this.ownerDied(owner.workerId);
    }
    for (const entry of entries) if (unknown.has(entry.sequence)) this.#fail(entry, "UNKNOWN_REF");
  }

  /** The last ref here is gone. */
  forget(entry: ObjectEntry, owner: OwnerAddress): void {
    const key = borrowKey(owner.workerId, entry.sequence);
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    const peers = this.#byOwner.get(owner.workerId);
    peers?.delete(entry);
    if (peers?.size === 0) this.#byOwner.delete(owner.workerId);
    if (this.#orphans.delete(entry)) {
      this.#effects.dropOrphans([this.#idOf(entry)]);
      return;
    }
    let removal = this.#removals.get(owner.workerId);
    if (removal === undefined) this.#removals.set(owner.workerId, (removal = { owner, sequences: [] }));
    removal.sequences.push(entry.sequence);
    if (this.#removalScheduled) return;
    this.#removalScheduled = true;
    this.#clock.soon(() => this.#flushRemovals());
  }

  #flushRemovals(): void {
    this.#removalScheduled = false;
    for (const { owner, sequences } of this.#removals.values()) this.#effects.removeBorrows(owner, sequences);
    this.#removals.clear();
  }

  /** Settles when the node keeps what it has of that owner's for this process, and the rest has failed. */
  async ownerDied(workerId: string): Promise<void> {
    const entries = [...(this.#byOwner.get(workerId) ?? [])].filter((entry) => !this.#orphans.has(entry));
    if (entries.length === 0) return;
    const kept = await this.#keptOf(workerId, entries);
    for (const entry of entries) {
      const sizeBytes = kept.get(this.#idOf(entry));
      if (sizeBytes === undefined) this.#fail(entry, "OWNER_DIED");
      else this.#adopt(entry, sizeBytes);
    }
  }

  async #keptOf(ownerId: string, entries: readonly ObjectEntry[]): Promise<ReadonlyMap<string, number>> {
    try {
      return await this.#effects.keepOrphans(
        ownerId,
        entries.map((entry) => this.#idOf(entry)),
      );
    } catch {
      // The node is gone, and with it what it had.
      return new Map();
    }
  }

  #adopt(entry: ObjectEntry, sizeBytes: number): void {
    if (!entry.gone) {
      this.#orphans.add(entry);
      if (!entry.isSettled) entry.settle(objectState.stored, { nodeId: "", sizeBytes } satisfies StoredAt);
      return;
    }
    // Dropped meanwhile. A newer entry for the same object asks for itself.
    const { owner, sequence } = entry;
    if (owner !== undefined && !this.#entries.has(borrowKey(owner.workerId, sequence))) this.#effects.dropOrphans([this.#idOf(entry)]);
  }

  /** Its owner knows some of what we hold no more. */
  unknown(workerId: string, sequences: readonly number[]): void {
    const unknown = new Set(sequences);
    for (const entry of [...(this.#byOwner.get(workerId) ?? [])]) if (unknown.has(entry.sequence)) this.#fail(entry, "UNKNOWN_REF");
  }

  #fail(entry: ObjectEntry, code: "OWNER_DIED" | "UNKNOWN_REF"): void {
    if (entry.isSettled) return;
    entry.settle(objectState.failure, { code, facts: { object: this.#idOf(entry), owner: entry.owner?.workerId.slice(0, 8) } });
  }

  #idOf({ owner, sequence }: ObjectEntry): string {
    return objectIdOf((owner as OwnerAddress).workerId, sequence);
  }
}

function borrowKey(ownerId: string, sequence: number): string {
  return `${ownerId}:${sequence}`;
}
