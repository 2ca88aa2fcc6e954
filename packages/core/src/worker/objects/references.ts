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
import { type BorrowEffects, Borrows } from "./borrows.ts";
import { type EndCode, type EntryReader, type EntryTable, ObjectEntry, objectState } from "./object-entry.ts";
import { ObjectRef } from "./object-ref.ts";
import { UnseenFailures } from "./unseen-failures.ts";

/** What the table asks of the rest of the process. */
export interface ReferenceEffects extends BorrowEffects {
  /** The last reference to a stored object of ours is gone. */
  freeStored(objectId: string, entry: ObjectEntry): void;
  /** Whether others know of objects that this process owns; told when it changes. */
  sharedChanged(owns: boolean): void;
  /** An owned object nobody needs any more was still to be computed. */
  abandoned(entry: ObjectEntry): void;
  /** Nobody will ever look at why this failed. */
  unhandled(entry: ObjectEntry): void;
}

/** How long refs stay held whose connection was lost on the way. */
export const HANDOVER_GRACE_MS = 2000;

export class ReferenceTable implements EntryTable {
  readonly self: OwnerAddress;
  readonly finalizers: Finalizers;
  readonly #idle: IdleCollector;
  readonly #clock: Clock;
  readonly unseen = new UnseenFailures((entry) => this.#need().unhandled(entry));
  readonly #exported = new Map<number, ObjectEntry>();
  readonly #handleKind: FinalizerKind<ObjectEntry> = { dispose: (entry) => this.#handleCollected(entry) };
  #effects: ReferenceEffects | undefined;
  #borrows: Borrows | undefined;
  #reader: EntryReader | undefined;
  #nextSequence = 1;
  #first: ObjectEntry | undefined;
  #toldShared = false;
  ended: EndCode | undefined;
  /** Objects that this process owns and somebody still needs. */
  ownedCount = 0;

  constructor(self: OwnerAddress, finalizers: Finalizers, clock: Clock) {
    this.self = self;
    this.finalizers = finalizers;
    this.#idle = new IdleCollector(finalizers, clock);
    this.#clock = clock;
  }

  /** Ties the knot with the parts that need the table themselves. */
  connect(effects: ReferenceEffects, reader: EntryReader): void {
    this.#effects = effects;
    this.#borrows = new Borrows(this, this.#clock, effects);
    this.#reader = reader;
  }

  get reader(): EntryReader {
    return this.#reader as EntryReader;
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

  /** The ids of those that are our own. */
  ownIds(entries: readonly ObjectEntry[]): string[] {
    return entries.filter(({ owner }) => owner === undefined).map((entry) => this.idOf(entry));
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

  /** What this process borrows of others. */
  get borrows(): Borrows {
    return this.#borrows as Borrows;
  }

  /** The entry that an address names here, made when it is new. New borrowed ones are in `fresh` until the owner knows. */
  resolve({ owner, sequence }: RefAddress, fresh: ObjectEntry[]): ObjectEntry | undefined {
    if (owner.workerId === this.self.workerId) return this.#exported.get(sequence);
    return this.borrows.resolve(owner, sequence, fresh);
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
    else this.borrows.forget(entry, entry.owner);
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
    if (isWithNode(entry)) this.#need().freeStored(this.idOf(entry), entry);
    else if (entry.state === objectState.pending) this.#need().abandoned(entry);
    else if (entry.state >= objectState.error) this.unseen.gone(entry);
    entry.payload = undefined;
  }

  #sharesNothing(): void {
    if (this.#exported.size > 0 || !this.#toldShared) return;
    this.#toldShared = false;
    this.#need().sharedChanged(false);
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
    this.unseen.looked(entry);
    if (isWithNode(entry)) this.#need().freeStored(this.idOf(entry), entry);
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

  /** Newest first; for listings. */
  *owned(): Iterable<ObjectEntry> {
    for (let entry = this.#first; entry !== undefined; entry = entry.next) yield entry;
  }

  #need(): ReferenceEffects {
    return this.#effects as ReferenceEffects;
  }
}

/** An object of our own that the node has, or may have: it is freed there when its last reference is gone. */
export function isWithNode(entry: ObjectEntry): boolean {
  return entry.state === objectState.stored || (entry.isBequeathed && entry.isSettled);
}

function isBorrowed({ borrowers }: ObjectEntry): boolean {
  return borrowers !== undefined && borrowers.size > 0;
}
