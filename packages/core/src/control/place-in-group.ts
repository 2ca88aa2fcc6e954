/** Which of a placement group's nodes an actor goes to. Which of the group's bundles there serves it is for the node to say. */
import { whyNoBundle } from "../base/bundle-fit.ts";
import { fits, type ResourceSet, resourceSet, unitsOf } from "../base/resources.ts";
import type { GroupTarget, PlacementGroupSpec } from "../messages/placement-groups.ts";
import { type ActorEntry, placeOf } from "./actor-table.ts";

/** What actors of the group hold on one node. */
export interface Held {
  readonly units: ResourceSet;
  readonly count: number;
}

const nobody: Held = { units: resourceSet([]), count: 0 };

export type GroupChoice =
  | { readonly kind: "node"; readonly nodeId: string }
  | { readonly kind: "wait"; readonly reasons: readonly string[] }
  /** It will never have a place there. */
  | { readonly kind: "never"; readonly reasons: readonly string[] };

/**
 * The node whose bundles have most to spare, going by the actors that were placed there.
 *
 * @param standing by bundle, where it is; all are somewhere
 * @param resources that must be free for it to be placed
 * @param held what the group's actors hold, by node
 */
export function chooseInGroup(
  { bundles }: Pick<PlacementGroupSpec, "bundles">,
  standing: readonly (string | undefined)[],
  { bundleIndex }: GroupTarget,
  resources: ResourceSet,
  held: ReadonlyMap<string, Held>,
): GroupChoice {
  const sets = bundles.map((bundle) => resourceSet(Object.entries(bundle.resources)));
  const indices = [...sets.keys()].filter((index) => bundleIndex === -1 || index === bundleIndex);
  const fitting = indices.filter((index) => fits(resources, sets[index] as ResourceSet));
  if (fitting.length === 0) return { kind: "never", reasons: [whyNoBundle(sets, bundleIndex, resources)] };
  const spare = new Map<string, ResourceSet>();
  for (const index of fitting) {
    const nodeId = standing[index];
    if (nodeId === undefined) continue;
    const there = spare.get(nodeId);
    spare.set(nodeId, resourceSet([...Object.entries(there ?? {}), ...Object.entries(sets[index] as ResourceSet)]));
  }
  const ranked = [...spare].map(([nodeId, set]) => {
    const { units, count } = held.get(nodeId) ?? nobody;
    return { nodeId, left: leastLeft(set, resources, units), count };
  });
  ranked.sort((a, b) => b.left - a.left || a.count - b.count || (a.nodeId < b.nodeId ? -1 : 1));
  const best = ranked[0];
  return best === undefined ? { kind: "wait", reasons: ["its bundles are being placed"] } : { kind: "node", nodeId: best.nodeId };
}

/** How often what is left there would hold the actor, by its scarcest resource. */
function leastLeft(spare: ResourceSet, resources: ResourceSet, held: ResourceSet): number {
  let least = Number.POSITIVE_INFINITY;
  for (const name in resources) least = Math.min(least, (unitsOf(spare, name) - unitsOf(held, name)) / unitsOf(resources, name));
  return least;
}

/** What actors hold, or will, on each node. */
export function heldByNode(actors: Iterable<ActorEntry>): ReadonlyMap<string, Held> {
  const held = new Map<string, Held>();
  for (const { spec, machine } of actors) {
    const { nodeId } = placeOf(machine.state);
    if (nodeId === undefined) continue;
    const units = machine.state.kind === "creating" ? spec.demand.resources : spec.runResources;
    const there = held.get(nodeId) ?? nobody;
    const sum = resourceSet([...Object.entries(there.units), ...Object.entries(units)]);
    held.set(nodeId, { units: sum, count: there.count + 1 });
  }
  return held;
}
