import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RaiaError } from "../base/errors.ts";
import { objectIdOf } from "../base/ids.ts";
import { SPILL_HEADER_BYTES } from "./spill-file.ts";
import { BLOCK_BYTES, settle, StoreFixture } from "./store-fixture.ts";

function hasCode(code: string, facts: Record<string, unknown> = {}): (error: unknown) => boolean {
  return (error) => {
    assert.ok(RaiaError.is(error), String(error));
    assert.equal(error.code, code);
    for (const [name, value] of Object.entries(facts)) assert.deepEqual(error.facts[name], value, name);
    return true;
  };
}

test("store: a reader waits for an object that is not finished, and gets its place", async () => {
  const store = new StoreFixture(16);
  const pinning = store.server.pin(3, ["late"]);
  await settle();

  store.store("late", 2);

  assert.deepEqual(await pinning, [{ offset: store.arena.blocksOffset, bytes: 2 * BLOCK_BYTES }]);
  assert.equal(store.server.list(10).objects[0]?.pins, 1);
});

test("store: a process cannot seal what it does not hold", () => {
  const store = new StoreFixture(16);
  store.store("mine", 1);
  const label = { ownerId: "o" };

  const sealed = { offset: store.arena.blocksOffset, bytes: BLOCK_BYTES };
  assert.throws(() => store.server.seal(3, { id: "x", extent: sealed, label }), hasCode("PROTOCOL"));
  const outside = { offset: store.arena.blocksOffset + 15 * BLOCK_BYTES, bytes: 2 * BLOCK_BYTES };
  assert.throws(() => store.server.seal(3, { id: "x", extent: outside, label }), hasCode("PROTOCOL"));
  const misplaced = { offset: store.arena.blocksOffset + 100, bytes: 10 };
  assert.throws(() => store.server.seal(3, { id: "x", extent: misplaced, label }), hasCode("PROTOCOL"));
  assert.throws(() => store.server.seal(3, { id: "x", extent: { offset: -BLOCK_BYTES, bytes: 10 }, label }), hasCode("PROTOCOL"));
});

test("store: waiting ends with the time limit, with a signal, and with the process; and leaves no trace", async () => {
  const store = new StoreFixture(16);
  const timed = store.server.pin(3, ["never"], { timeoutMs: 50 });
  const controller = new AbortController();
  const aborted = store.server.pin(3, ["never"], { signal: controller.signal });
  const shot = store.server.pin(4, ["never"]);
  await settle();

  store.clock.advance(50);
  controller.abort();
  store.server.processDied(4);

  await assert.rejects(timed, hasCode("GET_TIMEOUT", { object: "never" }));
  await assert.rejects(aborted, hasCode("TASK_CANCELLED"));
  await assert.rejects(shot, hasCode("CONNECTION_LOST"));
  assert.equal(store.server.list(10).total, 0);
});

test("store: pinning several is all or none", async () => {
  const store = new StoreFixture(16);
  store.store("here", 1);
  const pinning = store.server.pin(3, ["here", "never"], { timeoutMs: 10 });
  await settle();
  store.clock.advance(10);

  await assert.rejects(pinning, hasCode("GET_TIMEOUT"));
  assert.equal(store.server.list(10).objects[0]?.pins, 0);
});

test("store: freed while somebody reads, the bytes stay until he is done and nobody new gets them", async () => {
  const store = new StoreFixture(16);
  store.store("a", 16);
  await store.server.pin(3, ["a"]);

  store.server.free(["a"]);

  assert.equal(store.arena.allocate(1), undefined);
  await assert.rejects(store.server.pin(4, ["a"]), hasCode("OBJECT_FREED"));
  store.server.unpin(3, ["a"]);
  assert.notEqual(store.arena.allocate(1), undefined);
});

test("store: a free that overtakes the seal of another process is remembered", async () => {
  const store = new StoreFixture(16);
  store.server.free(["a"]);

  store.store("a", 16);

  assert.equal(store.server.list(10).total, 0);
  assert.equal(store.arena.blocks.usage().indexOf(1), -1, "its blocks are free");
  await assert.rejects(store.server.pin(3, ["a"]), hasCode("OBJECT_FREED"));
});

