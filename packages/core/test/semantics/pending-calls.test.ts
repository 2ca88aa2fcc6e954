/** C-28: a million calls that wait: bounded memory, a cap that is told at the call, and map as the form that waits. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { raise, whenRaised } from "@raia/testing/fixtures/signals";
import { existingRuntime } from "../../src/api/init.ts";
import { get, map, type RaiaError, remote } from "../../src/index.ts";

const cluster = testCluster();
const COUNT = 1_000_000;
/** With the place in the program's own list of refs. */
const MAX_BYTES_EACH = 1024;

test("C-28: 10^6 pending tasks take at most 1 KB each, and shutdown() ends them all", { timeout: 120_000 }, async () => {
  const program = fileURLToPath(new URL("pending-program.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", program, cluster.path("never"), String(COUNT)]);
  const { bytesEach, last } = JSON.parse(stdout) as { bytesEach: number; last: string };
  assert.ok(bytesEach <= MAX_BYTES_EACH, `${Math.round(bytesEach)} bytes each`);
  assert.equal(last, "SHUTTING_DOWN");
});

test("C-28: past the cap remote() throws PENDING_CALLS_LIMIT with the numbers, and what is pending is not harmed", async () => {
  const runtime = existingRuntime();
  const go = cluster.path("go");
  const wait = remote(async (path: string, index: number) => (await whenRaised(path), index));
  const usual = runtime.calls.maxPendingCalls;
  runtime.calls.maxPendingCalls = 50;
  try {
    const refs = Array.from({ length: 50 }, (_, index) => wait.remote(go, index));
    assert.throws(
      () => wait.remote(go, 50),
      (error: RaiaError) => error.code === "PENDING_CALLS_LIMIT" && error.facts["pending"] === 50 && error.facts["limit"] === 50,
    );
    raise(go);
    assert.deepEqual(
      await get(refs),
      Array.from({ length: 50 }, (_, index) => index),
    );
    assert.equal(await get(wait.remote(go, 7)), 7);
  } finally {
    runtime.calls.maxPendingCalls = usual;
  }
});

test("C-28: map waits: it never has more under way than it was given, however many items there are", async () => {
  const runtime = existingRuntime();
  const usual = runtime.calls.maxPendingCalls;
  runtime.calls.maxPendingCalls = 8;
  let sum = 0;
  try {
    for await (const y of map(Array.from({ length: 500 }).keys(), (x: number) => 2 * x, { concurrency: 8, maxBatch: 1 })) sum += y;
  } finally {
    runtime.calls.maxPendingCalls = usual;
  }
  assert.equal(sum, 499 * 500);
});
