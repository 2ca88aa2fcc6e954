/** Tasks that share a process: what one may do to the others. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { isRaised, note, notes, raise, spinUntilRaised, whenNoted, whenRaised } from "@raia/testing/fixtures/signals";
import { cancel, get, type RaiaError, remote, runtimeContext } from "../../src/index.ts";

const cluster = testCluster();

/** A small task that waits for its signal beside others, and tells where. */
const wait = remote(
  async (log: string, go: string) => {
    note(log, process.pid);
    await whenRaised(go);
    return [process.pid, runtimeContext().attempt] as const;
  },
  { numCpus: 0.1 },
);

describe("a process that dies with several tasks in it", () => {
  test("may not run again: WORKER_CRASHED with cause=neighbour, and who died how", async () => {
    const [log, go] = [cluster.path("log"), cluster.path("go")];
    const refs = [1, 2, 3].map(() => wait.options({ maxRetries: 0, isolation: "shared" }).remote(log, go));
    const pids = new Set(await whenNoted(log, 3));
    assert.equal(pids.size, 1, "they do not share a process");
    process.kill(Number([...pids][0]), "SIGKILL");
    for (const ref of refs)
      await assert.rejects(get(ref), (error: RaiaError) => {
        assert.equal(error.code, "WORKER_CRASHED");
        assert.equal(error.facts["cause"], "neighbour");
        assert.equal(error.facts["kind"], "signal");
        return true;
      });
    assert.equal(notes(log).length, 3);
  });

  test("may run again: each runs alone, and the one that kills its process takes nobody along", async () => {
    const log = cluster.path("log");
    const work = remote(
      async (path: string, index: number) => {
        note(path, `${index} ${process.pid} ${runtimeContext().attempt}`);
        if (runtimeContext().attempt === 0) await new Promise(() => {});
        if (index === 0) process.kill(process.pid, "SIGKILL");
        return index;
      },
      { numCpus: 0.1, maxRetries: 2 },
    );
    const refs = [0, 1, 2, 3].map((index) => work.remote(log, index));
    const first = await whenNoted(log, 4);
    const pids = new Set(first.map((line) => line.split(" ")[1]));
    assert.equal(pids.size, 1, "they do not share a process");
    process.kill(Number([...pids][0]), "SIGKILL");
    assert.deepEqual(await get(refs.slice(1)), [1, 2, 3]);
    await assert.rejects(get(refs[0]!), { code: "WORKER_CRASHED" });
    // The innocent ran twice: beside the others, and alone.
    for (const index of [1, 2, 3]) assert.equal(notes(log).filter((line) => line.startsWith(`${index} `)).length, 2);
    assert.equal(notes(log).filter((line) => line.startsWith("0 ")).length, 3);
  });

  test("what may not run again has a process to itself, unless it says shared", async () => {
    const [log, go] = [cluster.path("log"), cluster.path("go")];
    const refs = [1, 2].map(() => wait.options({ maxRetries: 0 }).remote(log, go));
    const pids = new Set(await whenNoted(log, 2));
    raise(go);
    await get(refs);
    assert.equal(pids.size, 2);
  });
});

describe("cancelling one of several", () => {
  test("force: one that listens to its signal ends, and its neighbours go on", async () => {
    const [log, go, heard] = [cluster.path("log"), cluster.path("go"), cluster.path("heard")];
    const neighbours = [1, 2].map(() => wait.options({ maxRetries: 0, isolation: "shared" }).remote(log, go));
    const listens = remote(
      async (path: string, end: string) => {
        note(path, process.pid);
        await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
        raise(end);
      },
      { numCpus: 0.1, maxRetries: 0, isolation: "shared" },
    );
    const ref = listens.remote(log, heard);
    assert.equal(new Set(await whenNoted(log, 3)).size, 1, "they do not share a process");
    cancel(ref, { force: true });
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    await whenRaised(heard);
    raise(go);
    for (const [, attempt] of await get(neighbours)) assert.equal(attempt, 0);
  });

  test("force: one that does not listen takes its process along; who may run again does", async () => {
    const [log, go, never] = [cluster.path("log"), cluster.path("go"), cluster.path("never")];
    const neighbours = [1, 2].map(() => wait.remote(log, go));
    const deaf = remote(
      (path: string, until: string) => {
        note(path, process.pid);
        spinUntilRaised(until);
      },
      { numCpus: 0.1 },
    );
    await whenNoted(log, 2);
    const ref = deaf.remote(log, never);
    assert.equal(new Set(await whenNoted(log, 3)).size, 1, "they do not share a process");
    cancel(ref, { force: true });
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    raise(go);
    for (const [, attempt] of await get(neighbours)) assert.equal(attempt, 1);
    assert.equal(isRaised(never), false);
  });
});
