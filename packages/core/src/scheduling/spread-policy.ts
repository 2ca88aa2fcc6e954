import { type Random, randomBelow } from "../base/random.ts";
import type { NodeView, PlacementRequest } from "./cluster-view.ts";
import { utilizationWith } from "./utilization.ts";

/** Takes the emptiest node, by lot among equals. @param nodes that can run the request now; not empty */
export function pickSpread(nodes: readonly NodeView[], request: PlacementRequest, random: Random): NodeView {
  let lowest = Number.POSITIVE_INFINITY;
  let emptiest: NodeView[] = [];
  for (const node of nodes) {
    const utilization = utilizationWith(node, request.resources);
    if (utilization > lowest) continue;
    if (utilization < lowest) emptiest = [];
    lowest = utilization;
    emptiest.push(node);
  }
  return emptiest[randomBelow(random, emptiest.length)]!;
}
