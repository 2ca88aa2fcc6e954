/**
 * One actor in the process that runs it: its instance, and which of its calls may run now. Calls start in the order in
 * which they arrived; each concurrency group runs as many at a time as it says.
 */
import type { Clock } from "../../base/clock.ts";
import { Deque } from "../../base/deque.ts";
import { RaiaError } from "../../base/errors.ts";
import type { Accelerators } from "../../messages/common.ts";
import type { CallExecution } from "./call-execution.ts";
import type { ExecutionRuntime } from "./execution-runtime.ts";
import type { Executor } from "./executor.ts";
import type { AnyFunction } from "../functions.ts";
import { type InGroup, runInContext, type TaskContext, type WaitScope } from "../task-context.ts";

export interface ActorOptions {
  readonly actorId: string;
  readonly name: string;
  readonly maxConcurrency: number;
  readonly concurrencyGroups: Readonly<Record<string, number>>;
  readonly restarts: number;
  readonly accelerators: Accelerators;
  readonly resources: Readonly<Record<string, number>>;
  readonly placementGroup: InGroup | undefined;
}

export interface ActorClass {
  new (...args: never[]): object;
  create?(...args: never[]): Promise<object> | object;
}

/** Surrounds the constructor: it is no call, but may ask where it is, and may submit work. */
export class ConstructionContext implements TaskContext {
  readonly runtime: ExecutionRuntime;
  readonly actor: ActorHost;
  readonly taskId: string;
  readonly name: string;
  readonly attempt = 0;
  readonly ambient = undefined;
  readonly jobId: string;
  readonly namespace: string;
  readonly waits: WaitScope = { waitBegan: () => {}, waitEnded: () => undefined };
  readonly signal: AbortSignal = new AbortController().signal;

  constructor(runtime: ExecutionRuntime, actor: ActorHost, job: { readonly jobId: string; readonly namespace: string }) {
    this.runtime = runtime;
    this.actor = actor;
    this.taskId = actor.actorId;
    this.name = actor.name;
    this.jobId = job.jobId;
    this.namespace = job.namespace;
  }

  get resources(): Readonly<Record<string, number>> {
    return this.actor.resources;
  }

  get accelerators(): Accelerators {
    return this.actor.accelerators;
  }

  get placementGroup(): InGroup | undefined {
    return this.actor.placementGroup;
  }

  readonly awaited = new Set<readonly object[]>();

  childSubmitted(): undefined {}
}

interface Group {
  readonly limit: number;
  running: number;
  readonly queue: Deque<CallExecution>;
  /** Those that did not end at once. */
  readonly open: Set<CallExecution>;
}

const DEFAULT_GROUP = "";

export class ActorHost {
  readonly actorId: string;
  readonly name: string;
  readonly isSerial: boolean;
  readonly restarts: number;
  readonly accelerators: Accelerators;
  readonly resources: Readonly<Record<string, number>>;
  readonly placementGroup: InGroup | undefined;
  #instance: object | undefined;
  readonly #executor: Executor;
  readonly #clock: Clock;
  readonly #groups = new Map<string, Group>();
  #idleWaiters: (() => void)[] = [];
  #isEnding = false;
  #end: Promise<void> | undefined;
  /** Set by `exitActor`: the actor ends when the call that said so is done. */
  exitRequested: (() => void) | undefined;

  constructor(options: ActorOptions, executor: Executor, clock: Clock) {
    this.actorId = options.actorId;
    this.name = options.name;
    this.isSerial = options.maxConcurrency === 1;
    this.restarts = options.restarts;
    this.accelerators = options.accelerators;
    this.resources = options.resources;
    this.placementGroup = options.placementGroup;
    this.#executor = executor;
    this.#clock = clock;
    this.#groups.set(DEFAULT_GROUP, newGroup(options.maxConcurrency));
    for (const [name, limit] of Object.entries(options.concurrencyGroups)) this.#groups.set(name, newGroup(limit));
  }

  get instance(): object {
    return this.#instance as object;
  }

  /** Makes the instance: `static async create(...)` where set-up must wait, else the constructor. */
  async construct(Class: ActorClass, args: readonly unknown[], context: TaskContext): Promise<void> {
    this.#instance = (await runInContext(context, () => make(Class, args))).instance;
  }

