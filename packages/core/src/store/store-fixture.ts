/** A store in memory for tests: one server, any number of processes, time and collection that happen when told. */
import { FakeClock } from "../base/fake-clock.ts";
import type { FinalizerKind, Finalizers } from "../base/finalizers.ts";
import type { StoreGateway } from "../messages/objects.ts";
import { BLOCK_BYTES } from "./block-table.ts";
import { FakeArena } from "./fake-arena.ts";
import { FakeDisk } from "./fake-disk.ts";
import type { OverflowLimits } from "./overflow.ts";
import { StoreClient } from "./store-client.ts";
import { storeHandlers } from "./store-handlers.ts";
import { type StoreOptions, StoreServer } from "./store-server.ts";

const NODE_SLOT = 1;
export { BLOCK_BYTES };

/** Collection that happens when told. */
class FakeFinalizers implements Finalizers {
  readonly #watched = new Map<object, (() => void)[]>();

  watch<Held>(kind: FinalizerKind<Held>, target: object, held: Held): void {
    const callbacks = this.#watched.get(target) ?? [];
    callbacks.push(() => kind.dispose(held));
    this.#watched.set(target, callbacks);
  }

  collect(): void {
    for (const target of [...this.#watched.keys()]) this.collectOne(target);
  }

  /** As if the program had dropped `target`. */
  collectOne(target: object): void {
    const callbacks = this.#watched.get(target) ?? [];
    this.#watched.delete(target);
    for (const callback of callbacks) callback();
  }
}

/** The store as process `slot` would have it over a wire. */
export function gatewayTo(server: StoreServer, slot: number): StoreGateway {
  // Handlers answer at once or with a promise; over a wire both are promises.
  const handlers = storeHandlers(
    server,
    () => slot,
    async () => {},
  );
  return {
    sealObject: (request) => handlers.sealObject(request, undefined),
    pinObjects: async (request) => handlers.pinObjects(request, undefined),
    unpinObjects: (request) => handlers.unpinObjects(request, undefined),
    freeObjects: (request) => handlers.freeObjects(request, undefined),
    requestSpace: async (request) => handlers.requestSpace(request, undefined),
    adoptFile: async (request) => handlers.adoptFile(request, undefined),
    abandonObject: (request) => handlers.abandonObject(request, undefined),
    keepOrphans: async (request) => handlers.keepOrphans(request, undefined),
    dropOrphans: (request) => handlers.dropOrphans(request, undefined),
    askUsage: async (request) => handlers.askUsage(request, undefined),
    listStored: async (request) => handlers.listStored(request, undefined),
  };
}

export interface FakeProcess {
  readonly slot: number;
  readonly arena: FakeArena;
  readonly client: StoreClient;
  readonly gateway: StoreGateway;
  readonly finalizers: FakeFinalizers;
}

export class StoreFixture {
  readonly clock = new FakeClock();
  readonly disk = new FakeDisk();
  readonly arena: FakeArena;
  readonly server: StoreServer;

  constructor(blocks: number, options: StoreOptions = {}) {
    this.arena = FakeArena.create(blocks * BLOCK_BYTES, NODE_SLOT);
    this.server = new StoreServer({ arena: this.arena, disk: this.disk, clock: this.clock }, { spillAboveFraction: 1, ...options });
  }

  process(slot: number, limits?: OverflowLimits): FakeProcess {
    const { clock, disk } = this;
    const arena = this.arena.attach(slot);
    const finalizers = new FakeFinalizers();
    const gateway = gatewayTo(this.server, slot);
    const client = new StoreClient({ arena, gateway, disk, clock, finalizers }, limits);
    return { slot, arena, client, gateway, finalizers };
  }

  /** Stores an object of `blocks` blocks, every byte of it `fill`, as process `slot` would. */
  store(id: string, blocks: number, fill = 1, slot = 2): void {
    const bytes = blocks * BLOCK_BYTES;
    const arena = this.arena.attach(slot);
    const offset = arena.allocate(bytes);
    if (offset === undefined) throw new Error(`no room for ${id}`);
    arena.writable(offset, bytes).fill(fill);
    this.server.seal(slot, { id, extent: { offset, bytes }, label: { ownerId: `owner-${slot}`, site: `made at ${id}` } });
  }

  stateOf(id: string): string | undefined {
    return this.server.list(1000).objects.find((object) => object.id === id)?.state;
  }
}

/** Lets everything that is ready to run, run. No timers, no input and output are involved. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}
