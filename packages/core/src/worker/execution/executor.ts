/**
 * Runs the user's code: reads the arguments, calls the function in its context, hands on what it returns or throws.
 * Whatever can be answered without waiting is answered without waiting.
 */
import type { Clock } from "../../base/clock.ts";
import { type ErrorCode, type Facts, RaiaError } from "../../base/errors.ts";
import { RESULT_TAG, STREAM_ITEM_TAG } from "../../messages/tasks.ts";
import { shownLine } from "../thrown.ts";
import { hasCarriers, runWithAmbient } from "../ambient-context.ts";
import type { ArgumentReader } from "./argument-reader.ts";
import { WITH_AMBIENT } from "../calls/call-arguments.ts";
import type { CallExecution } from "./call-execution.ts";
import { type EventRing, eventKind } from "../state/event-ring.ts";
import type { AnyFunction, FunctionTable } from "../functions.ts";
import type { ResultWriter } from "./result-writer.ts";
import { type Ambient, callInContext, runInContext } from "../task-context.ts";

/** In a long run of short calls results leave at least this often. */
const FLUSH_EVERY_MS = 1;
/** A stream whose consumer is this many items behind waits. */
const DEFAULT_BACKPRESSURE_ITEMS = 1000;

export interface ExecutorDependencies {
  readonly functions: FunctionTable;
  readonly args: ArgumentReader;
  readonly results: ResultWriter;
  readonly clock: Clock;
  readonly events: EventRing;
  /** The task is over: what it wrote into its views is forgotten. */
  endScope(task: object): void;
}

export class Executor {
  /** What calls give goes out here. */
  readonly results: ResultWriter;
  readonly args: ArgumentReader;
  readonly #functions: FunctionTable;
  readonly #clock: Clock;
  readonly #events: EventRing;
  readonly #endScope: (task: object) => void;
  #flushedAtMs = 0;

  constructor(deps: ExecutorDependencies) {
    this.#functions = deps.functions;
    this.args = deps.args;
    this.results = deps.results;
    this.#clock = deps.clock;
    this.#events = deps.events;
    this.#endScope = (task) => deps.endScope(task);
  }

  /** @returns true when the call has ended already; else its `done` is called later */
  run(execution: CallExecution): boolean {
    const { template, host } = execution;
    if (template.fn !== undefined) return this.#begin(execution, template.fn);
    let fn: AnyFunction | Promise<AnyFunction>;
    try {
      fn = host === undefined ? this.#functions.load(template.wire.functionHash) : host.method(template.wire.method);
    } catch (error) {
      // What is asked for is a getter of the user's.
      execution.startedAtMs = this.#clock.nowMs();
      this.#threw(execution, error);
      return true;
    }
    if (fn instanceof Promise) {
      fn.then(
        (loaded) => {
          template.fn = loaded;
          this.#settleLater(execution, () => this.#begin(execution, loaded));
        },
        (error: unknown) => this.#failedLater(execution, error, "FUNCTION_LOAD_FAILED"),
      );
      return false;
    }
    // Methods belong to one actor; a template may serve several.
    if (host === undefined) template.fn = fn;
    return this.#begin(execution, fn);
  }

