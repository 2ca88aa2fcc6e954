import {
  acceleratorTypeResource,
  parseResources,
  type ResourceOptions,
  type ResourceSet,
  resourceSet,
  UNITS_PER_ONE,
} from "../base/resources.ts";
import type { NodeDevices } from "./accelerators/detect-accelerators.ts";
import type { Capacity } from "./capacity.ts";

/** What a node offers, and which devices stand behind it. */
export interface NodeResources {
  readonly total: ResourceSet;
  readonly devices: readonly NodeDevices[];
}

export interface NodeResourceOptions extends ResourceOptions {
  /** Bytes of the object arena, offered as `object_store_memory`. */
  readonly objectStoreMemory: number;
}

/** Of memory that the arena does not take, the share that tasks may ask for; the rest is for the daemon and what nobody asked for. */
const MEMORY_SHARE = 0.9;

/**
 * What was found, with what the user says instead: `numGpus: 1` on a node of four offers the first, `numGpus: 2` on a node
 * without any offers two that are nobody's, as tests want.
 *
 * @throws {RaiaError} INVALID_OPTION naming the option
 */
export function nodeResources(options: NodeResourceOptions, capacity: Capacity, found: readonly NodeDevices[]): NodeResources {
  const { objectStoreMemory, ...asked } = options;
  const said = parseResources(asked);
  const memory = Math.max(0, Math.floor((capacity.memoryBytes - objectStoreMemory) * MEMORY_SHARE));
  const defaults: [string, number][] = [
    ["CPU", capacity.cpus * UNITS_PER_ONE],
    ["memory", memory],
    ["object_store_memory", Math.floor(objectStoreMemory)],
    ...found.map(({ accelerator, ids }): [string, number] => [accelerator.resource, ids.length * UNITS_PER_ONE]),
  ];
  const named = namedResources(options);
  const units = new Map([...defaults.filter(([name]) => !named.has(name)), ...Object.entries(said)]);
  const devices = found.flatMap((each) => {
    const count = Math.floor((units.get(each.accelerator.resource) ?? 0) / UNITS_PER_ONE);
    return count === 0 ? [] : [{ ...each, ids: each.ids.slice(0, count) }];
  });
  const more = devices.flatMap(({ type, extraResources }): [string, number][] => [
    ...(type === undefined ? [] : [[acceleratorTypeResource(type), UNITS_PER_ONE] as [string, number]]),
    ...Object.entries(extraResources).map(([name, count]): [string, number] => [name, count * UNITS_PER_ONE]),
  ]);
  return { total: resourceSet([...units, ...more.filter(([name]) => !units.has(name))]), devices };
}

/** What the user named, a zero included: naming nothing of it means none. */
function namedResources(options: ResourceOptions): ReadonlySet<string> {
  const named = new Set(Object.keys(options.resources ?? {}));
  if (options.numCpus !== undefined) named.add("CPU");
  if (options.numGpus !== undefined) named.add("GPU");
  if (options.memory !== undefined) named.add("memory");
  return named;
}
