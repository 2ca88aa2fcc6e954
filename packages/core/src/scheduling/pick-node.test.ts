import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLabelSelector } from "../base/labels.ts";
import { seededRandom } from "../base/random.ts";
import { parseResources, type ResourceOptions } from "../base/resources.ts";
import type { ClusterView, NodeView, PlacementRequest, Strategy } from "./cluster-view.ts";
import { explainPlacement, showPlacement } from "./explain-placement.ts";
import { pickNode } from "./pick-node.ts";

function node(id: string, total: ResourceOptions, available: ResourceOptions = total, labels: Record<string, string> = {}): NodeView {
  return { id, total: parseResources(total), available: parseResources(available), labels };
}

function request(options: ResourceOptions, more: Partial<PlacementRequest> = {}): PlacementRequest {
  return { resources: parseResources(options), strategy: { kind: "hybrid" }, labels: [], ...more };
}

function pick(nodes: NodeView[], asked: PlacementRequest, seed = 1): string {
  const placement = pickNode({ nodes }, asked, seededRandom(seed));
  return placement.kind === "node" ? placement.nodeId : placement.kind;
}

const spread: Strategy = { kind: "spread" };
const cpu = { numCpus: 1 };

test("pick: packs to half full, then spreads", () => {
  const half = node("a", { numCpus: 8 }, { numCpus: 5.5 });
  const empty = node("b", { numCpus: 8 });

  assert.equal(pick([half, empty], request(cpu)), "a");
  assert.equal(pick([node("a", { numCpus: 8 }, { numCpus: 4 }), empty], request(cpu)), "b");
  assert.equal(pick([node("a", { numCpus: 8 }, { numCpus: 4 }), node("b", { numCpus: 8 }, { numCpus: 3 })], request(cpu)), "a");
});

test("pick: the preferred node wins among equals, and no more than that", () => {
  const nodes = [node("a", { numCpus: 8 }), node("b", { numCpus: 8 }), node("c", { numCpus: 8 }, { numCpus: 1 })];

  assert.equal(pick(nodes, request(cpu, { preferredNodeId: "b" })), "b");
  assert.equal(pick(nodes, request(cpu, { preferredNodeId: "c" })), "a");
  assert.equal(pick(nodes, request(cpu, { preferredNodeId: "gone" })), "a");
});

test("pick: the lot falls among the best fifth, the same seed the same way", () => {
  const nodes = Array.from({ length: 10 }, (_, index) => node(`n${index}`, { numCpus: 8 }));
  const picked = new Set(Array.from({ length: 50 }, (_, seed) => pick(nodes, request(cpu), seed)));

  assert.deepEqual([...picked].sort(), ["n0", "n1"]);
  assert.equal(pick(nodes, request(cpu), 7), pick(nodes, request(cpu), 7));
});

test("pick: work without GPUs stays off GPU nodes while others have room", () => {
  const gpu = node("a-gpu", { numCpus: 8, numGpus: 1 });

  assert.equal(pick([gpu, node("b", { numCpus: 8 }, { numCpus: 1 })], request(cpu)), "b");
  assert.equal(pick([gpu, node("b", { numCpus: 8 }, {})], request(cpu)), "a-gpu");
  assert.equal(pick([gpu, node("b", { numCpus: 8 })], request({ numCpus: 1, numGpus: 0.5 })), "a-gpu");
});

test("pick: spread takes the emptiest", () => {
  const nodes = [node("a", { numCpus: 8 }, { numCpus: 7 }), node("b", { numCpus: 8 }), node("c", { numCpus: 8 })];
  const picked = new Set(Array.from({ length: 30 }, (_, seed) => pick(nodes, request(cpu, { strategy: spread }), seed)));

  assert.deepEqual([...picked].sort(), ["b", "c"]);
});

test("pick: hard affinity waits for its node and never goes elsewhere; soft does when the node cannot serve", () => {
  const busy = node("a", { numCpus: 2 }, {});
  const free = node("b", { numCpus: 8 });
  const to = (nodeId: string, soft: boolean, options: ResourceOptions = cpu) =>
    request(options, { strategy: { kind: "affinity", nodeId, soft } });

  assert.equal(pick([busy, free], to("b", false)), "b");
  assert.equal(pick([busy, free], to("a", false)), "wait");
  assert.equal(pick([busy, free], to("a", true)), "wait");
  assert.equal(pick([busy, free], to("gone", false)), "infeasible");
  assert.equal(pick([busy, free], to("gone", true)), "b");
  assert.equal(pick([busy, free], to("a", true, { numCpus: 4 })), "b");
});

test("pick: a draining node gets nothing", () => {
  assert.equal(pick([{ ...node("a", { numCpus: 8 }), draining: true }], request(cpu)), "infeasible");
});

