/**
 * What the store adds to a copy. Prints each figure beside `memcpy` between two warm buffers, measured in turn with it,
 * because absolute figures move between machines and minutes.
 *
 *     node packages/core/src/store/arena.bench.ts
 */
import { tmpdir } from "node:os";
import { realClock } from "../base/clock.ts";
import { realFinalizers } from "../base/finalizers.ts";
import type { StoreGateway } from "../messages/objects.ts";
import { FakeDisk } from "./fake-disk.ts";
import { SharedArena } from "./shared-arena.ts";
import { Scope, StoreClient } from "./store-client.ts";
import { storeHandlers } from "./store-handlers.ts";
import { StoreServer } from "./store-server.ts";

const GIGA = 1e9;
const MiB = 1024 * 1024;
const label = { ownerId: "bench" };

const { client, server, gateway } = startStore(2.5 * 1024 * MiB);
benchPut(800 * MiB, 7);
benchPut(8 * MiB, 200);
benchPut(128 * 1024, 4000);
await benchGet(800 * MiB);
await benchGet(128 * 1024);

function startStore(capacityBytes: number): { client: StoreClient; server: StoreServer; gateway: StoreGateway } {
  const arena = SharedArena.create({ capacityBytes, slot: 1, directory: tmpdir() });
  const disk = new FakeDisk();
  const store = new StoreServer({ arena, disk, clock: realClock }, { spillAboveFraction: 1 });
  const handlers = storeHandlers(
    store,
    () => 2,
    async () => {},
  );
  const direct = {
    ...handlers,
    pinObjects: async (request) => handlers.pinObjects(request, undefined),
    requestSpace: async (request) => handlers.requestSpace(request, undefined),
    adoptFile: async (request) => handlers.adoptFile(request, undefined),
    askUsage: async (request) => handlers.askUsage(request, undefined),
    listStored: async (request) => handlers.listStored(request, undefined),
  } as StoreGateway;
  const finalizers = realFinalizers();
  const mine = SharedArena.open({ path: arena.path, slot: 2 });
  return { client: new StoreClient({ arena: mine, gateway: direct, disk, clock: realClock, finalizers }), server: store, gateway: direct };
}

/** Puts into memory that was used before, in turn with a copy between two buffers. */
function benchPut(bytes: number, rounds: number): void {
  const source = Buffer.alloc(bytes, 1);
  const target = Buffer.alloc(bytes, 2);
  const puts: number[] = [];
  const copies: number[] = [];
  for (let round = 0; round < rounds + 1; round++) {
    const id = `put-${bytes}-${round}`;
    const putMs = measure(() => void client.putSync(id, bytes, label, (into) => into.set(source)));
    server.free([id]);
    const copyMs = measure(() => target.set(source));
    if (round === 0) {
      console.log(`put ${size(bytes)}, first touch: ${rate(bytes, putMs)} GB/s`);
      continue;
    }
    puts.push(putMs);
    copies.push(copyMs);
  }
  const ratio = median(copies) / median(puts);
  console.log(
    `put ${size(bytes)}, recycled: ${rate(bytes, median(puts))} GB/s, memcpy ${rate(bytes, median(copies))} GB/s, ratio ${ratio.toFixed(2)}`,
  );
}

/** The latency of a buffer over an object that is there, in a new scope each time. */
async function benchGet(bytes: number): Promise<void> {
  const id = `get-${bytes}`;
  client.putSync(id, bytes, label, (into) => void into.fill(1));
  const times: number[] = [];
  for (let round = 0; round < 40; round++) {
    const scope = new Scope();
    const startMs = realClock.nowMs();
    await client.get(id, scope);
    times.push(realClock.nowMs() - startMs);
    client.endScope(scope);
  }
  const scope = new Scope();
  await client.get(id, scope);
  const memory = await client.open(id, scope);
  const againMs = measure(() => void memory.range(0, bytes));
  memory.close();
  console.log(
    `get ${size(bytes)}: first ${micro(times[0]!)} us, median of new tasks ${micro(median(times))} us, again in the task ${micro(againMs)} us`,
  );
  gateway.freeObjects({ ids: [id] });
}

function measure(fn: () => void): number {
  const startMs = realClock.nowMs();
  fn();
  return realClock.nowMs() - startMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function rate(bytes: number, ms: number): string {
  return (bytes / GIGA / (ms / 1000)).toFixed(2);
}

function micro(ms: number): string {
  return (ms * 1000).toFixed(1);
}

function size(bytes: number): string {
  return bytes >= MiB ? `${bytes / MiB} MiB` : `${bytes / 1024} KiB`;
}
