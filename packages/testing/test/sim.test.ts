/** Whole clusters in one thread: some seeds of every kind of run, and proof that a broken promise would be seen. */
import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { ReferenceTable, ResourceLedger, StoreServer } from "@raia/core/internal";
import { failedSeeds } from "../src/sim/failed-seeds.ts";
import { runSeed } from "../src/sim/run-seed.ts";
import { firstSeedOfTree } from "../src/sim/seeds-of-tree.ts";

/** What a test run may spend on seeds that it has not tried before. */
const BUDGET_MS = 10_000;
const MAX_SEEDS_TO_CATCH = 1000;

async function assertHolds(seed: number, found?: string): Promise<void> {
  const { failure } = await runSeed(seed);
  const once = found === undefined ? "" : ` (once: ${found})`;
  assert.equal(failure, undefined, `npm run sim -- --seeds 1 --start ${seed}${once}\n${failure?.stack}`);
}

test("seeds of this source", async (context) => {
  const first = firstSeedOfTree();
  const untilMs = performance.now() + BUDGET_MS;
  let seed = first;
  for (; performance.now() < untilMs; seed++) await assertHolds(seed);
  context.diagnostic(`${seed - first} seeds from ${first}`);
});

test("seeds that failed once", async () => {
  for (const [seed, found] of failedSeeds) await assertHolds(seed, found);
});

test("the same seed runs the same way", async () => {
  for (const seed of [1, 2, 3, 5, 8]) {
    const first = await runSeed(seed);
    const second = await runSeed(seed);
    assert.deepEqual([second.hash, second.steps, second.virtualMs], [first.hash, first.steps, first.virtualMs], `seed ${seed}`);
  }
});

test("different seeds run differently", async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= 10; seed++) hashes.add((await runSeed(seed)).hash);
  assert.equal(hashes.size, 10);
});

describe("a broken promise is seen", () => {
  const broken: Readonly<Record<string, () => { mock: { restore(): void } }>> = {
    "a lease gives back what another still holds": () => {
      const release = Reflect.get(ResourceLedger.prototype, "release");
      return mock.method(ResourceLedger.prototype, "release", function (this: ResourceLedger, leaseId: string) {
        release.call(this, leaseId);
        const [other] = this.leaseIds();
        if (other !== undefined) release.call(this, other);
      });
    },
    "an owner does not note a borrower": () => mock.method(ReferenceTable.prototype, "addBorrower", () => []),
    "an owner does not hear that a borrower let go": () => mock.method(ReferenceTable.prototype, "removeBorrower", () => {}),
    "the store does not unpin": () => mock.method(StoreServer.prototype, "unpin", () => {}),
    "the store keeps what a dead owner owned": () => mock.method(StoreServer.prototype, "ownerDied", () => {}),
  };
  for (const [name, sabotage] of Object.entries(broken)) {
    test(name, async () => {
      const { mock: door } = sabotage();
      try {
        for (let seed = 1; seed <= MAX_SEEDS_TO_CATCH; seed++) if ((await runSeed(seed)).failure !== undefined) return;
      } finally {
        door.restore();
      }
      assert.fail(`not seen in ${MAX_SEEDS_TO_CATCH} seeds`);
    });
  }
});
