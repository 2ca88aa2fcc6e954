/**
 * remote(fn): a function whose calls run elsewhere. Code and captures are read once, at the first call of a handle, as are
 * its options; a handle is a value itself, so it may be captured by functions or sent as an argument.
 */
import { RaiaError } from "../base/errors.ts";
import { LruMap } from "../base/lru-map.ts";
import { brand } from "../worker/objects/object-ref.ts";
import type { CallIssuer, TaskDemand } from "../worker/calls/call-issuer.ts";
import type { CallTemplate } from "../worker/calls/call.ts";
import type { ExportedFunction } from "../worker/functions.ts";
import type { RemoteHandle, Traits } from "../worker/execution/remote-values.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";
import { needRuntime } from "./init.ts";
import { cancelOnAbort } from "./call-signal.ts";
import { type CheckedOptions, checkTaskOptions, type Demand, type NormalCallOptions, normalTaskOptions } from "./options.ts";
import { capturedStrategy, demandOf } from "./task-demand.ts";

/** Of which one handle keeps what it needs: code runs in one group at a time, or a few. */
const MAX_GROUPS = 16;

/** What one handle needs in one runtime, made at its first call there. */
interface Bound {
  readonly runtime: WorkerRuntime;
  readonly template: CallTemplate;
  readonly demand: TaskDemand;
}

export class RemoteFunctionHandle {
  readonly #source: RemoteHandle["source"];
  readonly #options: CheckedOptions;
  readonly #signal: AbortSignal | undefined;
  /** Shared by handles that differ in options only: the code is captured once. */
  readonly #code: Code;
  #bound: Bound | undefined;
  /** Where several runtimes share a process, each keeps its own. */
  readonly #bounds = new WeakMap<WorkerRuntime, Bound>();
  /** The same for placement groups that capture what is submitted in them. */
  readonly #groupBounds = new WeakMap<WorkerRuntime, LruMap<string, Bound>>();

  constructor(source: RemoteHandle["source"], options: Readonly<Record<string, unknown>>, code = new Code(source)) {
    this.#source = source;
    // A signal stays where it is: the handle travels without it.
    const { signal, ...travelling } = checkTaskOptions(options);
    this.#options = travelling;
    this.#signal = signal as AbortSignal | undefined;
    this.#code = code;
  }

  get [brand](): "function" {
    return "function";
  }

