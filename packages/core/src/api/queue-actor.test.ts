import assert from "node:assert/strict";
import test, { mock } from "node:test";
import fc from "fast-check";
import { QueueActor } from "./queue-actor.ts";

test("items come out in the order in which they went in", async () => {
  const queue = new QueueActor(10);
  for (const item of ["a", "b", "c"]) assert.equal(await queue.put([item], undefined), true);
  assert.equal(queue.size(), 3);
  assert.deepEqual(await queue.get(undefined), ["a"]);
  assert.deepEqual(queue.getNowait(2), [["b"], ["c"]]);
  assert.equal(queue.getNowait(1), undefined);
});

test("undefined is an item", async () => {
  const queue = new QueueActor(10);
  await queue.put([undefined], undefined);
  assert.deepEqual(await queue.get(undefined), [undefined]);
});

test("a reader waits for an item, the first reader for the first", async () => {
  const queue = new QueueActor(1);
  const readers = [queue.get(undefined), queue.get(undefined)];
  assert.equal(queue.putNowait([["a"], ["b"]]), true);
  assert.deepEqual(await Promise.all(readers), [["a"], ["b"]]);
  assert.equal(queue.size(), 0);
});

test("a writer waits for room, and is served before one who comes later", async () => {
  const queue = new QueueActor(1);
  await queue.put(["a"], undefined);
  const writers = [queue.put(["b"], undefined), queue.put(["c"], undefined)];
  assert.equal(queue.putNowait([["d"]]), false);
  assert.deepEqual(queue.getNowait(1), [["a"]]);
  assert.equal(queue.putNowait([["d"]]), false, "the room was the waiting writer's");
  assert.deepEqual(queue.getNowait(1), [["b"]]);
  assert.deepEqual(queue.getNowait(1), [["c"]]);
  assert.deepEqual(await Promise.all(writers), [true, true]);
});

test("a batch goes in whole or not at all", () => {
  const queue = new QueueActor(3);
  assert.equal(queue.putNowait([["a"], ["b"]]), true);
  assert.equal(queue.putNowait([["c"], ["d"]]), false);
  assert.equal(queue.size(), 2);
  assert.equal(queue.getNowait(3), undefined);
  assert.equal(queue.size(), 2);
});

test("who waits too long leaves no trace", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const queue = new QueueActor(1);
    const reader = queue.get(50);
    mock.timers.tick(50);
    assert.equal(await reader, undefined);
    await queue.put(["a"], undefined);
    assert.equal(queue.size(), 1, "no reader took it");
    const writer = queue.put(["b"], 50);
    mock.timers.tick(50);
    assert.equal(await writer, false);
    assert.deepEqual(queue.getNowait(1), [["a"]]);
    assert.equal(queue.size(), 0, "no writer came in late");
  } finally {
    mock.timers.reset();
  }
});

test("whatever the order of calls, nothing is lost, doubled or out of order, and the size holds", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.constantFrom("put", "get", "putNowait", "getNowait"), { maxLength: 60 }),
      async (maxSize, steps) => {
        const queue = new QueueActor(maxSize);
        let next = 0;
        const wanted: Promise<unknown>[] = [];
        const got: unknown[] = [];
        for (const step of steps) {
          if (step === "put") void queue.put([next++], undefined);
          else if (step === "putNowait") next += queue.putNowait([[next]]) ? 1 : 0;
          else if (step === "get") wanted.push(queue.get(undefined).then((box) => got.push(box?.[0])));
          else got.push(...(queue.getNowait(1) ?? []).map(([item]) => item));
          await Promise.resolve();
          assert.ok(queue.size() <= maxSize);
        }
        for (let i = 0; i < 200; i++) got.push(...(queue.getNowait(1) ?? []).map(([item]) => item));
        for (const _ of wanted) void queue.put(["end"], undefined);
        await Promise.all(wanted);
        const items = got.filter((item) => item !== "end");
        assert.deepEqual(
          items.toSorted((a, b) => Number(a) - Number(b)),
          Array.from({ length: next }, (_, item) => item),
        );
      },
    ),
    { numRuns: 100 },
  );
});
