/** The store over mapped memory, with the real collector: what a task may see, and what keeps an object in place. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { realClock } from "../../src/base/clock.ts";
import { realFinalizers } from "../../src/base/finalizers.ts";
import { DirectoryDisk } from "../../src/store/disk.ts";
import { SharedArena } from "../../src/store/shared-arena.ts";
import { Scope, StoreClient } from "../../src/store/store-client.ts";
import { gatewayTo } from "../../src/store/store-fixture.ts";
import { StoreServer } from "../../src/store/store-server.ts";

const MiB = 1024 * 1024;
const label = { ownerId: "driver" };
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const directory = mkdtempSync(join(tmpdir(), "raia-store-test-"));
after(() => rmSync(directory, { recursive: true }));

interface Node {
  readonly arena: SharedArena;
  readonly server: StoreServer;
  readonly client: StoreClient;
}

/** A node and one process of it; both in this process, each with its own mappings, as they would be apart. */
function startNode(capacityBytes: number): Node {
  const arena = SharedArena.create({ capacityBytes, slot: 1, directory });
  const disk = new DirectoryDisk(directory);
  const server = new StoreServer({ arena, disk, clock: realClock });
  const gateway = gatewayTo(server, 2);
  const mine = SharedArena.open({ path: arena.path, slot: 2 });
  return { arena, server, client: new StoreClient({ arena: mine, gateway, disk, clock: realClock, finalizers: realFinalizers() }) };
}

function putNumbers(client: StoreClient, id: string, count: number): void {
  client.putSync(id, count * 8, label, (target) => {
    const numbers = new Float64Array(target.buffer, target.byteOffset, count);
    for (let index = 0; index < count; index++) numbers[index] = count - index;
  });
}

/** Collects until `isDone`, or gives up; finalizers run in a later turn than the collection. */
async function collectUntil(isDone: () => boolean, turns = 50): Promise<boolean> {
  for (let turn = 0; turn < turns && !isDone(); turn++) {
    collect();
    await setImmediate();
  }
  return isDone();
}

for (const [size, count] of [
  ["small", 20_000],
  ["large", 1_000_000],
] as const) {
  test(`store: sort a ${size} object in place, then read it in the next task of the same process`, async () => {
    const { client, arena } = startNode(64 * MiB);
    putNumbers(client, "numbers", count);
    const task = new Scope();
    const sorted = new Float64Array(await client.get("numbers", task)).sort();
    assert.deepEqual([sorted[0], new Float64Array(await client.get("numbers", task))[0]], [1, 1], "the task sees its own writes");

    const neighbour = new Float64Array(await client.get("numbers", new Scope()));
    assert.deepEqual([neighbour[0], sorted[0]], [count, 1], "a task at the same time does not, and does not disturb it");
    client.endScope(task);
    const next = new Float64Array(await client.get("numbers", new Scope()));

    assert.deepEqual([next[0], next.at(-1)], [count, 1]);
    arena.close();
  });
}

test("store: any view of the buffer keeps the object; when the last is gone its blocks are used again, and read clean", async () => {
  const { client, arena, server } = startNode(16 * MiB);
  putNumbers(client, "old", 1_000_000);
  const scope = new Scope();
  let part: Float64Array | undefined = new Float64Array(await client.get("old", scope), 80, 5).fill(-1).subarray(1);
  server.free(["old"]);
  await collectUntil(() => false, 3);
  assert.equal(server.usage().pinnedBytes, 8_000_000, "the subarray holds it");
  assert.equal(part[0], -1);

  part = undefined;
  assert.ok(await collectUntil(() => server.usage().pinnedBytes === 0), "nothing holds it");
  putNumbers(client, "new", 1_000_000);

  const fresh = new Float64Array(await client.get("new", new Scope()));
  assert.equal(fresh[10], 1_000_000 - 10, "not the -1 that was written over the old object");
  arena.close();
});

test("store: more objects than fit go to disk and come back whole", async () => {
  const { client, arena, server } = startNode(16 * MiB);
  const ids = Array.from({ length: 12 }, (_unused, index) => `object-${index}`);
  for (const [index, id] of ids.entries()) {
    await client.putSync(id, 3 * MiB, label, (target) => void target.fill(index)).stored;
  }
  assert.ok(server.usage().spilledBytes >= 20 * MiB);

  for (const [index, id] of ids.entries()) {
    assert.ok(await holdsOnly(client, id, index));
    server.free([id]);
    await collectUntil(() => server.usage().pinnedBytes === 0);
  }
  assert.equal(server.list(1).total, 0);
  assert.equal(server.usage().usedBytes + server.usage().spilledBytes, 0);
  arena.close();
});

/** In a function of its own, so that no variable of the caller keeps the buffer. */
async function holdsOnly(client: StoreClient, id: string, fill: number): Promise<boolean> {
  return new Uint8Array(await client.get(id, new Scope())).every((byte) => byte === fill);
}
