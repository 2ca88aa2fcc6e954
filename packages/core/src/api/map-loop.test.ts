import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { FakeClock } from "../base/fake-clock.ts";
import { MapLoop } from "./map-loop.ts";
import type { AnyIterator, MapLoopOptions } from "./map-loop-options.ts";

interface StartedBatch {
  readonly items: readonly unknown[];
  cancelled: boolean;
  /** Ends it: each item's result is `f(item)`. */
  end(itemMs?: number): void;
  endWith(errors: Record<number, unknown>): void;
  fail(reason: unknown): void;
}

interface World {
  readonly loop: MapLoop;
  readonly clock: FakeClock;
  readonly started: StartedBatch[];
  /** How many items were taken from the source. */
  readonly taken: () => number;
  readonly closed: () => boolean;
}

const defaults: MapLoopOptions = { concurrency: 2, ordered: true, collects: false, batchMs: 4, maxBatch: 100, mayRerun: true };

function counting(count = Number.POSITIVE_INFINITY): { source: () => AnyIterator; taken: () => number; closed: () => boolean } {
  let taken = 0;
  let closed = false;
  return {
    source: () => ({
      next: () => (taken < count ? { done: false, value: taken++ } : { done: true, value: undefined }),
      return: () => {
        closed = true;
        return { done: true, value: undefined };
      },
    }),
    taken: () => taken,
    closed: () => closed,
  };
}

function world(options: Partial<MapLoopOptions> = {}, { source, taken, closed } = counting()): World {
  const clock = new FakeClock();
  const started: StartedBatch[] = [];
  const loop = new MapLoop(
    source,
    {
      clock,
      start: (items) => {
        const { promise, resolve, reject } = Promise.withResolvers<never>();
        const batch: StartedBatch = {
          items,
          cancelled: false,
          end: (itemMs = 10) =>
            resolve({ values: items.map((item) => `r${String(item)}`), errors: [], durationMs: itemMs * items.length } as never),
          endWith: (errors) =>
            resolve({
              values: items.map((item) => `r${String(item)}`),
              errors: Object.entries(errors).map(([index, reason]) => ({ index: Number(index), reason })),
              durationMs: 10,
            } as never),
          fail: (reason) => reject(reason),
        };
        started.push(batch);
        return { result: promise, cancel: () => void (batch.cancelled = true) };
      },
    },
    { ...defaults, ...options },
  );
  return { loop, clock, started, taken, closed };
}

/** Lets everything happen that waits for promises, and for a later turn. */
async function settle({ clock }: World): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    // A turn's promises all settle before the next turn.
    for (let i = 0; i < 20; i++) await Promise.resolve();
    clock.advance(0);
  }
}

test("nothing is taken before the first result is asked for", () => {
  const { taken, started } = world();
  assert.equal(taken(), 0);
  assert.equal(started.length, 0);
});

test("no more than concurrency batches run, and no more items are taken than they hold", async () => {
  const run = world({ concurrency: 3 });
  void run.loop.next();
  await settle(run);
  assert.equal(run.started.length, 3);
  assert.equal(run.taken(), 3);
  run.started[1]?.end();
  await settle(run);
  assert.equal(run.taken(), 3, "a result that waits for its turn keeps its room");
  run.started[0]?.end();
  await settle(run);
  assert.equal(run.taken(), 4, "one was given out, one taken");
});

test("ordered results wait for their turn; unordered ones do not", async () => {
  const ordered = world();
  const first = ordered.loop.next();
  const second = ordered.loop.next();
  await settle(ordered);
  ordered.started[1]?.end();
  await settle(ordered);
  ordered.started[0]?.end();
  assert.deepEqual([(await first).value, (await second).value], ["r0", "r1"]);

  const unordered = world({ ordered: false });
  const one = unordered.loop.next();
  await settle(unordered);
  unordered.started[1]?.end();
  assert.equal((await one).value, "r1");
});

test("short items are put together, long ones are not", async () => {
  const run = world({ concurrency: 1, batchMs: 4 });
  const results: unknown[] = [];
  const reading = (async () => {
    for (let i = 0; i < 31; i++) results.push((await run.loop.next()).value);
  })();
  for (let i = 0; i < 5; i++) {
    await settle(run);
    run.started.at(-1)?.end(0.1);
  }
  await reading;
  assert.deepEqual(
    run.started.slice(0, 5).map(({ items }) => items.length),
    [1, 2, 4, 8, 16],
  );
  await settle(run);
  run.started.at(-1)?.end(50);
  await run.loop.next();
  for (let i = 0; i < 40; i++) void run.loop.next();
  await settle(run);
  assert.equal(run.started.at(-1)?.items.length, 1);
});

