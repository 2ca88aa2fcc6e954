import { type Random, randomBelow } from "../base/random.ts";
import { unitsOf } from "../base/resources.ts";
import type { NodeView, PlacementRequest } from "./cluster-view.ts";
import { utilizationWith } from "./utilization.ts";

/** Nodes less full than this count as empty, so that work packs on few nodes before it spreads. */
const SPREAD_THRESHOLD = 0.5;
/** One of the best nodes is drawn by lot, so that many schedulers with one stale view do not all choose the same. */
const TOP_FRACTION = 0.2;

/**
 * Packs until nodes are half full, then takes the emptiest. Work without accelerators stays off nodes that have them while
 * others have room.
 *
 * @param nodes that can run the request now; not empty
 * @source Ray, `raylet/scheduling/policy/hybrid_scheduling_policy.h`
 */
export function pickHybrid(nodes: readonly NodeView[], request: PlacementRequest, random: Random): NodeView {
  const plain = wantsAccelerator(request) ? [] : nodes.filter((node) => !hasAccelerator(node));
  const ranked = (plain.length > 0 ? plain : nodes)
    .map((node) => ({ node, score: scoreOf(node, request) }))
    .sort((a, b) => a.score - b.score || preferredFirst(a.node, b.node, request) || (a.node.id < b.node.id ? -1 : 1));
  const best = ranked[0]!;
  // The preferred node needs no lot: its arguments or its worker are there.
  if (best.node.id === request.preferredNodeId) return best.node;
  const topCount = Math.max(1, Math.floor(ranked.length * TOP_FRACTION));
  return ranked[randomBelow(random, topCount)]!.node;
}

function scoreOf(node: NodeView, request: PlacementRequest): number {
  const utilization = utilizationWith(node, request.resources);
  return utilization < SPREAD_THRESHOLD ? 0 : utilization;
}

function preferredFirst(a: NodeView, b: NodeView, { preferredNodeId }: PlacementRequest): number {
  return Number(b.id === preferredNodeId) - Number(a.id === preferredNodeId);
}

/** `GPU` alone, as in Ray: whether other devices are worth keeping free is for labels to say. */
function wantsAccelerator(request: PlacementRequest): boolean {
  return unitsOf(request.resources, "GPU") > 0;
}

function hasAccelerator(node: NodeView): boolean {
  return unitsOf(node.total, "GPU") > 0;
}
