/** Streams: refs of items as they come. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { note, notes, raise, whenNoted, whenRaised } from "@raia/testing/fixtures/signals";
import { cancel, explain, get, map, type ObjectRef, remote, runtimeContext } from "../../src/index.ts";

const cluster = testCluster();

async function collect<T>(stream: AsyncIterable<ObjectRef<T>>): Promise<T[]> {
  const items: T[] = [];
  for await (const ref of stream) items.push(await get(ref));
  return items;
}

describe("streams", () => {
  test("a generator streams, sync and async", async () => {
    const count = remote(function* (to: number) {
      for (let i = 0; i < to; i++) yield i;
    });
    const countLater = remote(async function* (to: number) {
      for (let i = 0; i < to; i++) {
        await Promise.resolve();
        yield { i };
      }
    });
    assert.deepEqual(await collect(count.remote(5)), [0, 1, 2, 3, 4]);
    assert.deepEqual(await collect(countLater.remote(3)), [{ i: 0 }, { i: 1 }, { i: 2 }]);
    assert.deepEqual(await collect(count.remote(0)), []);
  });

  test("a generator that is asked for a number of results yields as many", async () => {
    const pair = remote(function* (to: number) {
      for (let i = 0; i < to; i++) yield i;
    }).options({ numReturns: 2 });
    assert.deepEqual(await get([...pair.remote(2)]), [0, 1]);
    const [first, second] = remote(
      async function* () {
        yield await Promise.resolve("a");
        yield "b";
      },
      { numReturns: 2 },
    ).remote();
    assert.deepEqual(await get([first, second]), ["a", "b"]);
    for (const wrong of [1, 3]) await assert.rejects(get(pair.remote(wrong)[0]), { code: "NUM_RETURNS_MISMATCH" });
    const [endless] = pair.remote(Number.POSITIVE_INFINITY);
    await assert.rejects(get(endless), { code: "NUM_RETURNS_MISMATCH", message: /an array of 3|3/ });
  });

  test("several may ask at once: each gets an item in its turn, and all hear of the end", async () => {
    const stream = remote(function* () {
      yield 1;
      yield 2;
    }).remote();
    const steps = await Promise.all([stream.next(), stream.next(), stream.next(), stream.next()]);
    assert.deepEqual(
      steps.map(({ done }) => done),
      [false, false, true, true],
    );
    assert.deepEqual(await get(steps.slice(0, 2).map(({ value }) => value as ObjectRef<number>)), [1, 2]);
  });

  test("one that is left before it begins never runs", async () => {
    const [log, go] = [cluster.path("log"), cluster.path("go")];
    const blockers = [1, 2].map(() => remote(async (path: string) => whenRaised(path)).remote(go));
    const endless = remote(
      async function* (path: string) {
        note(path, "began");
        for (let item = 0; ; item++) yield item;
      },
      { maxRetries: -1 },
    );
    const stream = endless.remote(log);
    await stream.return();
    raise(go);
    await get(blockers);
    await get([1, 2, 3].map((x) => remote((y: number) => y).remote(x)));
    assert.deepEqual(notes(log), []);
    await assert.rejects(get(stream.completed()), { code: "TASK_CANCELLED" });
  });

  test("one that is left while it waits behind another at its worker never runs", async () => {
    const [log, begun, go] = [cluster.path("log"), cluster.path("begun"), cluster.path("go")];
    // What is known to be short is pushed behind others.
    const short = remote((x: number) => x);
    await get(Array.from({ length: 200 }, (_, x) => short.remote(x)));
    const block = remote(async (own: string, path: string) => {
      note(own, "");
      await whenRaised(path);
    });
    const blockers = [1, 2].map(() => block.remote(begun, go));
    await whenNoted(begun, 2);
    const endless = remote(
      function* (path: string) {
        note(path, "began");
        for (let item = 0; ; item++) yield item;
      },
      { generatorBackpressure: 4 },
    );
    const stream = endless.remote(log);
    assert.ok(await eventually(async () => (await explain(stream.completed())).state === "assigned", 5000));
    await stream.return();
    raise(go);
    await get(blockers);
    await assert.rejects(get(stream.completed(), { timeoutMs: 5000 }), { code: "TASK_CANCELLED" });
    assert.deepEqual(notes(log), []);
  });

  test("one that is left while its actor runs it is not sent to the next incarnation", async () => {
    const log = cluster.path("log");
    class Source {
      async *endless(path: string) {
        note(path, "began");
        yield 1;
        await new Promise(() => {});
      }
      pid(): number {
        return process.pid;
      }
    }
    const source = remote(Source).options({ maxRestarts: 1, maxTaskRetries: -1, maxConcurrency: 2 }).remote();
    const stream = source.endless.remote(log);
    await stream.next();
    const pid = await get(source.pid.remote());
    await stream.return();
    process.kill(pid, "SIGKILL");
    assert.notEqual(await get(source.pid.remote()), pid);
    assert.deepEqual(notes(log), ["began"]);
    await assert.rejects(get(stream.completed()), { code: "TASK_CANCELLED" });
  });

  test("items arrive while the producer runs", async () => {
    const go = cluster.path("go");
    const stream = remote(async function* (path: string) {
      yield 1;
      await whenRaised(path);
      yield 2;
    }).remote(go);
    const first = await stream.next();
    assert.equal(await get(first.value as ObjectRef<number>), 1);
    raise(go);
    const second = await stream.next();
    assert.equal(await get(second.value as ObjectRef<number>), 2);
    assert.equal((await stream.next()).done, true);
    assert.equal(await get(stream.completed()), 2);
  });

  test("generatorBackpressure: the producer waits for its consumer", async () => {
    const log = cluster.path("log");
    const stream = remote(
      function* (path: string) {
        for (let i = 0; i < 100; i++) {
          note(path, i);
          yield i;
        }
      },
      { generatorBackpressure: 4 },
    ).remote(log);
    await whenNoted(log, 4);
    // Another task has been and gone: the producer has had every chance to go on.
    await get(remote(async () => new Promise((resolve) => setTimeout(resolve, 50))).remote());
    assert.ok(notes(log).length <= 5, `${notes(log).length} items were made`);
    assert.equal((await collect(stream)).length, 100);
  });

  test("a task that waits for the next item gives its CPU back: all CPUs may read, and stages may read stages", async () => {
    const count = remote(function* (to: number) {
      for (let i = 0; i < to; i++) yield i;
    });
    const sum = remote(async (to: number) => {
      let total = 0;
      for await (const ref of count.remote(to)) total += await get(ref);
      return total;
    });
    const twice = remote(async function* (to: number) {
      for await (const ref of count.remote(to)) yield 2 * (await get(ref));
    });
    const squares = remote(async function* (to: number) {
      for await (const ref of twice.remote(to)) yield (await get(ref)) ** 2;
    });
    assert.deepEqual(await get([sum.remote(10), sum.remote(10), sum.remote(10)]), [45, 45, 45]);
    assert.deepEqual(await collect(squares.remote(4)), [0, 4, 16, 36]);
  });

  test("a producer that waits for room gives its CPU back: whoever makes room may need it", async () => {
    const ahead = remote(
      async function* () {
        for (let i = 0; i < 4; i++) yield i;
      },
      { generatorBackpressure: 1 },
    );
    const streams = [ahead.remote(), ahead.remote(), ahead.remote()];
    const double = remote((x: number) => 2 * x);
    const doubled = await Promise.all(
      streams.map(async (stream) => {
        const items: number[] = [];
        for await (const ref of stream) items.push(await get(double.remote(ref)));
        return items;
      }),
    );
    assert.deepEqual(doubled, Array(3).fill([0, 2, 4, 6]));
  });

  test("explain says of a task that reads a stream what it waits for", async () => {
    const path = cluster.path("item");
    const slow = remote(async function* slow(signal: string) {
      await whenRaised(signal);
      yield 1;
    });
    const reader = remote(async (signal: string) => {
      for await (const ref of slow.remote(signal)) return get(ref);
      return 0;
    });
    const ref = reader.remote(path);
    assert.ok(await eventually(async () => (await explain(ref)).reasons.some((reason) => /waits for.*slow/.test(reason)), 10_000));
    raise(path);
    assert.equal(await get(ref), 1);
  });

  test("leaving early stops the producer and runs its finally", async () => {
    const log = cluster.path("log");
    const ended = cluster.path("ended");
    const stream = remote(
      async function* (path: string, end: string) {
        try {
          for (let i = 0; ; i++) {
            note(path, i);
            yield i;
          }
        } finally {
          raise(end);
        }
      },
      { generatorBackpressure: 8 },
    ).remote(log, ended);
    let taken = 0;
    for await (const ref of stream) {
      await get(ref);
      if (++taken === 3) break;
    }
    await whenRaised(ended);
    assert.ok(notes(log).length < 100);
  });

  test("an error comes after the items before it", async () => {
    const stream = remote(function* () {
      yield 1;
      yield 2;
      throw new RangeError("no more");
    }).remote();
    const items: number[] = [];
    await assert.rejects(async () => {
      for await (const ref of stream) items.push(await get(ref));
    }, RangeError);
    assert.deepEqual(items, [1, 2]);
  });

  test("a stream whose worker dies goes on though its consumer took more than it may be behind", async () => {
    const log = cluster.path("log");
    const go = cluster.path("go");
    const stream = remote(
      async function* (path: string, until: string) {
        note(path, process.pid);
        for (let i = 0; i < 12; i++) {
          if (i === 6 && runtimeContext().attempt === 0) await whenRaised(until);
          yield i;
        }
      },
      { maxRetries: 1, generatorBackpressure: 2 },
    ).remote(log, go);
    const items: number[] = [];
    for await (const ref of stream) {
      items.push(await get(ref));
      if (items.length === 6) process.kill(Number(notes(log)[0]), "SIGKILL");
    }
    assert.deepEqual(items, [...Array(12).keys()]);
  });

  test("a stream whose worker dies goes on where it was", async () => {
    const log = cluster.path("log");
    const go = cluster.path("go");
    const stream = remote(
      async function* (path: string, until: string) {
        note(path, process.pid);
        for (let i = 0; i < 10; i++) {
          if (i === 5 && runtimeContext().attempt === 0) await whenRaised(until);
          yield i;
        }
      },
      { maxRetries: 1 },
    ).remote(log, go);
    const items: number[] = [];
    for await (const ref of stream) {
      items.push(await get(ref));
      if (items.length === 5) process.kill(Number(notes(log)[0]), "SIGKILL");
    }
    assert.deepEqual(items, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.equal(notes(log).length, 2);
  });

  test("cancel ends a stream", async () => {
    const stream = remote(async function* () {
      yield 1;
      await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
    }).remote();
    await stream.next();
    cancel(stream);
    await assert.rejects(
      async () => {
        for await (const ref of stream) await get(ref);
      },
      { code: "TASK_CANCELLED" },
    );
  });

  test("large items travel through shared memory", async () => {
    const stream = remote(function* () {
      for (let i = 0; i < 3; i++) yield new Float64Array(100_000).fill(i);
    }).remote();
    const items = await collect(stream);
    assert.deepEqual(
      items.map((item) => [item.length, item[99_999]]),
      [
        [100_000, 0],
        [100_000, 1],
        [100_000, 2],
      ],
    );
  });

  test("a streaming method of an actor, beside other calls", async () => {
    class Source {
      #calls = 0;
      async *count(to: number) {
        for (let i = 0; i < to; i++) {
          this.#calls++;
          yield i;
        }
      }
      calls(): number {
        return this.#calls;
      }
    }
    const source = remote(Source).remote();
    assert.deepEqual(await collect(source.count.remote(4)), [0, 1, 2, 3]);
    assert.equal(await get(source.calls.remote()), 4);
  });
});

describe("map", () => {
  test("ordered, lazy, over any iterable", async () => {
    const results: number[] = [];
    for await (const y of map([1, 2, 3, 4, 5], (x) => x * 10)) results.push(y);
    assert.deepEqual(results, [10, 20, 30, 40, 50]);
    let taken = 0;
    function* endless() {
      for (;;) yield taken++;
    }
    let seen = 0;
    for await (const _ of map(endless(), (x) => x, { concurrency: 2, maxBatch: 4 })) if (++seen === 20) break;
    assert.ok(taken < 60, `${taken} were taken`);
  });

  test("the first error ends it; collect goes on", async () => {
    const check = (x: number): number => {
      if (x === 3) throw new RangeError("three");
      return x;
    };
    await assert.rejects(async () => {
      for await (const _ of map([1, 2, 3, 4], check)) {
        // Only the error matters.
      }
    }, RangeError);
    const statuses: string[] = [];
    for await (const outcome of map([1, 2, 3, 4], check, { onError: "collect" })) statuses.push(outcome.status);
    assert.deepEqual(statuses, ["fulfilled", "fulfilled", "rejected", "fulfilled"]);
  });
});
