/** Opens what the processes of a node share, its arena and its store, when it is first needed. */
import type { Clock } from "../../base/clock.ts";
import type { Finalizers } from "../../base/finalizers.ts";
import type { ProcessRegistered } from "../../messages/leases.ts";
import type { storeService } from "../../messages/objects.ts";
import type { Arena } from "../../store/arena.ts";
import type { Disk } from "../../store/disk.ts";
import { StoreClient } from "../../store/store-client.ts";
import type { Infer } from "../../wire/schema.ts";
import type { Client } from "../../wire/service.ts";

export interface StoreOpenerDependencies {
  readonly clock: Clock;
  readonly finalizers: Finalizers;
  /** Opens the node's arena; called at the first large object, and at once in a worker. */
  openArena(registered: Infer<typeof ProcessRegistered>): Arena;
  openSpillDisk(directory: string): Disk;
}

/** What this process has of its node, once it is known there. */
export interface NodeStore {
  readonly kind: "driver" | "worker";
  readonly registered: Infer<typeof ProcessRegistered>;
  readonly store: Client<typeof storeService>;
  readonly node: { flush(): void };
}

export class StoreOpener {
  readonly #deps: StoreOpenerDependencies;
  readonly #node: NodeStore;
  #arena: Arena | undefined;

  constructor(deps: StoreOpenerDependencies, node: NodeStore) {
    this.#deps = deps;
    this.#node = node;
  }

  get arena(): Arena {
    this.#arena ??= this.#deps.openArena(this.#node.registered);
    return this.#arena;
  }

  /** Words of shared memory; undefined when none are lent, or this is no process but a thread. */
  words(offset: number, count: number): Int32Array | undefined {
    return count === 0 ? undefined : this.arena.words(offset, count);
  }

  open(): StoreClient {
    return new StoreClient({
      arena: this.arena,
      gateway: this.#gateway(),
      disk: this.#deps.openSpillDisk(this.#node.registered.spillDirectory),
      clock: this.#deps.clock,
      finalizers: this.#deps.finalizers,
    });
  }

  #gateway(): Client<typeof storeService> {
    const { node, kind, store } = this.#node;
    if (kind === "driver") return store;
    return {
      ...store,
      // Ahead of the result that names it, which leaves over another connection.
      sealObject: (request) => {
        store.sealObject(request);
        node.flush();
      },
    };
  }
}
