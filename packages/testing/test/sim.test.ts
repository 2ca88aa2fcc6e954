/** Whole clusters in one thread: some seeds of every kind of run, and proof that a broken promise would be seen. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { failedSeeds } from "../src/sim/failed-seeds.ts";
import { plantedBugs } from "../src/sim/planted-bugs.ts";
import { runSeed } from "../src/sim/run-seed.ts";
import { firstSeedOfTree } from "../src/sim/seeds-of-tree.ts";
import { SimCounts } from "../src/sim/sim-counts.ts";

/** What a test run may spend on seeds that it has not tried before. */
const BUDGET_MS = 10_000;
const MAX_SEEDS_TO_CATCH = 1000;
/** The rarest fault is in every tenth run. */
const MAX_SEEDS_TO_SEE_ALL = 300;

async function assertHolds(seed: number, found?: string): Promise<SimCounts> {
  const { failure, counts } = await runSeed(seed);
  const once = found === undefined ? "" : ` (once: ${found})`;
  assert.equal(failure, undefined, `npm run sim -- --seed ${seed}${once}\n${failure?.stack}`);
  return counts;
}

test("seeds of this source", async (context) => {
  const first = firstSeedOfTree();
  const untilMs = performance.now() + BUDGET_MS;
  let seed = first;
  for (; performance.now() < untilMs; seed++) await assertHolds(seed);
  context.diagnostic(`${seed - first} seeds from ${first}`);
});

test("seeds that failed once hold, and between them everything happens", async () => {
  const counts = new SimCounts();
  for (const [seed, found] of failedSeeds) counts.addAll(await assertHolds(seed, found));
  const missing = (): string[] => mustHappen.filter((what) => counts.of(what) === 0);
  // Which seed has which fault changes with the code: as many are run as it takes.
  for (let seed = 1; missing().length > 0 && seed <= MAX_SEEDS_TO_SEE_ALL; seed++) counts.addAll(await assertHolds(seed));
  assert.deepEqual(missing(), [], "what never happens is not tested");
});

/** Every fault and every kind of statement. */
const mustHappen = [
  "fault: clock jump",
  "fault: driver death",
  "fault: flipped bit",
  "fault: full arena",
  "fault: lost connection",
  "fault: pause",
  "fault: repeated message",
  "fault: slow delivery",
  "fault: torn write",
  "fault: worker death",
  "driver left",
  "submit",
  "submit flaky",
  "submit limited",
  "submit pair",
  "put",
  "get",
  "get several",
  "get that timed out",
  "drop",
  "free",
  "cancel",
  "cancel by force",
  "wait",
  "stream",
  "stream left early",
  "actor",
  "actor asked for by name",
  "actor called by a task",
  "actor gave a ref",
  "actor killed",
  "actor left",
  "actor streamed",
  "actor told to restart",
  "named actor",
  "named actor killed",
  "placement group",
  "placement group infeasible",
  "placement group ready",
  "placement group removed with work in it",
  "actor in a placement group",
  "sleep",
  "plan add",
  "plan array",
  "plan put",
  "plan refs",
  "plan throw",
  "plan tree",
  "spilled file",
];

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
  for (const [name, { what, plant, options }] of Object.entries(plantedBugs)) {
    test(what, async (context) => {
      const unplant = plant?.();
      try {
        for (let seed = 1; seed <= MAX_SEEDS_TO_CATCH; seed++) {
          const { failure } = await runSeed(seed, options);
          if (failure === undefined) continue;
          context.diagnostic(`${name}: seed ${seed}, ${failure.message.slice(0, 100)}`);
          return;
        }
      } finally {
        unplant?.();
      }
      assert.fail(`not seen in ${MAX_SEEDS_TO_CATCH} seeds`);
    });
  }
});
