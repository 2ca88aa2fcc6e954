/**
 * The ways to lay bundles into nodes. Bundles that ask for the same are one shape, so that a group of a hundred equal ones
 * looks at each node once.
 */
import { firstUnmetRule, type LabelRule } from "../base/labels.ts";
import { isDeviceResource, resourceSet, shapeKey, unitsOf } from "../base/resources.ts";
import type { GroupRequest, NodeView } from "./cluster-view.ts";
import { utilizationWith } from "./utilization.ts";

/** Bundles that ask for the same. */
export interface BundleShape {
  /** Units of each of the group's resources, in the order of their names. */
  readonly need: readonly number[];
  readonly labels: readonly LabelRule[];
  /** Those of its bundles that want a place. */
  readonly indices: readonly number[];
}

/** A node, and what of it is free while bundles are laid into it. */
export interface Bin {
  readonly node: NodeView;
  readonly free: number[];
  /** Bundles of the group that it has. */
  count: number;
  /** The order in which nodes are taken, other things being equal. */
  readonly rank: number;
}

/** Node by the index of the bundle. */
export type Assignment = ReadonlyMap<number, string>;

/** The kinds of bundles, the hardest to place first. */
export function shapesOf(
  { bundles, standing }: GroupRequest,
  nodes: readonly NodeView[],
): { readonly names: readonly string[]; readonly shapes: readonly BundleShape[] } {
  const names = [...new Set(bundles.flatMap(({ resources }) => Object.keys(resources)))].sort();
  const largest = names.map((name) => nodes.reduce((most, { total }) => Math.max(most, unitsOf(total, name)), 0));
  const shapes = new Map<string, BundleShape & { readonly indices: number[] }>();
  for (const [index, { resources, labels }] of bundles.entries()) {
    if (standing?.[index] !== undefined) continue;
    const key = `${shapeKey(resources)}|${labels.length === 0 ? "" : JSON.stringify(labels)}`;
    const shape = shapes.get(key);
    if (shape === undefined) shapes.set(key, { need: names.map((name) => unitsOf(resources, name)), labels, indices: [index] });
    else shape.indices.push(index);
  }
  // Devices are scarce, so who wants some comes first; then who fills most of a node.
  const hardness = ({ need }: BundleShape): number =>
    need.reduce((most, units, at) => Math.max(most, units / Math.max(1, largest[at] as number) + (isWanted(names, need, at) ? 1 : 0)), 0);
  return { names, shapes: [...shapes.values()].sort((a, b) => hardness(b) - hardness(a)) };
}

function isWanted(names: readonly string[], need: readonly number[], at: number): boolean {
  return need[at] !== 0 && isDeviceResource(names[at] as string);
}

export function binsOf(
  nodes: readonly NodeView[],
  names: readonly string[],
  room: "available" | "total",
  { bundles, standing }: GroupRequest,
): readonly Bin[] {
  const counts = new Map<string, number>();
  for (const nodeId of standing ?? []) if (nodeId !== undefined) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
  const wantsDevice = names.some(isDeviceResource);
  const empty = resourceSet([]);
  return nodes.map((node) => {
    const free = names.map((name) => unitsOf(node[room], name));
    // What stands takes its part of an empty node, too.
    if (room === "total" && counts.has(node.id))
      for (const [index, nodeId] of (standing ?? []).entries())
        if (nodeId === node.id)
          for (const [at, name] of names.entries()) free[at] = (free[at] as number) - unitsOf(bundles[index]?.resources ?? empty, name);
    // Work without devices stays off nodes that have them.
    const rank = utilizationWith(node, empty) + (!wantsDevice && hasDevice(node) ? 2 : 0);
    return { node, free, count: counts.get(node.id) ?? 0, rank };
  });
}

function hasDevice({ total }: NodeView): boolean {
  for (const name in total) if (isDeviceResource(name)) return true;
  return false;
}

// -- PACK

interface Open {
  readonly bin: Bin;
  /** Bundles that it can hold, if it comes first: later it is fewer, never more. */
  readonly bound: number;
}

/**
 * On as few nodes as it finds: nodes that have some first; then the one that holds most, or the one that holds the rest most
 * tightly.
 */