test("pick: labels bind, fallbacks are tried in order, and waiting beats giving up", () => {
  const eu = node("eu", { numCpus: 1 }, {}, { region: "eu" });
  const us = node("us", { numCpus: 1 }, cpu, { region: "us" });
  const labels = parseLabelSelector({ region: "eu" });
  const fallbackLabels = [parseLabelSelector({ region: "asia" }), parseLabelSelector({ region: "us" })];

  assert.equal(pick([eu, us], request(cpu, { labels })), "wait");
  assert.equal(pick([eu, us], request(cpu, { labels, fallbackLabels })), "us");
  assert.equal(pick([eu, us], request(cpu, { labels, fallbackLabels: fallbackLabels.slice(0, 1) })), "wait");
  assert.equal(pick([us], request(cpu, { labels })), "infeasible");
});

test("pick: an actor needs a CPU to be placed and none to run", () => {
  const actor = request({ numCpus: 0 }, { resourcesToPlace: parseResources({ numCpus: 1 }) });

  assert.equal(pick([node("a", { numCpus: 0, resources: { disk: 1 } })], actor), "infeasible");
  assert.equal(pick([node("a", { numCpus: 1 }, {})], actor), "a");
});

test("explain: each node with its first failing predicate and the numbers, nearest to fitting first", () => {
  const nodes = [
    { ...node("d", { numCpus: 8 }), draining: true },
    node("l", { numCpus: 8 }, { numCpus: 8 }, { region: "us" }),
    node("t", { numCpus: 2 }, { numCpus: 1 }, { region: "eu" }),
    node("b", { numCpus: 8 }, { numCpus: 3 }, { region: "eu" }),
  ];
  const asked = request({ numCpus: 4 }, { labels: parseLabelSelector({ region: "eu" }) });
  const explained = explainPlacement({ nodes }, asked);

  assert.equal(explained.kind, "wait");
  assert.equal(
    showPlacement(explained),
    "node b: needs CPU 4, node has 8 in total, 3 free; node t: needs CPU 4, node has 2 in total, 1 free; " +
      "node l: wants label region eu, node has us; node d: is leaving the cluster",
  );
  const missing = explainPlacement({ nodes }, { ...asked, strategy: { kind: "affinity", nodeId: "x", soft: false } });
  assert.equal(showPlacement(missing), "node x: is not in the cluster");
  assert.equal(showPlacement(explainPlacement({ nodes: [] }, asked)), "the cluster has no nodes");
});

test("explain: a thousand nodes give a page, not a book", () => {
  const nodes = Array.from({ length: 1000 }, (_, index) => node(`n${index}`, { numCpus: 1 }));
  const explained = explainPlacement({ nodes }, request({ numCpus: 4 }));

  assert.equal(explained.nodes.length, 20);
  assert.match(showPlacement(explained), /and 980 more nodes$/);
});

test("pick and explain agree, and a picked node has room, whatever the cluster", () => {
  const labels = fc.constantFrom({}, { region: "eu" }, { region: "us" });
  const nodes = fc
    .array(fc.record({ total: fc.nat(4), used: fc.nat(4), gpus: fc.nat(1), labels, draining: fc.boolean() }), { maxLength: 6 })
    .map((list) =>
      list.map((entry, index): NodeView => {
        const free = Math.max(0, entry.total - entry.used);
        const view = node(`n${index}`, { numCpus: entry.total, numGpus: entry.gpus }, { numCpus: free, numGpus: entry.gpus }, entry.labels);
        return { ...view, draining: entry.draining };
      }),
    );
  const strategy: fc.Arbitrary<Strategy> = fc.oneof(
    fc.constant<Strategy>({ kind: "hybrid" }),
    fc.constant(spread),
    fc.record({ kind: fc.constant("affinity" as const), nodeId: fc.constantFrom("n0", "n1", "n9"), soft: fc.boolean() }),
  );
  const selector = fc
    .constantFrom({}, { region: "eu" }, { region: "!eu" })
    .map((text) => parseLabelSelector(text as Record<string, string>));
  const asked = fc.record({
    strategy,
    labels: selector,
    fallbackLabels: fc.array(selector, { maxLength: 2 }),
    cpus: fc.nat(3),
    gpus: fc.nat(1),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(nodes, asked, (view, { strategy: chosen, labels: wanted, fallbackLabels, cpus, gpus, seed }) => {
      const cluster: ClusterView = { nodes: view };
      const asking = request({ numCpus: cpus, numGpus: gpus }, { strategy: chosen, labels: wanted, fallbackLabels });
      const placement = pickNode(cluster, asking, seededRandom(seed));
      const explained = explainPlacement(cluster, asking);

      assert.equal(explained.kind, placement.kind === "node" ? "fits" : placement.kind);
      if (placement.kind === "node") assert.equal(explained.nodes.find((entry) => entry.nodeId === placement.nodeId)?.refusal, undefined);
    }),
    { numRuns: 1000 },
  );
});
