/** Queue and ActorPool over real workers. */
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { ActorPool, type ActorHandle, get, init, ObjectRef, put, Queue, RaiaError, remote, shutdown } from "@raia/core";

before(async () => {
  await init({ address: "local", numCpus: 2 });
});

after(shutdown);

test("a queue travels: tasks put what the driver gets", async () => {
  const queue = new Queue<number>();
  const fill = remote(async (target: Queue<number>, from: number) => {
    for (let item = from; item < from + 50; item++) await target.put(item);
  });
  const filling = [fill.remote(queue, 0), fill.remote(queue, 50)];
  const items: number[] = [];
  while (items.length < 100) items.push(await queue.get());
  await get(filling);
  assert.deepEqual(
    items.toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, item) => item),
  );
  const first = items.filter((item) => item < 50);
  assert.deepEqual(
    first,
    first.toSorted((a, b) => a - b),
    "one writer's items keep their order",
  );
  assert.equal(await queue.empty(), true);
  await queue.shutdown();
});

test("a queue may be captured, and its end holds its actor alive", async () => {
  const queue = new Queue<string>({ maxSize: 2 });
  const reply = remote(async () => {
    await queue.put("captured");
    return queue.maxSize;
  });
  assert.equal(await get(reply.remote()), 2);
  assert.equal(await queue.get(), "captured");
});

test("full and empty are errors with a code, at once or when the time is over", async () => {
  const queue = new Queue<number>({ maxSize: 2 });
  await assert.rejects(queue.getNowait(), { code: "QUEUE_EMPTY" });
  await assert.rejects(queue.get({ timeoutMs: 20 }), { code: "QUEUE_EMPTY" });
  await queue.putNowaitBatch([1, 2]);
  assert.equal(await queue.full(), true);
  assert.equal(await queue.size(), 2);
  await assert.rejects(queue.putNowait(3), (error) => RaiaError.is(error, "QUEUE_FULL") && error.facts["maxSize"] === 2);
  await assert.rejects(queue.put(3, { timeoutMs: 20 }), { code: "QUEUE_FULL" });
  await assert.rejects(queue.getNowaitBatch(3), { code: "QUEUE_EMPTY" });
  assert.deepEqual(await queue.getNowaitBatch(2), [1, 2]);
});

test("a thousand and one readers who wait do not keep the writer out", async () => {
  const queue = new Queue<number>();
  const readers = Array.from({ length: 1001 }, () => queue.get());
  await queue.putNowaitBatch(Array.from({ length: 1001 }, (_, item) => item));
  assert.equal((await Promise.all(readers)).length, 1001);
});

test("a wait that was given up takes no item", async () => {
  const queue = new Queue<number>();
  const controller = new AbortController();
  const waiting = queue.get({ signal: controller.signal });
  assert.equal(await queue.size(), 0);
  const enough = new Error("enough");
  controller.abort(enough);
  await assert.rejects(waiting, (error) => error === enough);
  await assert.rejects(queue.get({ signal: controller.signal }), (error) => error === enough);
  await queue.put(1);
  assert.equal(await queue.get({ timeoutMs: 5000 }), 1);
});

test("what goes in comes out: undefined, refs, large arrays", async () => {
  const queue = new Queue<unknown>();
  await queue.put(undefined);
  await queue.put(put(42));
  await queue.put(new Float64Array(100_000).fill(7));
  assert.equal(await queue.get(), undefined);
  const ref = await queue.get();
  assert.ok(ref instanceof ObjectRef);
  assert.equal(await ref.get(), 42);
  assert.equal(((await queue.get()) as Float64Array).at(-1), 7);
});

test("who waits hears of the end", async () => {
  const queue = new Queue<number>();
  const heard = assert.rejects(queue.get(), { code: "ACTOR_DIED" });
  assert.equal(await queue.size(), 0);
  await queue.shutdown();
  await heard;
  await assert.rejects(queue.put(1), { code: "ACTOR_DIED" });
});

test("wrong options are refused", () => {
  assert.throws(() => new Queue({ maxSize: -1 }), { code: "INVALID_OPTION" });
  assert.throws(() => new Queue({ maxSize: 1.5 }), { code: "INVALID_OPTION" });
});

class Doubler {
  double(value: number): number {
    if (value === 13) throw new RangeError("thirteen");
    return value * 2;
  }
}

const double = (actor: ActorHandle<Doubler>, value: number): ObjectRef<number> => actor.double.remote(value);

test("a pool of actors shares values out, and keeps their order", async () => {
  const Actor = remote(Doubler);
  const pool = new ActorPool<ActorHandle<Doubler>, number>([Actor.remote(), Actor.remote()]);
  const values = Array.from({ length: 50 }, (_, value) => value + 20);
  assert.deepEqual(
    await Array.fromAsync(pool.map(double, values)),
    values.map((value) => value * 2),
  );
  const unordered = await Array.fromAsync(pool.mapUnordered(double, values));
  assert.deepEqual(
    unordered.toSorted((a, b) => a - b),
    values.map((value) => value * 2),
  );
  pool.submit(double, 13);
  pool.submit(double, 1);
  await assert.rejects(pool.getNext(), RangeError);
  assert.equal(await pool.getNext(), 2);
  assert.equal(pool.hasNext(), false);
});

test("an actor of a pool that dies loses the value that it had, and no other", async () => {
  class Mortal {
    give(value: number): number {
      if (value === 0) process.kill(process.pid, "SIGKILL");
      return value;
    }
  }
  const Actor = remote(Mortal);
  const pool = new ActorPool<ActorHandle<Mortal>, number>([Actor.remote(), Actor.remote()]);
  for (const value of [0, 1, 2, 3, 4, 5]) pool.submit((actor, given: number) => actor.give.remote(given), value);
  await assert.rejects(pool.getNext(), { code: "ACTOR_DIED" });
  const rest: number[] = [];
  while (pool.hasNext()) rest.push(await pool.getNext());
  assert.deepEqual(rest, [1, 2, 3, 4, 5]);
});
