/**
 * get and wait: memory first, then the store, then the owner. While a task waits here its CPU is given back.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import { callerFrames, thrownAtCaller } from "../../base/caller-frames.ts";
import { type ErrorCode, type Facts, RaiaError } from "../../base/errors.ts";
import type { OwnerAddress } from "../../messages/common.ts";
import type { ObjectReply } from "../../messages/owners.ts";
import { decodeStored, decodeValue, mayHoldRefs, type ValueMemory } from "../../values/value-codec.ts";
import type { Infer } from "../../wire/schema.ts";
import { type ObjectEntry, objectState, type StoredAt, type Waiter } from "./object-entry.ts";
import type { ReferenceTable } from "./references.ts";
import { currentContext, type WaitScope } from "../task-context.ts";
import type { RuntimeValueHooks } from "./value-hooks.ts";
import { checkWaitOptions, type GetOptions, type WaitOptions } from "./wait-options.ts";

export interface Failure {
  readonly code: ErrorCode;
  readonly facts: Facts;
  readonly cause?: unknown;
  /** The encoded error of user code that stands behind it: becomes the cause. */
  readonly errorBytes?: Uint8Array;
}

/** The objects of this node, as a reader sees them. */
export interface LargeObjects {
  /** The packed value, pinned for as long as a buffer over it lives. `scope` is the task that reads. */
  read(objectId: string, stored: StoredAt, scope: object | undefined): Promise<ValueMemory>;
  whenStored(objectId: string): Promise<void> | undefined;
  /** @returns the bytes of an object that this node has, or gets within `timeoutMs`; undefined when it has not */
  find(objectId: string, timeoutMs: number): Promise<number | undefined>;
}

export interface OwnerCalls {
  getObject(owner: OwnerAddress, sequence: number): Promise<Infer<typeof ObjectReply>>;
}

/** Turns an encoded error into what `get` rejects with; `callerStack` has the frames of who waits. */
export type ErrorReviver = (bytes: Uint8Array, callerStack: string) => unknown;

/** An owner that has not answered by then waits for the task that makes the object, or does not run its loop. */
const OWNER_SLOW_MS = 100;
/** How long the node is asked to look out for an object, and how long until it is asked again. */
const FIND_WAIT_MS = 1000;

export class ObjectReader {
  readonly #table: ReferenceTable;
  readonly #large: LargeObjects;
  readonly #owners: OwnerCalls;
  readonly #hooks: RuntimeValueHooks;
  readonly #reviveError: ErrorReviver;
  readonly #clock: Clock;
  readonly #waited: (entry: ObjectEntry, startMs: number, endMs: number) => void;
  readonly #fetching = new Set<ObjectEntry>();

  constructor(
    table: ReferenceTable,
    large: LargeObjects,
    owners: OwnerCalls,
    hooks: RuntimeValueHooks,
    reviveError: ErrorReviver,
    clock: Clock,
    waited: (entry: ObjectEntry, startMs: number, endMs: number) => void = () => {},
  ) {
    this.#table = table;
    this.#large = large;
    this.#owners = owners;
    this.#hooks = hooks;
    this.#reviveError = reviveError;
    this.#clock = clock;
    this.#waited = waited;
  }

  get(entry: ObjectEntry, options?: GetOptions): Promise<unknown> {
    if (options !== undefined) return this.#getSlow([entry], options).then((values) => values[0]);
    if (entry.state === objectState.value) return Promise.resolve(entry.payload);
    if (entry.isSettled && entry.state !== objectState.stored) return this.#readAlone(entry);
    return this.#getSlow([entry], undefined).then((values) => values[0]);
  }

  /** All of them, in order. Rejects as soon as one fails. */
  getAll(entries: readonly ObjectEntry[], options?: GetOptions): Promise<unknown[]> {
    return this.#getSlow(entries, options);
  }

