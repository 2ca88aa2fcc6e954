/** All placement groups that control knows: the living by id, name, job and creator; the removed as a short history. */
import { LruMap } from "../base/lru-map.ts";
import { Machine } from "../base/machine.ts";
import type { PlacementGroupSpec } from "../messages/placement-groups.ts";
import type { ControlLimits } from "./control-limits.ts";
import { type GroupEffect, type GroupEnd, type GroupEvent, type GroupState, placementGroupTable } from "./placement-group-machine.ts";

export interface GroupEntry {
  readonly spec: PlacementGroupSpec;
  readonly machine: Machine<GroupState, GroupEvent, GroupEffect>;
  /** It is detached, or of a detached actor's family: the end of its job does not end it. */
  readonly outlivesJob: boolean;
}

export interface RemovedGroup {
  readonly spec: PlacementGroupSpec;
  readonly end: GroupEnd;
}

export class PlacementGroupTable {
  readonly #groups = new Map<string, GroupEntry>();
  readonly #byName = new Map<string, GroupEntry>();
  readonly #removed: LruMap<string, RemovedGroup>;
  /** Also of groups that never came. */
  readonly #removedIds: LruMap<string, GroupEnd>;

  constructor({ maxRemovedGroups, maxRemovedGroupIds }: ControlLimits) {
    this.#removed = new LruMap(maxRemovedGroups);
    this.#removedIds = new LruMap(maxRemovedGroupIds);
  }

  get size(): number {
    return this.#groups.size;
  }

  get(groupId: string): GroupEntry | undefined {
    return this.#groups.get(groupId);
  }

  named(namespace: string, name: string): GroupEntry | undefined {
    return this.#byName.get(nameKey(namespace, name));
  }

  add(spec: PlacementGroupSpec, state: GroupState, outlivesJob: boolean): GroupEntry {
    const entry: GroupEntry = { spec, machine: new Machine("placement group", placementGroupTable, state), outlivesJob };
    this.#groups.set(spec.groupId, entry);
    if (spec.name !== undefined) this.#byName.set(nameKey(spec.namespace, spec.name), entry);
    return entry;
  }

  forgetName(entry: GroupEntry): void {
    const { name, namespace } = entry.spec;
    if (name !== undefined && this.#byName.get(nameKey(namespace, name)) === entry) this.#byName.delete(nameKey(namespace, name));
  }

  bury(entry: GroupEntry, end: GroupEnd): void {
    const { groupId } = entry.spec;
    this.forgetName(entry);
    this.#groups.delete(groupId);
    this.#removed.set(groupId, { spec: entry.spec, end });
    this.buryId(groupId, end);
  }

  /** Remembers that there is no such group any more, or will not be. */
  buryId(groupId: string, end: GroupEnd): void {
    this.#removedIds.set(groupId, end);
  }

  /** Why it is gone, as long as that is remembered. */
  endOf(groupId: string): GroupEnd | undefined {
    return this.#removedIds.get(groupId);
  }

  all(): Iterable<GroupEntry> {
    return this.#groups.values();
  }

  removed(): Iterable<RemovedGroup> {
    return this.#removed.values();
  }
}

/** The last four bytes of a group's id. */
export function jobOfGroup(groupId: string): string {
  return groupId.slice(-8);
}

function nameKey(namespace: string, name: string): string {
  return `${namespace.length}:${namespace}${name}`;
}
