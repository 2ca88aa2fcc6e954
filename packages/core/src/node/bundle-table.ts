/**
 * The bundles that this node holds. Each has its resources from the node's ledger under a lease of its own, and keeps a ledger
 * over them, from which the group's work is served; so what a bundle grants can never exceed what the node has.
 */
import { LruMap } from "../base/lru-map.ts";
import { Machine } from "../base/machine.ts";
import { lacking, type ResourceSet, showLack } from "../base/resources.ts";
import type { HeldBundles } from "../messages/control.ts";
import { type BundleEffect, type BundleEvent, type BundleState, bundleTable } from "./bundle-machine.ts";
import { ResourceLedger } from "./resource-ledger.ts";

export interface Bundle {
  readonly groupId: string;
  readonly index: number;
  readonly epoch: number;
  /** Over what the bundle has. */
  readonly ledger: ResourceLedger;
  readonly machine: Machine<BundleState, BundleEvent, BundleEffect>;
  /** Under which the node's ledger has lent it that. */
  readonly holdId: string;
}

/** Where a lease has its resources from: the node, or one of its bundles. */
export interface Room {
  readonly ledger: ResourceLedger;
  readonly bundle?: Bundle | undefined;
}

export interface WantedBundle {
  readonly index: number;
  readonly resources: ResourceSet;
}

/** Groups of which this node remembers what it must refuse: far more than can have messages under way. */
const MAX_FENCED_GROUPS = 20_000;

export class BundleTable {
  readonly #node: ResourceLedger;
  readonly #groups = new Map<string, Map<number, Bundle>>();
  /** The last attempt at each group that is over: what belongs to it or an older one comes too late. */
  readonly #fences = new LruMap<string, number>(MAX_FENCED_GROUPS);
  #holds = 0;

  constructor(node: ResourceLedger) {
    this.#node = node;
  }

  get size(): number {
    let size = 0;
    for (const bundles of this.#groups.values()) size += bundles.size;
    return size;
  }

  /**
   * Sets resources aside for all of these bundles or for none. The same request again gets the same answer.
   *
   * @returns why not, in words with numbers; undefined when it is done
   */
  prepare(groupId: string, epoch: number, wanted: readonly WantedBundle[]): string[] | undefined {
    if (epoch <= (this.#fences.get(groupId) ?? 0)) return ["that attempt is over"];
    const group = this.#groups.get(groupId) ?? new Map<number, Bundle>();
    const there = wanted.map(({ index }) => group.get(index));
    if (there.every((bundle) => bundle?.epoch === epoch)) return undefined;
    // The old ones must be given back first: their epoch says that control has moved on.
    if (there.some((bundle) => bundle !== undefined)) return ["a bundle of the group is still there from before"];
    const taken: Bundle[] = [];
    for (const { index, resources } of wanted) {
      const holdId = `bundle-${groupId}-${index}-${++this.#holds}`;
      const grant = this.#node.acquire(holdId, resources);
      if (grant === undefined) {
        const lacks = lacking(resources, this.#node.total, this.#node.available).map(showLack);
        for (const bundle of taken) this.#node.release(bundle.holdId);
        return [`bundle ${index}: ${lacks[0] ?? "no single device has that share free"}`];
      }
      const ledger = new ResourceLedger(resources, grant.devices);
      const machine = new Machine<BundleState, BundleEvent, BundleEffect>("bundle", bundleTable, { kind: "prepared" });
      taken.push({ groupId, index, epoch, ledger, machine, holdId });
    }
    for (const bundle of taken) group.set(bundle.index, bundle);
    this.#groups.set(groupId, group);
    return undefined;
  }

  /** What belongs to this attempt or an older one is refused from now on. */
  fence(groupId: string, epoch: number): void {
    this.#fences.set(groupId, Math.max(epoch, this.#fences.get(groupId) ?? 0));
  }

  bundlesOf(groupId: string): readonly Bundle[] {
    return [...(this.#groups.get(groupId)?.values() ?? [])];
  }

  /** Those from which work may be served. @param index -1: any */
  open(groupId: string, index: number): readonly Bundle[] {
    const group = this.#groups.get(groupId);
    if (group === undefined) return [];
    if (index !== -1) {
      const bundle = group.get(index);
      return bundle?.machine.state.kind === "open" ? [bundle] : [];
    }
    return [...group.values()].filter(({ machine }) => machine.state.kind === "open").sort((a, b) => a.index - b.index);
  }

  release(bundle: Bundle): void {
    this.#node.release(bundle.holdId);
    const group = this.#groups.get(bundle.groupId);
    if (group?.get(bundle.index) === bundle) group.delete(bundle.index);
    if (group?.size === 0) this.#groups.delete(bundle.groupId);
  }

  *all(): Iterable<Bundle> {
    for (const bundles of this.#groups.values()) yield* bundles.values();
  }

  /** For control, when this node registers again. */
  held(): HeldBundles[] {
    const rows = new Map<string, { groupId: string; epoch: number; indices: number[]; isCommitted: boolean }>();
    for (const { groupId, epoch, index, machine } of this.all()) {
      const isCommitted = machine.state.kind === "open";
      if (machine.state.kind === "closing") continue;
      const key = `${groupId}|${epoch}|${isCommitted}`;
      const row = rows.get(key);
      if (row === undefined) rows.set(key, { groupId, epoch, indices: [index], isCommitted });
      else row.indices.push(index);
    }
    return [...rows.values()];
  }
}
