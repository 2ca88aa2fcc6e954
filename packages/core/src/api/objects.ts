/** put, get, wait, free, cancel. */
import { RaiaError } from "../base/errors.ts";
import type { ObjectEntry } from "../worker/objects/object-entry.ts";
import { brand, kindOf, ObjectRef } from "../worker/objects/object-ref.ts";
import { ObjectRefStream } from "../worker/calls/object-stream.ts";
import { checkWaitOptions, type GetOptions, type WaitOptions } from "../worker/objects/wait-options.ts";
import { checkCallOptions, refuseOptions } from "./call-options.ts";
import { creationSite } from "./creation-site.ts";
import { existingRuntime, needRuntime } from "./init.ts";

/** The values behind refs: of one, of an array in its order, or of a record under its keys. */
export type Values<R> = R extends ObjectRef<infer T> ? T : { -readonly [K in keyof R]: R[K] extends ObjectRef<infer T> ? T : never };

/**
 * Stores a value once, for many readers. Returns at once; its copy is taken before it does. Large values go to shared
 * memory, where readers on this machine use them without a copy.
 *
 * @throws {RaiaError} UNSERIALIZABLE, STORE_FULL
 */
export function put<T>(value: T): ObjectRef<T> {
  // No parameter, so that `values.map(put)` stays right: the index is no option.
  if (arguments.length > 1) refuseOptions("put", arguments[1]);
  if (ObjectRef.isRef(value)) throw new RaiaError("INVALID_ARGUMENT", { call: "put", reason: "the value is a ref already" });
  return needRuntime().objects.put(value, creationSite(put));
}

/**
 * Waits for values.
 *
 * @throws what the task threw, or {RaiaError} GET_TIMEOUT, WORKER_CRASHED, OBJECT_LOST, OWNER_DIED, ...
 */
export async function get<const R extends ObjectRef | readonly ObjectRef[] | Readonly<Record<string, ObjectRef>>>(
  refs: R,
  options?: GetOptions,
): Promise<Values<R>> {
  if (ObjectRef.isRef(refs)) return (await refs.get(options)) as Values<R>;
  if (typeof refs !== "object" || refs === null) {
    throw new RaiaError("INVALID_ARGUMENT", {
      call: "get",
      expected: "a ref, an array of refs or a record of refs",
      got: refs === null ? "null" : typeof refs,
    });
  }
  if (refs instanceof ObjectRefStream) throw streamGiven();
  if (Array.isArray(refs)) {
    if (refs.length === 0) return noValues([], options);
    const entries = refs.map((ref) => ObjectRef.entryOf(ref));
    return (await existingRuntime().reader.getAll(entries, options)) as Values<R>;
  }
  if ((refs as { readonly [brand]?: unknown })[brand] === "ref") ObjectRef.entryOf(refs);
  if (!isRecord(refs))
    throw new RaiaError("INVALID_ARGUMENT", {
      call: "get",
      expected: "a ref, an array of refs or a record of refs",
      got: Object.prototype.toString.call(refs),
    });
  const names = Object.keys(refs);
  if (names.length === 0) return noValues({}, options);
  const entries = Object.values(refs).map((ref) => ObjectRef.entryOf(ref));
  const values = await existingRuntime().reader.getAll(entries, options);
  return Object.fromEntries(names.map((name, index) => [name, values[index]])) as Values<R>;
}

function streamGiven(): RaiaError {
  return new RaiaError("INVALID_ARGUMENT", {
    call: "get",
    expected: "a ref, an array of refs or a record of refs",
    got: "an ObjectRefStream: `for await (const ref of stream)` reads it, `stream.completed()` is the ref of its length",
  });
}

/** Of no refs: nothing is asked, but options are wrong even then. */
function noValues<V>(empty: object, options: GetOptions | undefined): V {
  if (options !== undefined) checkWaitOptions("get", options);
  return empty as V;
}

