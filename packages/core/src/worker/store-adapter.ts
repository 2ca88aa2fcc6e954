/** The node's store as the runtime uses it: values in, values out, keyed by object id. */
import type { OwnerAddress } from "../messages/common.ts";
import type { Label } from "../store/object-table.ts";
import { Scope, type StoreClient } from "../store/store-client.ts";
import { type EncodedValue, packValue } from "../values/value-codec.ts";
import type { ResultStore } from "./executor.ts";
import type { StoredAt } from "./object-entry.ts";

export class StoreAdapter implements ResultStore {
  readonly #self: OwnerAddress;
  /** Made on first use: mapping shared memory costs time that a small task never needs. */
  readonly #open: () => StoreClient;
  #client: StoreClient | undefined;
  /** Outside of any task: the driver's own code, an actor's life. */
  readonly #processScope = new Scope();
  readonly #scopes = new WeakMap<object, Scope>();
  readonly #waiting = new Map<string, Promise<void>>();

  constructor(self: OwnerAddress, open: () => StoreClient) {
    this.#self = self;
    this.#open = open;
  }

  get #store(): StoreClient {
    this.#client ??= this.#open();
    return this.#client;
  }

  /** Stores an object of our own. Its copy is taken before this returns. */
  put(objectId: string, encoded: EncodedValue, site: string): void {
    void this.putForOwner(objectId, this.#self.workerId, encoded, site);
  }

  putForOwner(objectId: string, ownerId: string, encoded: EncodedValue, site: string): Promise<void> | undefined {
    const label: Label = { ownerId, site };
    const put = this.#store.putSync(objectId, encoded.byteLength, label, (target) => packValue(encoded, target));
    if (put.isStored) return undefined;
    this.#waiting.set(objectId, put.stored);
    const forget = (): void => void this.#waiting.delete(objectId);
    put.stored.then(forget, forget);
    return put.stored;
  }

  async read(objectId: string, _stored: StoredAt, scope: object | undefined): Promise<Uint8Array> {
    return new Uint8Array(await this.#store.get(objectId, this.#scopeOf(scope)));
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

  free(objectId: string): void {
    this.#store.free([objectId]);
  }

  whenStored(objectId: string): Promise<void> | undefined {
    return this.#waiting.get(objectId);
  }
}