test("store: a dead process's pins and unsealed blocks are gone, and what it sealed stays", async () => {
  const store = new StoreFixture(16);
  store.store("kept", 1, 7, 2);
  await store.server.pin(2, ["kept", "kept"]);
  store.arena.attach(2).allocate(10 * BLOCK_BYTES);

  store.server.processDied(2);

  assert.equal(store.server.list(10).objects[0]?.pins, 0);
  assert.equal(
    store.arena.blocks.usage().reduce((sum, one) => sum + one, 0),
    1,
  );
  store.server.unpin(2, ["kept"]);
  store.server.check();
});

test("store: above the mark the oldest unread objects go to disk, and come back as they were", async () => {
  const store = new StoreFixture(16, { spillAboveFraction: 0.5 });
  store.store("old", 4, 41);
  store.store("read", 4, 42);
  await store.server.pin(9, ["read"]);
  store.store("new", 4, 43);
  await settle();

  assert.deepEqual([store.stateOf("old"), store.stateOf("read"), store.stateOf("new")], ["spilled", "sealed", "sealed"]);
  const [extent] = await store.server.pin(3, ["old"]);
  assert.deepEqual(new Set(store.arena.writable(extent!.offset, extent!.bytes)), new Set([41]));
  await settle();
  assert.equal(store.disk.files.size, 1, "its file went, and what it pushed out has one");
  store.server.check();
});

test("store: room is made where it is cheapest, and given to who asked", async () => {
  const store = new StoreFixture(16);
  for (const id of ["a", "b", "c", "d"]) store.store(id, 4);
  await store.server.pin(3, ["b"]);

  const offset = await store.server.requestSpace(5, 6 * BLOCK_BYTES);

  assert.deepEqual([store.stateOf("a"), store.stateOf("c"), store.stateOf("d")], ["sealed", "spilled", "spilled"]);
  assert.deepEqual(store.arena.blocks.holder((offset - store.arena.blocksOffset) / BLOCK_BYTES), { slot: 5, isSealed: false });
});

test("store: when readers hold everything, room is waited for; a reader who leaves ends the wait, and so does time", async () => {
  const store = new StoreFixture(16, { spaceTimeoutMs: 1000 });
  store.store("a", 16);
  await store.server.pin(3, ["a"]);
  const served = store.server.requestSpace(5, 10 * BLOCK_BYTES);
  await settle();
  store.server.unpin(3, ["a"]);
  await served;

  const refused = store.server.requestSpace(6, 10 * BLOCK_BYTES);
  await settle();
  store.clock.advance(1000);

  await assert.rejects(refused, hasCode("STORE_FULL", { requestedBytes: 10 * BLOCK_BYTES, capacityBytes: 16 * BLOCK_BYTES }));
});

test("store: blocks that a process gives up in silence are found by those who wait", async () => {
  const store = new StoreFixture(16);
  const other = store.arena.attach(2);
  const offset = other.allocate(16 * BLOCK_BYTES)!;
  const served = store.server.requestSpace(5, BLOCK_BYTES);
  await settle();
  other.release(offset, 16 * BLOCK_BYTES);
  store.clock.advance(250);

  assert.equal(await served, offset);
});

test("store: more than the whole arena is refused at once", async () => {
  const store = new StoreFixture(16);
  await assert.rejects(
    store.server.requestSpace(5, 17 * BLOCK_BYTES),
    hasCode("STORE_FULL", {
      reason: "the object itself is larger than the whole store (objectStoreMemory)",
      requestedBytes: 17 * BLOCK_BYTES,
      capacityBytes: 16 * BLOCK_BYTES,
    }),
  );
});

