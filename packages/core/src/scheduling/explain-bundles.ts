import { resourceSet } from "../base/resources.ts";
import { domainOf, domainsOf, placeBundles } from "./bundle-policy.ts";
import type { ClusterView, GroupRequest, PlacementRequest } from "./cluster-view.ts";
import { explainPlacement, showPlacement } from "./explain-placement.ts";

/** Why a group has no place: for bundles that no node takes by itself, node by node; else what keeps them from lying together. */
export interface GroupExplanation {
  readonly kind: "fits" | "wait" | "infeasible";
  readonly reasons: readonly string[];
}

/** Kinds of bundles that are told of, and domains: a page of text. */
const MAX_TOLD = 5;

export function explainBundles(view: ClusterView, request: GroupRequest): GroupExplanation {
  const placement = placeBundles(view, request);
  if (placement.kind === "placed") return { kind: "fits", reasons: [] };
  const alone = aloneReasons(view, request, placement.kind);
  if (alone.length > 0) return { kind: placement.kind, reasons: alone };
  return { kind: placement.kind, reasons: togetherReasons(view, request) };
}

/** Of bundles that no node would take even alone, one line each. */
function aloneReasons(view: ClusterView, request: GroupRequest, kind: "wait" | "infeasible"): string[] {
  const told = new Map<string, string>();
  for (const [index, bundle] of request.bundles.entries()) {
    if (request.standing?.[index] !== undefined) continue;
    const explained = explainPlacement(view, { ...bundle, strategy: { kind: "hybrid" } });
    const isReason = explained.kind === "infeasible" || (kind === "wait" && explained.kind === "wait");
    if (!isReason) continue;
    const shown = showPlacement(explained);
    if (!told.has(shown)) told.set(shown, `bundle ${index}: ${shown}`);
    if (told.size === MAX_TOLD) break;
  }
  return [...told.values()];
}

function togetherReasons(view: ClusterView, request: GroupRequest): string[] {
  const { strategy, sameLabels } = request;
  const domains = domainsOf(view, request);
  if (sameLabels.length > 0) {
    if (domains.length === 0) return [`no node has the label ${sameLabels.join(" and ")}`];
    const shown = domains.slice(0, MAX_TOLD).map((nodes) => {
      const [first] = nodes;
      const value = first === undefined ? "" : domainOf(first, sameLabels)?.replaceAll("\0", ",");
      return `${sameLabels.join(",")}=${value} (${nodes.length} nodes): ${rulesReason({ nodes }, request)}`;
    });
    if (domains.length > shown.length) shown.push(`and ${domains.length - shown.length} more values`);
    return [`${strategy} with all bundles on nodes of one ${sameLabels.join(" and ")}`, ...shown];
  }
  return [rulesReason(view, request)];
}

function rulesReason(view: ClusterView, request: GroupRequest): string {
  const { bundles, standing, strategy } = request;
  const missing = bundles.filter((_, index) => standing?.[index] === undefined);
  switch (strategy) {
    case "STRICT_PACK": {
      const labels = missing.flatMap((bundle) => bundle.labels);
      const all: PlacementRequest = {
        resources: resourceSet(missing.flatMap(({ resources }) => Object.entries(resources))),
        labels,
        strategy: { kind: "hybrid" },
      };
      return `STRICT_PACK: all bundles on one node: ${showPlacement(explainPlacement(view, all))}`;
    }
    case "STRICT_SPREAD":
      return `STRICT_SPREAD: ${missing.length} bundles need as many nodes, each with room for one; there are ${view.nodes.length} nodes, and not each bundle can have one`;
    case "PACK":
    case "SPREAD":
      return `each of the ${missing.length} bundles has room by itself, but not all of them together`;
  }
}
