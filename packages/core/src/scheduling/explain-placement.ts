import type { ClusterView, NodeView, PlacementRequest } from "./cluster-view.ts";
import { type Refusal, refusalOf, showRefusal } from "./node-predicates.ts";
import { candidateNodes, selectorsOf } from "./pick-node.ts";

/** Why a request is where it is: for each node the first predicate that it fails, with numbers. */
export interface PlacementExplanation {
  readonly kind: "fits" | "wait" | "infeasible";
  readonly nodes: readonly NodeExplanation[];
  /** Nodes beyond the first `MAX_NODES`, which are not listed. */
  readonly nodesNotShown: number;
  /** A node that the strategy names and the cluster does not have. */
  readonly missingNodeId?: string;
}

export interface NodeExplanation {
  readonly nodeId: string;
  /** `undefined`: this node could run it now. With fallbacks, the mildest refusal of all selectors. */
  readonly refusal: Refusal | undefined;
}

/** A page of text, in an error that crosses processes; those nearest to fitting come first. */
const MAX_NODES = 20;

export function explainPlacement(view: ClusterView, request: PlacementRequest): PlacementExplanation {
  const { strategy } = request;
  const candidates = candidateNodes(view, request);
  const isMissing = strategy.kind === "affinity" && !view.nodes.some((node) => node.id === strategy.nodeId);
  const all = candidates
    .map((node) => ({ nodeId: node.id, refusal: mildestRefusal(node, request) }))
    .sort((a, b) => harshness(a.refusal) - harshness(b.refusal));
  const mildest = all[0];
  const kind = mildest === undefined || isFinal(mildest.refusal) ? "infeasible" : mildest.refusal === undefined ? "fits" : "wait";
  return {
    kind,
    nodes: all.slice(0, MAX_NODES),
    nodesNotShown: Math.max(0, all.length - MAX_NODES),
    ...(isMissing ? { missingNodeId: strategy.nodeId } : {}),
  };
}

/** One line a node: `node a1: needs CPU 4, node has 2 in total, 1 free`. */
export function showPlacement({ nodes, nodesNotShown, missingNodeId }: PlacementExplanation): string {
  const lines = nodes.map(({ nodeId, refusal }) => `node ${nodeId}: ${refusal === undefined ? "has room" : showRefusal(refusal)}`);
  if (missingNodeId !== undefined) lines.unshift(`node ${missingNodeId}: is not in the cluster`);
  if (lines.length === 0) lines.push("the cluster has no nodes");
  if (nodesNotShown > 0) lines.push(`and ${nodesNotShown} more nodes`);
  return lines.join("; ");
}

function mildestRefusal(node: NodeView, request: PlacementRequest): Refusal | undefined {
  const refusals = selectorsOf(request).map((labels) => refusalOf(node, request, labels));
  return refusals.reduce((mildest, refusal) => (harshness(refusal) < harshness(mildest) ? refusal : mildest));
}

const HARSHNESS: { readonly [kind in Refusal["kind"]]: number } = { busy: 1, total: 2, label: 3, draining: 4 };

function harshness(refusal: Refusal | undefined): number {
  return refusal === undefined ? 0 : HARSHNESS[refusal.kind];
}

/** Whether waiting for resources to come back cannot help. */
function isFinal(refusal: Refusal | undefined): boolean {
  return refusal !== undefined && refusal.kind !== "busy";
}