  #settleLater(execution: CallExecution, step: () => boolean): void {
    if (step()) execution.done();
  }

  #begin(execution: CallExecution, fn: AnyFunction): boolean {
    let args: unknown[] | Promise<unknown[]>;
    try {
      args = this.args.read(execution.frame, execution.argsStart, execution.argsEnd, execution);
    } catch (error) {
      this.#failed(execution, error, "PROTOCOL");
      return true;
    }
    if (args instanceof Promise) {
      this.#invokeLater(execution, fn, args);
      return false;
    }
    return this.#invoke(execution, fn, args);
  }

  #invokeLater(execution: CallExecution, fn: AnyFunction, args: Promise<unknown[]>): void {
    args.then(
      (ready) => this.#settleLater(execution, () => this.#invoke(execution, fn, ready)),
      (error: unknown) => this.#failedLater(execution, error, "OBJECT_LOST"),
    );
  }

  #invoke(execution: CallExecution, fn: AnyFunction, args: unknown[]): boolean {
    const { wire } = execution.template;
    execution.startedAtMs = this.#clock.nowMs();
    if (((execution.frame[execution.argsStart] as number) & WITH_AMBIENT) !== 0) execution.ambient = args.pop() as Ambient;
    execution.origin.began?.(execution);
    let result: unknown;
    let isPromise: boolean;
    let isItems: boolean;
    try {
      result = call(execution, fn, args);
      // Here as well: to look for `then` may run code of the user's.
      isPromise = wire.numReturns !== -1 && isThenable(result);
      isItems = wire.numReturns !== 1 && isIterator(result);
    } catch (error) {
      this.#threw(execution, error);
      return true;
    }
    if (wire.numReturns === -1) {
      void runInContext(execution, () => runWithAmbient(execution.ambient, () => this.#stream(execution, result))).then(() =>
        execution.done(),
      );
      return false;
    }
    if (isPromise) {
      this.#awaitResult(execution, result as PromiseLike<unknown>);
      return false;
    }
    if (isItems) {
      const items = (): Promise<unknown[]> => itemsOf(result as Iterator<unknown>, wire.numReturns);
      this.#awaitResult(
        execution,
        runInContext(execution, () => runWithAmbient(execution.ambient, items)),
      );
      return false;
    }
    const stored = this.#returned(execution, result);
    if (stored === undefined) return true;
    void stored.then(() => execution.done());
    return false;
  }

  #awaitResult(execution: CallExecution, result: PromiseLike<unknown>): void {
    // A promise is itself; of anything else it may be that `then` throws, or answers twice.
    Promise.resolve(result).then(
      (value) => {
        const stored = this.#returned(execution, value);
        if (stored === undefined) execution.done();
        else void stored.then(() => execution.done());
      },
      (error: unknown) => {
        this.#threw(execution, error);
        execution.done();
      },
    );
  }

  // -- how it ends ------------------------------------------------------------------------------------------------

  /** @returns settles when the result has left, which is once the node has all of it; undefined when it has left now */
  #returned(execution: CallExecution, value: unknown): Promise<void> | undefined {
    const nowMs = this.#clock.nowMs();
    const { numReturns } = execution.template.wire;
    const microseconds = microsecondsOf(execution, nowMs);
    const left =
      numReturns === 1
        ? this.results.value(execution, RESULT_TAG, microseconds, value, execution.sequence)
        : this.results.values(execution, microseconds, value, numReturns);
    if (left !== undefined) return left.then(() => this.#ended(execution, eventKind.finished, this.#clock.nowMs()));
    this.#ended(execution, eventKind.finished, nowMs);
    return undefined;
  }

  #threw(execution: CallExecution, error: unknown): void {
    const nowMs = this.#clock.nowMs();
    this.results.thrown(execution, microsecondsOf(execution, nowMs), error);
    this.#ended(execution, eventKind.failed, nowMs, shownLine(error));
  }

  /** The work could not be run, for a reason of ours. */
  refuse(execution: CallExecution, code: ErrorCode, facts: Facts): void {
    this.results.failure(execution, RESULT_TAG, 0, new RaiaError(code, facts), code);
  }

  #failed(execution: CallExecution, error: unknown, code: ErrorCode): void {
    this.results.failure(execution, RESULT_TAG, 0, error, code);
    this.#ended(execution, eventKind.failed, this.#clock.nowMs(), RaiaError.is(error) ? error.code : code);
  }

  #failedLater(execution: CallExecution, error: unknown, code: ErrorCode): void {
    this.#failed(execution, error, code);
    execution.done();
  }

  #ended(execution: CallExecution, kind: number, nowMs: number, error = ""): void {
    if (execution.host === undefined) this.#endScope(execution);
    if (execution.children !== undefined) execution.origin.endedParents.add(execution.sequence, execution.children);
    const { connection } = execution.origin;
    const { name, jobId } = execution.template.wire;
    this.#events.add(kind, execution.sequence, connection.peerId, execution.startedAtMs, nowMs, name, execution.attempt, jobId, error);
    if (nowMs - this.#flushedAtMs > FLUSH_EVERY_MS) {
      this.#flushedAtMs = nowMs;
      connection.flush();
    }
  }

  // -- streams ----------------------------------------------------------------------------------------------------

  async #stream(execution: CallExecution, produced: unknown): Promise<void> {
    const limit = execution.template.wire.generatorBackpressure ?? DEFAULT_BACKPRESSURE_ITEMS;
    let count = 0;
    try {
      const iterator = iteratorOf(await produced);
      for (;;) {
        if (execution.isStopped) {
          await iterator.return?.(undefined);
          break;
        }
        const step = iterator.next();
        const { done, value } = (isThenable(step) ? await step : step) as IteratorResult<unknown, undefined>;
        if (done) break;
        const item: unknown = isThenable(value) ? await value : value;
        const left = this.results.value(execution, STREAM_ITEM_TAG, count, item, execution.sequence + 1 + count);
        if (left !== undefined) await left;
        count++;
        execution.origin.connection.flush();
        await execution.roomForItem(count, limit);
      }
      const nowMs = this.#clock.nowMs();
      this.results.streamEnd(execution, microsecondsOf(execution, nowMs), count);
      this.#ended(execution, eventKind.finished, nowMs);
    } catch (error) {
      this.#threw(execution, error);
    }
  }
}

function call(execution: CallExecution, fn: AnyFunction, args: unknown[]): unknown {
  const self = execution.host?.instance;
  if (execution.ambient === undefined && !hasCarriers()) return callInContext(execution, fn, self, args);
  return runInContext(execution, () => runWithAmbient(execution.ambient, () => fn.apply(self, args as never[])));
}

function microsecondsOf({ startedAtMs }: CallExecution, nowMs: number): number {
  return Math.max(0, Math.round((nowMs - startedAtMs) * 1000));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** What a generator gives, and what is read once: no array. */
function isIterator(value: unknown): value is Iterator<unknown> | AsyncIterator<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { next?: unknown }).next === "function";
}

/** What a generator yields that was asked for so many results: one more at most, which tells that there are too many. */
async function itemsOf(iterator: Iterator<unknown> | AsyncIterator<unknown>, wanted: number): Promise<unknown[]> {
  const items: unknown[] = [];
  while (items.length <= wanted) {
    const { done, value } = (await iterator.next()) as IteratorResult<unknown, unknown>;
    if (done) return items;
    items.push(await value);
  }
  await iterator.return?.();
  return items;
}

function iteratorOf(produced: unknown): Iterator<unknown> | AsyncIterator<unknown> {
  const source = produced as { [Symbol.asyncIterator]?: () => AsyncIterator<unknown>; [Symbol.iterator]?: () => Iterator<unknown> };
  const iterator = source?.[Symbol.asyncIterator]?.() ?? source?.[Symbol.iterator]?.();
  if (iterator === undefined)
    throw new RaiaError("INVALID_OPTION", { option: "numReturns", value: "streaming", reason: "the function did not return an iterator" });
  return iterator;
}
