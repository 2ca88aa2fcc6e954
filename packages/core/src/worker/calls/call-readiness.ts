/**
 * What a task waits for before it can be queued: that control holds its code, and that its arguments are there. A program
 * may make a million calls of a new function in one turn, so those wait in a list of their function and not each with a
 * promise of its own, which took more memory than all else of a call.
 */
import { objectState } from "../objects/object-entry.ts";
import type { Call, CallTemplate, Dependency } from "./call.ts";
import type { CallResults } from "./call-results.ts";
import { failureOf } from "./retry-policy.ts";
import type { Shape } from "./shape.ts";

interface Waiting {
  readonly calls: Call[];
  /** Of each call. */
  readonly shapes: Shape[];
}

export class CallReadiness {
  readonly #results: CallResults;
  readonly #enqueue: (call: Call, shape: Shape) => void;
  readonly #waiting = new Map<CallTemplate, Waiting>();

  /** @param enqueue takes each call that is ready; calls of one function in the order in which they were made */
  constructor(results: CallResults, enqueue: (call: Call, shape: Shape) => void) {
    this.#results = results;
    this.#enqueue = enqueue;
  }

  /** @param exports code among the arguments that control is still to get */
  await(call: Call, shape: Shape, exports: readonly Promise<void>[] | undefined): void {
    const { exported } = call.template;
    if (exports !== undefined) this.#awaitExports(call, shape, exports);
    else if (exported !== undefined) this.#awaitCode(call, shape, exported);
    else this.#awaitDependencies(call, shape);
  }

  #awaitExports(call: Call, shape: Shape, exports: readonly Promise<void>[]): void {
    Promise.all([call.template.exported, ...exports]).then(
      () => this.#awaitDependencies(call, shape),
      (error: unknown) => this.#results.fail(call, failureOf(error, call)),
    );
  }

  #awaitCode(call: Call, shape: Shape, exported: Promise<void>): void {
    const { template } = call;
    let waiting = this.#waiting.get(template);
    if (waiting === undefined) {
      waiting = { calls: [], shapes: [] };
      this.#waiting.set(template, waiting);
      exported.then(
        () => this.#take(template, (ready, its) => this.#awaitDependencies(ready, its)),
        (error: unknown) => this.#take(template, (failed) => this.#results.fail(failed, failureOf(error, failed))),
      );
    }
    waiting.calls.push(call);
    waiting.shapes.push(shape);
  }

  #take(template: CallTemplate, each: (call: Call, shape: Shape) => void): void {
    const { calls, shapes } = this.#waiting.get(template) as Waiting;
    this.#waiting.delete(template);
    for (let index = 0; index < calls.length; index++) each(calls[index] as Call, shapes[index] as Shape);
  }

  #awaitDependencies(call: Call, shape: Shape): void {
    const { dependencies } = call;
    if (call.isSettled) return;
    if (dependencies === undefined) this.#enqueue(call, shape);
    else this.#awaitEach(call, shape, dependencies);
  }

  #awaitEach(call: Call, shape: Shape, dependencies: readonly Dependency[]): void {
    const open = dependencies.filter(({ entry }) => !entry.isSettled);
    let missing = open.length;
    const check = (): void => {
      if (call.isSettled) return;
      const failed = dependencies.find(({ entry }) => entry.state >= objectState.error);
      if (failed !== undefined) this.#results.failLike(call, failed.entry);
      else if (missing === 0) this.#enqueue(call, shape);
    };
    for (const { entry } of open) {
      entry.addWaiter({
        settled: () => {
          missing--;
          check();
        },
      });
      if (entry.owner !== undefined) entry.table.reader.fetch(entry);
    }
    check();
  }
}
