import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLabelSelector } from "../base/labels.ts";
import { parseResources, type ResourceOptions, unitsOf } from "../base/resources.ts";
import { placeBundles } from "./bundle-policy.ts";
import type { BundleRequest, GroupRequest, GroupStrategy, NodeView } from "./cluster-view.ts";
import { explainBundles } from "./explain-bundles.ts";

function node(id: string, total: ResourceOptions, available: ResourceOptions = total, labels: Record<string, string> = {}): NodeView {
  return { id, total: parseResources(total), available: parseResources(available), labels };
}

function cpus(...counts: number[]): BundleRequest[] {
  return counts.map((numCpus) => ({ resources: parseResources({ numCpus }), labels: [] }));
}

function place(
  nodes: readonly NodeView[],
  strategy: GroupStrategy,
  bundles: readonly BundleRequest[],
  more: Partial<GroupRequest> = {},
): string {
  const placement = placeBundles({ nodes }, { bundles, strategy, sameLabels: [], ...more });
  return placement.kind === "placed" ? placement.nodeIds.join(" ") : placement.kind;
}

const cpu = { numCpus: 4 };
const three = [node("a", cpu), node("b", cpu), node("c", cpu)];

test("bundles: PACK takes as few nodes as it can, the fullest that holds the rest", () => {
  assert.equal(place(three, "PACK", cpus(2, 2)), "a a");
  assert.equal(place([node("a", cpu), node("b", cpu, { numCpus: 2 })], "PACK", cpus(1, 1)), "b b");
  assert.equal(place([node("a", { numCpus: 2 }), node("b", { numCpus: 6 })], "PACK", cpus(2, 2, 2)), "b b b");
  assert.equal(place(three, "PACK", cpus(3, 3)), "a b");
});

test("bundles: SPREAD takes as many nodes as there are, and then those that have fewest", () => {
  assert.equal(place(three, "SPREAD", cpus(1, 1, 1)), "a b c");
  assert.deepEqual(
    place(three, "SPREAD", cpus(1, 1, 1, 1, 1, 1))
      .split(" ")
      .toSorted()
      .join(""),
    "aabbcc",
  );
  assert.equal(place([node("a", cpu, { numCpus: 1 }), node("b", cpu)], "SPREAD", cpus(2, 2)), "b b");
});

test("bundles: STRICT_PACK wants one node for all", () => {
  assert.equal(place(three, "STRICT_PACK", cpus(2, 2)), "a a");
  assert.equal(place(three, "STRICT_PACK", cpus(2, 3)), "infeasible");
  assert.equal(place([node("a", cpu, { numCpus: 1 })], "STRICT_PACK", cpus(2, 2)), "wait");
});

test("bundles: STRICT_SPREAD wants a node for each, and finds the way though the first choice is another's only one", () => {
  assert.deepEqual(
    place(three, "STRICT_SPREAD", cpus(1, 1, 1))
      .split(" ")
      .toSorted(),
    ["a", "b", "c"],
  );
  assert.equal(place(three, "STRICT_SPREAD", cpus(1, 1, 1, 1)), "infeasible");
  const eu = { resources: parseResources({ numCpus: 1 }), labels: parseLabelSelector({ region: "eu" }) };
  const [one] = cpus(1) as [BundleRequest];
  const nodes = [node("a", cpu, cpu, { region: "eu" }), node("b", cpu, { numCpus: 3 })];
  assert.equal(place(nodes, "STRICT_SPREAD", [one, eu]), "b a");
});

test("bundles: each may say which labels its node has", () => {
  const nodes = [node("eu", cpu, cpu, { region: "eu" }), node("us", cpu, cpu, { region: "us" })];
  const bundles = ["us", "eu", "!us"].map((region) => ({
    resources: parseResources({ numCpus: 1 }),
    labels: parseLabelSelector({ region }),
  }));

  assert.equal(place(nodes, "PACK", bundles), "us eu eu");
  assert.equal(place(nodes, "STRICT_PACK", bundles), "infeasible");
});

