import type { LabelRule, Labels } from "../base/labels.ts";
import type { ResourceSet } from "../base/resources.ts";

/** What the scheduler knows of the cluster at one moment. Never changed: a newer view is a new value. */
export interface ClusterView {
  readonly nodes: readonly NodeView[];
}

export interface NodeView {
  readonly id: string;
  readonly total: ResourceSet;
  readonly available: ResourceSet;
  readonly labels: Labels;
  /** The node is about to leave: it finishes what it has and gets nothing new. */
  readonly draining?: boolean;
}

/** A request for a place, with all that decides about it. */
export interface PlacementRequest {
  /** Must be available at once. */
  readonly resources: ResourceSet;
  /** What the node must have in total besides, as an actor needs one CPU to be placed and none to run. Default: `resources`. */
  readonly resourcesToPlace?: ResourceSet;
  readonly strategy: Strategy;
  readonly labels: readonly LabelRule[];
  /** Tried in order, each in place of `labels`, when no node of the earlier ones is free. */
  readonly fallbackLabels?: readonly (readonly LabelRule[])[];
  /** The node that asks, or that holds most of the arguments: taken when it is as good as the best. */
  readonly preferredNodeId?: string;
}

export type Strategy =
  | { readonly kind: "hybrid" }
  | { readonly kind: "spread" }
  /** `soft`: elsewhere when that node is gone or can never run it. */
  | { readonly kind: "affinity"; readonly nodeId: string; readonly soft: boolean };

export type Placement =
  | { readonly kind: "node"; readonly nodeId: string }
  /** Some node could run it, none has room now. */
  | { readonly kind: "wait" }
  /** No node could ever run it. A node that joins later may change that. */
  | { readonly kind: "infeasible" };

// Placement groups

export type GroupStrategy = "PACK" | "SPREAD" | "STRICT_PACK" | "STRICT_SPREAD";

export interface BundleRequest {
  readonly resources: ResourceSet;
  readonly labels: readonly LabelRule[];
}

export interface GroupRequest {
  readonly bundles: readonly BundleRequest[];
  readonly strategy: GroupStrategy;
  /** Labels of each of which all nodes of the group have one and the same value. */
  readonly sameLabels: readonly string[];
  /** By bundle, the node where it stands already; `undefined` for those that want a place. Absent: all want one. */
  readonly standing?: readonly (string | undefined)[];
}

export type GroupPlacement =
  /** A node for each bundle, those that stand included. */
  | { readonly kind: "placed"; readonly nodeIds: readonly string[] }
  /** The cluster could hold it, and has no room now. */
  | { readonly kind: "wait" }
  /** Not even an empty cluster of these nodes could hold it. */
  | { readonly kind: "infeasible" };
