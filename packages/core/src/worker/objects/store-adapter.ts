/** The node's store as the runtime uses it: values in, values out, keyed by object id. */
import type { Clock } from "../../base/clock.ts";
import type { Finalizers } from "../../base/finalizers.ts";
import type { OwnerAddress } from "../../messages/common.ts";
import type { Fill } from "../../store/overflow.ts";
import type { Label } from "../../store/object-table.ts";
import { type ObjectMemory, Scope, type StoreClient } from "../../store/store-client.ts";
import { type EncodedValue, packValue } from "../../values/value-codec.ts";
import { ViewCollector } from "./view-collector.ts";
import type { StoredAt } from "./object-entry.ts";
import type { LargeObjects } from "./object-reader.ts";

/** A young collection takes half a millisecond. */
const LOOK_EVERY_MS = 50;

export class StoreAdapter implements LargeObjects {
  readonly #self: OwnerAddress;
  /** Made on first use: mapping shared memory costs time that a small task never needs. */
  readonly #open: () => StoreClient;
  #client: StoreClient | undefined;
  /** Outside of any task: the driver's own code, an actor's life. */
  readonly #processScope = new Scope();
  readonly #scopes = new WeakMap<object, Scope>();
  readonly #waiting = new Map<string, Promise<void>>();

  readonly #clock: Clock;
  readonly #finalizers: Finalizers;
  readonly #views: ViewCollector;
  #pending = 0;
  #isLooking = false;

  constructor(self: OwnerAddress, open: () => StoreClient, clock: Clock, finalizers: Finalizers) {
    this.#self = self;
    this.#open = open;
    this.#clock = clock;
    this.#finalizers = finalizers;
    this.#views = new ViewCollector(finalizers, clock, () => (this.#client?.heldCount ?? 0) > 0);
  }

  get #store(): StoreClient {
    this.#client ??= this.#open();
    return this.#client;
  }

  /**
   * Stores an object of our own. Its copy is taken before this returns.
   *
   * @param nested our own objects that it refers to
   */
  put(objectId: string, encoded: EncodedValue, site: string, nested: readonly string[]): void {
    void this.#put(objectId, encoded.byteLength, this.#ownLabel(site, nested), (target) => packValue(encoded, target));
  }

  putForOwner(objectId: string, ownerId: string, encoded: EncodedValue, site: string): Promise<void> | undefined {
    return this.#put(objectId, encoded.byteLength, { ownerId, site }, (target) => packValue(encoded, target));
  }

  /** Stores one of our own objects that is encoded already. Returns as `putForOwner` does. */
  putBytes(objectId: string, bytes: Uint8Array, site: string, nested: readonly string[]): Promise<void> | undefined {
    return this.#put(objectId, bytes.byteLength, this.#ownLabel(site, nested), (target) => target.set(bytes));
  }

  #ownLabel(site: string, nested: readonly string[]): Label {
    return { ownerId: this.#self.workerId, site, ...(nested.length > 0 && { nested }) };
  }

  #put(objectId: string, byteLength: number, label: Label, fill: Fill): Promise<void> | undefined {
    const put = this.#store.putSync(objectId, byteLength, label, fill);
    if (put.isStored) return undefined;
    this.#waiting.set(objectId, put.stored);
    const forget = (): void => void this.#waiting.delete(objectId);
    put.stored.then(forget, forget);
    this.#lookForGarbage(put.stored);
    return put.stored;
  }

  async read(objectId: string, _stored: StoredAt, scope: object | undefined): Promise<ObjectMemory> {
    const reading = this.#store.open(objectId, this.#scopeOf(scope));
    this.#lookForGarbage(reading);
    this.#views.viewMade();
    return reading;
  }

  /** The node is short of memory. */
  roomWanted(): void {
    this.#views.roomWanted();
  }

  /** What the store waits for may be room that views hold which nobody can reach any more: they are looked for meanwhile. */
  #lookForGarbage(waiting: Promise<unknown>): void {
    this.#pending++;
    const ended = (): void => void this.#pending--;
    waiting.then(ended, ended);
    if (this.#isLooking) return;
    this.#isLooking = true;
    const look = (): void => {
      if (this.#pending === 0) {
        this.#isLooking = false;
        return;
      }
      this.#finalizers.collect();
      this.#clock.after(LOOK_EVERY_MS, look);
    };
    this.#clock.after(LOOK_EVERY_MS, look);
  }

  #scopeOf(task: object | undefined): Scope {
    if (task === undefined) return this.#processScope;
    let scope = this.#scopes.get(task);
    if (scope === undefined) {
      scope = new Scope();
      this.#scopes.set(task, scope);
    }
    return scope;
  }

  /** The task is over: what it wrote into its views is forgotten. */
  endScope(task: object): void {
    const scope = this.#scopes.get(task);
    if (scope !== undefined) this.#client?.endScope(scope);
  }

  async find(objectId: string, timeoutMs: number): Promise<number | undefined> {
    try {
      const memory = await this.#store.open(objectId, this.#processScope, { timeoutMs });
      memory.close();
      return memory.byteLength;
    } catch {
      // It is not here, or not yet: its owner may still answer.
      return undefined;
    }
  }

  free(objectId: string): void {
    this.#store.free([objectId]);
  }

  whenStored(objectId: string): Promise<void> | undefined {
    return this.#waiting.get(objectId);
  }
}
