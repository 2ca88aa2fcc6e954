/** What travels with calls besides their arguments: values of an AsyncLocalStorage, W3C trace context. */
import { AsyncLocalStorage } from "node:async_hooks";
import { RaiaError } from "../base/errors.ts";
import { addCarrier, type ContextCarrier, carrierOf } from "../worker/ambient-context.ts";
import { brand } from "../worker/objects/object-ref.ts";
import type { BrandCodec } from "../worker/objects/value-hooks.ts";

/** An AsyncLocalStorage, or what acts like one: `getStore` is asked at each call, `run` surrounds it where it runs. */
export interface ContextStorage<T> {
  getStore(): T | undefined;
  run<R>(value: T, fn: () => R): R;
}

export interface ContextOptions {
  /** The same in every process, such as `"shop.request"`. `raia.` is Raia's own. */
  readonly id: string;
}

const MAX_ID_CHARS = 200;

/**
 * Lets the value that a storage has at a call be its value where the call runs, and in the calls made there. An
 * AsyncLocalStorage that functions capture needs this once, in the driver; anything else is registered by each process, in a
 * module that both import or in a set-up hook.
 *
 * @throws {RaiaError} INVALID_ARGUMENT, LIMIT_EXCEEDED
 */
export function registerContext<T>(storage: ContextStorage<T>, options: ContextOptions): void {
  if (typeof storage?.getStore !== "function" || typeof storage.run !== "function")
    throw new RaiaError("INVALID_ARGUMENT", {
      call: "registerContext",
      expected: "an AsyncLocalStorage, or an object with getStore and run",
    });
  const { id, ...others }: Partial<ContextOptions> = options ?? {};
  const [stray] = Object.keys(others);
  if (stray !== undefined) throw new RaiaError("INVALID_OPTION", { option: stray, rule: "registerContext has no option but id" });
  if (typeof id !== "string" || id === "" || id.length > MAX_ID_CHARS || id.startsWith("raia.") || id === "__proto__")
    throw new RaiaError("INVALID_ARGUMENT", {
      call: "registerContext",
      id: String(id).slice(0, MAX_ID_CHARS),
      expected: "an id of your own",
    });
  register(storage, id);
}

const ids = new WeakMap<object, string>();

function register(storage: ContextCarrier, id: string): void {
  addCarrier(id, storage);
  ids.set(storage, id);
  // Known by its id wherever it is captured or sent.
  if (storage instanceof AsyncLocalStorage && !(brand in storage))
    Object.defineProperty(storage, brand, { value: "context", configurable: true });
}

/** How a registered storage travels: the receiver has one of the same id, or gets one. */
export const contextCodec: BrandCodec = {
  replace: (storage) => ids.get(storage) ?? null,
  revive(id) {
    if (typeof id !== "string") throw new RaiaError("PROTOCOL", { reason: "malformed context" });
    const known = carrierOf(id);
    if (known !== undefined) return known;
    const storage = new AsyncLocalStorage<unknown>();
    register(storage, id);
    return storage;
  },
};

// -- trace context

/** W3C Trace Context: which request something is done for, in the form of the HTTP headers of these names. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
}

const TRACE_PARENT = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
const MAX_TRACE_CHARS = 512;
const TRACE_ID = "raia.trace";
let traces: AsyncLocalStorage<TraceContext> | undefined;

/** Before the first trace there is nothing to ask at each call. A worker registers when the first call brings one. */
function traceStorage(): AsyncLocalStorage<TraceContext> {
  if (traces === undefined) {
    traces = new AsyncLocalStorage();
    addCarrier(TRACE_ID, traces);
  }
  return traces;
}

/**
 * Runs `fn` under a trace context, which the calls made in it take along: `runtimeContext().traceContext` there.
 *
 * @throws {RaiaError} INVALID_ARGUMENT for what is no trace context
 */
export function withTraceContext<R>(trace: TraceContext, fn: () => R): R {
  const { traceparent, tracestate } = (trace as Partial<TraceContext> | null | undefined) ?? {};
  const isValid =
    typeof traceparent === "string" &&
    traceparent.length <= MAX_TRACE_CHARS &&
    TRACE_PARENT.test(traceparent) &&
    (tracestate === undefined || (typeof tracestate === "string" && tracestate.length <= MAX_TRACE_CHARS));
  if (typeof fn !== "function")
    throw new RaiaError("INVALID_ARGUMENT", { call: "withTraceContext", expected: "a function", got: typeof fn });
  if (!isValid)
    throw new RaiaError("INVALID_ARGUMENT", {
      call: "withTraceContext",
      traceparent: String(traceparent).slice(0, MAX_TRACE_CHARS),
      expected: "traceparent and tracestate as W3C Trace Context writes them",
    });
  return traceStorage().run({ traceparent, ...(tracestate !== undefined && { tracestate }) }, fn);
}

/** @param ambient what came with the running call */
export function currentTrace(ambient: { readonly [id: string]: unknown } | undefined): TraceContext | undefined {
  return traces?.getStore() ?? (ambient?.[TRACE_ID] as TraceContext | undefined);
}