test("an empty source ends at once", async () => {
  const run = world({}, counting(0));
  assert.deepEqual(await run.loop.next(), { done: true, value: undefined });
  assert.deepEqual(await run.loop.next(), { done: true, value: undefined });
  assert.equal(run.closed(), false, "a source that has ended is not told to return");
});

test("the last items go, though they fill no batch", async () => {
  const run = world({ concurrency: 1 }, counting(4));
  const all = Array.fromAsync(run.loop);
  for (const _ of [1, 2, 4]) {
    await settle(run);
    run.started.at(-1)?.end(0.1);
  }
  assert.deepEqual(await all, ["r0", "r1", "r2", "r3"]);
  assert.deepEqual(
    run.started.map(({ items }) => items),
    [[0], [1, 2], [3]],
  );
});

test("the first error cancels what is under way, closes the source, and comes after what is ready", async () => {
  const run = world({ concurrency: 4 });
  void run.loop.next();
  await settle(run);
  const reason = new RangeError("bad item");
  run.started[0]?.end();
  await settle(run);
  run.started[1]?.end();
  await settle(run);
  run.started[2]?.fail(reason);
  await settle(run);
  assert.deepEqual(
    run.started.map(({ cancelled }) => cancelled),
    [false, false, false, true, true],
  );
  assert.equal(run.closed(), true);
  assert.equal((await run.loop.next()).value, "r1");
  await assert.rejects(run.loop.next(), (error) => error === reason);
  assert.deepEqual(await run.loop.next(), { done: true, value: undefined });
});

test("in order, an error waits for the results of earlier items; later ones are cancelled at once", async () => {
  const run = world({ concurrency: 3 });
  const first = run.loop.next();
  const second = run.loop.next();
  await settle(run);
  run.started[1]?.fail(new Error("second"));
  await settle(run);
  assert.deepEqual(
    run.started.map(({ cancelled }) => cancelled),
    [false, false, true],
  );
  assert.equal(run.closed(), true);
  run.started[0]?.end();
  assert.equal((await first).value, "r0");
  await assert.rejects(second, { message: "second" });
  assert.deepEqual(await run.loop.next(), { done: true, value: undefined });
  assert.equal(run.started.length, 3);
});

test("of two errors the one of the earlier item ends an ordered map, whichever came first", async () => {
  const run = world();
  const first = run.loop.next();
  await settle(run);
  run.started[1]?.fail(new Error("second"));
  await settle(run);
  run.started[0]?.fail(new Error("first"));
  await assert.rejects(first, { message: "first" });
  assert.deepEqual(await run.loop.next(), { done: true, value: undefined });
});

test("unordered, an error waits for nothing", async () => {
  const run = world({ ordered: false });
  const first = run.loop.next();
  await settle(run);
  run.started[1]?.fail(new Error("second"));
  await assert.rejects(first, { message: "second" });
  assert.equal(run.started[0]?.cancelled, true);
});

test("a batch gives the results that precede its error", async () => {
  for (const ordered of [true, false]) {
    const run = world({ ordered, concurrency: 1 });
    const results: unknown[] = [];
    const reading = (async () => {
      for await (const result of run.loop) results.push(result);
    })();
    for (let batch = 0; batch < 2; batch++) {
      await settle(run);
      run.started.at(-1)?.end(0.1);
    }
    await settle(run);
    assert.deepEqual(run.started.at(-1)?.items, [3, 4, 5, 6]);
    run.started.at(-1)?.endWith({ 2: new Error("five") });
    await assert.rejects(reading, { message: "five" });
    assert.deepEqual(results, ["r0", "r1", "r2", "r3", "r4"]);
    assert.equal(run.closed(), true);
  }
});

test("an item that comes after the error is not taken", async () => {
  const slow = slowSource();
  const run = world({ concurrency: 2 }, slow);
  const first = run.loop.next();
  slow.give(0);
  await settle(run);
  run.started[0]?.fail(new Error("zero"));
  await assert.rejects(first, { message: "zero" });
  slow.give(1);
  await settle(run);
  assert.equal(run.started.length, 1);
  assert.equal(slow.closed(), true);
});

test("collected errors are results in their place", async () => {
  const run = world({ collects: true, concurrency: 1 }, counting(3));
  const all = Array.fromAsync(run.loop);
  const reason = new Error("no");
  await settle(run);
  run.started[0]?.endWith({ 0: reason });
  await settle(run);
  run.started[1]?.end();
  await settle(run);
  run.started[2]?.end();
  assert.deepEqual(await all, [
    { status: "rejected", reason },
    { status: "fulfilled", value: "r1" },
    { status: "fulfilled", value: "r2" },
  ]);
});