/**
 * Waits until `numReturns` (1) of the refs are ready, or `timeoutMs` is over. Of no refs none are ready, at once.
 *
 * @returns at most `numReturns` ready ones, and the rest; both in the order of `refs`
 */
export async function wait<R extends ObjectRef>(refs: readonly R[], options: WaitOptions = {}): Promise<{ ready: R[]; pending: R[] }> {
  checkWaitOptions("wait", options);
  if (!isList(refs)) throw new RaiaError("INVALID_ARGUMENT", { call: "wait", expected: "an array of refs" });
  if (refs.length === 0 && options.numReturns === undefined) return { ready: [], pending: [] };
  const { numReturns = 1 } = options;
  if (!Number.isInteger(numReturns) || numReturns < 1 || numReturns > refs.length) {
    const allowed = refs.length === 0 ? "none: there are no refs to wait for" : `1 to ${refs.length}`;
    throw new RaiaError("INVALID_ARGUMENT", { call: "wait", option: "numReturns", value: numReturns, allowed });
  }
  const entries = distinctEntries(refs);
  await existingRuntime().reader.wait(entries, options);
  const ready: R[] = [];
  const pending: R[] = [];
  for (let index = 0; index < entries.length; index++) {
    const isReady = ready.length < numReturns && (entries[index] as ObjectEntry).isSettled;
    (isReady ? ready : pending).push(refs[index] as R);
  }
  return { ready, pending };
}

let lastWait = 0;

/** Each entry is marked with the number of this wait: a thousand waits in a row for what is left of a thousand refs need no sets. */
function distinctEntries(refs: readonly ObjectRef[]): ObjectEntry[] {
  const wait = ++lastWait;
  const entries: ObjectEntry[] = [];
  for (const ref of refs) {
    const entry = ObjectRef.entryOf(ref);
    if (entry.lastWait === wait) throw new RaiaError("INVALID_ARGUMENT", { call: "wait", reason: "the same ref stands twice" });
    entry.lastWait = wait;
    entries.push(entry);
  }
  return entries;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** A promise, a Map or an instance has no keys that would be refs: it would pass for a record of none. */
function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Drops the values now, though refs remain: reading them rejects with OBJECT_FREED. */
export function free(refs: ObjectRef | readonly ObjectRef[]): void {
  if (arguments.length > 1) refuseOptions("free", arguments[1]);
  const list = ObjectRef.isRef(refs) ? [refs] : refs;
  if (!isList(list))
    throw new RaiaError("INVALID_ARGUMENT", { call: "free", expected: "a ref or an array of refs", got: kindOf(list, "ref") });
  existingRuntime().objects.free(list.map((ref) => ObjectRef.entryOf(ref)));
}

export interface CancelOptions {
  /** Stop the worker if the task does not stop by itself: SIGTERM, then SIGKILL. Not for actors. */
  readonly force?: boolean;
  /** Cancel the tasks that it submitted, too. Default true. */
  readonly recursive?: boolean;
}

/** Stops what makes the value: queued, it never runs; running, its signal aborts. The ref rejects with TASK_CANCELLED at once. */
export function cancel(ref: ObjectRef | ObjectRefStream, options: CancelOptions = {}): void {
  checkCallOptions("cancel", options);
  const { force = false, recursive = true } = options;
  const target = ref instanceof ObjectRefStream ? ref.completed() : ref;
  existingRuntime().calls.cancel(ObjectRef.entryOf(target), { force, recursive });
}

/** Calls `fn` in the owner when the last reference to the object is gone. */
export function onOutOfScope(ref: ObjectRef, fn: () => void): void {
  const entry = ObjectRef.entryOf(ref);
  if (typeof fn !== "function") throw new RaiaError("INVALID_ARGUMENT", { call: "onOutOfScope", expected: "a function", got: typeof fn });
  if (entry.owner !== undefined)
    throw new RaiaError("INVALID_ARGUMENT", { call: "onOutOfScope", reason: "this process does not own the object" });
  (entry.onOutOfScope ??= []).push(fn);
}
