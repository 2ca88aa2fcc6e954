import { firstUnmetRule, type LabelRule, labelOf, showRule } from "../base/labels.ts";
import { fits, type Lack, lacking, showLack } from "../base/resources.ts";
import type { NodeView, PlacementRequest } from "./cluster-view.ts";

/**
 * What a node must pass, in the order in which it is told. The first three never change while the node lives as it is, so
 * failing one makes it infeasible; `busy` passes with time.
 */
export type Refusal =
  | { readonly kind: "draining" }
  | { readonly kind: "label"; readonly rule: LabelRule; readonly value: string | undefined }
  | { readonly kind: "total"; readonly lack: Lack }
  | { readonly kind: "busy"; readonly lack: Lack };

/** The first predicate that the node fails; `undefined` when it can run the request now. */
export function refusalOf(node: NodeView, request: PlacementRequest, labels: readonly LabelRule[]): Refusal | undefined {
  if (node.draining) return { kind: "draining" };
  const rule = firstUnmetRule(labels, node.labels);
  if (rule !== undefined) return { kind: "label", rule, value: labelOf(node.labels, rule.key) };
  const needed = [request.resources, request.resourcesToPlace ?? request.resources];
  const never = needed.flatMap((resources) => lacking(resources, node.total, node.total))[0];
  if (never !== undefined) return { kind: "total", lack: { ...never, free: freeOf(node, request, never) } };
  const lack = lacking(request.resources, node.total, node.available)[0];
  return lack === undefined ? undefined : { kind: "busy", lack };
}

/** The same answer without the reasons, for the path that every request takes. */
export function isFeasible(node: NodeView, request: PlacementRequest, labels: readonly LabelRule[]): boolean {
  return (
    !node.draining &&
    fits(request.resources, node.total) &&
    (request.resourcesToPlace === undefined || fits(request.resourcesToPlace, node.total)) &&
    firstUnmetRule(labels, node.labels) === undefined
  );
}

export function hasRoom(node: NodeView, request: PlacementRequest): boolean {
  return fits(request.resources, node.available);
}

export function showRefusal(refusal: Refusal): string {
  switch (refusal.kind) {
    case "draining":
      return "is leaving the cluster";
    case "label":
      return `wants label ${showRule(refusal.rule)}, node has ${refusal.value === undefined ? "none" : refusal.value}`;
    case "total":
    case "busy":
      return showLack(refusal.lack);
  }
}

function freeOf(node: NodeView, request: PlacementRequest, lack: Lack): number {
  const named = [request.resources, request.resourcesToPlace ?? request.resources]
    .flatMap((resources) => lacking(resources, node.total, node.available))
    .find((candidate) => candidate.resource === lack.resource);
  return named?.free ?? lack.free;
}
