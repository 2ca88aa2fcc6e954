/**
 * Remembers from which shipment a function was made. A remote function that is called again where it runs (recursion, or a handle
 * that came along) is sent on as it came, without reading it anew: captured variables are read once, and a worker needs neither
 * inspector nor parser for it.
 */
import { withoutControlCharacters } from "../base/control-characters.ts";
import { contentHash, withRoot } from "./function-graph.ts";

const origins = new WeakMap<Function, { readonly bytes: Uint8Array; readonly id: number }>();

export function rememberOrigin(fn: Function, bytes: Uint8Array, id: number): void {
  origins.set(fn, { bytes, id });
}

/**
 * The shipment that `fn` was made from, with `fn` as its root; undefined for a function that was not shipped here. Kept are the
 * roots, and the functions in the payloads of the hooks.
 */
export function originalShipment(fn: Function): { readonly name: string; readonly hash: string; readonly bytes: Uint8Array } | undefined {
  const origin = origins.get(fn);
  if (origin === undefined) return undefined;
  const bytes = withRoot(origin.bytes, origin.id);
  return { name: shownName(fn), hash: contentHash(bytes), bytes };
}

/** What people read of a function: in logs, stacks and paths to captures. */
export function shownName(fn: Function): string {
  return fn.name === "" ? "(anonymous)" : withoutControlCharacters(fn.name);
}
