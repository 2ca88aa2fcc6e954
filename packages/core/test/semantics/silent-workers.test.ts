/** Workers that stand still before they have begun what they were given. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { isAlive } from "@raia/testing/fixtures/is-alive";
import { explain, get, listWorkers, type ObjectRef, remote } from "../../src/index.ts";

testCluster({ numCpus: 1 });

const pidOf = remote(() => process.pid);

/** Stops all workers that there are, once none of them is still starting; afterwards they go on, so that they can leave. */
async function whileWorkersAreStopped(run: (pids: readonly number[]) => Promise<void>): Promise<void> {
  let pids: number[] = [];
  const areThere = async (): Promise<boolean> => {
    const workers = (await listWorkers()).filter(({ kind }) => kind !== "driver");
    pids = workers.map(({ pid }) => pid);
    return workers.length > 0 && workers.every(({ state }) => state === "idle" || state === "busy");
  };
  assert.ok(await eventually(areThere, 10_000));
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  try {
    await run(pids);
  } finally {
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGCONT");
  }
}

function isToldOf(ref: ObjectRef, pids: readonly number[]): Promise<boolean> {
  return eventually(async () => {
    const { reasons } = await explain(ref);
    return pids.some((pid) => reasons.some((reason) => reason.startsWith(`process ${pid}, which was to run it, has not answered for `)));
  }, 4500);
}

test("a worker that was never reached: the call goes to another, and explain names the first meanwhile", async () => {
  await whileWorkersAreStopped(async (pids) => {
    const ref = pidOf.options({ timeoutMs: 1000 }).remote();
    assert.ok(await isToldOf(ref, pids));
    assert.ok(!pids.includes(await get(ref)));
  });
});

test("a worker that was lent already: the call is recalled by its claim word, and runs once, elsewhere", async () => {
  await get(pidOf.remote());
  await whileWorkersAreStopped(async (pids) => {
    const ref = pidOf.options({ timeoutMs: 1000, maxRetries: 0 }).remote();
    assert.ok(await isToldOf(ref, pids));
    assert.ok(!pids.includes(await get(ref)));
  });
});
