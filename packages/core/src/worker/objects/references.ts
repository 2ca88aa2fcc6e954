/**
 * All references of this process: what it owns and what it borrows, and who outside holds what it owns.
 *
 * The rule that keeps counts right under failure: whoever hands a ref over holds it until the receiver has told the owner
 * that it borrows. A borrower's add and remove travel on one ordered connection, so they cannot overtake each other; a
 * borrower that dies is dropped as a whole.
 */
import type { Clock } from "../../base/clock.ts";
import type { FinalizerKind, Finalizers } from "../../base/finalizers.ts";
import { objectIdOf } from "../../base/ids.ts";
import type { OwnerAddress, RefAddress } from "../../messages/common.ts";
import { IdleCollector } from "./idle-collector.ts";
import { ObjectEntry, objectState } from "./object-entry.ts";
import { ObjectRef } from "./object-ref.ts";
import type { ObjectReader } from "./object-reader.ts";

/** What the table asks of the rest of the process. */
export interface ReferenceEffects {
  /** The last reference to a stored object of ours is gone. */
  freeStored(objectId: string, entry: ObjectEntry): void;
  /** Tells an owner that this process borrows; resolves when the owner has noted it. Unknown ones are returned. */
  addBorrows(owner: OwnerAddress, sequences: readonly number[]): Promise<readonly number[]>;
  removeBorrows(owner: OwnerAddress, sequences: readonly number[]): void;
  /** Whether others know of objects that this process owns; told when it changes. */
  sharedChanged(owns: boolean): void;
  /** An owned object nobody needs any more was still to be computed. */
  abandoned(entry: ObjectEntry): void;
}

/** How long refs stay held whose connection was lost on the way. */
export const HANDOVER_GRACE_MS = 2000;

export class ReferenceTable {
  readonly self: OwnerAddress;
  readonly finalizers: Finalizers;
  readonly #idle: IdleCollector;
  readonly #clock: Clock;
  readonly #exported = new Map<number, ObjectEntry>();
  readonly #borrowed = new Map<string, ObjectEntry>();
  readonly #borrowedBy = new Map<string, Set<ObjectEntry>>();
  readonly #removals = new Map<string, { owner: OwnerAddress; sequences: number[] }>();
  readonly #handleKind: FinalizerKind<ObjectEntry> = { dispose: (entry) => this.#handleCollected(entry) };
  #effects: ReferenceEffects | undefined;
  #reader: ObjectReader | undefined;
  #nextSequence = 1;
  #first: ObjectEntry | undefined;
  #removalScheduled = false;
  #toldShared = false;
  /** Objects that this process owns and somebody still needs. */
  ownedCount = 0;

  constructor(self: OwnerAddress, finalizers: Finalizers, clock: Clock) {
    this.self = self;
    this.finalizers = finalizers;
    this.#idle = new IdleCollector(finalizers, clock);
    this.#clock = clock;
  }

  /** Ties the knot with the parts that need the table themselves. */
  connect(effects: ReferenceEffects, reader: ObjectReader): void {
    this.#effects = effects;
    this.#reader = reader;
  }

  get reader(): ObjectReader {
    return this.#reader as ObjectReader;
  }

  // -- making -----------------------------------------------------------------------------------------------------

  /** Numbers for `count` objects in a row. */
  takeSequences(count: number): number {
    const sequence = this.#nextSequence;
    this.#nextSequence += count;
    return sequence;
  }

  /** A new object of our own, to be settled later. It has no handle yet. */
  own(sequence: number, site: string): ObjectEntry {
    const entry = new ObjectEntry(this, sequence, undefined);
    entry.site = site;
    const first = this.#first;
    if (first !== undefined) {
      first.previous = entry;
      entry.next = first;
    }
    this.#first = entry;
    this.ownedCount++;
    return entry;
  }

  /** A handle for the user; the entry lives at least as long as the handle. */
  refFor<T>(entry: ObjectEntry): ObjectRef<T> {
    const ref = new ObjectRef<T>(entry);
    this.addHandle(entry, ref);
    return ref;
  }

