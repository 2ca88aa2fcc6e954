import assert from "node:assert/strict";
import test from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import type { ObjectRef } from "../worker/objects/object-ref.ts";
import { ActorPool } from "./actor-pool.ts";

interface FakeActor {
  readonly name: string;
}

interface FakeCall {
  readonly actor: FakeActor;
  readonly value: number;
  end(): void;
  fail(reason: unknown): void;
}

function poolOf(...names: string[]) {
  const calls: FakeCall[] = [];
  const clock = new FakeClock();
  const dead = new Set<string>();
  const settled = (ref: ObjectRef): Promise<unknown> => ref.get();
  const pool = new ActorPool<FakeActor, string>(
    names.map((name) => ({ name })),
    { clock, settled, checked: (ref) => ref, isDead: (actor) => dead.has((actor as FakeActor).name) },
  );
  const call = (actor: FakeActor, value: number): ObjectRef<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    promise.catch(() => {});
    calls.push({ actor, value, end: () => resolve(`${actor.name}${value}`), fail: (reason) => reject(reason) });
    return { get: () => promise } as unknown as ObjectRef<string>;
  };
  return { pool, calls, call, clock, dead };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("each value goes to a free actor, and waits while none is", async () => {
  const { pool, calls, call } = poolOf("a", "b");
  for (const value of [1, 2, 3]) pool.submit(call, value);
  assert.deepEqual(
    calls.map(({ actor, value }) => `${actor.name}${value}`),
    ["a1", "b2"],
  );
  assert.equal(pool.hasFree(), false);
  calls[1]?.end();
  await settle();
  assert.equal(calls[2]?.actor.name, "b");
});

test("results come in the order of submission, or as they are ready", async () => {
  const ordered = poolOf("a", "b");
  for (const value of [1, 2]) ordered.pool.submit(ordered.call, value);
  ordered.calls[1]?.end();
  const first = ordered.pool.getNext();
  await settle();
  ordered.calls[0]?.end();
  assert.equal(await first, "a1");
  assert.equal(await ordered.pool.getNext(), "b2");
  assert.equal(ordered.pool.hasNext(), false);

  const unordered = poolOf("a", "b");
  for (const value of [1, 2]) unordered.pool.submit(unordered.call, value);
  const next = unordered.pool.getNextUnordered();
  unordered.calls[1]?.end();
  assert.equal(await next, "b2");
});

test("two who wait get two results", async () => {
  const { pool, calls, call } = poolOf("a", "b");
  for (const value of [1, 2]) pool.submit(call, value);
  const both = Promise.all([pool.getNextUnordered(), pool.getNextUnordered()]);
  calls[1]?.end();
  await settle();
  calls[0]?.end();
  assert.deepEqual(await both, ["b2", "a1"]);
});

test("a result that was waited for in vain can still be taken, in its turn", async () => {
  const { pool, calls, call, clock } = poolOf("a", "b");
  for (const value of [1, 2]) pool.submit(call, value);
  const late = pool.getNext({ timeoutMs: 50 });
  clock.advance(49);
  await settle();
  clock.advance(1);
  await assert.rejects(late, { code: "GET_TIMEOUT" });
  calls[0]?.end();
  calls[1]?.end();
  assert.equal(await pool.getNext(), "a1");
  assert.equal(await pool.getNext(), "b2");
});

test("an abort ends the wait with its reason", async () => {
  const { pool, call } = poolOf("a");
  pool.submit(call, 1);
  const controller = new AbortController();
  const waiting = pool.getNext({ signal: controller.signal });
  controller.abort("enough");
  await assert.rejects(waiting, (error) => error === "enough");
  assert.equal(pool.hasNext(), true);
});

test("a failed call rejects where it is taken, and its actor is free again", async () => {
  const { pool, calls, call } = poolOf("a");
  for (const value of [1, 2]) pool.submit(call, value);
  calls[0]?.fail(new RangeError("no"));
  await settle();
  calls[1]?.end();
  await assert.rejects(pool.getNext(), RangeError);
  assert.equal(await pool.getNext(), "a2");
});

test("a dead actor fails the call that it had, and leaves the pool: the others do the rest", async () => {
  const { pool, calls, call, dead } = poolOf("a", "b");
  for (const value of [1, 2, 3, 4]) pool.submit(call, value);
  dead.add("a");
  calls[0]?.fail(new RangeError("dead"));
  await settle();
  assert.equal(calls.length, 2);
  calls[1]?.end();
  await settle();
  calls[2]?.end();
  await settle();
  calls[3]?.end();
  await assert.rejects(pool.getNext(), RangeError);
  assert.deepEqual([await pool.getNext(), await pool.getNext(), await pool.getNext()], ["b2", "b3", "b4"]);
});

