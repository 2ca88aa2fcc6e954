/** Devices: whose they are, and that code sees its own and no others. Two GPUs are pretended. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { get, kill, RaiaError, remote, runtimeContext } from "../../src/index.ts";
import { testCluster } from "@raia/testing/fixtures/cluster";

testCluster({ numGpus: 2, numCpus: 4 });

interface Seen {
  readonly pid: number;
  readonly variable: string | undefined;
  readonly indices: readonly number[];
}

function look(): Seen {
  return { pid: process.pid, variable: process.env["CUDA_VISIBLE_DEVICES"], indices: runtimeContext().accelerators["GPU"] ?? [] };
}

class Holder {
  readonly #atStart = look();
  seen(): readonly Seen[] {
    return [this.#atStart, look()];
  }
}

describe("devices", () => {
  test("a task sees the device that it holds, and its process ends with it", async () => {
    const holding = remote(look, { numGpus: 1 });
    const seen = await get(holding.remote());
    assert.deepEqual(seen.variable, String(seen.indices[0]));
    assert.equal(seen.indices.length, 1);
    const next = await get(holding.remote());
    assert.notEqual(next.pid, seen.pid);
  });

  test("both at once, in the order of the indices", async () => {
    const seen = await get(remote(look, { numGpus: 2 }).remote());
    assert.deepEqual([seen.variable, seen.indices], ["0,1", [0, 1]]);
  });

  test("a task that holds none sees none", async () => {
    const seen = await get(remote(look).remote());
    assert.deepEqual([seen.variable, seen.indices], ["", []]);
  });

  test("whole devices are held by one at a time, shares of one by several", async () => {
    const [first, second] = [remote(Holder, { numGpus: 1 }).remote(), remote(Holder, { numGpus: 0.5 }).remote()];
    const [third] = [remote(Holder, { numGpus: 0.5 }).remote()];
    const seen = (await get([first.seen.remote(), second.seen.remote(), third.seen.remote()])).flat();
    for (const { variable, indices } of seen) assert.equal(variable, indices.join(","));
    const [whole, , half, , otherHalf] = seen.map(({ indices }) => indices[0]);
    assert.notEqual(whole, half);
    assert.equal(half, otherHalf);
    assert.equal(new Set(seen.map(({ pid }) => pid)).size, 3);
    await Promise.all([first, second, third].map((actor) => kill(actor)));
  });

  test("what shares a process holds none", () => {
    assert.throws(
      () => remote(look, { numGpus: 0.5, isolation: "shared" }).remote(),
      (error) => RaiaError.is(error, "INVALID_OPTION") && error.facts["option"] === "isolation",
    );
  });
});
