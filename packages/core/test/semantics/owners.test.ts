/** What a process owns while its loop stands still, while others use it, and when it is gone. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { raise, spinUntilRaised, whenRaised } from "@raia/testing/fixtures/signals";
import { explain, get, type ObjectRef, remote } from "../../src/index.ts";

const cluster = testCluster();

describe("an owner that computes for long", () => {
  test("does not keep the workers that it leased: others use them meanwhile", async () => {
    const [begun, go] = [cluster.path("begun"), cluster.path("go")];
    const parent = remote(
      async (start: string, end: string) => {
        const child = remote((x: number) => x);
        await get([child.remote(1), child.remote(2)]);
        raise(start);
        spinUntilRaised(end);
        return get(child.remote(3));
      },
      { maxRetries: 0 },
    ).remote(begun, go);
    await whenRaised(begun);
    // Two CPUs: one computes, the other was lent to the parent, which cannot give it back.
    const other = remote(() => "served", { numCpus: 1 });
    const answer = get(other.remote(), { timeoutMs: 60_000 });
    assert.equal(await answer.finally(() => raise(go)), "served");
    assert.equal(await get(parent), 3);
  });

  test("nor does it keep others waiting behind what it has asked for itself", async () => {
    const [begun, go] = [cluster.path("begun"), cluster.path("go")];
    const parent = remote(
      async (start: string, end: string) => {
        const child = remote((x: number) => x);
        await get(child.remote(1));
        // Another kind of work, for which the lease that it has is of no use.
        const alone = child.options({ isolation: "process" });
        const refs = [alone.remote(2), alone.remote(3)];
        await new Promise((resolve) => setImmediate(resolve)); // what was asked for has left
        raise(start);
        spinUntilRaised(end);
        return get(refs);
      },
      { maxRetries: 0 },
    ).remote(begun, go);
    await whenRaised(begun);
    const other = remote(() => "served", { numCpus: 1, isolation: "process" });
    assert.equal(await get(other.remote(), { timeoutMs: 60_000 }).finally(() => raise(go)), "served");
    assert.deepEqual(await get(parent), [2, 3]);
  });

  test("explain says which process it is and how long its loop has stood still", async () => {
    const [begun, go] = [cluster.path("begun"), cluster.path("go")];
    class Owner {
      pid(): number {
        return process.pid;
      }
      make(): { ref: ObjectRef<number> } {
        return { ref: remote(async (end: string) => (await whenRaised(end), 1)).remote(go) };
      }
      block(start: string, end: string): void {
        raise(start);
        spinUntilRaised(end);
      }
    }
    const owner = remote(Owner).options({ maxConcurrency: 1 }).remote();
    const pid = await get(owner.pid.remote());
    const { ref } = await get(owner.make.remote());
    const blocked = owner.block.remote(begun, go);
    await whenRaised(begun);
    const { reasons } = await explain(ref);
    raise(go);
    assert.match(reasons.join("\n"), new RegExp(`owner pid ${pid} has not run its loop for \\d+ s`));
    await get(blocked);
    assert.equal(await get(ref), 1);
  });
});