test("an actor that died while it was free gets nothing", async () => {
  const { pool, calls, call, dead } = poolOf("a", "b");
  dead.add("a");
  pool.submit(call, 1);
  calls[0]?.end();
  assert.equal(await pool.getNext(), "b1");
});

test("when all are dead, what waits and what comes is an error, until another is pushed", async () => {
  const { pool, calls, call, dead } = poolOf("a");
  for (const value of [1, 2]) pool.submit(call, value);
  dead.add("a");
  calls[0]?.fail(new RangeError("dead"));
  await assert.rejects(pool.getNext(), RangeError);
  await assert.rejects(pool.getNext(), { code: "ACTOR_DIED", message: /no actor of the pool is alive/ });
  assert.throws(() => pool.submit(call, 3), { code: "ACTOR_DIED" });
  await assert.rejects(pool.map(call, [1]).next(), { code: "ACTOR_DIED" });
  pool.push({ name: "b" });
  pool.submit(call, 4);
  calls.at(-1)?.end();
  assert.equal(await pool.getNext(), "b4");
});

test("a call that cannot be made rejects where it is taken", async () => {
  const { pool, call, calls } = poolOf("a");
  pool.submit(() => {
    throw new TypeError("cannot");
  }, 1);
  pool.submit(call, 2);
  await assert.rejects(pool.getNext(), TypeError);
  calls[0]?.end();
  assert.equal(await pool.getNext(), "a2");
});

test("nothing to take, and nobody to do it, are errors and no endless waits", async () => {
  const { pool, call } = poolOf();
  await assert.rejects(pool.getNext(), { code: "INVALID_ARGUMENT", message: /hasNext/ });
  await assert.rejects(pool.getNextUnordered(), { code: "INVALID_ARGUMENT" });
  pool.submit(call, 1);
  await assert.rejects(pool.getNext(), { code: "INVALID_ARGUMENT", message: /no actors/ });
  await assert.rejects(pool.map(call, [1]).next(), { code: "INVALID_ARGUMENT", message: /no actors/ });
});

test("actors come and go", async () => {
  const { pool, calls, call } = poolOf("a");
  const a = pool.popIdle();
  assert.equal(a?.name, "a");
  assert.equal(pool.popIdle(), undefined);
  pool.submit(call, 1);
  assert.equal(calls.length, 0);
  const b = { name: "b" };
  pool.push(b);
  assert.equal(calls[0]?.actor, b);
  assert.throws(() => pool.push(b), { code: "INVALID_ARGUMENT" });
  assert.throws(() => pool.push("b" as never), { code: "INVALID_ARGUMENT" });
  assert.throws(() => new ActorPool([b, b]), { code: "INVALID_ARGUMENT" });
});

test("map takes its values one ahead of the actors", async () => {
  const { pool, calls, call } = poolOf("a", "b");
  let taken = 0;
  function* values(): Generator<number> {
    for (;;) yield ++taken;
  }
  const results = pool.map(call, values());
  const first = results.next();
  await settle();
  assert.equal(taken, 3);
  assert.equal(calls.length, 2);
  calls[0]?.end();
  assert.deepEqual(await first, { done: false, value: "a1" });
  await results.return();
});

test("mapUnordered gives what is ready", async () => {
  const { pool, calls, call } = poolOf("a", "b");
  const all = Array.fromAsync(pool.mapUnordered(call, [1, 2, 3]));
  await settle();
  calls[1]?.end();
  await settle();
  calls[2]?.end();
  await settle();
  calls[0]?.end();
  assert.deepEqual(await all, ["b2", "b3", "a1"]);
});

test("an error ends map; what has not begun does not begin, and the pool goes on", async () => {
  const { pool, calls, call } = poolOf("a");
  const results = pool.map(call, [1, 2, 3]);
  const first = results.next();
  await settle();
  calls[0]?.fail(new Error("no"));
  await assert.rejects(first, { message: "no" });
  await settle();
  const begun = calls.length;
  calls.at(-1)?.end();
  await settle();
  assert.equal(calls.length, begun);
  pool.submit(call, 9);
  calls.at(-1)?.end();
  assert.equal(await pool.getNext(), "a9");
});
