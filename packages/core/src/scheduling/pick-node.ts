import { unreachable } from "../base/assert.ts";
import type { LabelRule } from "../base/labels.ts";
import type { Random } from "../base/random.ts";
import type { ClusterView, NodeView, Placement, PlacementRequest } from "./cluster-view.ts";
import { pickHybrid } from "./hybrid-policy.ts";
import { hasRoom, isFeasible } from "./node-predicates.ts";
import { pickSpread } from "./spread-policy.ts";

const infeasible: Placement = { kind: "infeasible" };
const wait: Placement = { kind: "wait" };

/**
 * Chooses a node for one request, from a view that may be stale: the chosen node grants, queues or names another.
 * `explainPlacement` says why, when somebody asks.
 *
 * @complexity O(nodes x selectors), with a sort of the free nodes for the hybrid policy
 */
export function pickNode(view: ClusterView, request: PlacementRequest, random: Random): Placement {
  const candidates = candidateNodes(view, request);
  let canWait = false;
  for (const labels of selectorsOf(request)) {
    const feasible = candidates.filter((node) => isFeasible(node, request, labels));
    const free = feasible.filter((node) => hasRoom(node, request));
    if (free.length > 0) return { kind: "node", nodeId: pickBy(free, request, random).id };
    canWait ||= feasible.length > 0;
  }
  return canWait ? wait : infeasible;
}

/** The selectors in the order in which they are tried. */
export function selectorsOf(request: PlacementRequest): readonly (readonly LabelRule[])[] {
  return [request.labels, ...(request.fallbackLabels ?? [])];
}

/** The nodes that the strategy leaves. A soft wish binds to a node that is only busy, and gives up one that can never serve. */
export function candidateNodes(view: ClusterView, request: PlacementRequest): readonly NodeView[] {
  const { strategy } = request;
  if (strategy.kind !== "affinity") return view.nodes;
  const wanted = view.nodes.filter((node) => node.id === strategy.nodeId);
  const canServe = wanted.some((node) => selectorsOf(request).some((labels) => isFeasible(node, request, labels)));
  return canServe || !strategy.soft ? wanted : view.nodes;
}

function pickBy(free: readonly NodeView[], request: PlacementRequest, random: Random): NodeView {
  switch (request.strategy.kind) {
    case "hybrid":
    case "affinity":
      return pickHybrid(free, request, random);
    case "spread":
      return pickSpread(free, request, random);
    default:
      return unreachable(request.strategy);
  }
}
