/**
 * Functions and classes that this process sends or runs. Code is addressed by the hash of its content: control holds it
 * once, a receiver asks for what it has not seen, and the second call sends no code.
 */
import { RaiaError } from "../base/errors.ts";
import type { FinalizerKind } from "../base/finalizers.ts";
import { LruMap } from "../base/lru-map.ts";
import { isClassFunction, type ShippedFunction, shipFunction, type ValueHooks as FunctionHooks } from "../values/function-capture.ts";
import { loadFunction } from "../values/function-load.ts";
import type { ObjectEntry } from "./objects/object-entry.ts";
import type { ReferenceTable } from "./objects/references.ts";
import type { DecodeScope, EncodeScope, RuntimeValueHooks } from "./objects/value-hooks.ts";

export type AnyFunction = (this: unknown, ...args: never[]) => unknown;

export interface FunctionStore {
  put(hash: string, code: Uint8Array): Promise<void>;
  get(hash: string): Promise<Uint8Array | undefined>;
}

/** A function ready to be named in calls. */
export interface ExportedFunction {
  readonly shipped: ShippedFunction;
  /** Resolves when control holds the code. */
  exported: Promise<void> | undefined;
  /** It is known to others by its hash from now on: what it captured stays as long as this process. */
  keep(): void;
}

/** Functions to bytes and back. */
export interface FunctionCodec {
  ship(fn: AnyFunction, hooks: FunctionHooks): ShippedFunction;
  load(bytes: Uint8Array, hooks: FunctionHooks): Promise<unknown>;
}

const realFunctionCodec: FunctionCodec = { ship: shipFunction, load: loadFunction };

const MAX_LOADED_FUNCTIONS = 10_000;
/** Fewer of those that captured refs: each keeps its objects in memory, whoever else is done with them. */
const MAX_LOADED_WITH_REFS = 16;

/** Refs among the captures of an exported function. */
interface CapturedRefs {
  readonly table: ReferenceTable;
  readonly entries: readonly ObjectEntry[];
  isKept: boolean;
}

/** No handle and no call has the function any more. */
const forgotten: FinalizerKind<CapturedRefs> = {
  dispose: ({ table, entries, isKept }) => {
    if (!isKept) for (const entry of entries) table.dropHold(entry);
  },
};

export class FunctionTable {
  readonly #store: FunctionStore;
  readonly #hooks: RuntimeValueHooks;
  readonly #table: ReferenceTable;
  readonly #codec: FunctionCodec;
  readonly #exports = new Map<string, Promise<void> | undefined>();
  readonly #loaded = new LruMap<string, AnyFunction | Promise<AnyFunction>>(MAX_LOADED_FUNCTIONS);
  readonly #loadedWithRefs = new LruMap<string, AnyFunction>(MAX_LOADED_WITH_REFS);

  constructor(store: FunctionStore, hooks: RuntimeValueHooks, table: ReferenceTable, codec: FunctionCodec = realFunctionCodec) {
    this.#codec = codec;
    this.#store = store;
    this.#hooks = hooks;
    this.#table = table;
  }

  /**
   * Reads the function's code and captures now, and begins to hand it to control. What it captured is held as long as
   * the result is reachable: handles and calls under way refer to it.
   */
  export(fn: AnyFunction): ExportedFunction {
    const scope: EncodeScope = { entries: [], exports: [], end: () => {} };
    const shipped = this.#codec.ship(fn, this.#hooks.capturing(scope, !isClassFunction(fn)));
    for (const entry of scope.entries) this.#table.hold(entry);
    const exported = this.#exportCode(shipped, scope.exports);
    const refs: CapturedRefs = { table: this.#table, entries: scope.entries, isKept: false };
    const result: ExportedFunction = { shipped, exported, keep: () => void (refs.isKept = true) };
    if (refs.entries.length > 0) this.#table.finalizers.watch(forgotten, result, refs);
    void exported?.then(
      () => void (result.exported = undefined),
      () => {
        // Whoever calls the function awaits the same promise and reports the failure.
      },
    );
    return result;
  }

  #exportCode(shipped: ShippedFunction, first: readonly Promise<void>[]): Promise<void> | undefined {
    if (this.#exports.has(shipped.hash)) return this.#exports.get(shipped.hash);
    const exporting = Promise.all(first)
      .then(() => this.#store.put(shipped.hash, shipped.bytes))
      .then(() => void this.#exports.set(shipped.hash, undefined));
    this.#exports.set(shipped.hash, exporting);
    exporting.catch(() => this.#exports.delete(shipped.hash));
    return exporting;
  }

  /** The function behind a hash: at once when it was loaded before. */
  load(hash: string): AnyFunction | Promise<AnyFunction> {
    const known = this.#loaded.get(hash) ?? this.#loadedWithRefs.get(hash);
    if (known !== undefined) return known;
    const loading = this.#load(hash);
    const loaded = loading.then(({ fn }) => fn);
    this.#loaded.set(hash, loaded);
    loading.then(
      ({ fn, hasRefs }) => {
        if (hasRefs) this.#loaded.delete(hash);
        (hasRefs ? this.#loadedWithRefs : this.#loaded).set(hash, fn);
      },
      () => this.#loaded.delete(hash),
    );
    return loaded;
  }

  async #load(hash: string): Promise<{ fn: AnyFunction; hasRefs: boolean }> {
    const code = await this.#store.get(hash);
    if (code === undefined) throw new RaiaError("FUNCTION_LOAD_FAILED", { hash, reason: "its code is not known to the control plane" });
    const scope: DecodeScope = { fresh: [], end: () => {} };
    const hooks = this.#hooks.loading(scope);
    let hasRefs = false;
    const revive = (kind: string, payload: unknown): unknown => {
      hasRefs ||= kind === "ref";
      return hooks.revive(kind, payload);
    };
    const fn = (await this.#codec.load(code, { ...hooks, revive })) as AnyFunction;
    if (scope.fresh.length > 0) await this.#table.borrows.register(scope.fresh);
    return { fn, hasRefs };
  }
}
