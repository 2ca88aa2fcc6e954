/** Whether this node could ever run what asks for a worker, whatever becomes free. */
import { type Labels, parseLabelSelector } from "../base/labels.ts";
import { type ResourceSet, resourceSet } from "../base/resources.ts";
import type { WorkerDemand } from "../messages/common.ts";
import type { NodeView } from "../scheduling/cluster-view.ts";
import { refusalOf, showRefusal } from "../scheduling/node-predicates.ts";

export interface PlacingNode {
  readonly nodeId: string;
  readonly labels: Labels;
}

/**
 * @returns what stands in the way for good, in words with numbers; undefined when it is a matter of time
 * @throws {RaiaError} INVALID_OPTION for a selector that cannot be read
 */
export function neverHere(
  { resources, strategy, labelSelector = {}, fallbackSelectors = [] }: WorkerDemand,
  { nodeId, labels }: PlacingNode,
  total: ResourceSet,
  available: ResourceSet,
): string | undefined {
  // Which nodes can serve it is a matter of where its bundles are.
  if (strategy.kind === "PLACEMENT_GROUP") return undefined;
  if (strategy.kind === "NODE" && strategy.nodeId !== nodeId && strategy.soft !== true)
    return `wants node ${strategy.nodeId}, which is not there`;
  const node: NodeView = { id: nodeId, total, available, labels };
  const request = { resources: resourceSet(Object.entries(resources)), strategy: { kind: "hybrid" }, labels: [] } as const;
  const refusals = [labelSelector, ...fallbackSelectors].map((selector) => refusalOf(node, request, parseLabelSelector(selector)));
  // Of several selectors any will do; the first is the one that people wanted.
  const [first] = refusals;
  return first === undefined || refusals.some((refusal) => refusal === undefined || refusal.kind === "busy")
    ? undefined
    : showRefusal(first);
}