test("bundles: all on nodes that share a label's value; a node without it is in no domain", () => {
  const rack = (id: string, value: string, available: ResourceOptions = cpu) =>
    node(id, cpu, available, value === "" ? {} : { rack: value });
  const nodes = [rack("a1", "a"), rack("a2", "a", { numCpus: 1 }), rack("b1", "b"), rack("b2", "b"), rack("free", "")];
  const sameLabels = ["rack"];

  assert.deepEqual(place(nodes, "STRICT_SPREAD", cpus(2, 2), { sameLabels }).split(" ").toSorted(), ["b1", "b2"]);
  assert.equal(place(nodes, "PACK", cpus(4, 4, 4), { sameLabels }), "infeasible");
  assert.equal(
    place(nodes, "PACK", cpus(1, 1, 3), { sameLabels })
      .split(" ")
      .every((id) => id.startsWith("a")),
    true,
    "the fuller rack first",
  );
  assert.equal(place([rack("free", "")], "PACK", cpus(1), { sameLabels }), "infeasible");
});

test("bundles: what is lost is placed by the rule of the group, beside what stands", () => {
  const standing = ["a", undefined];

  assert.equal(place(three, "STRICT_SPREAD", cpus(1, 1), { standing }), "a b");
  assert.equal(place(three, "SPREAD", cpus(1, 1), { standing }), "a b");
  assert.equal(place(three, "PACK", cpus(1, 1), { standing }), "a a");
  assert.equal(place([node("a", cpu, {}), node("b", cpu)], "STRICT_PACK", cpus(1, 1), { standing }), "wait");
  const racks = [node("a", cpu, {}, { rack: "a" }), node("b", cpu, cpu, { rack: "b" }), node("a2", cpu, cpu, { rack: "a" })];
  assert.equal(place(racks, "SPREAD", cpus(1, 1), { standing, sameLabels: ["rack"] }), "a a2");
});

test("bundles: devices are for those who want them", () => {
  const nodes = [node("a-gpu", { numCpus: 4, numGpus: 2 }), node("b", cpu)];
  const gpu = { resources: parseResources({ numCpus: 1, numGpus: 1 }), labels: [] };

  assert.equal(place(nodes, "PACK", cpus(1, 1)), "b b");
  assert.equal(place(nodes, "SPREAD", [gpu, gpu]), "a-gpu a-gpu");
  assert.equal(place([{ ...node("a", cpu), draining: true }], "PACK", cpus(1)), "infeasible");
});

test("bundles: why there is no place, bundle by bundle, or why not together", () => {
  const why = (
    nodes: readonly NodeView[],
    strategy: GroupStrategy,
    bundles: readonly BundleRequest[],
    sameLabels: readonly string[] = [],
  ): string => explainBundles({ nodes }, { bundles, strategy, sameLabels }).reasons.join("\n");

  assert.equal(why([node("a", cpu)], "PACK", cpus(1, 8, 8)), "bundle 1: node a: needs CPU 8, node has 4 in total, 4 free");
  assert.equal(why([node("a", cpu, { numCpus: 1 })], "PACK", cpus(1, 2)), "bundle 1: node a: needs CPU 2, node has 4 in total, 1 free");
  assert.equal(
    why(three, "STRICT_PACK", cpus(3, 3)).split(";")[0],
    "STRICT_PACK: all bundles on one node: node a: needs CPU 6, node has 4 in total, 4 free",
  );
  assert.match(why(three, "STRICT_SPREAD", cpus(1, 1, 1, 1)), /4 bundles need as many nodes, each with room for one; there are 3 nodes/);
  assert.match(why(three, "PACK", cpus(4, 4, 4, 4)), /each of the 4 bundles has room by itself, but not all of them together/);
  assert.equal(why(three, "PACK", cpus(1), ["rack"]), "no node has the label rack");
  assert.equal(explainBundles({ nodes: three }, { bundles: cpus(1), strategy: "PACK", sameLabels: [] }).kind, "fits");
});

// -- generated clusters

const resources = fc.record({ numCpus: fc.integer({ min: 0, max: 4 }), numGpus: fc.integer({ min: 0, max: 2 }) });
const anyNode = fc
  .record({ total: resources, used: resources, rack: fc.constantFrom("x", "y", "z"), draining: fc.boolean() })
  .map(({ total, used, rack, draining }): Omit<NodeView, "id"> => {
    const left = { numCpus: Math.max(0, total.numCpus - used.numCpus), numGpus: Math.max(0, total.numGpus - used.numGpus) };
    return { total: parseResources(total), available: parseResources(left), labels: { rack }, draining: draining && used.numCpus === 4 };
  });