  /** Counts `target` as a handle of the entry until it is collected. */
  addHandle(entry: ObjectEntry, target: object): void {
    entry.handles++;
    this.#idle.handleMade();
    this.finalizers.watch(this.#handleKind, target, entry);
  }

  /** Gives one handle up now; its finalizer will find nothing left to do. */
  releaseHandle(entry: ObjectEntry | undefined): void {
    if (entry === undefined) return;
    entry.releasedHandles++;
    this.dropHandle(entry);
  }

  idOf(entry: ObjectEntry): string {
    return objectIdOf(entry.owner?.workerId ?? this.self.workerId, entry.sequence);
  }

  /** Of one of our own objects, by its number. */
  idAt(sequence: number): string {
    return objectIdOf(this.self.workerId, sequence);
  }

  addressOf(entry: ObjectEntry): RefAddress {
    if (entry.owner === undefined && !entry.exported) {
      entry.exported = true;
      this.#exported.set(entry.sequence, entry);
      if (!this.#toldShared) {
        this.#toldShared = true;
        this.#need().sharedChanged(true);
      }
    }
    return { owner: entry.owner ?? this.self, sequence: entry.sequence };
  }

  /** The entry that an address names here, made when it is new. New borrowed ones are in `fresh` until the owner knows. */
  resolve(address: RefAddress, fresh: ObjectEntry[]): ObjectEntry | undefined {
    if (address.owner.workerId === this.self.workerId) return this.#exported.get(address.sequence);
    const key = borrowKey(address.owner.workerId, address.sequence);
    let entry = this.#borrowed.get(key);
    if (entry === undefined) {
      entry = new ObjectEntry(this, address.sequence, address.owner);
      this.#borrowed.set(key, entry);
      let peers = this.#borrowedBy.get(address.owner.workerId);
      if (peers === undefined) this.#borrowedBy.set(address.owner.workerId, (peers = new Set()));
      peers.add(entry);
      fresh.push(entry);
    }
    return entry;
  }

  /** Tells the owners of fresh entries that we borrow them, one message an owner. Unknown ones fail with UNKNOWN_REF. */
  async registerBorrows(fresh: readonly ObjectEntry[]): Promise<void> {
    const byOwner = new Map<string, { owner: OwnerAddress; entries: ObjectEntry[] }>();
    for (const entry of fresh) {
      const owner = entry.owner as OwnerAddress;
      let group = byOwner.get(owner.workerId);
      if (group === undefined) byOwner.set(owner.workerId, (group = { owner, entries: [] }));
      group.entries.push(entry);
    }
    await Promise.all(
      [...byOwner.values()].map(async ({ owner, entries }) => {
        this.#flushRemovals();
        try {
          const unknown = new Set(
            await this.#need().addBorrows(
              owner,
              entries.map((entry) => entry.sequence),
            ),
          );
          for (const entry of entries) {
            if (unknown.has(entry.sequence) && !entry.isSettled) this.#failBorrowed(entry, "UNKNOWN_REF");
          }
        } catch {
          // The owner cannot be reached: whoever waits for its objects must hear so.
          this.ownerDied(owner.workerId);
        }
      }),
    );
  }

  // -- letting go -------------------------------------------------------------------------------------------------

  hold(entry: ObjectEntry): void {
    entry.holds++;
  }

  dropHold(entry: ObjectEntry): void {
    entry.holds--;
    this.#maybeGone(entry);
  }