export function pack(bins: readonly Bin[], shapes: readonly BundleShape[]): Assignment | undefined {
  const left = shapes.map(({ indices }) => [...indices]);
  let missing = left.reduce((sum, { length }) => sum + length, 0);
  const placed = new Map<number, string>();
  const fill = (bin: Bin): void => {
    for (const [at, shape] of shapes.entries()) {
      if (!mayHold(bin, shape)) continue;
      const indices = left[at] as number[];
      for (let count = roomFor(bin, shape, indices.length); count > 0; count--) {
        take(bin, shape);
        placed.set(indices.shift() as number, bin.node.id);
        missing--;
      }
    }
  };
  for (const bin of bins) if (bin.count > 0) fill(bin);
  const open = openBins(bins, shapes, left);
  while (missing > 0) {
    const next = holderOf(open, shapes, left, missing) ?? fullestOf(open, shapes, left);
    if (next === undefined) return undefined;
    fill(next);
  }
  return placed;
}

function openBins(bins: readonly Bin[], shapes: readonly BundleShape[], left: readonly (readonly number[])[]): readonly Open[] {
  const open: Open[] = [];
  for (const bin of bins) {
    const bound = bin.count > 0 ? 0 : holds(bin, shapes, left);
    if (bound > 0) open.push({ bin, bound });
  }
  // Fuller nodes first: whole ones stay whole.
  return open.sort((a, b) => b.bound - a.bound || packRank(a.bin) - packRank(b.bin) || (a.bin.node.id < b.bin.node.id ? -1 : 1));
}

/** Off devices first, then the fullest. */
function packRank({ rank }: Bin): number {
  return rank >= 2 ? 4 - rank : 1 - rank;
}

/** The node that holds all that is left, and least beyond it. */
function holderOf(
  open: readonly Open[],
  shapes: readonly BundleShape[],
  left: readonly (readonly number[])[],
  missing: number,
): Bin | undefined {
  for (let end = open.length; end > 0; ) {
    const { bound } = open[end - 1] as Open;
    let start = end;
    while (start > 0 && open[start - 1]?.bound === bound) start--;
    if (bound >= missing) {
      for (let at = start; at < end; at++) {
        const { bin } = open[at] as Open;
        if (bin.count === 0 && holds(bin, shapes, left) === missing) return bin;
      }
    }
    end = start;
  }
  return undefined;
}

function fullestOf(open: readonly Open[], shapes: readonly BundleShape[], left: readonly (readonly number[])[]): Bin | undefined {
  let best: Bin | undefined;
  let most = 0;
  for (const { bin, bound } of open) {
    if (bound <= most) break;
    const count = bin.count > 0 ? 0 : holds(bin, shapes, left);
    if (count > most) [best, most] = [bin, count];
  }
  return best;
}

/** How many of the bundles that are left it could hold, the hardest first. */
function holds(bin: Bin, shapes: readonly BundleShape[], left: readonly (readonly number[])[]): number {
  let sum = 0;
  let free: number[] | undefined;
  for (const [at, shape] of shapes.entries()) {
    const wanted = (left[at] as readonly number[]).length;
    if (wanted === 0 || !mayHold(bin, shape)) continue;
    const count = Math.min(wanted, times(free ?? bin.free, shape.need));
    if (count === 0) continue;
    sum += count;
    if (at < shapes.length - 1) {
      free ??= [...bin.free];
      for (let name = 0; name < free.length; name++) free[name] = (free[name] as number) - count * (shape.need[name] as number);
    }
  }
  return sum;
}

// -- STRICT_PACK

/** All on one node, with those that stand: the fullest that has room. */
export function packOnOne(bins: readonly Bin[], shapes: readonly BundleShape[]): Assignment | undefined {
  const standing = bins.filter(({ count }) => count > 0);
  if (standing.length > 1) return undefined;
  const need = (shapes[0]?.need ?? []).map((_, at) =>
    shapes.reduce((sum, shape) => sum + (shape.need[at] as number) * shape.indices.length, 0),
  );
  let best: Bin | undefined;
  for (const bin of standing.length > 0 ? standing : bins) {
    if (times(bin.free, need) === 0 || !shapes.every((shape) => mayHold(bin, shape))) continue;
    if (best === undefined || packRank(bin) - packRank(best) < 0) best = bin;
  }
  if (best === undefined) return undefined;
  const nodeId = best.node.id;
  return new Map(shapes.flatMap(({ indices }) => indices.map((index) => [index, nodeId] as const)));
}