const anyBundle = fc
  .record({ numCpus: fc.integer({ min: 0, max: 3 }), numGpus: fc.integer({ min: 0, max: 1 }), rack: fc.constantFrom(undefined, "x", "!x") })
  .filter(({ numCpus, numGpus }) => numCpus + numGpus > 0)
  .map(
    ({ rack, ...asked }): BundleRequest => ({
      resources: parseResources(asked),
      labels: rack === undefined ? [] : parseLabelSelector({ rack }),
    }),
  );
const anyCase = fc.record({
  nodes: fc.array(anyNode, { maxLength: 6 }).map((nodes) => nodes.map((made, index): NodeView => ({ id: `n${index}`, ...made }))),
  bundles: fc.array(anyBundle, { minLength: 1, maxLength: 5 }),
  strategy: fc.constantFrom<GroupStrategy>("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"),
  sameLabels: fc.constantFrom([], ["rack"]),
});

test("bundles: all have a place or none, no node is given more than it has, and the strict rules hold", () => {
  fc.assert(
    fc.property(anyCase, ({ nodes, bundles, strategy, sameLabels }) => {
      const request: GroupRequest = { bundles, strategy, sameLabels };
      const placement = placeBundles({ nodes }, request);
      assert.deepEqual(placeBundles({ nodes }, request), placement, "the same view, the same places");
      assert.equal(explainBundles({ nodes }, request).kind, placement.kind === "placed" ? "fits" : placement.kind);
      if (placement.kind !== "placed") {
        assert.notEqual(explainBundles({ nodes }, request).reasons.length, 0);
        return;
      }
      assert.equal(isAllowed(nodes, request, placement.nodeIds, "available"), true);
    }),
    { numRuns: 2000 },
  );
});

test("bundles: where there is a way, the strict rules find it", () => {
  fc.assert(
    fc.property(anyCase, ({ nodes, bundles, strategy, sameLabels }) => {
      if (strategy === "PACK" || strategy === "SPREAD") return;
      const request: GroupRequest = { bundles, strategy, sameLabels };
      const { kind } = placeBundles({ nodes }, request);
      const waysNow = hasWay(nodes, request, "available");
      const waysEver = hasWay(nodes, request, "total");
      assert.equal(kind, waysNow ? "placed" : waysEver ? "wait" : "infeasible");
    }),
    { numRuns: 500 },
  );
});

type Room = "available" | "total";

/** Looks at every way to lay the bundles. */
function hasWay(nodes: readonly NodeView[], request: GroupRequest, room: Room, laid: readonly string[] = []): boolean {
  if (laid.length === request.bundles.length) return isAllowed(nodes, request, laid, room);
  return nodes.some(({ id }) => hasWay(nodes, request, room, [...laid, id]));
}

function isAllowed(
  nodes: readonly NodeView[],
  { bundles, strategy, sameLabels }: GroupRequest,
  laid: readonly string[],
  room: Room,
): boolean {
  const byId = new Map(nodes.map((candidate) => [candidate.id, candidate]));
  const used = new Map<NodeView, Map<string, number>>();
  for (const [index, { resources: asked, labels }] of bundles.entries()) {
    const there = byId.get(laid[index] as string);
    if (there === undefined || there.draining) return false;
    if (!labels.every(({ key, values, excludes }) => values.includes(there.labels[key] as string) !== excludes)) return false;
    const sums = used.get(there) ?? new Map<string, number>();
    used.set(there, sums);
    for (const [name, units] of Object.entries(asked)) sums.set(name, (sums.get(name) ?? 0) + units);
  }
  for (const [there, sums] of used) for (const [name, units] of sums) if (units > unitsOf(there[room], name)) return false;
  if (strategy === "STRICT_PACK" && used.size > 1) return false;
  if (strategy === "STRICT_SPREAD" && used.size < bundles.length) return false;
  return sameLabels.every((label) => new Set([...used.keys()].map(({ labels }) => labels[label])).size <= 1);
}
