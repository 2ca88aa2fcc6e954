/** Everything in one process: the same answers as between processes, and a clear word where that cannot be. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cancel, get, init, isInitialized, kill, put, RaiaError, remote, runtimeContext, shutdown } from "../../src/index.ts";

/** Long against a start, short against a person. A first start loads code as well, and is not measured. */
const START_MS = 50;

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => RaiaError.is(error) && error.code === code;
}

describe("inProcess mode", () => {
  before(() => init({ mode: "inProcess", numCpus: 2 }));
  after(() => shutdown());

  test("a closure runs, and its arguments are copies", async () => {
    const factor = 3;
    const list = [1, 2];
    const grow = remote((numbers: number[]) => {
      numbers.push(9);
      return numbers.map((number) => number * factor);
    });
    assert.deepEqual(await get(grow.remote(list)), [3, 6, 27]);
    assert.deepEqual(list, [1, 2]);
  });

  test("a large value is each reader's own", async () => {
    const ref = put(new Float64Array(100_000).fill(1));
    const spoil = remote((numbers: Float64Array) => {
      numbers[0] = 100;
      return numbers.reduce((sum, number) => sum + number);
    });
    assert.equal(await get(spoil.remote(ref)), 100_099);
    assert.equal(await get(spoil.remote(ref)), 100_099);
    assert.equal((await get(ref))[0], 1);
  });

  test("tasks submit tasks, deeper than there are CPUs", async () => {
    const depth = remote(async (left: number): Promise<number> => (left === 0 ? 0 : 1 + (await get(depth.remote(left - 1)))));
    assert.equal(await get(depth.remote(20) as never), 20);
  });

  test("an error keeps its class and its properties", async () => {
    const boom = remote((): never => {
      throw Object.assign(new RangeError("too far"), { by: 7 });
    });
    await assert.rejects(get(boom.remote()), (error: unknown) => error instanceof RangeError && (error as { by?: number }).by === 7);
  });

  test("cancelling aborts the signal of what runs", async () => {
    const [began, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const hooks = globalThis as unknown as { began?: () => void; ended?: () => void };
    hooks.began = began.resolve;
    hooks.ended = ended.resolve;
    const forever = remote(async () => {
      const { signal } = runtimeContext();
      (globalThis as unknown as { began(): void }).began();
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      (globalThis as unknown as { ended(): void }).ended();
    });
    const ref = forever.remote();
    await began.promise;
    cancel(ref);
    await assert.rejects(get(ref), hasCode("TASK_CANCELLED"));
    await ended.promise;
  });

  test("an actor keeps its state, and starts anew after a kill", async () => {
    class Counter {
      #n = 0;
      add(by: number): number {
        return (this.#n += by);
      }
    }
    const counter = remote(Counter, { maxRestarts: 1, maxTaskRetries: 2 } as never).remote();
    assert.deepEqual(await get([counter.add.remote(1), counter.add.remote(2)]), [1, 3]);
    await kill(counter, { noRestart: false });
    assert.equal(await get(counter.add.remote(5)), 5);
    await kill(counter);
    await assert.rejects(get(counter.add.remote(1)), hasCode("ACTOR_DIED"));
  });

  test("a stream gives its items as they come", async () => {
    const count = remote(function* (to: number) {
      for (let i = 0; i < to; i++) yield i;
    });
    const items: number[] = [];
    for await (const ref of count.remote(5) as unknown as AsyncIterable<never>) items.push(await get(ref));
    assert.deepEqual(items, [0, 1, 2, 3, 4]);
  });

  test("what asks for too much fails with the numbers", async () => {
    const huge = remote(() => 1, { numCpus: 64 });
    await assert.rejects(get(huge.remote() as never), hasCode("TASK_UNSCHEDULABLE"));
  });

  describe("refuses what one process cannot give", () => {
    test("another environment", () => {
      const other = remote(() => 1, { runtimeEnv: { envVars: { A: "1" } } });
      assert.throws(() => other.remote(), hasCode("NOT_IN_PROCESS"));
    });

    test("a thread of its own", () => {
      assert.throws(() => remote(() => 1, { isolation: "thread" }).remote(), hasCode("NOT_IN_PROCESS"));
    });

    test("the end of the task's process", async () => {
      for (const end of [() => process.exit(0), () => process.abort(), () => process.kill(process.pid)]) {
        await assert.rejects(get(remote(end as () => unknown, { maxRetries: 0 } as never).remote() as never), hasCode("NOT_IN_PROCESS"));
      }
    });
  });
});

test("starts at once, and leaves nothing", async () => {
  const exit: unknown = Reflect.get(process, "exit");
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const startMs = performance.now();
    await init({ mode: "inProcess" });
    times.push(performance.now() - startMs);
    await shutdown();
  }
  assert.equal(isInitialized(), false);
  assert.equal(Reflect.get(process, "exit"), exit);
  assert.ok(Math.min(...times) < START_MS, `${times.map((ms) => ms.toFixed(1)).join(", ")} ms`);
  await sleep(1);
});