test("store: the budget on disk is kept, and the error says whose objects fill it", async () => {
  const store = new StoreFixture(16, { maxSpillBytes: 4 * BLOCK_BYTES, spaceTimeoutMs: 1000 });
  for (const [index, id] of ["a", "b", "c", "d"].entries()) store.store(id, 4, 1, 2 + (index % 2));
  await store.server.requestSpace(5, 4 * BLOCK_BYTES);
  const refused = store.server.requestSpace(5, 4 * BLOCK_BYTES);
  await settle();
  store.clock.advance(1000);

  await assert.rejects(refused, (error) => {
    hasCode("STORE_FULL", { spilledBytes: 4 * BLOCK_BYTES, maxSpillBytes: 4 * BLOCK_BYTES })(error);
    const owners = (error as RaiaError).facts.topOwners as readonly { ownerId: string; bytes: number }[];
    assert.deepEqual(
      owners.map(({ ownerId, bytes }) => [ownerId, bytes / BLOCK_BYTES]),
      [
        ["owner-2", 8],
        ["owner-3", 8],
      ],
    );
    return true;
  });
});

test("C-14 store: a full disk gives OUT_OF_DISK with the top owners, nothing is lost, and it goes on when there is room", async () => {
  const store = new StoreFixture(16, { diskTimeoutMs: 1000 });
  store.store("a", 8, 51);
  store.store("b", 8, 52);
  store.disk.capacityBytes = 3 * BLOCK_BYTES;
  const refused = store.server.requestSpace(5, 4 * BLOCK_BYTES);
  await settle();
  store.clock.advance(1000);

  await assert.rejects(refused, hasCode("OUT_OF_DISK", { errno: "ENOSPC", diskIsFull: true }));
  assert.deepEqual([store.stateOf("a"), store.stateOf("b"), store.disk.files.size], ["sealed", "sealed", 0]);

  store.disk.capacityBytes = Number.POSITIVE_INFINITY;
  const served = store.server.requestSpace(5, 4 * BLOCK_BYTES);
  store.clock.advance(500);
  await served;
  const [extent] = await store.server.pin(3, ["b"]);
  assert.equal(store.arena.writable(extent!.offset, 1)[0], 52);
});

test("C-14 store: who asks while the disk has long been full is told after one more try, not after the whole time again", async () => {
  const store = new StoreFixture(16, { diskTimeoutMs: 10_000 });
  store.store("a", 8);
  store.store("b", 8);
  store.disk.capacityBytes = 3 * BLOCK_BYTES;
  const first = store.server.requestSpace(5, 4 * BLOCK_BYTES);
  let isRefused = false;
  const second = store.server.requestSpace(6, 4 * BLOCK_BYTES);
  await settle();
  for (let tries = 0; tries < 20; tries++) {
    store.clock.advance(500);
    await settle();
  }
  await assert.rejects(first, hasCode("OUT_OF_DISK"));
  await assert.rejects(second, hasCode("OUT_OF_DISK"));

  const third = store.server.requestSpace(7, 4 * BLOCK_BYTES);
  third.catch(() => (isRefused = true));
  await settle();
  assert.equal(isRefused, false, "the disk may have room by now: it is tried first");
  store.clock.advance(500);
  await assert.rejects(third, hasCode("OUT_OF_DISK"));
});

test("store: a full disk and nothing left to write to it: the store waits instead of looking again and again", async () => {
  const store = new StoreFixture(16, { diskTimeoutMs: 10_000 });
  store.store("a", 16);
  store.disk.capacityBytes = 0;
  const waiting = store.server.requestSpace(5, 4 * BLOCK_BYTES);
  await settle();
  await store.server.pin(3, ["a"]);
  const allocateFor = store.arena.allocateFor.bind(store.arena);
  let looks = 0;
  store.arena.allocateFor = (slot, bytes) => {
    if (++looks > 100) throw new Error("it looks without end");
    return allocateFor(slot, bytes);
  };
  store.clock.advance(2000);
  assert.ok(looks < 20, `${looks} looks in 2 s`);
  store.server.free(["a"]);
  store.server.unpin(3, ["a"]);
  await waiting;
});