test("a batch that fails as a whole is run again item by item, and only the culprit fails", async () => {
  const run = world({ collects: true, concurrency: 1 }, counting(4));
  const all = Array.fromAsync(run.loop);
  await settle(run);
  run.started[0]?.end(0.1);
  await settle(run);
  const crash = new Error("crashed");
  run.started[1]?.fail(crash);
  await settle(run);
  assert.deepEqual(run.started[2]?.items, [1]);
  run.started[2]?.fail(crash);
  await settle(run);
  assert.deepEqual(run.started[3]?.items, [2]);
  run.started[3]?.end();
  await settle(run);
  run.started[4]?.end();
  assert.deepEqual(await all, [
    { status: "fulfilled", value: "r0" },
    { status: "rejected", reason: crash },
    { status: "fulfilled", value: "r2" },
    { status: "fulfilled", value: "r3" },
  ]);
});

test("what may not run again is not: the whole batch has failed", async () => {
  const run = world({ collects: true, concurrency: 1, mayRerun: false }, counting(3));
  const all = Array.fromAsync(run.loop);
  await settle(run);
  run.started[0]?.end(0.1);
  await settle(run);
  run.started[1]?.fail("crash");
  assert.deepEqual((await all).slice(1), [
    { status: "rejected", reason: "crash" },
    { status: "rejected", reason: "crash" },
  ]);
  assert.equal(run.started.length, 2);
});

test("break cancels what is under way and closes the source; late results change nothing", async () => {
  const run = world();
  const first = run.loop.next();
  await settle(run);
  run.started[0]?.end();
  await first;
  await settle(run);
  await run.loop.return();
  assert.deepEqual(
    run.started.map(({ cancelled }) => cancelled),
    [false, true, true],
  );
  assert.equal(run.closed(), true);
  run.started[1]?.end();
  await settle(run);
  assert.deepEqual(await run.loop.next(), { done: true, value: undefined });
  await run.loop.return();
});

test("leaving before the first result takes nothing", async () => {
  const run = world();
  await run.loop.return();
  assert.equal(run.taken(), 0);
  assert.deepEqual(await run.loop.next(), { done: true, value: undefined });
});

test("a signal ends it with its reason, before and while it runs", async () => {
  const early = world({ signal: AbortSignal.abort("early") });
  await assert.rejects(early.loop.next(), (error) => error === "early");
  assert.equal(early.taken(), 0);

  const controller = new AbortController();
  const run = world({ signal: controller.signal });
  const first = run.loop.next();
  await settle(run);
  controller.abort("late");
  await assert.rejects(first, (error) => error === "late");
  assert.deepEqual(
    run.started.map(({ cancelled }) => cancelled),
    [true, true],
  );
});

test("a source that throws ends it, and is not told to return", async () => {
  let closed = false;
  const failing = {
    source: (): AnyIterator => ({
      next: () => {
        throw new Error("source");
      },
      return: () => {
        closed = true;
        return { done: true, value: undefined };
      },
    }),
    taken: () => 0,
    closed: () => closed,
  };
  await assert.rejects(world({}, failing).loop.next(), { message: "source" });
  assert.equal(closed, false);
  const rejecting = { ...failing, source: (): AnyIterator => ({ next: () => Promise.reject(new Error("later")) }) };
  await assert.rejects(world({}, rejecting).loop.next(), { message: "later" });
  const broken = { ...failing, source: (): AnyIterator => ({ next: () => 1 as never }) };
  await assert.rejects(world({}, broken).loop.next(), TypeError);
  const absent = {
    ...failing,
    source: (): AnyIterator => {
      throw new Error("no iterator");
    },
  };
  await assert.rejects(world({}, absent).loop.next(), { message: "no iterator" });
});

for (const ordered of [true, false])
  for (const collects of [true, false])
    for (const later of [true, false])
      test(`a source's error comes after the results of what it gave: ${JSON.stringify({ ordered, collects, later })}`, async () => {
        let given = 0;
        const step = (): IteratorResult<unknown> => {
          if (given === 5) throw new Error("source");
          return { done: false, value: given++ };
        };
        const source = (): AnyIterator => (later ? { next: () => Promise.resolve().then(step) } : { next: step });
        const run = world({ ordered, collects }, { source, taken: () => given, closed: () => false });
        const values: unknown[] = [];
        const reading = (async () => {
          for await (const value of run.loop) values.push(value);
        })();
        reading.catch(() => {});
        for (let turn = 0; turn < 10; turn++) {
          await settle(run);
          for (const batch of run.started) batch.end();
        }
        await assert.rejects(reading, { message: "source" });
        const results = ["r0", "r1", "r2", "r3", "r4"];
        assert.deepEqual(values, collects ? results.map((value) => ({ status: "fulfilled", value })) : results);
        assert.deepEqual(await run.loop.next(), { done: true, value: undefined });
      });

