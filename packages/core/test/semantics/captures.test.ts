/** Large captures: bytes go through shared memory, much else is worth a warning, too much is refused. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { get, listObjects, RaiaError, remote } from "../../src/index.ts";

testCluster();

const MiB = 1024 * 1024;

test("captured bytes are in shared memory once, and each process reads them there", async () => {
  const table = new Float64Array(MiB).fill(0.5);
  const part = table.subarray(1, 5);
  const small = new Uint8Array(10).fill(3);
  const sum = remote((by: number) => [table.length, table[by], part.length, part[0], small[9]]);
  assert.deepEqual(await get([sum.remote(0), sum.remote(9)]), [
    [MiB, 0.5, 4, 0.5, 3],
    [MiB, 0.5, 4, 0.5, 3],
  ]);
  const stored = (await listObjects()).filter(({ site }) => site === "captured bytes");
  assert.equal(stored.length, 1);
  assert.ok(Number(stored[0]?.bytes) >= 8 * MiB);
  // Captured once: what becomes of the array afterwards is not seen.
  table.fill(7);
  assert.equal((await get(sum.remote(0)))[1], 0.5);
});

test("an actor's class keeps its captures in itself", async () => {
  const table = new Uint8Array(2 * MiB).fill(4);
  class Reader {
    at(index: number): number | undefined {
      return table[index];
    }
  }
  assert.equal(
    await get(
      remote(Reader)
        .remote()
        .at.remote(2 * MiB - 1),
    ),
    4,
  );
});

test("more than 10 MiB of other captures warns with the largest, more than 95 MiB is refused with the path", async () => {
  const text = "x".repeat(11 * MiB);
  const warned = once(process, "warning") as Promise<[Error & { code?: string }]>;
  assert.equal(await get(remote(() => text.length).remote()), 11 * MiB);
  const [warning] = await warned;
  assert.equal(warning.code, "RAIA_LARGE_CAPTURE");
  assert.match(warning.message, /captures 11\.0 MiB.* -> text 11\.0 MiB/);

  const tooLong = "x".repeat(96 * MiB);
  assert.throws(
    () => remote(() => tooLong.length).remote(),
    (error) => RaiaError.is(error, "FUNCTION_UNCAPTURABLE") && /-> tooLong/.test(error.message),
  );
});
