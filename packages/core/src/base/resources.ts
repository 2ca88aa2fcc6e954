import { assert } from "./assert.ts";
import { RaiaError } from "./errors.ts";

/**
 * Quantities of resources as whole numbers, so that a thousand tenths are exactly a hundred. One CPU is 10,000 units;
 * memory counts bytes, because bytes times 10,000 would leave the safe integers at 900 GB.
 *
 * A `ResourceSet` is frozen, holds only quantities above zero, and has its names in order; two equal sets have equal keys.
 */
export type ResourceSet = { readonly [name: string]: number };

/** Units in one CPU, GPU or custom resource: the finest share is 1e-4. */
export const UNITS_PER_ONE = 10_000;

/** What a user asks for, as in the options of a task or an actor. Counts are plain numbers, `memory` is bytes. */
export interface ResourceOptions {
  readonly numCpus?: number | undefined;
  readonly numGpus?: number | undefined;
  readonly memory?: number | undefined;
  readonly resources?: { readonly [name: string]: number } | undefined;
  /** Asks for a node with this accelerator, by a sliver of the resource `accelerator_type:<name>`. */
  readonly acceleratorType?: string | undefined;
}

/** Resources that come as separate devices, each with an index; what a request for them may be. */
const deviceRules: { readonly [name: string]: { readonly rule: string; readonly allows: (count: number) => boolean } } = {
  GPU: { rule: "a share of one device, or a whole number of them", allows: wholeOrShare },
  NPU: { rule: "a share of one device, or a whole number of them", allows: wholeOrShare },
  HPU: { rule: "a whole number of devices", allows: Number.isInteger },
  neuron_cores: { rule: "a whole number of cores", allows: Number.isInteger },
  TPU: { rule: "1, 2, 4 or 8 chips of a host", allows: (count) => [0, 1, 2, 4, 8].includes(count) },
};

/** Whether the resource is handed out by device, so that a lease learns which indices are its own. */
export function isDeviceResource(name: string): boolean {
  return Object.hasOwn(deviceRules, name);
}

/** `Infinity` never passes: its test is `Number.isFinite`, elsewhere. */
function wholeOrShare(count: number): boolean {
  return count <= 1 || Number.isInteger(count);
}

const NAMED_OPTION: { readonly [resource: string]: string } = {
  CPU: "numCpus",
  GPU: "numGpus",
  memory: "memory",
  object_store_memory: "objectStoreMemory",
};
const MAX_NAME_CHARS = 256; // A name crosses the wire in every lease; longer ones are mistakes.
const MAX_NAMES = 128; // More kinds than any machine has; bounds the work of each comparison.
/** An accelerator type is asked for with a sliver, so that one node of the type serves a thousand requests. */
const ACCELERATOR_TYPE_UNITS = 10;

/**
 * Reads what a user wrote.
 *
 * @throws {RaiaError} INVALID_OPTION with the option's name and value: not a number, negative, infinite, finer than 1e-4, a share of
 * several devices, a predefined resource under `resources`
 */
export function parseResources(options: ResourceOptions): ResourceSet {
  const units: [string, number][] = [];
  if (options.numCpus !== undefined) units.push(["CPU", parseQuantity("numCpus", "CPU", options.numCpus)]);
  if (options.numGpus !== undefined) units.push(["GPU", parseQuantity("numGpus", "GPU", options.numGpus)]);
  if (options.memory !== undefined) units.push(["memory", parseQuantity("memory", "memory", options.memory)]);
  units.push(...parseCustom(options.resources));
  if (options.acceleratorType !== undefined) units.push([acceleratorTypeResource(options.acceleratorType), ACCELERATOR_TYPE_UNITS]);
  return resourceSet(units);
}

/**
 * What a node is said to have.
 *
 * @throws {RaiaError} INVALID_OPTION, also for a part of a device
 */
export function parseNodeResources(options: ResourceOptions): ResourceSet {
  const set = parseResources(options);
  for (const [name, units] of Object.entries(set)) {
    if (isDeviceResource(name) && units % UNITS_PER_ONE !== 0)
      throw invalid(NAMED_OPTION[name] ?? `resources.${name}`, units / UNITS_PER_ONE, "must be whole: a node has whole devices");
  }
  return set;
}

/** The resource that nodes with this accelerator have one of. */
export function acceleratorTypeResource(type: string): string {
  if (typeof type !== "string" || type === "" || type.length > MAX_NAME_CHARS)
    throw invalid("acceleratorType", type, "must be the name of an accelerator, such as A100");
  return `accelerator_type:${type}`;
}