test("C-16 store: a disk that cannot be read gives OBJECT_LOST to every reader, and the rest goes on", async () => {
  const store = new StoreFixture(16);
  store.store("a", 8);
  await store.server.requestSpace(5, 16 * BLOCK_BYTES);
  store.server.processDied(5);
  store.disk.failReadsWith = "EIO";
  const readers = [store.server.pin(3, ["a"]), store.server.pin(4, ["a"])];

  for (const reader of readers) await assert.rejects(reader, hasCode("OBJECT_LOST", { object: "a", errno: "EIO" }));
  await assert.rejects(store.server.pin(6, ["a"]), hasCode("OBJECT_LOST"));
  assert.equal(store.arena.blocks.usage().indexOf(1), -1, "the blocks it was to come back to are free");
  store.store("a", 8, 9);
  await store.server.pin(6, ["a"]);
});

for (const [what, at] of [
  ["the header", 3],
  ["the id", 40],
  ["the bytes", SPILL_HEADER_BYTES + 70_000],
] as const) {
  test(`store: a flipped bit in ${what} of a spilled object is found, never returned`, async () => {
    const store = new StoreFixture(16);
    store.store("a", 8);
    await store.server.requestSpace(5, 16 * BLOCK_BYTES);
    store.server.processDied(5);
    const [content] = store.disk.files.values();
    content![at]! ^= 4;

    await assert.rejects(store.server.pin(3, ["a"]), hasCode("OBJECT_CORRUPT"));
  });
}

test("store: a spilled file that was cut short is found", async () => {
  const store = new StoreFixture(16);
  store.store("a", 8);
  await store.server.requestSpace(5, 16 * BLOCK_BYTES);
  store.server.processDied(5);
  const [[name, content]] = [...store.disk.files] as [[string, Uint8Array]];
  store.disk.files.set(name, content.subarray(0, -1));

  await assert.rejects(store.server.pin(3, ["a"]), hasCode("OBJECT_CORRUPT"));
});

test("store: a reader, and a free, while the object is being written to disk", async () => {
  const store = new StoreFixture(32);
  store.store("read", 16, 5);
  store.store("freed", 16);
  const release = store.disk.hold();
  const served = store.server.requestSpace(5, 32 * BLOCK_BYTES);
  await settle();
  assert.equal(store.stateOf("read"), "spilling");
  const pinned = store.server.pin(3, ["read"]);
  store.server.free(["freed"]);
  release();
  await settle();

  const [extent] = await pinned;
  assert.equal(store.stateOf("read"), "sealed");
  assert.equal(store.arena.writable(extent!.offset, 1)[0], 5);
  store.server.unpin(3, ["read"]);
  await served;
  assert.deepEqual([...store.disk.files.keys()].length, 1);
});

test("store: freed while it is being read back, nothing of it stays", async () => {
  const store = new StoreFixture(16);
  store.store("a", 8);
  await store.server.requestSpace(5, 16 * BLOCK_BYTES);
  store.server.processDied(5);
  const release = store.disk.hold();
  const pinning = store.server.pin(3, ["a"]);
  await settle();
  assert.equal(store.stateOf("a"), "restoring");

  store.server.free(["a"]);
  release();

  await assert.rejects(pinning, hasCode("OBJECT_FREED"));
  await settle();
  assert.equal(store.disk.files.size, 0);
  assert.equal(store.arena.blocks.usage().indexOf(1), -1);
});

test("store: when an owner dies, what it owned goes, and who waits for what it had not finished is told", async () => {
  const store = new StoreFixture(16);
  const [owner, other] = ["a".repeat(56), "b".repeat(56)];
  store.store(objectIdOf(owner, 1), 2, 1, 2);
  store.store(objectIdOf(other, 1), 2, 1, 3);
  const pinning = store.server.pin(3, [objectIdOf(owner, 2)]);
  await settle();

  store.server.ownerDied(owner);

  await assert.rejects(pinning, hasCode("OWNER_DIED"));
  assert.deepEqual(
    store.server.list(10).objects.map(({ id }) => id),
    [objectIdOf(other, 1)],
  );
});

