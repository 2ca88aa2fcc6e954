import { parseLabelSelector } from "../base/labels.ts";
import { resourceSet, shapeKey } from "../base/resources.ts";
import type { Strategy as StrategyMessage } from "../messages/common.ts";
import type { ActorSpec } from "../messages/control.ts";
import type { ClusterView, PlacementRequest, Strategy } from "../scheduling/cluster-view.ts";
import { isFeasible } from "../scheduling/node-predicates.ts";
import { candidateNodes, pickNode, selectorsOf } from "../scheduling/pick-node.ts";
import type { Random } from "../base/random.ts";

/**
 * What the scheduler needs to know of an actor.
 *
 * @throws {RaiaError} INVALID_OPTION for a label selector that cannot be read
 */
export function placementRequestOf({ demand, runResources }: ActorSpec): PlacementRequest {
  const fallbacks = demand.fallbackSelectors?.map((selector) => parseLabelSelector(selector, "fallbackStrategy"));
  return {
    resources: resourceSet(Object.entries(runResources)),
    resourcesToPlace: resourceSet(Object.entries(demand.resources)),
    strategy: strategyOf(demand.strategy),
    labels: parseLabelSelector(demand.labelSelector ?? {}),
    ...(fallbacks === undefined ? {} : { fallbackLabels: fallbacks }),
  };
}

function strategyOf({ kind, nodeId, soft }: StrategyMessage): Strategy {
  switch (kind) {
    case "DEFAULT":
    // The nodes are the group's: place-in-group.ts chooses among them.
    case "PLACEMENT_GROUP":
      return { kind: "hybrid" };
    case "SPREAD":
      return { kind: "spread" };
    case "NODE":
      return { kind: "affinity", nodeId: nodeId ?? "", soft: soft ?? false };
  }
}

/** Requests of one key are placed alike, so when one finds no place the others need not be tried. */
export function placementKey(request: PlacementRequest): string {
  const { resources, resourcesToPlace, strategy, labels, fallbackLabels } = request;
  return `${shapeKey(resources)}|${shapeKey(resourcesToPlace ?? resources)}|${JSON.stringify([strategy, labels, fallbackLabels])}`;
}

export type ActorPlacement =
  | { readonly kind: "node"; readonly nodeId: string }
  | { readonly kind: "wait" }
  | { readonly kind: "infeasible" };

/**
 * Where an actor goes now. When only one node could ever run it, it goes there although the node is full: the node has it
 * queue with everything else that waits there, in turn, and knows the moment when there is room.
 */
export function placeActor(view: ClusterView, request: PlacementRequest, random: Random): ActorPlacement {
  const placement = pickNode(view, request, random);
  if (placement.kind !== "wait") return placement;
  const feasible = candidateNodes(view, request).filter((node) => selectorsOf(request).some((labels) => isFeasible(node, request, labels)));
  const only = feasible[0];
  return feasible.length === 1 && only !== undefined ? { kind: "node", nodeId: only.id } : placement;
}
