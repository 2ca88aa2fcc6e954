/** Options of tasks, actors and methods, as users write them. */
import type { ResourceOptions } from "../base/resources.ts";

/** Where work may be placed. */
export type SchedulingStrategy = "DEFAULT" | "SPREAD" | { readonly nodeId: string; readonly soft?: boolean };

export interface RuntimeEnvOptions {
  /** Added to what the worker inherits. */
  readonly envVars?: Readonly<Record<string, string>>;
  /** Directory in which the worker runs. Default: the driver's. */
  readonly workingDir?: string;
  /** `module#export`, run once in each worker before anything else. */
  readonly setupHook?: string;
}

export interface PlacementOptions extends ResourceOptions {
  /** For people: shown in lists, errors and logs. Default: the function's or class's name. */
  readonly schedulingStrategy?: SchedulingStrategy;
  readonly labelSelector?: Readonly<Record<string, string>>;
  readonly fallbackStrategy?: readonly { readonly labelSelector: Readonly<Record<string, string>> }[];
  readonly runtimeEnv?: RuntimeEnvOptions;
  /** `process`: alone in its process while it runs. `shared`: beside others of its kind. */
  readonly isolation?: "process" | "shared" | "thread";
}

export interface TaskOptions extends PlacementOptions {
  /** For people. Default: the function's name. */
  readonly name?: string;
  /** How many refs a call gives: the task returns an array of that length. `"streaming"`: an iterable, item by item. Default 1; generators stream. */
  readonly numReturns?: number | "streaming";
  /** How often it is run again when its process or node dies. -1: without limit. Default 3. */
  readonly maxRetries?: number;
  /** Whether it is run again, too, when it throws: any error, or those of these classes. Default false. */
  readonly retryExceptions?: boolean | readonly (abstract new (...args: never[]) => Error)[];
  /** The worker process ends after so many calls. Default: never. */
  readonly maxCalls?: number;
  /** A stream's producer waits when its consumer is so many items behind. Default 1,000. */
  readonly generatorBackpressure?: number;
  /** Milliseconds that it may run. Default: no limit. */
  readonly timeoutMs?: number;
  /** Milliseconds that it may wait before it runs. Default: no limit. */
  readonly queueTimeoutMs?: number;
  /** Cancels the calls of this handle when it aborts. */
  readonly signal?: AbortSignal;
}

export interface MethodOptions {
  readonly numReturns?: number | "streaming";
  /** How often a call that was lost with the actor's process is sent again. */
  readonly maxTaskRetries?: number;
  readonly retryExceptions?: boolean | readonly (abstract new (...args: never[]) => Error)[];
  readonly concurrencyGroup?: string;
  readonly generatorBackpressure?: number;
  readonly timeoutMs?: number;
  readonly queueTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ActorOptions extends PlacementOptions {
  /** By which `getActor` finds it; unique in its namespace. */
  readonly name?: string;
  /** Default: the job's. */
  readonly namespace?: string;
  /** `detached`: it lives until it is killed, whatever becomes of its job. */
  readonly lifetime?: "detached";
  /** Give the actor of that name if there is one. Needs `name`. */
  readonly getIfExists?: boolean;
  /** How often it is made anew when its process dies. -1: without limit. Default 0. */
  readonly maxRestarts?: number;
  /** How often a call that was lost with its process is sent again. -1: without limit. Default 0. */
  readonly maxTaskRetries?: number;
  /** Calls that run at a time. Default 1, or 1,000 when a method is async. */
  readonly maxConcurrency?: number;
  /** Groups of methods with limits of their own. */
  readonly concurrencyGroups?: Readonly<Record<string, number>>;
  /** Calls of one caller that may be pending. -1: no limit, the default. */
  readonly maxPendingCalls?: number;
  /** Options of single methods. */
  readonly methods?: Readonly<Record<string, MethodOptions>>;
}
