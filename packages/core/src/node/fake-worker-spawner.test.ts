import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import type { DeathCause } from "./death-cause.ts";
import { FakeWorkerSpawner } from "./fake-worker-spawner.ts";

function start(startErrorCode?: string) {
  const clock = new FakeClock();
  const deaths: DeathCause[] = [];
  const spawner = new FakeWorkerSpawner(clock);
  spawner.startErrorCode = startErrorCode;
  const child = spawner.spawn({ command: "node", args: [], env: {} }, { onOutput: () => {}, onDeath: (cause) => void deaths.push(cause) });
  return { clock, child, deaths };
}

test("fake worker: dies as a real one, once, in a later turn", () => {
  const { clock, child, deaths } = start();
  child.write("stderr", "last words\n");
  child.kill("SIGKILL", { by: "user" });
  child.kill("SIGKILL", { by: "node" });
  assert.deepEqual([deaths.length, child.isAlive], [0, false]);
  clock.advance(1);

  assert.deepEqual(deaths, [{ kind: "killed-by-user", pid: 1000, signal: "SIGKILL", stderrTail: ["last words"] }]);
});

test("fake worker: a start that fails, and one that ignores SIGTERM", () => {
  const failed = start("EAGAIN");
  failed.clock.advance(1);
  assert.deepEqual([failed.child.pid, failed.deaths[0]?.kind], [undefined, "start-failed"]);

  const { clock, child, deaths } = start();
  child.isStubborn = true;
  child.kill("SIGTERM", { by: "node" });
  clock.advance(1);
  assert.equal(deaths.length, 0);
  child.kill("SIGKILL", { by: "node" });
  clock.advance(1);
  assert.equal(deaths[0]?.kind, "stopped-by-node");
});
