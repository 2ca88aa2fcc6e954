/** map over real workers. */
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { get, init, map, put, remote, shutdown } from "@raia/core";

before(async () => {
  await init({ address: "local", numCpus: 2 });
});

after(shutdown);

test("results come in the order of the items, from any kind of source, with what the function captures", async () => {
  const offset = 100;
  const expected = Array.from({ length: 5000 }, (_, item) => item + offset);
  const add = (item: number): number => item + offset;
  assert.deepEqual(await Array.fromAsync(map(expected.keys(), add)), expected);
  async function* slowly(): AsyncGenerator<number> {
    for (let item = 0; item < 20; item++) yield item;
  }
  assert.deepEqual(await Array.fromAsync(map(slowly(), add)), expected.slice(0, 20));
  assert.deepEqual(await Array.fromAsync(map("abc", (letter) => letter.toUpperCase())), ["A", "B", "C"]);
  const unordered = await Array.fromAsync(map(new Set([1, 2, 3]), async (item) => item * 2, { ordered: false }));
  assert.deepEqual(new Set(unordered), new Set([2, 4, 6]));
});

test("short items share tasks; the function has run once for each", async () => {
  const pids = await Array.fromAsync(map(Array.from({ length: 20_000 }).keys(), () => process.pid, { concurrency: 4 }));
  assert.equal(pids.length, 20_000);
  assert.ok(!pids.includes(process.pid));
});

test("the first error is the user's own, and ends the stream", async () => {
  const seen: number[] = [];
  await assert.rejects(
    async () => {
      for await (const result of map([1, 2, 3, 4], failAtThree, { concurrency: 1, maxBatch: 1 })) seen.push(result);
    },
    (error) => error instanceof RangeError && error.message === "three",
  );
  assert.deepEqual(seen, [1, 2]);
});

test("all results before the error come first, however the items were put together", async () => {
  const failAtThirty = (item: number): number => {
    if (item === 30) throw Object.assign(new RangeError("thirty"), { socket: (): void => {}, hint: "half" });
    return item;
  };
  const seen: number[] = [];
  await assert.rejects(
    async () => {
      for await (const result of map(Array.from({ length: 50 }).keys(), failAtThirty, { batchMs: 1000 })) seen.push(result);
    },
    (error) => {
      assert.ok(error instanceof RangeError);
      assert.equal(error.message, "thirty");
      assert.equal((error as { hint?: string }).hint, "half");
      assert.match(String(error.stack), /remote task failAtThirty .* \(not sent: socket\)/);
      return true;
    },
  );
  assert.deepEqual(
    seen,
    Array.from({ length: 30 }, (_, item) => item),
  );
});

test("a collected error may have properties that cannot be sent", async () => {
  const fail = (item: number): number => {
    if (item === 3) throw Object.assign(new RangeError("three"), { socket: (): void => {} });
    return item;
  };
  const results = await Array.fromAsync(map([1, 2, 3, 4], fail, { onError: "collect", batchMs: 1000 }));
  assert.deepEqual(
    results.map((result) => (result.status === "fulfilled" ? result.value : String(result.reason))),
    [1, 2, "RangeError: three", 4],
  );
});

test("collected errors stand in their places", async () => {
  const results = await Array.fromAsync(map([2, 3, 4], failAtThree, { onError: "collect" }));
  assert.deepEqual(
    results.map((result) => (result.status === "fulfilled" ? result.value : String(result.reason))),
    [2, "RangeError: three", 4],
  );
});

test("an item that takes its process along fails alone", async () => {
  const die = (item: number): number => {
    if (item === 5) process.exit(1);
    return item;
  };
  const results = await Array.fromAsync(map(Array.from({ length: 8 }).keys(), die, { onError: "collect", maxRetries: 1, batchMs: 100 }));
  assert.deepEqual(
    results.map((result) => (result.status === "fulfilled" ? result.value : (result.reason as { code?: string }).code)),
    [0, 1, 2, 3, 4, "WORKER_CRASHED", 6, 7],
  );
});

test("a result that cannot be sent fails alone", async () => {
  const results = await Array.fromAsync(
    map([1, 2, 3, 4, 5, 6], (item): unknown => (item === 4 ? (): void => {} : item), { onError: "collect", batchMs: 100 }),
  );
  assert.deepEqual(
    results.map((result) => (result.status === "fulfilled" ? result.value : (result.reason as { code?: string }).code)),
    [1, 2, 3, "UNSERIALIZABLE", 5, 6],
  );
});

class Tries {
  readonly #counts = new Map<number, number>();
  count(item: number): number {
    const count = (this.#counts.get(item) ?? 0) + 1;
    this.#counts.set(item, count);
    return count;
  }
}

test("errors are tried again item by item", async () => {
  const tries = remote(Tries).remote();
  const flaky = async (item: number): Promise<number> => {
    const count = await get(tries.count.remote(item));
    if (item === 2 && count < 3) throw new RangeError("not yet");
    return count;
  };
  assert.deepEqual(await Array.fromAsync(map([1, 2, 3], flaky, { retryExceptions: [RangeError] })), [1, 3, 1]);
});

test("leaving the loop closes an endless source and frees the workers", async () => {
  let closed = false;
  function* forever(): Generator<number> {
    try {
      for (let item = 0; ; item++) yield item;
    } finally {
      closed = true;
    }
  }
  for await (const result of map(forever(), (item) => item, { ordered: false })) if (result > 100) break;
  assert.equal(closed, true);
  assert.equal(await get(remote(() => 1).remote()), 1);
});

test("a signal ends it and stops what hangs", async () => {
  const controller = new AbortController();
  const hanging = map([1, 2, 3], () => new Promise<never>(() => {}), { signal: controller.signal });
  const next = hanging.next();
  controller.abort(new Error("enough"));
  await assert.rejects(next, { message: "enough" });
});

test("an item that is a ref arrives as a ref", async () => {
  const refs = [1, 2, 3].map((value) => put(value));
  assert.deepEqual(await Array.fromAsync(map(refs, async (ref) => (await get(ref)) * 10)), [10, 20, 30]);
});

test("wrong arguments are refused at once", () => {
  const identity = (item: number): number => item;
  assert.throws(() => map(5 as never, identity), { code: "INVALID_ARGUMENT" });
  assert.throws(() => map([1], "identity" as never), { code: "INVALID_ARGUMENT" });
  assert.throws(() => map([1], identity, { concurrency: 0 }), { code: "INVALID_OPTION" });
  assert.throws(() => map([1], identity, { batchMs: Number.NaN }), { code: "INVALID_OPTION" });
  assert.throws(() => map([1], identity, { onError: "ignore" as never }), { code: "INVALID_OPTION" });
  const misspelt: object = { concurency: 4 };
  assert.throws(() => map([1], identity, misspelt), { code: "INVALID_OPTION", message: /did you mean concurrency/ });
});

function failAtThree(item: number): number {
  if (item === 3) throw new RangeError("three");
  return item;
}
