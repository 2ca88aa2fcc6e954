/** Options of tasks, actors and methods, as users write them. */
import type { ResourceOptions } from "../base/resources.ts";

/** Where work may be placed. `SPREAD` uses as many nodes as it can; `soft` falls back to other nodes. */
export type SchedulingStrategy =
  | "DEFAULT"
  | "SPREAD"
  | { readonly nodeId: string; readonly soft?: boolean }
  | {
      /** What `placementGroup()` gave, or the id of one. */
      readonly placementGroup: { readonly id: string; readonly bundleSpecs?: readonly Readonly<Record<string, number>>[] };
      /** -1, the default: any bundle that has room. */
      readonly placementGroupBundleIndex?: number;
      /** Whether tasks that it submits go to the group, too. Default false. */
      readonly placementGroupCaptureChildTasks?: boolean;
    };

/** An error class, or the name of one: errors count by the names of their class and of those it extends. */
export type ErrorClass = (abstract new (...args: never[]) => unknown) | string;

/** What a worker process has before it runs the work. Work that is submitted from it inherits this, with its own on top. */
export interface RuntimeEnvOptions {
  /** Added to what the worker inherits. `${NAME}` stands for what the submitting process has under that name. */
  readonly envVars?: Readonly<Record<string, string>> | undefined;
  /** Directory in which the worker runs; at most 100 MiB, since a change of its files is another environment. Default: the driver's. */
  readonly workingDir?: string | undefined;
  /** `module#export`, run once in each worker before anything else. */
  readonly setupHook?: string | undefined;
}

export interface PlacementOptions extends ResourceOptions {
  readonly schedulingStrategy?: SchedulingStrategy | undefined;
  /** Labels that a node must have: `{ region: "eu" }`, and for values `!v`, `in(a,b)`, `!in(a,b)`. */
  readonly labelSelector?: Readonly<Record<string, string>> | undefined;
  /** Selectors that are tried in turn when no node fits the first. */
  readonly fallbackStrategy?: readonly { readonly labelSelector: Readonly<Record<string, string>> }[] | undefined;
  readonly runtimeEnv?: RuntimeEnvOptions | undefined;
  /**
   * `process`: alone in its process while it runs. `shared`: beside others of its kind. `thread`: in a thread of its own.
   * Default: `shared` for tasks of less than one CPU that may run again (`maxRetries` not 0) and hold no device, else `process`.
   */
  readonly isolation?: "process" | "shared" | "thread" | undefined;
}

/** How many refs a call gives: a count, or a stream of them. */
export type NumReturns = number | "streaming";

export interface TaskOptions<N extends NumReturns | undefined = NumReturns> extends PlacementOptions {
  /** For people. Default: the function's name. */
  readonly name?: string | undefined;
  /** How many refs a call gives: the task returns an array of that length. `"streaming"`: an iterable, item by item. Default 1; generators stream. */
  readonly numReturns?: N | undefined;
  /** How often it is run again when its process or node dies. -1: without limit. Default 3. */
  readonly maxRetries?: number | undefined;
  /** Whether it is run again, too, when it throws: any error, or those of these classes. Default false. */
  readonly retryExceptions?: boolean | readonly ErrorClass[] | undefined;
  /** The worker process ends after so many calls. Default: never. */
  readonly maxCalls?: number | undefined;
  /** A stream's producer waits when its consumer is so many items behind. Default 1,000. */
  readonly generatorBackpressure?: number | undefined;
  /** Milliseconds that it may run. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds that it may wait before it runs. Default: no limit. */
  readonly queueTimeoutMs?: number | undefined;
  /** Cancels the calls of this handle when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

export interface MethodOptions<N extends NumReturns | undefined = NumReturns> {
  readonly numReturns?: N | undefined;
  /** How often a call that was lost with the actor's process is sent again. */
  readonly maxTaskRetries?: number | undefined;
  readonly retryExceptions?: boolean | readonly ErrorClass[] | undefined;
  readonly concurrencyGroup?: string | undefined;
  readonly generatorBackpressure?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly queueTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of single methods, by name. They travel with handles, so a signal is not among them. */
export type MethodsOptions = { readonly [method: string]: Omit<MethodOptions, "signal"> };

/** Refuses what is no option, where the compiler looks at no more than what it infers. */
type OnlyKnown<M> = { readonly [K in keyof M]: { readonly [O in Exclude<keyof M[K], keyof MethodsOptions[string]>]: never } };

export interface ActorOptions<M extends MethodsOptions = MethodsOptions> extends PlacementOptions {
  /** By which `getActor` finds it; unique in its namespace. */
  readonly name?: string | undefined;
  /** Default: the job's. */
  readonly namespace?: string | undefined;
  /** `detached`: it lives until it is killed, whatever becomes of its job. */
  readonly lifetime?: "detached" | undefined;
  /** Give the actor of that name if there is one. Needs `name`. */
  readonly getIfExists?: boolean | undefined;
  /** How often it is made anew when its process dies. -1: without limit. Default 0. */
  readonly maxRestarts?: number | undefined;
  /** How often a call that was lost with its process is sent again. -1: without limit. Default 0. */
  readonly maxTaskRetries?: number | undefined;
  /** Calls that run at a time. Default 1, or 1,000 when a method is async. */
  readonly maxConcurrency?: number | undefined;
  /** Groups of methods with limits of their own. */
  readonly concurrencyGroups?: Readonly<Record<string, number>> | undefined;
  /** Calls of one caller that may be pending. -1: no limit, the default. */
  readonly maxPendingCalls?: number | undefined;
  /** Options of single methods. */
  readonly methods?: (M & OnlyKnown<M>) | undefined;
}