  /** The connection that carried them was lost: whoever has got them is about to tell their owner, or never will. */
  holdForHandover(entries: readonly ObjectEntry[]): void {
    for (const entry of entries) this.hold(entry);
    this.#clock.after(HANDOVER_GRACE_MS, () => {
      for (const entry of entries) this.dropHold(entry);
    });
  }

  dropHandle(entry: ObjectEntry): void {
    entry.handles--;
    this.#maybeGone(entry);
  }

  #handleCollected(entry: ObjectEntry): void {
    if (entry.releasedHandles > 0) {
      entry.releasedHandles--;
      return;
    }
    this.dropHandle(entry);
  }

  #maybeGone(entry: ObjectEntry): void {
    if (entry.handles > 0 || entry.holds > 0 || entry.gone || isBorrowed(entry)) return;
    entry.gone = true;
    if (entry.owner === undefined) this.#forgetOwned(entry);
    else this.#forgetBorrowed(entry, entry.owner);
    this.#releaseNested(entry);
    for (const callback of entry.onOutOfScope ?? []) callback();
  }

  #forgetOwned(entry: ObjectEntry): void {
    this.ownedCount--;
    if (entry.exported) {
      this.#exported.delete(entry.sequence);
      if (this.#exported.size === 0) this.#clock.soon(() => this.#sharesNothing());
    }
    if (entry.previous !== undefined) entry.previous.next = entry.next;
    else this.#first = entry.next;
    if (entry.next !== undefined) entry.next.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    if (entry.state === objectState.stored) this.#need().freeStored(this.idOf(entry), entry);
    else if (entry.state === objectState.pending) this.#need().abandoned(entry);
    entry.payload = undefined;
  }

  #sharesNothing(): void {
    if (this.#exported.size > 0 || !this.#toldShared) return;
    this.#toldShared = false;
    this.#need().sharedChanged(false);
  }

  #forgetBorrowed(entry: ObjectEntry, owner: OwnerAddress): void {
    const key = borrowKey(owner.workerId, entry.sequence);
    if (this.#borrowed.get(key) !== entry) return;
    this.#borrowed.delete(key);
    const peers = this.#borrowedBy.get(owner.workerId);
    peers?.delete(entry);
    if (peers?.size === 0) this.#borrowedBy.delete(owner.workerId);
    let removal = this.#removals.get(owner.workerId);
    if (removal === undefined) this.#removals.set(owner.workerId, (removal = { owner, sequences: [] }));
    removal.sequences.push(entry.sequence);
    if (!this.#removalScheduled) {
      this.#removalScheduled = true;
      this.#clock.soon(() => this.#flushRemovals());
    }
  }

  #flushRemovals(): void {
    this.#removalScheduled = false;
    for (const { owner, sequences } of this.#removals.values()) this.#need().removeBorrows(owner, sequences);
    this.#removals.clear();
  }

  #releaseNested(entry: ObjectEntry): void {
    const { nested } = entry;
    if (nested === undefined) return;
    entry.nested = undefined;
    for (const inner of nested) this.dropHold(inner);
  }

  /**
   * free(): the value goes although refs remain; they reject with OBJECT_FREED from now on. The refs inside it are kept
   * for those who were given the value before and have not told their owners yet.
   */
  free(entry: ObjectEntry): void {
    if (entry.owner !== undefined || entry.gone) return;
    if (entry.state === objectState.stored) this.#need().freeStored(this.idOf(entry), entry);
    else if (entry.state === objectState.pending) this.#need().abandoned(entry);
    if (entry.holds === 0 && !isBorrowed(entry)) this.#releaseNested(entry);
    entry.settle(objectState.failure, { code: "OBJECT_FREED", facts: { object: this.idOf(entry) } });
  }

  // -- as owner ---------------------------------------------------------------------------------------------------

  get exportedCount(): number {
    return this.#exported.size;
  }

  exportedEntry(sequence: number): ObjectEntry | undefined {
    return this.#exported.get(sequence);
  }

  /** @returns the sequences that are not (or no more) ours */
  addBorrower(borrowerId: string, sequences: readonly number[]): number[] {
    const unknown: number[] = [];
    for (const sequence of sequences) {
      const entry = this.#exported.get(sequence);
      if (entry === undefined) unknown.push(sequence);
      else (entry.borrowers ??= new Set()).add(borrowerId);
    }
    return unknown;
  }

  removeBorrower(borrowerId: string, sequences: readonly number[]): void {
    for (const sequence of sequences) {
      const entry = this.#exported.get(sequence);
      if (entry?.borrowers?.delete(borrowerId)) this.#maybeGone(entry);
    }
  }

  /** All that a borrower holds, whatever was said before. @returns the sequences that are not (or no more) ours */
  setBorrows(borrowerId: string, sequences: readonly number[]): number[] {
    const unknown = this.addBorrower(borrowerId, sequences);
    const held = new Set(sequences);
    this.removeBorrower(
      borrowerId,
      [...this.#exported.keys()].filter((sequence) => !held.has(sequence)),
    );
    return unknown;
  }

  /** Whether that process holds something of ours. @complexity O(n) in what others know of */
  isBorrower(borrowerId: string): boolean {
    for (const { borrowers } of this.#exported.values()) if (borrowers?.has(borrowerId)) return true;
    return false;
  }

  /** A process is gone, and with it all that it borrowed of us. */
  borrowerDied(borrowerId: string): void {
    for (const entry of [...this.#exported.values()]) {
      if (entry.borrowers?.delete(borrowerId)) this.#maybeGone(entry);
    }
  }

  // -- as borrower ------------------------------------------------------------------------------------------------

  ownerDied(workerId: string): void {
    for (const entry of [...(this.#borrowedBy.get(workerId) ?? [])]) {
      if (!entry.isSettled) this.#failBorrowed(entry, "OWNER_DIED");
    }
  }

  /** What this process holds of that owner. */
  borrowedFrom(workerId: string): number[] {
    return [...(this.#borrowedBy.get(workerId) ?? [])].map(({ sequence }) => sequence);
  }

  /** Its owner knows some of what we hold no more. */
  borrowsUnknown(workerId: string, sequences: readonly number[]): void {
    const unknown = new Set(sequences);
    for (const entry of [...(this.#borrowedBy.get(workerId) ?? [])]) {
      if (unknown.has(entry.sequence) && !entry.isSettled) this.#failBorrowed(entry, "UNKNOWN_REF");
    }
  }

  get borrowsAny(): boolean {
    return this.#borrowed.size > 0;
  }

  #failBorrowed(entry: ObjectEntry, code: "OWNER_DIED" | "UNKNOWN_REF"): void {
    entry.settle(objectState.failure, { code, facts: { object: this.idOf(entry), owner: entry.owner?.workerId.slice(0, 8) } });
  }

  /** Newest first; for listings. */
  *owned(): Iterable<ObjectEntry> {
    for (let entry = this.#first; entry !== undefined; entry = entry.next) yield entry;
  }

  *borrowed(): Iterable<ObjectEntry> {
    yield* this.#borrowed.values();
  }

  #need(): ReferenceEffects {
    return this.#effects as ReferenceEffects;
  }
}

function isBorrowed({ borrowers }: ObjectEntry): boolean {
  return borrowers !== undefined && borrowers.size > 0;
}

function borrowKey(ownerId: string, sequence: number): string {
  return `${ownerId}:${sequence}`;
}
