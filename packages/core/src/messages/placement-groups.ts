/** Placement groups: what drivers and workers ask of control, what nodes ask, and what control asks of nodes. */
import { bool, dict, type Infer, list, oneOf, opt, str, struct, u32, u53 } from "../wire/schema.ts";
import { message, oneWay, service, unary } from "../wire/service.ts";
import { Done, Quantities, type Strategy } from "./common.ts";
import { Explanation } from "./control.ts";

export const BundleSpec = struct("BundleSpec", { resources: Quantities, labelSelector: opt(dict(str)) });
export type BundleSpec = Infer<typeof BundleSpec>;

export const PlacementGroupSpec = struct("PlacementGroupSpec", {
  groupId: str,
  jobId: str,
  name: opt(str),
  namespace: str,
  strategy: oneOf("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"),
  bundles: list(BundleSpec),
  /** Labels of each of which all its nodes have one and the same value. */
  sameLabels: list(str),
  detached: bool,
  /** The actor whose code made it: it goes with the actor. */
  creatorActorId: opt(str),
});
export type PlacementGroupSpec = Infer<typeof PlacementGroupSpec>;

/** What work that is to run in a group says of it. */
export interface GroupTarget {
  readonly groupId: string;
  /** -1: any that has room. */
  readonly bundleIndex: number;
}

export function targetOf({ kind, placementGroupId, bundleIndex }: Strategy): GroupTarget | undefined {
  return kind === "PLACEMENT_GROUP" ? { groupId: placementGroupId ?? "", bundleIndex: bundleIndex ?? -1 } : undefined;
}

/** Ray's words for how a group stands, in lower case. */
export const PlacementGroupStatus = oneOf("pending", "prepared", "created", "rescheduling", "removed");
export type PlacementGroupStatus = Infer<typeof PlacementGroupStatus>;

export const BundlePlace = struct("BundlePlace", { nodeId: str, address: str, resources: Quantities });

export const PlacementGroupRow = struct("PlacementGroupRow", {
  spec: PlacementGroupSpec,
  state: PlacementGroupStatus,
  /** By bundle; empty where it has no place. */
  nodeIds: list(str),
});
export type PlacementGroupRow = Infer<typeof PlacementGroupRow>;

/** Answered when its record is durable; safe to repeat. */
export const CreatePlacementGroup = message(170, "CreatePlacementGroup", { spec: PlacementGroupSpec });
/** Answered when its end is durable; of a group that is gone, or never was, at once. */
export const RemovePlacementGroup = message(171, "RemovePlacementGroup", { groupId: str });
/** Answered when the group has a place for each bundle, when it is removed, or when it is known that it will not fit. */
export const AwaitPlacementGroup = message(172, "AwaitPlacementGroup", { groupId: str });
export const PlacementGroupReady = message(173, "PlacementGroupReady", {
  status: oneOf("created", "removed", "infeasible"),
  /** By bundle, when it is created. */
  places: list(BundlePlace),
  reasons: list(str),
});
export type PlacementGroupReady = Infer<typeof PlacementGroupReady>;
export const GetPlacementGroupByName = message(174, "GetPlacementGroupByName", { name: str, namespace: str });
export const PlacementGroupFound = message(175, "PlacementGroupFound", { spec: PlacementGroupSpec });
export const ListPlacementGroups = message(176, "ListPlacementGroups", { limit: u53, groupId: opt(str) });
export const PlacementGroupList = message(177, "PlacementGroupList", { groups: list(PlacementGroupRow), total: u53 });
export const ExplainPlacementGroup = message(178, "ExplainPlacementGroup", { groupId: str });

export const placementGroupService = service("placementGroups", {
  createPlacementGroup: unary(CreatePlacementGroup, Done),
  removePlacementGroup: unary(RemovePlacementGroup, Done),
  awaitPlacementGroup: unary(AwaitPlacementGroup, PlacementGroupReady),
  getPlacementGroupByName: unary(GetPlacementGroupByName, PlacementGroupFound),
  listPlacementGroups: unary(ListPlacementGroups, PlacementGroupList),
  explainPlacementGroup: unary(ExplainPlacementGroup, Explanation),
});

// Control to node, over the connection that the node made. An epoch is one attempt to place what a group lacks: what is said
// of an older one changes nothing.

export const PreparedBundle = struct("PreparedBundle", { index: u32, resources: Quantities });
/** Sets resources aside, for all of these bundles or for none. Safe to repeat. */
export const PrepareBundles = message(180, "PrepareBundles", { groupId: str, epoch: u32, bundles: list(PreparedBundle) });
export const BundlesPrepared = message(181, "BundlesPrepared", {
  isPrepared: bool,
  /** Why not, in words with numbers. */
  reasons: list(str),
  /** What the node has free now. */
  available: Quantities,
});
/** Opens for use what was prepared in this epoch or before. Safe to repeat; false when this node has none of this epoch. */
export const CommitBundles = message(182, "CommitBundles", { groupId: str, epoch: u32 });
export const BundlesCommitted = message(183, "BundlesCommitted", { isCommitted: bool });
/**
 * Gives back what was prepared in this epoch or before and not opened, because another node refused. Whatever comes later
 * under these numbers is refused. `openToo`: control counts on nothing that this node has of the group.
 */
export const CancelBundles = message(184, "CancelBundles", { groupId: str, epoch: u32, openToo: bool });
/** The group is removed: what runs in its bundles is ended, and their resources come back. Answered when they have. */
export const RemoveBundles = message(185, "RemoveBundles", { groupId: str });
export const BundlesReturned = message(186, "BundlesReturned", { available: Quantities });

/** A group waits for room: whoever holds a worker without need for it is asked for it. */
export const RoomForGroupsWanted = message(187, "RoomForGroupsWanted", {});

export const bundleService = service("bundles", {
  roomForGroupsWanted: oneWay(RoomForGroupsWanted),
  prepareBundles: unary(PrepareBundles, BundlesPrepared),
  commitBundles: unary(CommitBundles, BundlesCommitted),
  cancelBundles: unary(CancelBundles, BundlesReturned),
  removeBundles: unary(RemoveBundles, BundlesReturned),
});
