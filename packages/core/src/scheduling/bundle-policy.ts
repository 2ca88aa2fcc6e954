/**
 * Where the bundles of a placement group go: all of them, or none. Bundles that stand already keep their nodes, and the rule
 * of the group is kept with them. Nothing here is left to chance: one place decides for the whole cluster.
 *
 * @source Ray, `raylet/scheduling/policy/bundle_scheduling_policy.h` for what the strategies mean
 */
import { unreachable } from "../base/assert.ts";
import { labelOf } from "../base/labels.ts";
import { unitsOf } from "../base/resources.ts";
import { type Assignment, type Bin, binsOf, type BundleShape, match, pack, packOnOne, shapesOf, spread } from "./bundle-packing.ts";
import type { ClusterView, GroupPlacement, GroupRequest, GroupStrategy, NodeView } from "./cluster-view.ts";

const wait: GroupPlacement = { kind: "wait" };
const infeasible: GroupPlacement = { kind: "infeasible" };

/**
 * Chooses nodes for the bundles of one group.
 *
 * PACK and SPREAD are wishes: what they cannot give, they give up, but not a place for each bundle. The strict ones are found
 * whenever there is a way; for the others bin packing would take too long, so "infeasible" says that no way was found.
 *
 * @complexity O(nodes x kinds of bundles), and a sort of the nodes that can hold one
 */
export function placeBundles(view: ClusterView, request: GroupRequest): GroupPlacement {
  const nodeIds = placeIn(view, request, "available");
  if (nodeIds !== undefined) return { kind: "placed", nodeIds };
  return placeIn(view, request, "total") === undefined ? infeasible : wait;
}

/** @param room what counts as free: what is, or all that the nodes have */
function placeIn(view: ClusterView, request: GroupRequest, room: "available" | "total"): readonly string[] | undefined {
  const { names, shapes } = shapesOf(request, view.nodes);
  for (const nodes of domainsOf(view, request)) {
    if (!mayBeEnough(nodes, request, names, shapes, room)) continue;
    const found = assign(request.strategy, () => binsOf(nodes, names, room, request), shapes);
    if (found !== undefined) return nodesOf(request, found);
  }
  return undefined;
}

/** Spares a look at each node where the sums tell already. */
function mayBeEnough(
  nodes: readonly NodeView[],
  { strategy, standing }: GroupRequest,
  names: readonly string[],
  shapes: readonly BundleShape[],
  room: "available" | "total",
): boolean {
  const missing = shapes.reduce((sum, { indices }) => sum + indices.length, 0);
  if (strategy === "STRICT_SPREAD" && nodes.length < missing + (standing?.filter((nodeId) => nodeId !== undefined).length ?? 0))
    return false;
  return names.every((name, at) => {
    let needed = shapes.reduce((sum, { need, indices }) => sum + (need[at] as number) * indices.length, 0);
    for (const node of nodes) if ((needed -= unitsOf(node[room], name)) <= 0) return true;
    return needed <= 0;
  });
}

/** Where the wish of a group cannot be had, the other way to lay bundles may still find a place for each. */
function assign(strategy: GroupStrategy, bins: () => readonly Bin[], shapes: readonly BundleShape[]): Assignment | undefined {
  switch (strategy) {
    case "PACK":
      return pack(bins(), shapes) ?? spread(bins(), shapes);
    case "SPREAD":
      return spread(bins(), shapes) ?? pack(bins(), shapes);
    case "STRICT_PACK":
      return packOnOne(bins(), shapes);
    case "STRICT_SPREAD":
      return match(bins(), shapes);
    default:
      return unreachable(strategy);
  }
}

function nodesOf({ bundles, standing }: GroupRequest, found: Assignment): readonly string[] {
  return bundles.map((_, index) => standing?.[index] ?? (found.get(index) as string));
}

/** The sets of nodes that a group may lie in, in the order in which they are tried: the fullest first, so that whole ones stay whole. */
export function domainsOf({ nodes }: ClusterView, { sameLabels, standing }: GroupRequest): readonly (readonly NodeView[])[] {
  const usable = nodes.filter(({ draining }) => draining !== true);
  if (sameLabels.length === 0) return [usable];
  const domains = new Map<string, NodeView[]>();
  for (const node of usable) {
    const key = domainOf(node, sameLabels);
    if (key === undefined) continue;
    const domain = domains.get(key);
    if (domain === undefined) domains.set(key, [node]);
    else domain.push(node);
  }
  const stands = new Set(standing?.filter((nodeId) => nodeId !== undefined));
  const held = [...domains.values()].filter((domain) => domain.some(({ id }) => stands.has(id)));
  return held.length > 0 ? held : [...domains.values()].sort((a, b) => freeUnits(a) - freeUnits(b));
}

/** `undefined`: it lacks one of the labels, and so is in no domain. */
export function domainOf({ labels }: NodeView, sameLabels: readonly string[]): string | undefined {
  const values = sameLabels.map((label) => labelOf(labels, label));
  return values.includes(undefined) ? undefined : values.join("\0");
}

function freeUnits(nodes: readonly NodeView[]): number {
  let sum = 0;
  for (const { available } of nodes)
    for (const name in available) if (name !== "memory" && name !== "object_store_memory") sum += available[name] as number;
  return sum;
}
