/**
 * What a process knows of one object: its own (it owns the object and answers for it) or another's (it borrows). An own
 * entry holds the value or where it is stored, and counts who may still ask for it; when nobody can, it goes.
 *
 * A million of these may be alive, so the entry is compact: state and payload are two fields, and what most objects never
 * have (borrowers, waiters, nested refs) is absent until it is needed.
 */
import type { OwnerAddress } from "../../messages/common.ts";
import type { GetOptions } from "./wait-options.ts";

/** Larger values go to the store; an argument of that size travels as a dependency. */
export const MAX_INLINE_BYTES = 100 * 1024;

export const objectState = {
  /** Its task has not finished, or the owner was not asked yet. */
  pending: 0,
  /** `payload` is an immutable JavaScript value. */
  value: 1,
  /** `payload` is the encoded value. */
  bytes: 2,
  /** `payload` is a StoredAt. */
  stored: 3,
  /** `payload` is the encoded error. */
  error: 4,
  /** `payload` is a Failure: a code and its facts. */
  failure: 5,
} as const;

export interface StoredAt {
  readonly nodeId: string;
  readonly sizeBytes: number;
}

export interface Waiter {
  settled(entry: ObjectEntry): void;
}

/** Why nothing more is done here: the program leaves, or what it was in is gone. */
export type EndCode = "SHUTTING_DOWN" | "CLUSTER_LOST";

/** The references of the process that an entry belongs to, as far as whoever has an entry asks them. */
export interface EntryTable {
  readonly self: OwnerAddress;
  readonly reader: EntryReader;
  /** Once this process has left the cluster: no entry of the table means anything to the next one. */
  readonly ended: EndCode | undefined;
  idOf(entry: ObjectEntry): string;
  dropHandle(entry: ObjectEntry): void;
  holdForHandover(entries: readonly ObjectEntry[]): void;
}

export interface EntryReader {
  get(entry: ObjectEntry, options?: GetOptions): Promise<unknown>;
  /** Begins to ask the owner for what is not here yet. */
  fetch(entry: ObjectEntry): void;
  whenStored(entry: ObjectEntry): Promise<void>;
  /** Waits for something of the entry's as `get` does: the CPU of the task that asks is for others meanwhile. */
  waitFor(entry: ObjectEntry, change: Promise<void>): Promise<void>;
}

/** What most objects never have. */
class Extras {
  borrowers: Set<string> | undefined = undefined;
  nested: ObjectEntry[] | undefined = undefined;
  onOutOfScope: (() => void)[] | undefined = undefined;
  releasedHandles = 0;
  isBequeathed = false;
}

export class ObjectEntry {
  readonly table: EntryTable;
  /** The owner's number for it. */
  readonly sequence: number;
  /** Absent when this process owns it. */
  readonly owner: OwnerAddress | undefined;
  state: number = objectState.pending;
  payload: unknown = undefined;
  /** ObjectRefs of this process that name it. */
  handles = 0;
  /** Other reasons to keep it: tasks that take it, values that contain it, handovers under way. */
  holds = 0;
  waiters: Waiter | Waiter[] | undefined = undefined;
  /** The task that makes it, while it is pending. */
  task: unknown = undefined;
  /** Function name or place of the put, for people. */
  site: string = "";
  /** Somebody outside this process was told of it, so it can be asked for by number. */
  exported = false;
  gone = false;
  /** The last `wait` that named it. */
  lastWait = 0;
  previous: ObjectEntry | undefined = undefined;
  next: ObjectEntry | undefined = undefined;

  constructor(table: EntryTable, sequence: number, owner: OwnerAddress | undefined) {
    this.table = table;
    this.sequence = sequence;
    this.owner = owner;
  }

  #extras: Extras | undefined = undefined;

  /** Processes that hold refs to it. */
  get borrowers(): Set<string> | undefined {
    return this.#extras?.borrowers;
  }

  set borrowers(borrowers: Set<string> | undefined) {
    this.#more.borrowers = borrowers;
  }

  /** Refs inside its value, held while it lives. */
  get nested(): ObjectEntry[] | undefined {
    return this.#extras?.nested;
  }

  set nested(nested: ObjectEntry[] | undefined) {
    this.#more.nested = nested;
  }

  get onOutOfScope(): (() => void)[] | undefined {
    return this.#extras?.onOutOfScope;
  }

  set onOutOfScope(callbacks: (() => void)[] | undefined) {
    this.#more.onOutOfScope = callbacks;
  }

  /** The node has the value too, or gets it once it is there. */
  get isBequeathed(): boolean {
    return this.#extras?.isBequeathed ?? false;
  }

  set isBequeathed(isBequeathed: boolean) {
    this.#more.isBequeathed = isBequeathed;
  }

  /** Handles released by hand, whose finalizers are still to come. */
  get releasedHandles(): number {
    return this.#extras?.releasedHandles ?? 0;
  }

  set releasedHandles(count: number) {
    this.#more.releasedHandles = count;
  }

  get #more(): Extras {
    this.#extras ??= new Extras();
    return this.#extras;
  }

  get isSettled(): boolean {
    return this.state !== objectState.pending;
  }

  settle(state: number, payload: unknown): void {
    this.state = state;
    this.payload = payload;
    this.task = undefined;
    const waiters = this.waiters;
    if (waiters === undefined) return;
    this.waiters = undefined;
    if (Array.isArray(waiters)) for (const waiter of waiters) waiter.settled(this);
    else waiters.settled(this);
  }

  addWaiter(waiter: Waiter): void {
    if (this.waiters === undefined) this.waiters = waiter;
    else if (Array.isArray(this.waiters)) this.waiters.push(waiter);
    else this.waiters = [this.waiters, waiter];
  }

  removeWaiter(waiter: Waiter): void {
    if (this.waiters === waiter) this.waiters = undefined;
    else if (Array.isArray(this.waiters)) {
      const rest = this.waiters.filter((other) => other !== waiter);
      this.waiters = rest.length > 0 ? rest : undefined;
    }
  }
}
