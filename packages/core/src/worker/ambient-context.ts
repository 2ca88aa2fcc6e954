/**
 * What surrounds a call besides its arguments, and travels with it: values of storages that were registered, trace context
 * among them. A process that has not registered a storage hands its value on to the calls that it makes itself.
 */
import { RaiaError } from "../base/errors.ts";
import { type Ambient, currentContext } from "./task-context.ts";

/** Where one of these values is kept; every AsyncLocalStorage is one. */
export interface ContextCarrier {
  getStore(): unknown;
  run<R>(value: never, fn: () => R): R;
}

/** Each is asked at every call. */
const MAX_CARRIERS = 64;
const carriers = new Map<string, ContextCarrier>();

export function addCarrier(id: string, carrier: ContextCarrier): void {
  if (!carriers.has(id) && carriers.size >= MAX_CARRIERS)
    throw new RaiaError("LIMIT_EXCEEDED", { limit: "registered contexts", max: MAX_CARRIERS });
  carriers.set(id, carrier);
}

export function carrierOf(id: string): ContextCarrier | undefined {
  return carriers.get(id);
}

export function hasCarriers(): boolean {
  return carriers.size > 0;
}

/** What a call that is made now takes along; undefined, at next to no cost, when there is nothing. */
export function ambientOfCall(): Ambient | undefined {
  const inherited = currentContext()?.ambient;
  if (carriers.size === 0) return inherited;
  const taken: { [id: string]: unknown } = {};
  for (const [id, value] of Object.entries(inherited ?? {})) if (!carriers.has(id)) taken[id] = value;
  for (const [id, carrier] of carriers) {
    const value = carrier.getStore();
    if (value !== undefined) taken[id] = value;
  }
  return Object.keys(taken).length === 0 ? undefined : taken;
}

/** Runs `fn` as if this process had called it under these values. */
export function runWithAmbient<R>(ambient: Ambient | undefined, fn: () => R): R {
  if (carriers.size === 0) return fn();
  let run = fn;
  for (const [id, carrier] of carriers) {
    const value = ambient?.[id];
    // Where caller and callee share a process, what was not sent must not be seen.
    if (value === undefined && carrier.getStore() === undefined) continue;
    const inner = run;
    run = () => carrier.run(value as never, inner);
  }
  return run();
}