  async #getSlow(entries: readonly ObjectEntry[], options: GetOptions | undefined): Promise<unknown[]> {
    if (options !== undefined) checkWaitOptions("get", options);
    const waits = this.#enterWait(entries);
    const context = currentContext();
    context?.awaited.add(entries);
    // The entries stay alive while somebody waits for them, even if the caller has dropped the refs.
    for (const entry of entries) this.#table.hold(entry);
    try {
      const late = entries.find((entry) => !entry.isSettled);
      const startMs = late === undefined ? 0 : this.#clock.nowMs();
      await this.settled(entries, options);
      if (late !== undefined) this.#waited(late, startMs, this.#clock.nowMs());
      // One that failed ends the wait though others are still open.
      const failed = entries.find((entry) => entry.state >= objectState.error);
      if (failed !== undefined) {
        for (const entry of entries) this.#table.unseen.looked(entry);
        await this.#read(failed);
      }
      const values: unknown[] = new Array(entries.length);
      for (let i = 0; i < entries.length; i++) {
        const value = this.#read(entries[i] as ObjectEntry);
        values[i] = value instanceof Promise ? await value : value;
      }
      const resumed = waits?.waitEnded();
      if (resumed !== undefined) await resumed;
      return values;
    } catch (error) {
      // It was made by a timer, in nobody's code.
      if (RaiaError.is(error, "GET_TIMEOUT")) thrownAtCaller(error);
      const resumed = waits?.waitEnded();
      if (resumed !== undefined) await resumed;
      throw error;
    } finally {
      context?.awaited.delete(entries);
      for (const entry of entries) this.#table.dropHold(entry);
    }
  }

  #enterWait(entries: readonly ObjectEntry[]): WaitScope | undefined {
    const context = currentContext();
    if (context === undefined) return undefined;
    if (context.actor?.isSerial) {
      const own = entries.find(
        (entry) => !entry.isSettled && (entry.task as { actorId?: string } | undefined)?.actorId === context.actor?.actorId,
      );
      if (own !== undefined) throw new RaiaError("ACTOR_SELF_WAIT", { actor: context.actor.name, method: own.site });
    }
    context.waits.waitBegan();
    return context.waits;
  }

  async waitFor(entry: ObjectEntry, change: Promise<void>): Promise<void> {
    const entries = [entry];
    const waits = this.#enterWait(entries);
    const context = currentContext();
    context?.awaited.add(entries);
    try {
      await change;
    } finally {
      context?.awaited.delete(entries);
    }
    const resumed = waits?.waitEnded();
    if (resumed !== undefined) await resumed;
  }

  /** Resolves when every entry is settled, whatever its outcome; rejects early when one has failed. */
  settled(entries: readonly ObjectEntry[], options?: GetOptions): Promise<void> {
    const { timeoutMs, signal } = options ?? {};
    return new Promise<void>((resolve, reject) => {
      let open = 0;
      let timer: Timer | undefined;
      const waiter: Waiter = {
        settled: (entry) => {
          open--;
          if (open === 0 || entry.state >= objectState.error) finish(undefined);
        },
      };
      const finish = (error: unknown): void => {
        timer?.cancel();
        signal?.removeEventListener("abort", aborted);
        if (open > 0) for (const entry of entries) if (!entry.isSettled) entry.removeWaiter(waiter);
        if (error === undefined) resolve();
        else reject(error);
      };
      const aborted = (): void => finish(signal?.reason);
      for (const entry of entries) {
        if (entry.isSettled) {
          if (entry.state >= objectState.error) {
            finish(undefined);
            return;
          }
          continue;
        }
        open++;
        entry.addWaiter(waiter);
        if (entry.owner !== undefined) this.fetch(entry);
      }
      if (open === 0) {
        resolve();
        return;
      }
      if (signal?.aborted) {
        aborted();
        return;
      }
      signal?.addEventListener("abort", aborted, { once: true });
      if (timeoutMs !== undefined) {
        timer = this.#clock.after(timeoutMs, () => {
          const pending = entries.find((entry) => !entry.isSettled) as ObjectEntry;
          finish(
            new RaiaError("GET_TIMEOUT", {
              object: this.#table.idOf(pending),
              from: pending.site || undefined,
              timeoutMs,
              pending: open,
              of: entries.length,
            }),
          );
        });
      }
    });
  }

  /** Resolves once `numReturns` of them are ready, or the time is up. */
  async wait(entries: readonly ObjectEntry[], options: WaitOptions): Promise<void> {
    checkWaitOptions("wait", options);
    let missing = options.numReturns ?? 1;
    for (const entry of entries) if (entry.isSettled) this.#table.unseen.looked(entry);
    for (let i = 0; i < entries.length && missing > 0; i++) if ((entries[i] as ObjectEntry).isSettled) missing--;
    if (missing === 0) return;
    const waits = this.#enterWait([]);
    for (const entry of entries) this.#table.hold(entry);
    try {
      await this.#countSettled(entries, missing, options);
    } finally {
      for (const entry of entries) this.#table.dropHold(entry);
    }
    const resumed = waits?.waitEnded();
    if (resumed !== undefined) await resumed;
  }

  #countSettled(entries: readonly ObjectEntry[], count: number, { timeoutMs, signal }: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      let missing = count;
      const pending = entries.filter((entry) => !entry.isSettled);
      const waiter: Waiter = {
        settled: () => {
          missing--;
          if (missing === 0) finish();
        },
      };
      const finish = (error?: unknown): void => {
        timer?.cancel();
        signal?.removeEventListener("abort", aborted);
        for (const entry of pending) entry.removeWaiter(waiter);
        if (error === undefined) resolve();
        else reject(error);
      };
      const aborted = (): void => finish(signal?.reason ?? new RaiaError("TASK_CANCELLED", {}));
      const timer = timeoutMs === undefined ? undefined : this.#clock.after(timeoutMs, () => finish());
      for (const entry of pending) {
        entry.addWaiter(waiter);
        if (entry.owner !== undefined) this.fetch(entry);
      }
      if (signal?.aborted) aborted();
      else signal?.addEventListener("abort", aborted, { once: true });
    });
  }

  /** Asks the owner of a borrowed object; what comes settles the entry. */
  fetch(entry: ObjectEntry): void {
    if (this.#fetching.has(entry) || entry.isSettled) return;
    this.#fetching.add(entry);
    this.#table.hold(entry);
    this.#clock.after(OWNER_SLOW_MS, () => void this.#findWithoutOwner(entry));
    this.#owners
      .getObject(entry.owner as OwnerAddress, entry.sequence)
      .then(
        (reply) => {
          if (entry.isSettled) return undefined;
          return this.#settleFromReply(entry, reply);
        },
        (error: unknown) => {
          if (entry.isSettled) return undefined;
          const { workerId } = entry.owner as OwnerAddress;
          if (!RaiaError.is(error) || error.code === "CONNECTION_LOST") return this.#table.borrows.ownerDied(workerId);
          return entry.settle(objectState.failure, { code: error.code, facts: error.facts } satisfies Failure);
        },
      )
      .finally(() => {
        this.#fetching.delete(entry);
        this.#table.dropHold(entry);
      });
  }

  /** An owner whose loop stands still is late, and what it stored is not: this node's store knows it by its id. */
  async #findWithoutOwner(entry: ObjectEntry): Promise<void> {
    if (entry.isSettled || !this.#fetching.has(entry)) return;
    const sizeBytes = await this.#large.find(this.#table.idOf(entry), FIND_WAIT_MS);
    if (entry.isSettled) return;
    if (sizeBytes !== undefined) entry.settle(objectState.stored, { nodeId: "", sizeBytes } satisfies StoredAt);
    else this.#clock.after(FIND_WAIT_MS, () => void this.#findWithoutOwner(entry));
  }

  #settleFromReply(entry: ObjectEntry, reply: Infer<typeof ObjectReply>): void {
    switch (reply.status) {
      case "inline":
        entry.settle(objectState.bytes, reply.value);
        break;
      case "stored":
        entry.settle(objectState.stored, { nodeId: reply.nodeId ?? "", sizeBytes: reply.sizeBytes ?? 0 } satisfies StoredAt);
        break;
      case "error":
        entry.settle(objectState.error, reply.value);
        break;
      case "freed":
        entry.settle(objectState.failure, { code: "OBJECT_FREED", facts: { object: this.#table.idOf(entry) } });
        break;
      case "unknown":
        entry.settle(objectState.failure, { code: "UNKNOWN_REF", facts: { object: this.#table.idOf(entry) } });
        break;
    }
  }

  async #readAlone(entry: ObjectEntry): Promise<unknown> {
    // Awaited, so that a stack goes on with who waits for this.
    return await this.#read(entry);
  }

  /**
   * The value of a settled entry: each reader gets its own. At once where nothing must be waited for, so that thousands of
   * small results do not take a promise each.
   */
  #read(entry: ObjectEntry): unknown {
    switch (entry.state) {
      case objectState.value:
        return entry.payload;
      case objectState.bytes:
        return this.#decodeBytes(entry, entry.payload as Uint8Array);
      case objectState.stored:
        return this.#readStored(entry);
      default:
        return this.#throw(entry);
    }
  }

  async #readStored(entry: ObjectEntry): Promise<unknown> {
    const memory = await this.#large.read(this.#table.idOf(entry), entry.payload as StoredAt, currentContext());
    return this.#decode(entry, new Uint8Array(memory.head), () => decodeStored(memory, this.#hooks));
  }

  async #throw(entry: ObjectEntry): Promise<never> {
    this.#table.unseen.looked(entry);
    if (entry.state === objectState.error) throw this.#reviveError(entry.payload as Uint8Array, callerFrames());
    const failure = entry.payload as Failure;
    const cause = failure.errorBytes === undefined ? failure.cause : this.#reviveError(failure.errorBytes, "");
    throw thrownAtCaller(new RaiaError(failure.code, failure.facts, cause === undefined ? undefined : { cause }));
  }

  #decodeBytes(entry: ObjectEntry, bytes: Uint8Array): unknown {
    return this.#decode(entry, bytes, () => decodeValue(bytes, 0, bytes.byteLength, this.#hooks));
  }

  #decode(entry: ObjectEntry, head: Uint8Array, decode: () => unknown): unknown {
    if (!mayHoldRefs(head, 0)) return decode();
    const scope = this.#hooks.beginDecode();
    let value: unknown;
    try {
      value = decode();
    } finally {
      scope.end();
    }
    if (scope.fresh.length === 0) return value;
    // While the container is held the refs in it are safe; its own ref may be dropped before their owners know of us.
    this.#table.hold(entry);
    return this.#table.borrows
      .register(scope.fresh)
      .then(() => value)
      .finally(() => this.#table.dropHold(entry));
  }

  whenStored(entry: ObjectEntry): Promise<void> {
    if (entry.state !== objectState.stored) return Promise.resolve();
    return this.#large.whenStored(this.#table.idOf(entry)) ?? Promise.resolve();
  }
}
