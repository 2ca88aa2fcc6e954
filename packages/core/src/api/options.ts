/**
 * Which options there are, for what, and their defaults. Checked once, when a handle is made; what is kept is plain data,
 * so that handles can travel. Work reads the normal form, which has every default filled in.
 */
import { isDeviceResource, parseResources, type ResourceOptions, type ResourceSet } from "../base/resources.ts";
import type { Strategy, WorkerDemand } from "../messages/common.ts";
import { MAX_MAP_BATCH, MAX_MAP_CONCURRENCY, MAX_STORE_BYTES, MIN_STORE_BYTES } from "./limits.ts";
import {
  backpressureItems,
  checkRecord,
  concurrencyGroups,
  durationMs,
  entriesOf,
  fallbackStrategy,
  invalidOption,
  labelSelector,
  maxConcurrency,
  methodsRule,
  name,
  nodeLabels,
  numReturns,
  oneOf,
  pendingCalls,
  resource,
  retries,
  retryExceptions,
  type Rules,
  schedulingStrategy,
  signal,
  text,
  truth,
  unknownOption,
  whole,
  wholeDevices,
} from "./option-rules.ts";
import type { RuntimeEnvOptions, SchedulingStrategy } from "./option-types.ts";
import { checkFitsGroup } from "./placement-group-options.ts";
import { mergeRuntimeEnv, ownRuntimeEnv, runtimeEnv, wireRuntimeEnv } from "./runtime-env.ts";

/** Options that were checked: plain data, names without a value left out. */
export type CheckedOptions = { readonly [option: string]: unknown };

const resourceRules: Rules = {
  numCpus: resource("numCpus"),
  numGpus: resource("numGpus"),
  memory: resource("memory"),
  resources: resource("resources"),
  acceleratorType: resource("acceleratorType"),
};

const placementRules: Rules = {
  ...resourceRules,
  name,
  schedulingStrategy,
  labelSelector,
  fallbackStrategy,
  runtimeEnv,
  isolation: oneOf("process", "shared", "thread"),
};

const callRules: Rules = {
  numReturns,
  retryExceptions,
  generatorBackpressure: backpressureItems,
  timeoutMs: durationMs,
  queueTimeoutMs: durationMs,
};

const MAX_CALLS = 1_000_000_000; // Fits the wire; a process that lives longer has no reason to be replaced by count.

/** Of a class for one of its methods. They travel with handles, so a signal is not among them. */
const methodRules: Rules = { ...callRules, concurrencyGroup: name, maxTaskRetries: retries };

const taskRules: Rules = { ...placementRules, ...callRules, signal, maxRetries: retries, maxCalls: whole(0, MAX_CALLS) };
/** Each item of a map has one result. */
const { numReturns: _numReturns, generatorBackpressure: _backpressure, ...mappedRules } = taskRules;

const rules = {
  task: taskRules,
  method: { ...methodRules, signal },
  actor: {
    ...placementRules,
    namespace: name,
    lifetime: oneOf("detached"),
    getIfExists: truth,
    maxRestarts: retries,
    maxTaskRetries: retries,
    maxConcurrency,
    concurrencyGroups,
    maxPendingCalls: pendingCalls,
  },
  map: {
    ...mappedRules,
    concurrency: whole(1, MAX_MAP_CONCURRENCY),
    ordered: truth,
    onError: oneOf("throw", "collect"),
    batchMs: durationMs,
    maxBatch: whole(1, MAX_MAP_BATCH),
  },
  init: {
    ...resourceRules,
    numGpus: wholeDevices(resource("numGpus")),
    resources: wholeDevices(resource("resources")),
    labels: nodeLabels,
    address: text,
    namespace: name,
    objectStoreMemory: whole(MIN_STORE_BYTES, MAX_STORE_BYTES),
    spillDirectory: text,
    logToDriver: truth,
    warnUnhandledErrors: truth,
    ignoreReinitError: truth,
    runtimeEnv,
    mode: oneOf("processes", "inProcess"),
  },
} as const satisfies Record<string, Rules>;

const allActorRules: Rules = { ...rules.actor, methods: methodsRule(methodRules) };

type Kind = keyof typeof rules;

/** The names of all options, for who reads them as a whole: the reference is held to them. */
export const optionNames: Readonly<Record<Kind, readonly string[]>> = {
  task: Object.keys(rules.task),
  method: Object.keys(rules.method),
  actor: Object.keys(allActorRules),
  map: Object.keys(rules.map),
  init: Object.keys(rules.init),
};

const namesOf: Record<Kind, string> = { task: "tasks", actor: "actors", method: "methods of actors", init: "init()", map: "map()" };

/** @throws {RaiaError} INVALID_OPTION */
export function checkTaskOptions(options: unknown): CheckedOptions {
  return check("task", rules.task, options);
}

/** @throws {RaiaError} INVALID_OPTION */
export function checkMethodOptions(options: unknown): CheckedOptions {
  return check("method", rules.method, options);
}