test("an item's error that comes first is the one that is thrown, not the source's", async () => {
  let given = 0;
  const source = (): AnyIterator => ({
    next: () => {
      if (given === 2) throw new Error("source");
      return { done: false, value: given++ };
    },
  });
  const run = world({ concurrency: 4 }, { source, taken: () => given, closed: () => false });
  const first = run.loop.next();
  await settle(run);
  run.started[0]?.endWith({ 0: new Error("item") });
  await assert.rejects(first, { message: "item" });
  assert.deepEqual(await run.loop.next(), { done: true, value: undefined });
});

test("a task that cannot be started ends it", async () => {
  const loop = new MapLoop(
    counting().source,
    {
      clock: new FakeClock(),
      start: () => {
        throw new Error("too many");
      },
    },
    defaults,
  );
  await assert.rejects(loop.next(), { message: "too many" });
  assert.deepEqual(await loop.next(), { done: true, value: undefined });
});

/** A source whose items come when the test says so. */
function slowSource(): {
  source: () => AnyIterator;
  give(value: unknown): void;
  end(): void;
  asked(): number;
  closed: () => boolean;
  taken: () => number;
} {
  const waiting: ((step: IteratorResult<unknown, undefined>) => void)[] = [];
  let asked = 0;
  let closed = false;
  return {
    source: () => ({
      next: () => {
        asked++;
        return new Promise<IteratorResult<unknown, undefined>>((resolve) => waiting.push(resolve));
      },
      return: () => {
        closed = true;
        return new Promise<never>(() => {});
      },
    }),
    give: (value) => waiting.shift()?.({ done: false, value }),
    end: () => waiting.shift()?.({ done: true, value: undefined }),
    asked: () => asked,
    taken: () => asked,
    closed: () => closed,
  };
}

test("an item of a slow source does not wait for those that would fill its batch", async () => {
  const slow = slowSource();
  const run = world({ concurrency: 1 }, slow);
  void run.loop.next();
  slow.give(0);
  await settle(run);
  run.started[0]?.end(0.1);
  await settle(run);
  void run.loop.next();
  await settle(run);
  slow.give(1);
  await settle(run);
  assert.deepEqual(run.started[1]?.items, [1], "two would fit");
});

test("items that come while all are busy travel together when one is free", async () => {
  const slow = slowSource();
  const run = world({ concurrency: 2 }, slow);
  for (let i = 0; i < 10; i++) void run.loop.next();
  for (const item of [0, 1, 2, 3, 4]) {
    await settle(run);
    slow.give(item);
    await settle(run);
    if (item === 0) run.started[0]?.end(0.1);
  }
  run.started[1]?.end(0.1);
  await settle(run);
  assert.deepEqual(
    run.started.map(({ items }) => items),
    [[0], [1], [2], [3, 4]],
  );
});

test("leaving does not wait for a source that waits", async () => {
  const slow = slowSource();
  const run = world({}, slow);
  const first = run.loop.next();
  await settle(run);
  assert.equal(slow.asked(), 1, "it is asked for one item at a time");
  await run.loop.return();
  assert.equal(slow.closed(), true);
  assert.deepEqual(await first, { done: true, value: undefined });
  slow.give(1);
  await settle(run);
  assert.equal(run.started.length, 0);
});

test("whatever ends when, every item gives its result once, in order, and the bounds hold", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        count: fc.nat(40),
        concurrency: fc.integer({ min: 1, max: 5 }),
        maxBatch: fc.integer({ min: 1, max: 8 }),
        ordered: fc.boolean(),
        picks: fc.infiniteStream(fc.nat()),
        times: fc.infiniteStream(fc.constantFrom(0.1, 1, 10)),
      }),
      async ({ count, concurrency, maxBatch, ordered, picks, times }) => {
        const run = world({ concurrency, maxBatch, ordered }, counting(count));
        const results: unknown[] = [];
        let over = false;
        const reading = (async () => {
          for await (const result of run.loop) {
            results.push(result);
            assert.ok(run.taken() - results.length <= concurrency * maxBatch);
          }
          over = true;
        })();
        const ended = new Set<StartedBatch>();
        for (let step = 0; step < 1000 && !over; step++) {
          await settle(run);
          const open = run.started.filter((batch) => !ended.has(batch));
          assert.ok(open.length <= concurrency);
          const batch = open[(picks.next().value as number) % Math.max(1, open.length)];
          if (batch === undefined) continue;
          ended.add(batch);
          batch.end(times.next().value as number);
        }
        await reading;
        const expected = Array.from({ length: count }, (_, item) => `r${item}`);
        assert.equal(results.length, count);
        assert.deepEqual(ordered ? results : new Set(results), ordered ? expected : new Set(expected));
      },
    ),
    { numRuns: 20 },
  );
});
