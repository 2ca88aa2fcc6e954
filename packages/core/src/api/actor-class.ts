/** remote(Class): actors, and the handles through which they are called. */
import { RaiaError } from "../base/errors.ts";
import { newActorId, shortId } from "../base/ids.ts";
import type { ActorClient } from "../worker/calls/actor-client.ts";
import { whenDisposed } from "../worker/calls/actor-disposal.ts";
import type { ActorName } from "../worker/calls/actor-directory.ts";
import type { CallTemplate } from "../worker/calls/call.ts";
import type { ObjectEntry } from "../worker/objects/object-entry.ts";
import { brand, kindOf } from "../worker/objects/object-ref.ts";
import type { RemoteHandle } from "../worker/execution/remote-values.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";
import { type HandleShape, packShape, unpackShape } from "../worker/calls/handle-shape.ts";
import { currentRuntime } from "../worker/current-runtime.ts";
import { checkCallOptions } from "./call-options.ts";
import { checkMethodNames, generatorMethodsOf } from "./class-methods.ts";
import { needRuntime } from "./init.ts";
import { cancelOnAbort } from "./call-signal.ts";
import { Code, sourceName, templateOf } from "./remote-function.ts";
import {
  type CheckedOptions,
  checkActorAsWhole,
  checkActorOptions,
  checkMethodOptions,
  normalActorOptions,
  normalMethodOptions,
} from "./options.ts";
import { MAX_DETACHED_CODE_BYTES, MAX_NAME_CHARS } from "./limits.ts";
import { capturedStrategy, demandOf } from "./task-demand.ts";

const inspected = Symbol.for("nodejs.util.inspect.custom");

export class ActorClassHandle {
  readonly #source: RemoteHandle["source"];
  readonly #options: CheckedOptions;
  readonly #code: Code;

