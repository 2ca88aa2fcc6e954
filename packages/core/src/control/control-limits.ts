/**
 * What control keeps is bounded by what lives: each table has a maximum, and what has ended is kept as short history only.
 * A maximum on living things refuses the next with LIMIT_EXCEEDED; one on history forgets the oldest and counts it.
 */
import { RaiaError } from "../base/errors.ts";

export interface ControlLimits {
  /** Each keeps its specification, about 2 KB with small arguments. */
  readonly maxActors: number;
  readonly maxDeadActors: number;
  /** Of errors and last lines of dead actors together. */
  readonly maxDeadActorBytes: number;
  /** Ids of dead actors that are remembered as dead and no more; a hundred bytes each. */
  readonly maxBuriedActors: number;
  /** Actors that are watched before they are registered. */
  readonly maxAwaitedActors: number;
  /** Arguments and code of an actor that outlives its driver are control's own. */
  readonly maxDetachedArgsBytes: number;
  /** Ids of ended processes, so that what they asked for last is refused. */
  readonly maxEndedOwners: number;
  /** Each keeps its bundles, about 200 bytes of each. */
  readonly maxPlacementGroups: number;
  readonly maxBundlesPerGroup: number;
  /** Removed groups that are listed. */
  readonly maxRemovedGroups: number;
  /** Ids of removed groups that are remembered as removed and no more. */
  readonly maxRemovedGroupIds: number;
  /** Those who wait for groups. */
  readonly maxGroupWaiters: number;
  readonly maxJobs: number;
  readonly maxFinishedJobs: number;
  readonly maxNodes: number;
  readonly maxDeadNodes: number;
  readonly maxKeyChars: number;
  readonly maxValueBytes: number;
  readonly maxKvEntries: number;
  readonly maxKvBytes: number;
  readonly maxFunctionBytes: number;
  readonly maxAllFunctionBytes: number;
  /** Workers that wait for code that is on its way. */
  readonly maxFunctionWaiters: number;
  readonly maxTaskEventsPerJob: number;
  /** Finished jobs whose task events are still kept. */
  readonly maxFinishedJobsWithEvents: number;
  /** What a peer may leave unread before it is cut off. */
  readonly maxUnreadBytes: number;
}

const MIB = 1024 * 1024;

export const defaultLimits: ControlLimits = {
  maxActors: 100_000,
  maxDeadActors: 10_000,
  maxDeadActorBytes: 64 * MIB,
  maxBuriedActors: 200_000,
  maxAwaitedActors: 100_000,
  maxDetachedArgsBytes: 10 * MIB,
  maxEndedOwners: 20_000,
  maxPlacementGroups: 50_000,
  maxBundlesPerGroup: 1_000,
  maxRemovedGroups: 1_000,
  maxRemovedGroupIds: 100_000,
  maxGroupWaiters: 200_000,
  maxJobs: 10_000,
  maxFinishedJobs: 10_000,
  maxNodes: 10_000,
  maxDeadNodes: 1_000,
  maxKeyChars: 4096,
  maxValueBytes: 64 * MIB,
  maxKvEntries: 1_000_000,
  maxKvBytes: 512 * MIB,
  maxFunctionBytes: 100 * MIB,
  maxAllFunctionBytes: 1024 * MIB,
  maxFunctionWaiters: 10_000,
  maxTaskEventsPerJob: 20_000,
  maxFinishedJobsWithEvents: 8,
  maxUnreadBytes: 256 * MIB,
};

/** @throws {RaiaError} LIMIT_EXCEEDED naming the limit, when `wanted` is more than `limit` */
export function checkLimit(name: keyof ControlLimits, wanted: number, limits: ControlLimits): void {
  if (wanted > limits[name]) throw new RaiaError("LIMIT_EXCEEDED", { limit: name, maximum: limits[name], wanted });
}
