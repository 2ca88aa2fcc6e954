/** Memory of workers: the node ends one before the kernel would choose (C-25), and a heap that is full is told as such. */
import assert from "node:assert/strict";
import { freemem, totalmem } from "node:os";
import { test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { getHeapStatistics } from "node:v8";
import { get, type RaiaError, remote } from "../../src/index.ts";

const MiB = 1024 * 1024;
// As if the machine were almost full: what the task takes brings it over.
process.env["RAIA_MEMORY_USAGE_THRESHOLD"] = String((totalmem() - freemem() + 500 * MiB) / totalmem());
testCluster();

test("C-25: a task that takes more and more is ended by the node, with the figures; others go on", { timeout: 60_000 }, async () => {
  const take = remote(
    async () => {
      const taken: Buffer[] = [];
      for (;;) {
        taken.push(Buffer.alloc(20 * MiB, 1));
        if (taken.length > 200) return "nobody came";
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    { maxRetries: 0 },
  );
  await assert.rejects(get(take.remote()), (error: RaiaError) => {
    assert.equal(error.code, "OUT_OF_MEMORY");
    assert.equal(error.facts["cause"], "oom-monitor");
    assert.ok(Number((error.facts["memory"] as { nodeTotalBytes?: number } | undefined)?.nodeTotalBytes) > 0, JSON.stringify(error.facts));
    return true;
  });
  assert.equal(await get(remote(() => 1).remote()), 1);
});

test("a heap that is full is OUT_OF_MEMORY with that cause", { timeout: 60_000 }, async () => {
  const fill = remote(
    () => {
      const kept: unknown[] = [];
      for (;;) kept.push(Array.from({ length: 1000 }, (_, index) => ({ index })));
    },
    { maxRetries: 0, memory: 64 * MiB },
  );
  await assert.rejects(get(fill.remote()), (error: RaiaError) => {
    assert.equal(error.code, "OUT_OF_MEMORY");
    assert.match(JSON.stringify(error.facts["cause"]), /oom-heap|oom-monitor/);
    return true;
  });
});

test("memory is the heap limit of a process of its own", async () => {
  const heapMiB = remote(() => Math.round(getHeapStatistics().heap_size_limit / MiB), { memory: 256 * MiB });
  const limit = await get(heapMiB.remote());
  assert.ok(limit >= 256 && limit < 256 + 128, `${limit} MiB`);
});
