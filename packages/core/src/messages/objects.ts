/** Store service: what the processes of one node say to its store. The bytes themselves go through shared memory. */
import { bool, f64, list, oneOf, opt, plain, str, struct, u32, u53 } from "../wire/schema.ts";
import { type Client, message, oneWay, service, unary } from "../wire/service.ts";
import { Done } from "./common.ts";

/** Where an object is in the arena of its node, in bytes. */
export const Extent = struct("Extent", { offset: u53, bytes: u53 });

/** What the store keeps beside the bytes, for listings and for freeing what a dead owner leaves. */
export const ObjectLabel = struct("ObjectLabel", {
  ownerId: str,
  /** Where in the user's code it was made. */
  site: opt(str),
  /** Objects of the same owner that its value refers to. */
  nested: opt(list(str)),
});

/** An object is complete; its blocks are the node's from now on. Sent before anybody is told that it is stored here. */
export const SealObject = message(40, "SealObject", { id: str, extent: Extent, label: ObjectLabel });

/** Asks to keep objects in memory for this process; answered when all are there, with their places in the same order. */
export const PinObjects = message(41, "PinObjects", { ids: list(str), timeoutMs: opt(f64) });
export const PinnedObjects = message(42, "PinnedObjects", { extents: list(Extent) });

/** This process reads them no more; an id stands as often as it was pinned. */
export const UnpinObjects = message(43, "UnpinObjects", { ids: list(str) });

/** Their owner needs them no more: they go when the last reader is done. */
export const FreeObjects = message(44, "FreeObjects", { ids: list(str) });

/** Asks for room when the arena is full; answered with blocks that belong to the asker. */
export const RequestSpace = message(45, "RequestSpace", { bytes: u53 });
export const SpaceReply = message(46, "SpaceReply", { offset: u53 });

/** An object that its maker wrote to the spill directory itself, because memory was full. Answered when the node counts it as its own. */
export const AdoptFile = message(47, "AdoptFile", { id: str, file: str, bytes: u53, label: ObjectLabel });

/** The object could not be stored: those who wait for it get the error. */
export const AbandonObject = message(48, "AbandonObject", {
  id: str,
  label: ObjectLabel,
  code: oneOf("STORE_FULL", "OUT_OF_DISK", "OBJECT_LOST"),
  facts: opt(plain),
});

/**
 * Their owner is gone, and the sender holds refs to them still. Answered with those that are here, which stay for it, once
 * the node has read all that the owner sent.
 */
export const KeepOrphans = message(53, "KeepOrphans", { ownerId: str, ids: list(str) });
export const OrphansKept = message(57, "OrphansKept", { kept: list(struct("KeptOrphan", { id: str, bytes: u53 })) });
/** The sender holds these no more. */
export const DropOrphans = message(55, "DropOrphans", { ids: list(str) });

/**
 * Node to process: that owner is gone and has left objects here; keep those that you hold refs to. Answered when the node
 * has heard of all of them: what nobody keeps is freed then, however long one takes to answer.
 */
export const OwnerGone = message(56, "OwnerGone", { ownerId: str });

export const AskUsage = message(49, "AskUsage", {});
export const StoreUsage = message(50, "StoreUsage", {
  capacityBytes: u53,
  /** In the arena and sealed. */
  usedBytes: u53,
  pinnedBytes: u53,
  spilledBytes: u53,
  maxSpillBytes: u53,
  diskIsFull: bool,
  topOwners: list(struct("OwnerUsage", { ownerId: str, bytes: u53, objects: u53 })),
});

export const ListStored = message(51, "ListStored", { limit: u32 });
export const StoredList = message(52, "StoredList", {
  objects: list(
    struct("StoredObject", {
      id: str,
      bytes: u53,
      state: str,
      pins: u32,
      ownerId: str,
      site: opt(str),
      /** Milliseconds since 1970. */
      createdAtMs: f64,
    }),
  ),
  total: u53,
});

export const storeService = service("store", {
  sealObject: oneWay(SealObject),
  pinObjects: unary(PinObjects, PinnedObjects),
  unpinObjects: oneWay(UnpinObjects),
  freeObjects: oneWay(FreeObjects),
  requestSpace: unary(RequestSpace, SpaceReply),
  adoptFile: unary(AdoptFile, Done),
  abandonObject: oneWay(AbandonObject),
  keepOrphans: unary(KeepOrphans, OrphansKept),
  dropOrphans: oneWay(DropOrphans),
  askUsage: unary(AskUsage, StoreUsage),
  listStored: unary(ListStored, StoredList),
});

/** Node to process: memory is short; let go of what nobody can reach any more. */
export const RoomWanted = message(58, "RoomWanted", {});

/** What a node's store tells the processes of the node. */
export const storeEvents = service("storeEvents", { ownerGone: unary(OwnerGone, Done), roomWanted: oneWay(RoomWanted) });

/** What a process of the node holds to speak to the store. */
export type StoreGateway = Client<typeof storeService>;