test("store: any order of everything keeps the books right, and in the end nothing is left", async () => {
  const command = fc.record({
    action: fc.constantFrom("store", "store", "pin", "unpin", "free", "space", "crash", "full", "settle"),
    slot: fc.integer({ min: 2, max: 4 }),
    id: fc.integer({ min: 0, max: 11 }),
    blocks: fc.integer({ min: 1, max: 9 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 80 }), async (commands) => {
      const store = new StoreFixture(32, { spillAboveFraction: 0.6, spaceTimeoutMs: 100, diskTimeoutMs: 100 });
      const { server, arena, disk, clock } = store;
      const content = new Map<string, number>();
      const crashes = new Map<number, number>();
      const pins: { slot: number; id: string }[] = [];
      const running: Promise<void>[] = [];
      for (const [step, { action, slot, id: number, blocks }] of commands.entries()) {
        const id = `object-${number}`;
        if (action === "store") {
          const bytes = blocks * BLOCK_BYTES;
          const offset = arena.allocateFor(slot, bytes);
          if (offset === undefined) continue;
          // As a rerun of the same task does, a second copy has the same content.
          if (!content.has(id)) content.set(id, step % 251);
          arena.writable(offset, bytes).fill(content.get(id)!);
          server.seal(slot, { id, extent: { offset, bytes }, label: { ownerId: `owner-${slot}` } });
        } else if (action === "pin") {
          const [deaths, wanted] = [crashes.get(slot) ?? 0, id];
          running.push(
            server.pin(slot, [wanted], { timeoutMs: 50 }).then(
              ([extent]) => {
                if ((crashes.get(slot) ?? 0) === deaths) pins.push({ slot, id: wanted });
                const seen = new Set(arena.writable(extent!.offset, extent!.bytes));
                assert.deepEqual(seen, new Set([content.get(wanted)]), `the bytes of ${wanted}`);
              },
              (error: unknown) => assert.ok(RaiaError.is(error), String(error)),
            ),
          );
        } else if (action === "unpin") {
          const [pin] = pins.splice(number % Math.max(1, pins.length), 1);
          if (pin !== undefined) server.unpin(pin.slot, [pin.id]);
        } else if (action === "free") {
          server.free([id]);
        } else if (action === "space") {
          running.push(
            server.requestSpace(slot, blocks * BLOCK_BYTES).then(
              (offset) => {
                // Not ours any more when we died before the answer came.
                const first = (offset - arena.blocksOffset) / BLOCK_BYTES;
                if (arena.blocks.isHeldBy(slot, first, blocks)) arena.release(offset, blocks * BLOCK_BYTES);
                server.unpin(slot, []);
              },
              (error: unknown) => assert.ok(RaiaError.is(error), String(error)),
            ),
          );
        } else if (action === "crash") {
          crashes.set(slot, (crashes.get(slot) ?? 0) + 1);
          for (const pin of pins.filter((each) => each.slot === slot)) pins.splice(pins.indexOf(pin), 1);
          server.processDied(slot);
        } else if (action === "full") {
          disk.capacityBytes = disk.capacityBytes < 1e9 ? Number.POSITIVE_INFINITY : 10 * BLOCK_BYTES;
        } else {
          await settle();
        }
        server.check();
      }
      for (let turn = 0; turn < 20; turn++) {
        await settle();
        clock.advance(50);
      }
      await Promise.all(running);
      for (const slot of [2, 3, 4]) server.processDied(slot);
      server.free(Array.from({ length: 12 }, (_unused, number) => `object-${number}`));
      await settle();
      server.check();
      assert.equal(server.list(100).total, 0);
      assert.equal(disk.files.size, 0, "no file is left");
      assert.equal(arena.blocks.usage().indexOf(1), -1, "no block is left");
    }),
    { numRuns: 60, seed: 3 },
  );
});