/** @throws {RaiaError} INVALID_OPTION */
export function checkMapOptions(options: unknown): CheckedOptions {
  return check("map", rules.map, options);
}

/** @throws {RaiaError} INVALID_OPTION */
export function checkInitOptions(options: unknown): CheckedOptions {
  return check("init", rules.init, options);
}

/** @throws {RaiaError} INVALID_OPTION */
export function checkActorOptions(options: unknown): CheckedOptions {
  return check("actor", allActorRules, options);
}

/** Those of an actor that a queue leaves to its maker. @throws {RaiaError} INVALID_OPTION */
export function checkQueueActorOptions(options: unknown, path: string): CheckedOptions {
  const { concurrencyGroups: _groups, maxConcurrency: _concurrency, ...rest } = rules.actor;
  return checkRecord(options, path, rest, "a record of options of actors");
}

/**
 * What can be said only of all options together, when an actor is made: `.options()` may give one half of a pair later.
 *
 * @throws {RaiaError} INVALID_OPTION
 */
export function checkActorAsWhole(options: CheckedOptions): void {
  if (options["getIfExists"] === true && options["name"] === undefined) throw invalidOption("getIfExists", true, "needs a name");
  const groups = Object.keys((options["concurrencyGroups"] as object | undefined) ?? {});
  for (const [method, given] of Object.entries((options["methods"] as { [method: string]: CheckedOptions } | undefined) ?? {})) {
    const group = given["concurrencyGroup"];
    if (group !== undefined && !groups.includes(group as string)) {
      throw invalidOption(
        `methods.${method}.concurrencyGroup`,
        group,
        `must be one of concurrencyGroups (${groups.join(", ") || "there are none"})`,
      );
    }
  }
}

function check(kind: Kind, known: Rules, options: unknown): CheckedOptions {
  for (const [option, given] of entriesOf(options, "", "a record")) {
    if (given === undefined || Object.hasOwn(known, option)) continue;
    const having = (Object.keys(namesOf) as Kind[]).filter((other) =>
      Object.hasOwn(other === "actor" ? allActorRules : rules[other], option),
    );
    // map() has what tasks have; it is worth naming for what it alone has.
    const others = having.length > 1 ? having.filter((other) => other !== "map") : having;
    const note =
      others.length === 0
        ? undefined
        : `${option} is an option of ${others.map((other) => namesOf[other]).join(" and ")}, not of ${namesOf[kind]}`;
    throw unknownOption(option, option, Object.keys(known), note);
  }
  return checkRecord(options, "", known, "a record");
}

// -- the normal form

const DEFAULT_MAX_RETRIES = 3;
/** Of a class with async methods; each waiting call holds its arguments. */
const DEFAULT_ASYNC_CONCURRENCY = 1000;

/** What is asked of a node, but for who asks and how its processes start. */
export type Demand = Omit<WorkerDemand, "jobId" | "launch" | "name">;

export interface NormalCallOptions {
  readonly name: string | undefined;
  readonly numReturns: number | "streaming";
  readonly maxRetries: number;
  readonly retryExceptions: boolean | readonly string[];
  readonly timeoutMs: number | undefined;
  readonly queueTimeoutMs: number | undefined;
  readonly generatorBackpressure: number | undefined;
}

export interface NormalTaskOptions extends NormalCallOptions {
  readonly maxCalls: number;
  readonly demand: Demand;
}

export interface NormalMethodOptions extends NormalCallOptions {
  readonly concurrencyGroup: string | undefined;
}

export interface NormalActorOptions {
  readonly name: string | undefined;
  readonly namespace: string | undefined;
  readonly isDetached: boolean;
  readonly getIfExists: boolean;
  readonly maxRestarts: number;
  readonly maxTaskRetries: number;
  readonly maxConcurrency: number;
  readonly maxPendingCalls: number;
  readonly concurrencyGroups: { readonly [group: string]: number };
  readonly methods: { readonly [method: string]: CheckedOptions };
  /** What it takes to be placed. */
  readonly demand: Demand;
  /** What it holds while it runs. */
  readonly runResources: ResourceSet;
}

/** @param options what `checkTaskOptions` gave */
export function normalTaskOptions(options: CheckedOptions, isGenerator: boolean): NormalTaskOptions {
  const maxRetries = (options["maxRetries"] as number | undefined) ?? DEFAULT_MAX_RETRIES;
  const resources = parseResources({ ...(options as ResourceOptions), numCpus: (options["numCpus"] as number | undefined) ?? 1 });
  return {
    ...callOptions(options, isGenerator, maxRetries),
    // Libraries keep what they took of a device until their process ends.
    maxCalls: (options["maxCalls"] as number | undefined) ?? (hasDevice(resources) ? 1 : 0),
    demand: demandOf(options, resources, taskIsolation(resources, maxRetries), maxRetries !== 0),
  };
}

