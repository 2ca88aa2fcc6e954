/**
 * What surrounds running user code: which task it is, of which process, under which signal. It follows the code through
 * its awaits, so in one process (tests, `inProcess` mode) several workers can run side by side.
 */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import type { Accelerators } from "../messages/common.ts";
import type { Cancellation } from "./cancellation.ts";

/** What travels with a call besides its arguments: values by the ids of their storages (ambient-context.ts). */
export type Ambient = { readonly [id: string]: unknown };

/** The part of a lease or an actor call that waits as one: while it waits, its CPU is free. */
export interface WaitScope {
  waitBegan(): void;
  /** Resolves when the CPU is granted again. `undefined` when it was never given back. */
  waitEnded(): Promise<void> | undefined;
}

/** The placement group that code runs in. */
export interface InGroup {
  readonly id: string;
  /** What it submits goes there, too, unless it names a place of its own. */
  readonly capturesChildTasks: boolean;
}

export function inGroup(fields: {
  readonly placementGroupId?: string | undefined;
  readonly captureChildTasks?: boolean | undefined;
}): InGroup | undefined {
  const { placementGroupId: id, captureChildTasks = false } = fields;
  return id === undefined ? undefined : { id, capturesChildTasks: captureChildTasks };
}

export interface TaskContext {
  /** Of the process that runs it (current-runtime.ts). */
  readonly runtime: object;
  readonly taskId: string;
  readonly name: string;
  readonly attempt: number;
  readonly jobId: string;
  readonly namespace: string;
  readonly resources: Readonly<Record<string, number>>;
  readonly accelerators: Accelerators;
  readonly placementGroup: InGroup | undefined;
  readonly actor: { readonly actorId: string; readonly name: string; readonly isSerial: boolean; readonly restarts: number } | undefined;
  readonly waits: WaitScope;
  readonly ambient: Ambient | undefined;
  /** Aborted by cancellation. Made when it is first asked for. */
  readonly signal: AbortSignal;
  /** The entries of objects that its code waits for now, each wait for itself. */
  readonly awaited: Set<readonly object[]>;
  /** Tells the context of a child task, so that a recursive cancel finds it. @returns what to call when the child has ended */
  childSubmitted(child: { cancel(cancellation: Cancellation): void }): (() => void) | undefined;
}

const storage = new AsyncLocalStorage<TaskContext>();

export function runInContext<R>(context: TaskContext, fn: () => R): R {
  return storage.run(context, fn);
}

type UserFunction = (this: unknown, ...args: never[]) => unknown;

/** What surrounds nothing. Entering a context from here takes half the time of `storage.run`, which enters twice. */
const outside = new AsyncResource("RaiaCall");

/** Calls user code in its context. */
export function callInContext(context: TaskContext, fn: UserFunction, self: unknown, args: unknown[]): unknown {
  return outside.runInAsyncScope(enter, undefined, context, fn, self, args);
}

function enter(context: TaskContext, fn: UserFunction, self: unknown, args: unknown[]): unknown {
  storage.enterWith(context);
  return fn.apply(self, args as never[]);
}

export function currentContext(): TaskContext | undefined {
  return storage.getStore();
}
