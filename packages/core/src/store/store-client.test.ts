import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import type { ApartView } from "./arena.ts";
import { Scope } from "./store-client.ts";
import { BLOCK_BYTES, type FakeProcess, settle, StoreFixture } from "./store-fixture.ts";

const label = { ownerId: "driver", site: "main.ts:3" };

function put({ client }: FakeProcess, id: string, blocks: number, fill = 1): ReturnType<typeof client.putSync> {
  return client.putSync(id, blocks * BLOCK_BYTES, label, (target) => void target.fill(fill));
}

test("store client: what one process puts, another gets, and both are pinned while their buffers live", async () => {
  const store = new StoreFixture(16);
  const [writer, reader] = [store.process(2), store.process(3)];

  assert.equal(put(writer, "a", 2, 7).isStored, true);
  const buffer = await reader.client.get("a", new Scope());

  assert.equal(buffer.byteLength, 2 * BLOCK_BYTES);
  assert.equal(new Uint8Array(buffer)[100], 7);
  assert.equal(store.server.list(1).objects[0]?.pins, 1);
  reader.finalizers.collect();
  store.clock.advance(0);
  assert.equal(store.server.list(1).objects[0]?.pins, 0);
});

test("store client: within a scope the same buffer, without asking the node again", async () => {
  const store = new StoreFixture(16);
  const process = store.process(2);
  put(process, "a", 1);
  const scope = new Scope();

  const first = await process.client.get("a", scope);

  assert.equal(await process.client.get("a", scope), first);
  assert.equal(store.server.list(1).objects[0]?.pins, 1);
});

test("store client: a fill that throws leaves no blocks behind", () => {
  const store = new StoreFixture(16);
  const { client } = store.process(2);
  const failing = (): never => {
    throw new TypeError("no");
  };

  assert.throws(() => client.putSync("a", 10, label, failing), TypeError);
  assert.equal(store.arena.blocks.usage().indexOf(1), -1);
});

test("store client: pages are dropped before a later scope reads, and before the unpin", async () => {
  const store = new StoreFixture(16);
  const process = store.process(2);
  const log: string[] = [];
  spyOn(process, log);
  put(process, "a", 2);
  const [task, next] = [new Scope(), new Scope()];
  await process.client.get("a", task);
  process.client.endScope(task);

  await process.client.get("a", next);
  assert.deepEqual(log.splice(0), ["head", "readable", "head", "drop", "readable"], "what the task wrote is forgotten");

  process.finalizers.collect();
  store.clock.advance(0);
  assert.deepEqual(log, ["drop", "unpin"], "after the unpin the blocks may hold something else");
});

test("store client: two tasks at the same time have mappings of their own, closed when collected", async () => {
  const store = new StoreFixture(16);
  const process = store.process(2);
  const log: string[] = [];
  spyOn(process, log);
  put(process, "a", 2);
  const [one, two] = [new Scope(), new Scope()];

  const first = await process.client.get("a", one);
  const second = await process.client.get("a", two);

  assert.notEqual(first, second);
  assert.deepEqual(log.splice(0), ["head", "readable", "head", "apart"]);
  process.finalizers.collectOne(second);
  assert.deepEqual(log, ["close"], "the first buffer still holds the pin");
  assert.equal(process.client.heldCount, 1);
});

/** Notes the calls that concern mappings; the objects are of two blocks, the first of which is what a reader looks at. */
function spyOn({ arena, gateway }: FakeProcess, log: string[]): void {
  const readable = arena.readable.bind(arena);
  const readableApart = arena.readableApart.bind(arena);
  arena.readable = (offset, bytes): ArrayBuffer => {
    log.push(bytes === BLOCK_BYTES ? "head" : "readable");
    return readable(offset, bytes);
  };
  arena.readableApart = (...range): ApartView => {
    log.push("apart");
    return { buffer: readableApart(...range).buffer, close: () => void log.push("close") };
  };
  arena.dropPrivate = () => void log.push("drop");
  const { unpinObjects } = gateway;
  const logged: typeof unpinObjects = (request) => {
    log.push("unpin");
    unpinObjects(request);
  };
  Object.assign(gateway, { unpinObjects: logged });
}

test("store client: gets that overlap count their pins, and all are given back", async () => {
  const store = new StoreFixture(16);
  const [writer, reader] = [store.process(2), store.process(3)];
  const scope = new Scope();
  const gets = [reader.client.get("a", scope), reader.client.get("a", scope)];
  put(writer, "a", 1);

  const [first, second] = await Promise.all(gets);

  assert.equal(first, second);
  assert.equal(store.server.list(1).objects[0]?.pins, 2);
  reader.finalizers.collect();
  store.clock.advance(0);
  assert.equal(store.server.list(1).objects[0]?.pins, 0);
});

test("store client: an aborted get rejects at once, and a pin that arrives late is given back", async () => {
  const store = new StoreFixture(16);
  const [writer, reader] = [store.process(2), store.process(3)];
  const controller = new AbortController();
  const getting = reader.client.get("a", new Scope(), { signal: controller.signal });
  controller.abort();
  await assert.rejects(getting, (error) => RaiaError.is(error, "TASK_CANCELLED"));

  put(writer, "a", 1);
  await settle();
  store.clock.advance(0);

  assert.equal(store.server.list(1).objects[0]?.pins, 0);
});

