/**
 * What it takes to place a group of 100 bundles in a cluster of 10,000 nodes that are partly in use, in milliseconds.
 *
 *     node packages/core/src/scheduling/bundle-policy.bench.ts
 */
import { realClock } from "../base/clock.ts";
import { randomBelow, seededRandom } from "../base/random.ts";
import { parseResources } from "../base/resources.ts";
import { placeBundles } from "./bundle-policy.ts";
import type { GroupRequest, GroupStrategy, NodeView } from "./cluster-view.ts";

const NODES = 10_000;
const BUNDLES = 100;
const ROUNDS = 20;

const random = seededRandom(1);
const nodes: NodeView[] = Array.from({ length: NODES }, (_, index) => {
  const numCpus = [16, 32, 64][randomBelow(random, 3)] as number;
  const numGpus = index % 10 === 0 ? 8 : 0;
  return {
    id: `node-${index}`,
    total: parseResources({ numCpus, numGpus, memory: 1e9 }),
    available: parseResources({ numCpus: randomBelow(random, numCpus + 1), numGpus, memory: 1e9 }),
    labels: { rack: `r${index % 500}` },
  };
});

const equal = Array.from({ length: BUNDLES }, () => ({ resources: parseResources({ numCpus: 4 }), labels: [] }));
const various = Array.from({ length: BUNDLES }, (_, index) => ({
  resources: parseResources({ numCpus: 1 + (index % 37) / 10, numGpus: index % 11 === 0 ? 1 : 0, memory: 1000 + index }),
  labels: [],
}));

for (const strategy of ["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"] as const satisfies readonly GroupStrategy[]) {
  for (const [name, bundles] of Object.entries({ "equal bundles": equal, "100 kinds": various })) {
    for (const sameLabels of [[], ["rack"]]) {
      const request: GroupRequest = { bundles, strategy, sameLabels };
      const { kind } = placeBundles({ nodes }, request);
      const startedAtMs = realClock.nowMs();
      for (let round = 0; round < ROUNDS; round++) placeBundles({ nodes }, request);
      const ms = (realClock.nowMs() - startedAtMs) / ROUNDS;
      console.log(`${strategy.padEnd(14)} ${name.padEnd(14)} ${(sameLabels[0] ?? "").padEnd(5)} ${ms.toFixed(1).padStart(7)} ms  ${kind}`);
    }
  }
}