function parseCustom(resources: ResourceOptions["resources"]): [string, number][] {
  if (resources === undefined) return [];
  if (typeof resources !== "object" || resources === null || Array.isArray(resources))
    throw invalid("resources", resources, "must be a record of names and counts, such as { disk: 1 }");
  const entries = Object.entries(resources);
  if (entries.length > MAX_NAMES) throw invalid("resources", entries.length, `must have at most ${MAX_NAMES} names`);
  return entries.map(([name, count]) => {
    const option = `resources.${name}`;
    const named = Object.hasOwn(NAMED_OPTION, name) ? NAMED_OPTION[name] : undefined;
    if (named !== undefined) throw invalid(option, count, `is given with the option ${named}`);
    if (name === "" || name.length > MAX_NAME_CHARS || name === "__proto__")
      throw invalid(option, count, `must have a name of 1 to ${MAX_NAME_CHARS} characters`);
    return [name, parseQuantity(option, name, count)];
  });
}

function parseQuantity(option: string, resource: string, count: number): number {
  if (typeof count !== "number" || Number.isNaN(count)) throw invalid(option, count, "must be a number");
  if (count < 0) throw invalid(option, count, "must not be negative");
  const scale = unitsPerOne(resource);
  const scaled = count * scale;
  const units = Math.round(scaled);
  if (!Number.isSafeInteger(units)) throw invalid(option, count, "is too large");
  // 0.1 + 0.2 is meant as 0.3: allow what binary fractions are off by, and no more.
  if (Math.abs(scaled - units) > 1e-9 * Math.max(scale, scaled))
    throw invalid(option, count, scale === 1 ? "must be whole bytes" : "must not be finer than 0.0001");
  const device = Object.hasOwn(deviceRules, resource) ? deviceRules[resource] : undefined;
  if (device !== undefined && !device.allows(units / scale)) throw invalid(option, count, `must be ${device.rule}`);
  return units;
}

function invalid(option: string, value: unknown, rule: string): RaiaError {
  const shown = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return new RaiaError("INVALID_OPTION", { option, value: shown, rule: `${option} ${rule}` });
}

/** Units in one of it: 1 for bytes of memory, else `UNITS_PER_ONE`. */
function unitsPerOne(resource: string): number {
  return resource === "memory" || resource === "object_store_memory" ? 1 : UNITS_PER_ONE;
}

/** Makes a set from names and units; equal names add up. */
export function resourceSet(units: Iterable<readonly [name: string, units: number]>): ResourceSet {
  const sums = new Map<string, number>();
  for (const [name, count] of units) {
    assert(Number.isSafeInteger(count) && count >= 0, `resource ${name} must be a whole number of units, got ${count}`);
    if (count > 0) sums.set(name, (sums.get(name) ?? 0) + count);
  }
  return Object.freeze(Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1))));
}

export function unitsOf(set: ResourceSet, name: string): number {
  // A resource may be called "constructor": what a record inherits is never a number.
  const units: unknown = set[name];
  return typeof units === "number" ? units : 0;
}

/** Whether `available` has all of `request`. */
export function fits(request: ResourceSet, available: ResourceSet): boolean {
  for (const name in request) if (unitsOf(request, name) > unitsOf(available, name)) return false;
  return true;
}

/** Equal for equal sets: work of one shape shares queues and leases. */
export function shapeKey(set: ResourceSet): string {
  let key = "";
  for (const name in set) key += `${JSON.stringify(name)}:${set[name]};`;
  return key;
}

/** Back to the numbers that users write: `{ CPU: 0.5, memory: 1048576 }`. */
export function toCounts(set: ResourceSet): { [name: string]: number } {
  return Object.fromEntries(Object.entries(set).map(([name, units]) => [name, units / unitsPerOne(name)]));
}

export function showResources(set: ResourceSet): string {
  const shown = Object.entries(toCounts(set)).map(([name, count]) => `${name} ${count}`);
  return shown.length > 0 ? shown.join(", ") : "nothing";
}

/** One resource that a node has too little of, in the numbers that users write. */
export interface Lack {
  readonly resource: string;
  readonly needs: number;
  readonly total: number;
  readonly free: number;
}

/** Every resource of which less is free than the request needs. */
export function lacking(request: ResourceSet, total: ResourceSet, available: ResourceSet): Lack[] {
  return Object.entries(request)
    .filter(([name, units]) => units > unitsOf(available, name))
    .map(([name, units]) => {
      const scale = unitsPerOne(name);
      return { resource: name, needs: units / scale, total: unitsOf(total, name) / scale, free: unitsOf(available, name) / scale };
    });
}

/** `needs CPU 4, node has 2 in total, 1 free` */
export function showLack(lack: Lack): string {
  return showLackOf(lack, "node");
}

/** The same of something else that has resources: a bundle. */
export function showLackOf({ resource, needs, total, free }: Lack, where: string): string {
  return `needs ${resource} ${needs}, ${where} has ${total} in total, ${free} free`;
}