  /** The instance's method of that name; never something of `Object.prototype`. */
  method(name: string | undefined): AnyFunction {
    const found = name === undefined || name in Object.prototype ? undefined : (this.instance as Record<string, unknown>)[name];
    if (typeof found === "function") return found as AnyFunction;
    return () => {
      throw new RaiaError("INVALID_ARGUMENT", { actor: this.name, method: name, reason: "the actor has no such method" });
    };
  }

  /** @returns true when the call has ended already */
  submit(execution: CallExecution): boolean {
    const name = groupName(execution);
    const group = this.#groups.get(name);
    if (group === undefined) {
      this.#executor.refuse(execution, "INVALID_OPTION", {
        option: "concurrencyGroup",
        value: name,
        known: [...this.#groups.keys()].filter(Boolean),
      });
      return true;
    }
    if (this.#isEnding) {
      this.#executor.refuse(execution, "ACTOR_DIED", { actor: this.name, cause: "ending" });
      return true;
    }
    if (group.running >= group.limit || group.queue.length > 0) {
      group.queue.push(execution);
      return false;
    }
    if (execution.template.wire.queueTimeoutMs !== undefined) {
      // It may have waited too long for this loop: then its caller's word of that is right behind it, and it must not run.
      group.queue.push(execution);
      this.#clock.soon(() => this.#drain(group));
      return false;
    }
    return this.#run(execution, group);
  }

  #run(execution: CallExecution, group: Group): boolean {
    group.running++;
    if (!this.#executor.run(execution)) {
      group.open.add(execution);
      return false;
    }
    this.#left(group);
    return true;
  }

  /** A call of this actor has ended later than its start. */
  ended(execution: CallExecution): void {
    const group = this.#groups.get(groupName(execution)) as Group;
    group.open.delete(execution);
    this.#left(group);
    this.#drain(group);
  }

  #left(group: Group): void {
    group.running--;
    if (this.exitRequested !== undefined) {
      this.#isEnding = true;
      const exit = this.exitRequested;
      this.exitRequested = undefined;
      exit();
    }
    if (this.isIdle) for (const waiter of this.#idleWaiters.splice(0)) waiter();
  }

  #drain(group: Group): void {
    while (group.running < group.limit) {
      const next = group.queue.shift();
      if (next === undefined) return;
      if (this.#isEnding) this.#executor.refuse(next, "ACTOR_DIED", { actor: this.name, cause: "ending" });
      else if (next.isCancelled) this.#executor.refuse(next, "TASK_CANCELLED", { task: next.name });
      else if (!this.#run(next, group)) continue;
      next.origin.ended(next);
    }
  }

  runningBeside(execution: CallExecution): ReadonlySet<CallExecution> {
    return this.#groups.get(groupName(execution))?.open ?? new Set();
  }

  get isIdle(): boolean {
    for (const group of this.#groups.values()) if (group.running > 0 || group.queue.length > 0) return false;
    return true;
  }

  /** Whether its instance has something to do at its end. */
  get disposes(): boolean {
    const instance = Object(this.#instance) as object;
    return Symbol.asyncDispose in instance || Symbol.dispose in instance;
  }

  /** Lets the calls that were accepted finish, then disposes the instance, once. The caller bounds the time. */
  end(): Promise<void> {
    return (this.#end ??= this.#endOnce());
  }

  async #endOnce(): Promise<void> {
    if (!this.isIdle) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    this.#isEnding = true;
    const instance = this.instance as Partial<AsyncDisposable & Disposable>;
    if (instance[Symbol.asyncDispose] !== undefined) await instance[Symbol.asyncDispose]?.();
    else instance[Symbol.dispose]?.();
  }
}

/** In an object: no promise may resolve with the instance itself, which may have a method named `then`. */
async function make(Class: ActorClass, args: readonly unknown[]): Promise<{ readonly instance: object }> {
  if (Class.create === undefined) return { instance: new Class(...(args as never[])) };
  const created = Class.create(...(args as never[]));
  return { instance: created instanceof Class ? created : await created };
}

function newGroup(limit: number): Group {
  return { limit, running: 0, queue: new Deque(), open: new Set() };
}

function groupName({ template }: CallExecution): string {
  return template.wire.concurrencyGroup ?? DEFAULT_GROUP;
}
