/** Rules of retries, time limits and cancellation that a plain run never shows: what may happen at most once, and in which order. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { isAlive } from "@raia/testing/fixtures/is-alive";
import { note, notes, raise, whenNoted, whenRaised } from "@raia/testing/fixtures/signals";
import { cancel, get, listWorkers, type RaiaError, remote, runtimeContext } from "../../src/index.ts";

const cluster = testCluster();
const block = remote(async (log: string, path: string) => {
  note(log, "began");
  return whenRaised(path);
});

describe("at most once", () => {
  test("maxRetries 0: of a pipeline whose worker dies, what had begun rejects, the rest runs, and nothing runs twice", async () => {
    const log = cluster.path("log");
    const work = remote(
      (path: string, index: number) => {
        note(path, index);
        if (index === 50) process.kill(process.pid, "SIGKILL");
        return index;
      },
      { maxRetries: 0 },
    );
    const outcomes = await Promise.allSettled(Array.from({ length: 200 }, (_, index) => get(work.remote(log, index))));
    const ran = notes(log).map(Number);
    assert.equal(new Set(ran).size, ran.length, "something ran twice");
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") assert.equal(outcome.value, index);
      else assert.equal((outcome.reason as RaiaError).code, "WORKER_CRASHED");
    }
    // Whatever was not begun when the worker died ran elsewhere.
    assert.equal(ran.length, 200);
    assert.equal(outcomes[50]?.status, "rejected");
  });

  test("retries: of a pipeline whose worker dies again and again, only what had begun counts an attempt", async () => {
    const work = remote(
      (index: number) => {
        if (index % 80 === 79 && runtimeContext().attempt === 0) process.kill(process.pid, "SIGKILL");
        return runtimeContext().attempt;
      },
      { maxRetries: 1 },
    );
    // With one retry each, a call that was counted for a death that it only waited through would fail at the second.
    const attempts = await get(Array.from({ length: 200 }, (_, index) => work.remote(index)));
    for (const [index, attempt] of attempts.entries()) if (index % 80 === 79) assert.equal(attempt, 1);
  });
});

describe("time", () => {
  test("timeoutMs counts running time: what waited longer than it for a worker still has all of it", async () => {
    const [log, go] = [cluster.path("log"), cluster.path("go")];
    const blockers = [block.remote(log, go), block.remote(log, go)];
    await whenNoted(log, 2);
    const ref = remote(() => runtimeContext().attempt, { timeoutMs: 300 }).remote();
    const late = remote(() => 1, { queueTimeoutMs: 600 }).remote();
    // Its end tells that more than 300 ms have passed for the other, too.
    await assert.rejects(get(late), { code: "QUEUE_TIMEOUT" });
    raise(go);
    await get(blockers);
    assert.equal(await get(ref), 0);
  });

  test("queueTimeoutMs counts the time before: what runs longer than it is left alone", async () => {
    const [log, go] = [cluster.path("log"), cluster.path("go")];
    const ref = remote(
      async (path: string, until: string) => {
        note(path, "began");
        await whenRaised(until);
        return "ended";
      },
      { queueTimeoutMs: 5000, timeoutMs: 60_000 },
    ).remote(log, go);
    await whenNoted(log, 1);
    raise(go);
    assert.equal(await get(ref), "ended");
  });
});

describe("force", () => {
  test("SIGTERM first, for those who want to end in their own way; SIGKILL for those who do not end", async () => {
    const log = cluster.path("log");
    const stubborn = remote(
      async (path: string) => {
        process.on("SIGTERM", () => note(path, "asked to end"));
        note(path, process.pid);
        await new Promise(() => {});
      },
      { maxRetries: 0 },
    );
    const ref = stubborn.remote(log);
    const [pid] = await whenNoted(log, 1);
    cancel(ref, { force: true });
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    await whenNoted(log, 2);
    assert.ok(await eventually(() => !isAlive(Number(pid)), 10_000), "the process is still there");
    assert.deepEqual(notes(log).slice(1), ["asked to end"]);
  });

  test("recursive: false leaves the children alone", async () => {
    const [log, go, end] = [cluster.path("log"), cluster.path("go"), cluster.path("end")];
    const parent = remote(
      async (path: string, until: string, done: string) => {
        const child = remote(async (begun: string, gate: string, ended: string) => {
          note(begun, "child");
          await whenRaised(gate);
          raise(ended);
        });
        await get(child.remote(path, until, done));
      },
      { maxRetries: 0 },
    );
    const ref = parent.remote(log, go, end);
    await whenNoted(log, 1);
    cancel(ref, { recursive: false });
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    raise(go);
    await whenRaised(end);
  });
});

describe("nesting", () => {
  test("a deep tree holds few processes and little memory, however deep", { timeout: 60_000 }, async () => {
    const [log, go] = [cluster.path("log"), cluster.path("go")];
    const down = remote(async (depth: number, path: string, until: string): Promise<number> => {
      if (depth > 0) return 1 + (await get(down.remote(depth - 1, path, until)));
      note(path, "bottom");
      await whenRaised(until);
      return 0;
    });
    const ref = down.remote(100, log, go);
    await whenNoted(log, 1, 50_000);
    const workers = (await listWorkers()).filter(({ kind }) => kind !== "driver");
    const megabytes = workers.reduce((sum, { residentBytes = 0 }) => sum + residentBytes, 0) / 2 ** 20;
    raise(go);
    assert.equal(await get(ref), 100);
    // Eight waiting processes for each of the two CPUs; then their children run inside them.
    assert.ok(workers.length <= 24, `${workers.length} processes`);
    assert.ok(megabytes < 2000, `${megabytes} MiB`);
  });
});
