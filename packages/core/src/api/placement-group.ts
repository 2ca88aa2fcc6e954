/**
 * Placement groups: resources that are set aside together, all or none, on one node or several, and in which tasks and actors
 * then run.
 */
import { RaiaError } from "../base/errors.ts";
import { newPlacementGroupId } from "../base/ids.ts";
import { type ResourceSet, resourceSet, toCounts } from "../base/resources.ts";
import { sleep } from "../base/clock.ts";
import { brand, kindOf } from "../worker/objects/object-ref.ts";
import { currentContext } from "../worker/task-context.ts";
import type { PlacementGroupState } from "../worker/state/cluster-state.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";
import { checkCallOptions, refuseOptions } from "./call-options.ts";
import { existingRuntime, needRuntime } from "./init.ts";
import { MAX_NAME_CHARS } from "./limits.ts";
import { checkPlacementGroup } from "./placement-group-options.ts";

/** What a bundle has, by the names of resources: `{ CPU: 2, GPU: 1, memory: 1e9, licence: 1 }`. */
export type BundleOptions = Readonly<Record<string, number>>;

export interface PlacementGroupOptions {
  /**
   * `PACK`, the default: on as few nodes as can be. `SPREAD`: on as many as can be. `STRICT_PACK`: on one node.
   * `STRICT_SPREAD`: each bundle on a node of its own.
   */
  readonly strategy?: "PACK" | "SPREAD" | "STRICT_PACK" | "STRICT_SPREAD" | undefined;
  /** By which `getPlacementGroup` finds it; unique in its namespace. */
  readonly name?: string | undefined;
  /** `detached`: it lives until it is removed, whatever becomes of its job. */
  readonly lifetime?: "detached" | undefined;
  /** Labels that the node of each bundle must have, one selector a bundle. */
  readonly bundleLabelSelector?: readonly Readonly<Record<string, string>>[] | undefined;
  /** Labels of which all nodes of the group have one and the same value: `{ "ray.io/gpu-domain": "STRICT_PACK" }`. */
  readonly topologyStrategy?: Readonly<Record<string, "STRICT_PACK">> | undefined;
}

export interface PlacementGroupWaitOptions {
  /** Milliseconds after which the answer is false. Default: no limit. */
  readonly timeoutMs?: number | undefined;
}

/** What the functions of this file need of a group, and nobody else. */
let makeGroup: (runtime: WorkerRuntime, id: string, bundles: readonly ResourceSet[], registered: Promise<void>) => PlacementGroup;
let endGroup: (group: PlacementGroup) => Promise<void>;
let unitsOfGroup: (group: PlacementGroup) => readonly ResourceSet[];

export class PlacementGroup {
  readonly #runtime: WorkerRuntime;
  readonly #id: string;
  readonly #bundles: readonly ResourceSet[];
  /** Of one that was made here: settles when control has it. */
  readonly #registered: Promise<void>;

  static {
    makeGroup = (runtime, id, bundles, registered) => new PlacementGroup(runtime, id, bundles, registered);
    endGroup = (group) => group.#end();
    unitsOfGroup = (group) => group.#bundles;
  }

  private constructor(runtime: WorkerRuntime, id: string, bundles: readonly ResourceSet[], registered: Promise<void>) {
    this.#runtime = runtime;
    this.#id = id;
    this.#bundles = bundles;
    this.#registered = registered;
    // Whoever waits for the group, or for work in it, is told.
    registered.catch(() => {});
  }

  get [brand](): "placementGroup" {
    return "placementGroup";
  }

  /** 36 hexadecimal digits, unique in the cluster. */
  get id(): string {
    return this.#id;
  }

  get bundleCount(): number {
    return this.#bundles.length;
  }

  /** What each bundle has, in whole units: `[{ CPU: 2 }]`. */
  get bundleSpecs(): readonly BundleOptions[] {
    return this.#bundles.map((bundle) => toCounts(bundle));
  }

  /**
   * Resolves to the group when each of its bundles has its place.
   *
   * @throws {RaiaError} PLACEMENT_INFEASIBLE when the cluster cannot hold it, PLACEMENT_GROUP_REMOVED
   */
  async ready(): Promise<this> {
    await this.#during(this.#ready());
    return this;
  }

  /** Whether each bundle has its place, at the latest after `timeoutMs`. @throws {RaiaError} as `ready` */
  async wait(options: PlacementGroupWaitOptions = {}): Promise<boolean> {
    checkCallOptions("placementGroupWait", options);
    const { timeoutMs } = options;
    if (timeoutMs === undefined) {
      await this.ready();
      return true;
    }
    const over = new AbortController();
    const late = sleep(this.#runtime.clock, timeoutMs, over.signal).then(() => false);
    const ready = this.#ready().then(() => true);
    let isReady = false;
    await this.#during(
      Promise.race([ready, late]).then((answer) => {
        isReady = answer;
        over.abort();
      }),
    );
    // What is heard after the time is nobody's any more.
    ready.catch(() => {});
    return isReady;
  }