// -- SPREAD

/** On as many nodes as there are, the emptiest first; then again on those that have fewest. */
export function spread(bins: readonly Bin[], shapes: readonly BundleShape[]): Assignment | undefined {
  const ranked = bins.filter((bin) => shapes.some((shape) => mayHold(bin, shape) && times(bin.free, shape.need) > 0)).sort(emptiestFirst);
  const used = bins.filter(({ count }) => count > 0);
  const placed = new Map<number, string>();
  for (const shape of shapes) {
    let next = 0;
    for (const index of shape.indices) {
      const fits = (bin: Bin): boolean => mayHold(bin, shape) && times(bin.free, shape.need) > 0;
      while (next < ranked.length && !((ranked[next] as Bin).count === 0 && fits(ranked[next] as Bin))) next++;
      const fresh = ranked[next];
      const bin =
        fresh ??
        used
          .filter(fits)
          .reduce<Bin | undefined>((least, other) => (least === undefined || other.count < least.count ? other : least), undefined);
      if (bin === undefined) return undefined;
      if (fresh !== undefined) used.push(fresh);
      take(bin, shape);
      placed.set(index, bin.node.id);
    }
  }
  return placed;
}

function emptiestFirst(a: Bin, b: Bin): number {
  return a.rank - b.rank || (a.node.id < b.node.id ? -1 : 1);
}

// -- STRICT_SPREAD

/**
 * Each on a node of its own, found whenever there is a way: bundles give way to one another along augmenting paths. Of many
 * nodes for a bundle as many as there are bundles are enough, since the others take no more than that.
 */
export function match(bins: readonly Bin[], shapes: readonly BundleShape[]): Assignment | undefined {
  const fresh = bins.filter(({ count }) => count === 0).sort(emptiestFirst);
  const bundles = shapes.flatMap((shape) => shape.indices.map((index) => ({ index, shape })));
  const candidates = new Map<BundleShape, Bin[]>();
  for (const shape of shapes) {
    const found: Bin[] = [];
    for (const bin of fresh) {
      if (found.length === bundles.length) break;
      if (mayHold(bin, shape) && times(bin.free, shape.need) > 0) found.push(bin);
    }
    candidates.set(shape, found);
  }
  const holder = new Map<Bin, { readonly index: number; readonly shape: BundleShape }>();
  const place = (bundle: { readonly index: number; readonly shape: BundleShape }, seen: Set<Bin>): boolean => {
    const wanted = candidates.get(bundle.shape) as Bin[];
    const free = wanted.find((bin) => !holder.has(bin));
    if (free !== undefined) {
      holder.set(free, bundle);
      return true;
    }
    for (const bin of wanted) {
      if (seen.has(bin)) continue;
      seen.add(bin);
      const other = holder.get(bin);
      if (other === undefined || !place(other, seen)) continue;
      holder.set(bin, bundle);
      return true;
    }
    return false;
  };
  for (const bundle of bundles) if (!place(bundle, new Set())) return undefined;
  return new Map([...holder].map(([bin, { index }]) => [index, bin.node.id]));
}

// -- one bin

function mayHold({ node }: Bin, { labels }: BundleShape): boolean {
  return labels.length === 0 || firstUnmetRule(labels, node.labels) === undefined;
}

/** How often it fits. */
function times(free: readonly number[], need: readonly number[]): number {
  let count = Number.POSITIVE_INFINITY;
  for (let at = 0; at < need.length; at++) {
    const units = need[at] as number;
    if (units > 0) count = Math.min(count, Math.floor((free[at] as number) / units));
  }
  return Math.max(0, count);
}

function roomFor(bin: Bin, { need }: BundleShape, wanted: number): number {
  return Math.min(wanted, times(bin.free, need));
}

function take(bin: Bin, { need }: BundleShape): void {
  for (let at = 0; at < need.length; at++) bin.free[at] = (bin.free[at] as number) - (need[at] as number);
  bin.count++;
}