/** @param options what `checkMethodOptions` gave, those of the class below those of the call */
export function normalMethodOptions(options: CheckedOptions, isGenerator: boolean, maxTaskRetries: number): NormalMethodOptions {
  return {
    ...callOptions(options, isGenerator, (options["maxTaskRetries"] as number | undefined) ?? maxTaskRetries),
    concurrencyGroup: options["concurrencyGroup"] as string | undefined,
  };
}

/** @param options what `checkActorOptions` gave */
export function normalActorOptions(options: CheckedOptions, hasAsyncMethods: boolean): NormalActorOptions {
  const numCpus = options["numCpus"] as number | undefined;
  const maxRestarts = (options["maxRestarts"] as number | undefined) ?? 0;
  const placed = parseResources({ ...(options as ResourceOptions), numCpus: numCpus ?? 1 });
  return {
    name: options["name"] as string | undefined,
    namespace: options["namespace"] as string | undefined,
    isDetached: options["lifetime"] === "detached",
    getIfExists: options["getIfExists"] === true,
    maxRestarts,
    maxTaskRetries: (options["maxTaskRetries"] as number | undefined) ?? 0,
    maxConcurrency: (options["maxConcurrency"] as number | undefined) ?? (hasAsyncMethods ? DEFAULT_ASYNC_CONCURRENCY : 1),
    maxPendingCalls: (options["maxPendingCalls"] as number | undefined) ?? -1,
    concurrencyGroups: (options["concurrencyGroups"] as { [group: string]: number } | undefined) ?? {},
    methods: (options["methods"] as { [method: string]: CheckedOptions } | undefined) ?? {},
    demand: demandOf(options, placed, "process", maxRestarts !== 0),
    runResources: parseResources({ ...(options as ResourceOptions), numCpus: numCpus ?? 0 }),
  };
}

function callOptions(options: CheckedOptions, isGenerator: boolean, maxRetries: number): NormalCallOptions {
  return {
    name: options["name"] as string | undefined,
    numReturns: (options["numReturns"] as number | "streaming" | undefined) ?? (isGenerator ? "streaming" : 1),
    maxRetries,
    retryExceptions: (options["retryExceptions"] as boolean | readonly string[] | undefined) ?? false,
    timeoutMs: options["timeoutMs"] as number | undefined,
    queueTimeoutMs: options["queueTimeoutMs"] as number | undefined,
    generatorBackpressure: options["generatorBackpressure"] as number | undefined,
  };
}

/** Less than an event loop shares one, if it may be run again after a neighbour's crash and its devices are nobody else's. */
function taskIsolation(resources: ResourceSet, maxRetries: number): "process" | "shared" {
  const oneCpu = parseResources({ numCpus: 1 })["CPU"] as number;
  return (resources["CPU"] ?? 0) < oneCpu && maxRetries !== 0 && !hasDevice(resources) ? "shared" : "process";
}

function hasDevice(resources: ResourceSet): boolean {
  return Object.keys(resources).some(isDeviceResource);
}

function demandOf(options: CheckedOptions, resources: ResourceSet, isolation: Demand["isolation"], mayRerun: boolean): Demand {
  const selector = options["labelSelector"] as { [key: string]: string } | undefined;
  const asked = options["isolation"] as Demand["isolation"] | undefined;
  if (asked !== undefined && asked !== "process" && hasDevice(resources))
    throw invalidOption("isolation", asked, "must be process for work that holds a device: devices are shown to a process as a whole");
  const strategy = options["schedulingStrategy"] as SchedulingStrategy | undefined;
  if (typeof strategy === "object" && "placementGroup" in strategy)
    checkFitsGroup(strategy.placementGroup, strategy.placementGroupBundleIndex ?? -1, resources);
  const fallbacks = options["fallbackStrategy"] as readonly { readonly labelSelector: { [key: string]: string } }[] | undefined;
  return {
    resources,
    runtimeEnv: wireRuntimeEnv(
      mergeRuntimeEnv(ownRuntimeEnv(), (options["runtimeEnv"] as RuntimeEnvOptions | undefined) ?? {}, process.env),
    ),
    isolation: asked ?? isolation,
    strategy: strategyOf(strategy),
    mayRerun,
    ...(selector !== undefined && { labelSelector: selector }),
    ...(fallbacks !== undefined && { fallbackSelectors: fallbacks.map((fallback) => fallback.labelSelector) }),
  };
}

function strategyOf(given: SchedulingStrategy | undefined): Strategy {
  if (given === undefined || typeof given === "string") return { kind: given ?? "DEFAULT" };
  if ("nodeId" in given) return { kind: "NODE", nodeId: given.nodeId, soft: given.soft ?? false };
  return {
    kind: "PLACEMENT_GROUP",
    placementGroupId: given.placementGroup.id,
    bundleIndex: given.placementGroupBundleIndex ?? -1,
    captureChildTasks: given.placementGroupCaptureChildTasks ?? false,
  };
}
