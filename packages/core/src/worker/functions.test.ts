import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import type { FinalizerKind } from "../base/finalizers.ts";
import { type ExportedFunction, FunctionTable } from "./functions.ts";
import { objectState } from "./objects/object-entry.ts";
import type { ObjectReader } from "./objects/object-reader.ts";
import type { ObjectRef } from "./objects/object-ref.ts";
import { ReferenceTable } from "./objects/references.ts";
import { RuntimeValueHooks } from "./objects/value-hooks.ts";

/** A garbage collector that finds what it is told of. */
class ToldFinalizers {
  readonly #watched = new Map<object, () => void>();

  watch<Held>(kind: FinalizerKind<Held>, target: object, held: Held): void {
    this.#watched.set(target, () => kind.dispose(held));
  }

  collect(): void {}

  collected(target: object): void {
    this.#watched.get(target)?.();
    this.#watched.delete(target);
  }
}

function process(): { finalizers: ToldFinalizers; table: ReferenceTable; functions: FunctionTable; put: () => ObjectRef } {
  const finalizers = new ToldFinalizers();
  const table = new ReferenceTable({ workerId: "a".repeat(56), address: "a" }, finalizers, new FakeClock());
  const nothing = (): void => {};
  const effects = {
    freeStored: nothing,
    addBorrows: () => Promise.resolve([]),
    keepOrphans: async () => new Map(),
    dropOrphans: () => {},
    removeBorrows: nothing,
    sharedChanged: nothing,
    abandoned: nothing,
    unhandled: nothing,
  };
  // Nobody gets a value here.
  table.connect(effects, {} as ObjectReader);
  const store = { put: () => Promise.resolve(), get: () => Promise.resolve(undefined) };
  const put = (): ObjectRef => {
    const entry = table.own(table.takeSequences(1), "put");
    entry.settle(objectState.value, 1);
    return table.refFor(entry);
  };
  return { finalizers, table, functions: new FunctionTable(store, new RuntimeValueHooks(table), table), put };
}

function exportCapturing(functions: FunctionTable, ref: ObjectRef): ExportedFunction {
  const fn = (): unknown => ref;
  return functions.export(fn);
}

test("functions: a captured ref is held while a handle or a call has the function, and no longer", () => {
  const { finalizers, table, functions, put } = process();
  const ref = put();
  const exported = exportCapturing(functions, ref);
  ref[Symbol.dispose]();
  assert.equal(table.ownedCount, 1);
  finalizers.collected(exported);
  assert.equal(table.ownedCount, 0);
});

test("functions: two handles of the same code hold the ref each", () => {
  const { finalizers, table, functions, put } = process();
  const ref = put();
  const [first, second] = [exportCapturing(functions, ref), exportCapturing(functions, ref)];
  ref[Symbol.dispose]();
  finalizers.collected(first);
  assert.equal(table.ownedCount, 1);
  finalizers.collected(second);
  assert.equal(table.ownedCount, 0);
});

test("functions: what others know by its hash keeps what it captured", () => {
  const { finalizers, table, functions, put } = process();
  const ref = put();
  const exported = exportCapturing(functions, ref);
  exported.keep();
  ref[Symbol.dispose]();
  finalizers.collected(exported);
  assert.equal(table.ownedCount, 1);
});