  constructor(source: RemoteHandle["source"], options: Readonly<Record<string, unknown>>, code = new Code(source)) {
    this.#source = source;
    this.#options = checkActorOptions(options);
    if ("fn" in source) checkMethodNames(source.fn, Object.keys(this.#options["methods"] ?? {}));
    this.#code = code;
  }

  get [brand](): "class" {
    return "class";
  }

  static open(value: object): RemoteHandle {
    if (!(#source in value)) throw new RaiaError("INVALID_ARGUMENT", { expected: "an actor class of this copy of the library" });
    return { source: value.#source, options: value.#options };
  }

  static codeOf(value: object): Code {
    if (!(#code in value)) throw new RaiaError("INVALID_ARGUMENT", { expected: "an actor class of this copy of the library" });
    return value.#code;
  }

  options(options: Readonly<Record<string, unknown>>): ActorClassHandle {
    return new ActorClassHandle(this.#source, { ...this.#options, ...options }, this.#code);
  }

  [inspected](): string {
    return `ActorClass(${sourceName(this.#source)})`;
  }

  /** Creates an actor. Its handle is there at once; calls wait until the actor is. */
  readonly remote = (...args: unknown[]): object => {
    const runtime = needRuntime();
    const { hash, name: className, traits, exported, bytes = 0 } = this.#code.in(runtime);
    checkActorAsWhole(this.#options);
    if (this.#options["lifetime"] === "detached" && bytes > MAX_DETACHED_CODE_BYTES)
      throw new RaiaError("LIMIT_EXCEEDED", {
        limit: "code of a detached actor, with its captures",
        bytes,
        maxBytes: MAX_DETACHED_CODE_BYTES,
      });
    const options = normalActorOptions(this.#options, traits.asyncMethodNames.length > 0);
    const { name, maxTaskRetries, maxPendingCalls, methods } = options;
    const shape: HandleShape = {
      className,
      maxTaskRetries,
      maxPendingCalls,
      methods,
      generators: "fn" in this.#source ? generatorMethodsOf(this.#source.fn) : [],
    };
    const actorId = newActorId(runtime.random, runtime.cluster.jobId || runtime.cluster.expectedJobId);
    const captured = capturedStrategy(this.#options);
    const demand = demandOf(captured === undefined ? options.demand : { ...options.demand, strategy: captured }, className);
    runtime.checkDemand(demand);
    const { client, scope, registered } = runtime.actors.create(
      {
        actorId,
        jobId: runtime.cluster.jobId,
        className,
        functionHash: hash,
        demand: { ...demand, jobId: runtime.cluster.jobId },
        runResources: options.runResources,
        maxRestarts: options.maxRestarts,
        maxConcurrency: options.maxConcurrency,
        concurrencyGroups: options.concurrencyGroups,
        maxPendingCalls,
        namespace: options.namespace ?? "",
        detached: options.isDetached,
        ownerId: runtime.cluster.self.workerId,
        methods: packShape(shape),
        ...(name !== undefined && { name }),
      },
      args,
      exported,
      options.getIfExists,
    );
    const uncertain =
      options.getIfExists && name !== undefined ? { name, namespace: options.namespace ?? runtime.cluster.namespace } : undefined;
    return makeHandle(runtime, client, shape, scope, registered, uncertain);
  };
}

/** State behind a handle; the handle itself is a Proxy whose every property is a method. */
class ActorRecord {
  readonly runtime: WorkerRuntime;
  readonly client: ActorClient;
  readonly shape: HandleShape;
  /** Counts the handles of an actor that dies with its last; absent for one that was got by name. */
  readonly scope: ObjectEntry | undefined;
  readonly registered: Promise<string>;
  /** As long as it is not known whether there was an actor of that name before. */
  uncertainName: ActorName | undefined;
  readonly #methods = new Map<string, ActorMethod>();

  constructor(
    runtime: WorkerRuntime,
    client: ActorClient,
    shape: HandleShape,
    scope: ObjectEntry | undefined,
    registered: Promise<string>,
    uncertainName: ActorName | undefined,
  ) {
    this.runtime = runtime;
    this.client = client;
    this.shape = shape;
    this.scope = scope;
    this.registered = registered;
    this.uncertainName = uncertainName;
    if (uncertainName === undefined) return;
    const known = (): void => void (this.uncertainName = undefined);
    registered.then(known, known);
  }

  method(name: string): ActorMethod {
    let method = this.#methods.get(name);
    if (method === undefined) {
      method = new ActorMethod(this, name, this.shape.methods[name] ?? {});
      this.#methods.set(name, method);
    }
    return method;
  }
}

class ActorMethod {
  readonly #record: ActorRecord;
  readonly #name: string;
  readonly #options: CheckedOptions;
  readonly #signal: AbortSignal | undefined;
  #template: CallTemplate | undefined;

  constructor(record: ActorRecord, name: string, options: Readonly<Record<string, unknown>>) {
    this.#record = record;
    this.#name = name;
    this.#options = checkMethodOptions(options);
    this.#signal = this.#options["signal"] as AbortSignal | undefined;
  }

  [inspected](): string {
    return `RemoteMethod(${this.#record.shape.className}.${this.#name})`;
  }

  options(options: Readonly<Record<string, unknown>>): ActorMethod {
    return new ActorMethod(this.#record, this.#name, { ...this.#options, ...options });
  }

  readonly remote = (...args: unknown[]): unknown => {
    const { runtime, client, scope, shape } = this.#record;
    this.#template ??= this.#makeTemplate();
    const submitted = runtime.calls.submitActorCall(client, this.#template, scope, shape.maxPendingCalls, args);
    if (this.#signal !== undefined) cancelOnAbort(runtime, submitted, this.#signal);
    return submitted;
  };

  #makeTemplate(): CallTemplate {
    const { runtime, shape } = this.#record;
    const options = normalMethodOptions(this.#options, shape.generators.includes(this.#name), shape.maxTaskRetries);
    const made = templateOf(options, "", `${shape.className}.${this.#name}`, undefined);
    return runtime.calls.newTemplate({
      ...made,
      wire: {
        ...made.wire,
        method: this.#name,
        ...(options.concurrencyGroup !== undefined && { concurrencyGroup: options.concurrencyGroup }),
      },
    });
  }
}

const records = new WeakMap<object, ActorRecord>();
/** What stands behind the Proxy of a handle: `console.log` looks there, and not at the handle. */
class HandleTarget {
  readonly #record: ActorRecord;

  constructor(record: ActorRecord) {
    this.#record = record;
  }

  static recordOf(target: HandleTarget): ActorRecord {
    return target.#record;
  }

  /** Called on the handle, or in a REPL, which shows what a Proxy is made of, on the target. */
  [inspected](): string {
    return describe(#record in this ? this.#record : recordOf(this));
  }
}

/** Every property of a handle is a method. One for all handles: each has its target. */
const traps: ProxyHandler<HandleTarget> & { [inspected]: () => string } = {
  get: (target, name) => propertyOf(HandleTarget.recordOf(target), name),
  has: (_target, name) => name === brand,
  ownKeys: () => [],
  getPrototypeOf: () => null,
  set: () => false,
  [inspected]: () => "{}",
};

export function makeHandle(
  runtime: WorkerRuntime,
  client: ActorClient,
  shape: HandleShape,
  scope: ObjectEntry | undefined,
  registered: Promise<string>,
  uncertainName?: ActorName,
): object {
  const record = new ActorRecord(runtime, client, shape, scope, registered, uncertainName);
  const handle: object = new Proxy(new HandleTarget(record), traps);
  records.set(handle, record);
  if (scope !== undefined) runtime.table.addHandle(scope, handle);
  return handle;
}

function propertyOf(record: ActorRecord, name: string | symbol): unknown {
  if (typeof name === "string") {
    // Not thenable: awaiting a handle gives the handle.
    if (name === "then") return undefined;
    if (name === "toJSON") return () => describe(record);
    return record.method(name);
  }
  if (name === brand) return "actor";
  if (name === Symbol.asyncDispose) {
    return () => giveUp(record);
  }
  if (name === Symbol.toStringTag) return "ActorHandle";
  if (name === Symbol.toPrimitive || name === inspected) return () => describe(record);
  return undefined;
}

function describe({ shape, client }: ActorRecord): string {
  return `ActorHandle(${shape.className}, ${shortId(client.actorId)})`;
}

/** Gives up a handle. Resolves when the actor, if it was the last, has done what it does at its end. */
async function giveUp({ runtime, client, scope }: ActorRecord): Promise<void> {
  if (scope === undefined) return;
  runtime.table.releaseHandle(scope);
  await runtime.calls.during(whenDisposed(client, scope, runtime.clock));
}

export function isActorHandle(value: object): boolean {
  return records.has(value);
}

export function recordOf(handle: unknown): ActorRecord {
  const record = typeof handle === "object" && handle !== null ? records.get(handle) : undefined;
  if (record === undefined) throw new RaiaError("INVALID_ARGUMENT", { expected: "an actor handle", got: kindOf(handle, "actor") });
  return record;
}

export interface KillOptions {
  /** Whether it stays dead though restarts are left. Default true. */
  readonly noRestart?: boolean;
}

/** Ends an actor at once; calls under way reject with ACTOR_DIED (or ACTOR_UNAVAILABLE when it restarts). */
export async function kill(actor: object, options: KillOptions = {}): Promise<void> {
  checkCallOptions("kill", options);
  const { noRestart = true } = options;
  const { runtime, registered } = recordOf(actor);
  runtime.cluster.checkStays("kill");
  const { cluster } = runtime;
  const actorId = await registered;
  await cluster.asked(cluster.control.killActor({ actorId, noRestart }));
}

/** A handle to the actor of that name. @throws {RaiaError} ACTOR_NOT_FOUND, INVALID_ARGUMENT, INVALID_OPTION */
export async function getActor<H = object>(name: string, options: { readonly namespace?: string } = {}): Promise<H> {
  if (typeof name !== "string" || name === "" || name.length > MAX_NAME_CHARS)
    throw new RaiaError("INVALID_ARGUMENT", {
      call: "getActor",
      expected: `a name of 1 to ${MAX_NAME_CHARS} characters`,
      got: typeof name === "string" ? `text of ${name.length} characters` : kindOf(name, "actor"),
    });
  checkCallOptions("getActor", options);
  const runtime = needRuntime();
  await runtime.cluster.joined;
  const { cluster } = runtime;
  const found = cluster.control.getActorByName({ name, namespace: options.namespace ?? cluster.namespace });
  const { actorId, methods } = await cluster.asked(found);
  const client = runtime.actors.client(actorId, runtime.cluster.jobId);
  runtime.actors.watch(client);
  return makeHandle(runtime, client, unpackShape(methods), undefined, Promise.resolve(actorId)) as H;
}

/** Ends the actor whose method calls this, once that call is done. */
export function exitActor(): void {
  const runtime = currentRuntime();
  if (runtime === undefined) throw new RaiaError("NOT_INITIALIZED", { call: "exitActor" });
  runtime.hosts.exitCurrentActor();
}