  static open(value: object): RemoteHandle {
    if (!(#source in value)) throw new RaiaError("INVALID_ARGUMENT", { expected: "a remote function of this copy of the library" });
    return { source: value.#source, options: value.#options };
  }

  static codeOf(value: object): Code {
    if (!(#code in value)) throw new RaiaError("INVALID_ARGUMENT", { expected: "a remote function of this copy of the library" });
    return value.#code;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `RemoteFunction(${(this.#options["name"] as string | undefined) ?? sourceName(this.#source)})`;
  }

  /** The same function with other options. */
  options(options: Readonly<Record<string, unknown>>): RemoteFunctionHandle {
    return new RemoteFunctionHandle(this.#source, { ...this.#options, signal: this.#signal, ...options }, this.#code);
  }

  readonly remote = (...args: unknown[]): unknown => {
    const runtime = needRuntime();
    const captured = capturedStrategy(this.#options);
    let bound = captured === undefined ? this.#bound : this.#boundInGroup(runtime, captured);
    if (bound === undefined || bound.runtime !== runtime) this.#bound = bound = this.#boundIn(runtime);
    const submitted = runtime.calls.submitTask(bound.template, bound.demand, args);
    if (this.#signal !== undefined) cancelOnAbort(runtime, submitted, this.#signal);
    return submitted;
  };

  #boundInGroup(runtime: WorkerRuntime, strategy: Demand["strategy"]): Bound {
    let bounds = this.#groupBounds.get(runtime);
    if (bounds === undefined) this.#groupBounds.set(runtime, (bounds = new LruMap(MAX_GROUPS)));
    const groupId = strategy.placementGroupId ?? "";
    let bound = bounds.get(groupId);
    if (bound === undefined) bounds.set(groupId, (bound = this.#bind(runtime, strategy)));
    return bound;
  }

  #boundIn(runtime: WorkerRuntime): Bound {
    let bound = this.#bounds.get(runtime);
    if (bound === undefined) this.#bounds.set(runtime, (bound = this.#bind(runtime)));
    return bound;
  }

  /** @param strategy in place of the handle's own */
  #bind(runtime: WorkerRuntime, strategy?: Demand["strategy"]): Bound {
    const { hash, name, traits, exported, code } = this.#code.of(runtime);
    const normal = normalTaskOptions(this.#options, traits.isGenerator);
    const options = strategy === undefined ? normal : { ...normal, demand: { ...normal.demand, strategy } };
    const template = runtime.calls.newTemplate(templateOf(options, hash, options.name ?? name, exported, code));
    const demand = demandOf(options.demand, options.name ?? name);
    runtime.checkDemand(demand);
    return { runtime, template, demand: { demand, shape: undefined } };
  }
}

/** For people; what has no name in its code gets one from its place when that is read. */
export function sourceName(source: RemoteHandle["source"]): string {
  return ("fn" in source ? source.fn.name : source.name) || "anonymous";
}

export interface KnownCode {
  readonly hash: string;
  readonly name: string;
  readonly traits: Traits;
  readonly exported: Promise<void> | undefined;
  /** Of code that was read here. */
  readonly bytes: number | undefined;
  /** The same: who has it holds what it captured. */
  readonly code: ExportedFunction | undefined;
}

/** A function's code as one runtime knows it. */
export class Code {
  readonly #source: RemoteHandle["source"];
  readonly #exported = new WeakMap<WorkerRuntime, ExportedFunction>();

  constructor(source: RemoteHandle["source"]) {
    this.#source = source;
  }

  /** For whoever will name it by its hash alone. */
  in(runtime: WorkerRuntime): KnownCode {
    const known = this.of(runtime);
    known.code?.keep();
    return known;
  }

  /** For calls, whose template holds the code. */
  of(runtime: WorkerRuntime): KnownCode {
    const source = this.#source;
    if ("hash" in source) {
      const { hash, name, traits } = source;
      return { hash, name, traits, exported: undefined, bytes: undefined, code: undefined };
    }
    let code = this.#exported.get(runtime);
    if (code === undefined) this.#exported.set(runtime, (code = runtime.functions.export(source.fn)));
    const { shipped, exported } = code;
    return { hash: shipped.hash, name: shipped.name, traits: traitsOf(shipped), exported, bytes: shipped.bytes.length, code };
  }
}

function traitsOf({ isGenerator, isClass, asyncMethodNames }: Traits): Traits {
  return { isGenerator, isClass, asyncMethodNames };
}

export function templateOf(
  options: NormalCallOptions & { readonly maxCalls?: number; readonly demand?: Demand },
  functionHash: string,
  name: string,
  exported: Promise<void> | undefined,
  code?: ExportedFunction,
): Parameters<CallIssuer["newTemplate"]>[0] {
  const { maxCalls = 0, demand } = options;
  return {
    name,
    numReturns: options.numReturns,
    exported,
    code,
    maxRetries: options.maxRetries,
    retryExceptions: options.retryExceptions,
    timeoutMs: options.timeoutMs,
    queueTimeoutMs: options.queueTimeoutMs,
    maxCalls,
    wire: {
      functionHash,
      name,
      jobId: "",
      namespace: "",
      numReturns: options.numReturns === "streaming" ? -1 : options.numReturns,
      resources: demand?.resources ?? {},
      ...groupFields(demand?.strategy),
      ...(options.generatorBackpressure !== undefined && { generatorBackpressure: options.generatorBackpressure }),
      ...(maxCalls > 0 && { maxCalls }),
      ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
      ...(options.queueTimeoutMs !== undefined && { queueTimeoutMs: options.queueTimeoutMs }),
    },
  };
}

/** What code that runs in a placement group is told of it. */
export function groupFields(strategy: Demand["strategy"] | undefined): { placementGroupId?: string; captureChildTasks?: boolean } {
  if (strategy?.kind !== "PLACEMENT_GROUP" || strategy.placementGroupId === undefined) return {};
  return { placementGroupId: strategy.placementGroupId, ...(strategy.captureChildTasks === true && { captureChildTasks: true }) };
}
