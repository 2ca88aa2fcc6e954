/** isolation: "thread": own threads of shared processes, copies of values, and an end that touches nobody else. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isMainThread, threadId } from "node:worker_threads";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { whenRaised, raise } from "@raia/testing/fixtures/signals";
import { cancel, get, kill, put, RaiaError, remote, runtimeContext } from "../../src/index.ts";

const cluster = testCluster();

interface Place {
  readonly pid: number;
  readonly thread: number;
  readonly isMain: boolean;
}

function here(): Place {
  return { pid: process.pid, thread: threadId, isMain: isMainThread };
}

class Counter {
  #count = 0;
  add(by: number): number {
    return (this.#count += by);
  }
  place(): Place {
    return here();
  }
  spin(began: string): never {
    raise(began);
    for (;;);
  }
  fill(): never {
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from({ length: 1000 }, (_, index) => ({ index })));
  }
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => RaiaError.is(error, code as never) || assert.fail(String(error));
}

describe("threads", () => {
  test("a task runs in a thread that is no main thread, with state of its own", async () => {
    const place = await get(remote(here, { isolation: "thread" }).remote());
    assert.equal(place.isMain, false);
    assert.notEqual(place.pid, process.pid);
  });

  test("several share a process; each has its own module state, and its own life", async () => {
    const class_ = remote(Counter, { isolation: "thread" });
    const [first, second] = [class_.remote(), class_.remote()];
    const places = await get([first.place.remote(), second.place.remote()]);
    assert.equal(places[0]?.pid, places[1]?.pid);
    assert.notEqual(places[0]?.thread, places[1]?.thread);
    assert.deepEqual(await get([first.add.remote(1), first.add.remote(1), second.add.remote(5)]), [1, 2, 5]);

    const began = cluster.path("spins");
    const spinning = first.spin.remote(began);
    await whenRaised(began);
    // Its thread never comes back to its loop, and yet it can be ended; the other one does not notice.
    await kill(first);
    await assert.rejects(get(spinning), hasCode("ACTOR_DIED"));
    assert.equal(await get(second.add.remote(1)), 6);
    assert.equal((await get(second.place.remote())).pid, places[1]?.pid);
    await kill(second);
  });

  test("values are copies, large ones too; results and puts of a thread reach others", async () => {
    const source = new Float64Array(200_000).fill(2);
    const ref = put(source);
    const double = remote((values: Float64Array) => values.map((value) => value * 2), { isolation: "thread" });
    const spoil = remote(
      (values: Float64Array) => {
        values.fill(9);
        return values.length;
      },
      { isolation: "thread" },
    );
    assert.equal(await get(spoil.remote(ref)), 200_000);
    const doubled = await get(double.remote(ref));
    assert.deepEqual([doubled.length, doubled[0], doubled.at(-1)], [200_000, 4, 4]);
    assert.equal((await get(ref))[0], 2);
    const putting = remote(() => [put(new Float64Array(300_000).fill(3))], { isolation: "thread" });
    const [inner] = await get(putting.remote());
    assert.ok(inner !== undefined);
    assert.equal((await get(inner)).at(-1), 3);
  });

  test("tasks of a thread submit tasks, and many at a time", async () => {
    const square = remote((x: number) => x * x);
    const sum = remote(
      async (count: number) => {
        const squares = await get(Array.from({ length: count }, (_, x) => square.remote(x)));
        return squares.reduce((total, value) => total + value, 0);
      },
      { isolation: "thread" },
    );
    assert.deepEqual(await get([sum.remote(50), sum.remote(50), sum.remote(50)]), [40_425, 40_425, 40_425]);
  });

  test("a loop that never ends: timeoutMs, and cancel with force", async () => {
    const spin = remote(
      (began: string) => {
        raise(began);
        for (;;);
      },
      { isolation: "thread", maxRetries: 0 },
    );
    await assert.rejects(get(spin.options({ timeoutMs: 200 }).remote(cluster.path("limit"))), hasCode("TASK_TIMEOUT"));
    const began = cluster.path("forced");
    const ref = spin.remote(began);
    await whenRaised(began);
    cancel(ref, { force: true });
    await assert.rejects(get(ref), hasCode("TASK_CANCELLED"));
    assert.equal(await get(remote(() => 1, { isolation: "thread" }).remote()), 1);
  });

  test("process.exit, an error that nobody catches, a full heap: typed, and only its own thread's", async () => {
    const stays = remote(Counter, { isolation: "thread" }).remote();
    await get(stays.add.remote(1));
    const exit = remote(() => process.exit(3), { isolation: "thread", maxRetries: 0 });
    await assert.rejects(get(exit.remote()), (error: RaiaError) => {
      assert.deepEqual([error.code, error.facts["cause"], error.facts["exitCode"]], ["WORKER_CRASHED", "exit", 3]);
      return true;
    });
    const throwLater = remote(
      () =>
        new Promise(() => {
          setImmediate(() => {
            throw new Error("nobody catches this");
          });
        }),
      { isolation: "thread", maxRetries: 0 },
    );
    await assert.rejects(get(throwLater.remote()), (error: RaiaError) => {
      assert.equal(error.code, "WORKER_CRASHED");
      assert.match(JSON.stringify(error.facts["stderrTail"]), /nobody catches this/);
      return true;
    });
    const full = remote(Counter, { isolation: "thread", memory: 64 * 1024 ** 2 }).remote();
    await assert.rejects(get(full.fill.remote()), (error: RaiaError) => {
      assert.deepEqual([error.code, error.facts["cause"]], ["ACTOR_DIED", "oom-heap"]);
      return true;
    });
    assert.equal(await get(stays.add.remote(1)), 2);
  });

  test("cancelling aborts the signal of what listens", async () => {
    const began = cluster.path("listens");
    const listen = remote(
      async (path: string) => {
        const { signal } = runtimeContext();
        raise(path);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
      { isolation: "thread" },
    );
    const ref = listen.remote(began);
    await whenRaised(began);
    cancel(ref);
    await assert.rejects(get(ref), hasCode("TASK_CANCELLED"));
  });
});