  async #ready(): Promise<void> {
    await this.#registered;
    await this.#runtime.groups.ready(this.#id);
  }

  /** The program is not over while it waits. */
  #during(waiting: Promise<void>): Promise<void> {
    this.#runtime.cluster.checkStays("waiting for a placement group");
    return this.#runtime.calls.during(waiting);
  }

  async #end(): Promise<void> {
    this.#runtime.cluster.checkStays("removePlacementGroup");
    // One that could not be made is gone already.
    await this.#registered.catch(() => {});
    await this.#runtime.groups.remove(this.#id);
  }

  toJSON(): string {
    return `PlacementGroup(${this.#id.slice(0, 8)}, ${this.#bundles.length} bundles)`;
  }
}

/**
 * Sets resources aside in bundles, all or none. Returns at once; `ready()` resolves when each bundle has its place, and work
 * that is submitted to the group waits for that by itself.
 *
 * @throws {RaiaError} INVALID_OPTION
 */
export function placementGroup(bundles: readonly BundleOptions[], options: PlacementGroupOptions = {}): PlacementGroup {
  const checked = checkPlacementGroup(bundles, options);
  const runtime = needRuntime();
  const { cluster } = runtime;
  cluster.checkStays("placementGroup");
  const groupId = newPlacementGroupId(runtime.random, cluster.jobId || cluster.expectedJobId);
  const creatorActorId = currentContext()?.actor?.actorId;
  const registered = runtime.groups.create({ ...checked, groupId, ...(creatorActorId !== undefined && { creatorActorId }) });
  return makeGroup(
    runtime,
    groupId,
    checked.bundles.map(({ resources }) => resourceSet(Object.entries(resources))),
    registered,
  );
}

/**
 * Gives the group's resources back. Tasks and actors that run in it are ended, what waits for it fails with
 * PLACEMENT_GROUP_REMOVED. Resolves when that cannot be lost any more; safe to repeat.
 */
export async function removePlacementGroup(group: PlacementGroup): Promise<void> {
  await endGroup(ownGroup("removePlacementGroup", group));
}

/** The group of that name in this namespace. @throws {RaiaError} PLACEMENT_GROUP_NOT_FOUND, INVALID_ARGUMENT */
export async function getPlacementGroup(name: string): Promise<PlacementGroup> {
  if (typeof name !== "string" || name === "" || name.length > MAX_NAME_CHARS)
    throw new RaiaError("INVALID_ARGUMENT", {
      call: "getPlacementGroup",
      expected: `a name of 1 to ${MAX_NAME_CHARS} characters`,
      got: typeof name === "string" ? `text of ${name.length} characters` : kindOf(name, "placementGroup"),
    });
  const runtime = needRuntime();
  const { groupId, bundles } = await runtime.groups.find(name);
  return knownGroup(
    runtime,
    groupId,
    bundles.map(({ resources }) => resources),
  );
}

/** All placement groups by id, removed ones as long as they are remembered; or the row of one. */
export async function placementGroupTable(): Promise<Readonly<Record<string, PlacementGroupState>>> {
  refuseOptions("placementGroupTable", arguments[0]);
  const runtime = existingRuntime();
  await runtime.cluster.joined;
  const { rows } = await runtime.state.placementGroups({ limit: MAX_ROWS });
  return Object.fromEntries(rows.map((row) => [row.placementGroupId, row]));
}

/** More than there can be. */
const MAX_ROWS = 1_000_000;

/** One that was made elsewhere. */
export function knownGroup(runtime: WorkerRuntime, id: string, bundles: readonly Readonly<Record<string, number>>[]): PlacementGroup {
  return makeGroup(
    runtime,
    id,
    bundles.map((resources) => resourceSet(Object.entries(resources))),
    Promise.resolve(),
  );
}

export function ownGroup(call: string, value: unknown): PlacementGroup {
  if (value instanceof PlacementGroup) return value;
  throw new RaiaError("INVALID_ARGUMENT", { call, expected: "a placement group", got: kindOf(value, "placementGroup") });
}

export function isPlacementGroup(value: unknown): value is PlacementGroup {
  return value instanceof PlacementGroup;
}

/** What its bundles have, for whoever sends it. */
export function bundleUnits(group: PlacementGroup): readonly ResourceSet[] {
  return unitsOfGroup(group);
}