test("store client: past a full arena the heap takes it; it can be read at once, and moves when there is room", async () => {
  const store = new StoreFixture(16);
  const process = store.process(2, { maxHeapBytes: 8 * BLOCK_BYTES, maxDiskBytes: 0 });
  put(process, "a", 16);
  const scope = new Scope();
  await process.client.get("a", scope);

  const { isStored, stored } = put(process, "b", 8, 9);

  assert.equal(isStored, false);
  assert.equal(process.client.overflow.heapBytes, 8 * BLOCK_BYTES);
  const copy = await process.client.get("b", scope);
  assert.deepEqual([copy.byteLength, new Uint8Array(copy)[5]], [8 * BLOCK_BYTES, 9]);
  new Uint8Array(copy).fill(0);
  process.finalizers.collect();
  store.clock.advance(0);
  await stored;
  assert.deepEqual([store.stateOf("a"), store.stateOf("b"), process.client.overflow.heapBytes], ["spilled", "sealed", 0]);
  assert.equal(new Uint8Array(await store.process(3).client.get("b", new Scope()))[5], 9, "the copy was the reader's own");
});

test("store client: past the heap the disk takes it, as an object that is spilled already", async () => {
  const store = new StoreFixture(16);
  const process = store.process(2, { maxHeapBytes: 0, maxDiskBytes: 8 * BLOCK_BYTES });
  put(process, "a", 16);
  await process.client.get("a", new Scope());

  const { stored } = put(process, "b", 8, 9);
  await stored;

  assert.equal(store.stateOf("b"), "spilled");
  assert.equal(process.client.overflow.diskBytes, 0);
  process.finalizers.collect();
  store.clock.advance(0);
  const buffer = await store.process(3).client.get("b", new Scope());
  assert.deepEqual([buffer.byteLength, new Uint8Array(buffer).at(-1)], [8 * BLOCK_BYTES, 9]);
});

test("store client: past every bound put throws, with the budget and the top owners", async () => {
  const store = new StoreFixture(16);
  const process = store.process(2, { maxHeapBytes: 4 * BLOCK_BYTES, maxDiskBytes: 0 });
  put(process, "a", 16);
  await process.client.get("a", new Scope());
  put(process, "b", 4);
  await settle();

  assert.throws(
    () => put(process, "c", 4),
    (error) => {
      assert.ok(RaiaError.is(error, "STORE_FULL"));
      assert.equal(error.facts.overflowHeapBytes, 4 * BLOCK_BYTES);
      assert.equal(error.facts.pinnedBytes, 16 * BLOCK_BYTES);
      assert.match(error.message, /topOwners=\[\{"ownerId":"driver","bytes":1048576,"objects":1\}\]/);
      return true;
    },
  );
});

test("C-14 store client: a full disk under the overflow is OUT_OF_DISK for the put, and no file is left", async () => {
  const store = new StoreFixture(16);
  const process = store.process(2, { maxHeapBytes: 0, maxDiskBytes: 1e9 });
  put(process, "a", 16);
  await process.client.get("a", new Scope());
  store.disk.capacityBytes = BLOCK_BYTES;

  assert.throws(
    () => put(process, "b", 8),
    (error) => RaiaError.is(error, "OUT_OF_DISK"),
  );
  assert.equal(store.disk.files.size, 0);
  assert.equal(process.client.overflow.diskBytes, 0);
});

test("store client: when no room comes in time, stored rejects and readers learn why", async () => {
  const store = new StoreFixture(16, { spaceTimeoutMs: 1000 });
  const process = store.process(2);
  put(process, "a", 16);
  await process.client.get("a", new Scope());
  const { stored } = put(process, "b", 8);
  const reader = store.process(3).client.get("b", new Scope());
  await settle();
  store.clock.advance(1000);

  await assert.rejects(stored, (error) => RaiaError.is(error, "STORE_FULL"));
  await assert.rejects(reader, (error) => RaiaError.is(error, "STORE_FULL") && error.facts.pinnedBytes === 16 * BLOCK_BYTES);
  assert.equal(process.client.overflow.heapBytes, 0);
});

test("store client: freed while it waits in the overflow, it takes no room", async () => {
  const store = new StoreFixture(16);
  const process = store.process(2);
  put(process, "a", 16);
  await process.client.get("a", new Scope());
  const { stored } = put(process, "b", 8);
  process.client.free(["b"]);
  await assert.rejects(stored, (error) => RaiaError.is(error, "OBJECT_FREED"));

  process.client.free(["a"]);
  process.finalizers.collect();
  store.clock.advance(0);
  await settle();

  assert.equal(store.arena.blocks.usage().indexOf(1), -1);
  assert.equal(store.server.list(10).total, 0);
});

test("store client: what a dead process left in files is removed", async () => {
  const store = new StoreFixture(16);
  store.disk.files.set("overflow-2-0", new Uint8Array(10));
  store.disk.files.set("overflow-21-0", new Uint8Array(10));

  store.server.processDied(2);
  await settle();

  assert.deepEqual([...store.disk.files.keys()], ["overflow-21-0"]);
});

test("store client: the same object put twice while there is no room is kept once, and both puts are told", async () => {
  const store = new StoreFixture(16);
  const process = store.process(2);
  put(process, "a", 16);
  await process.client.get("a", new Scope());
  const first = put(process, "b", 8, 5);
  const second = put(process, "b", 8, 5);
  assert.equal(process.client.overflow.heapBytes, 8 * BLOCK_BYTES);

  process.finalizers.collect();
  store.clock.advance(0);
  await Promise.all([first.stored, second.stored]);

  assert.equal(process.client.overflow.heapBytes, 0);
  assert.equal(store.server.usage().usedBytes, 8 * BLOCK_BYTES);
});
