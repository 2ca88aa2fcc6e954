/** remote(): an ordinary function becomes a task, an ordinary class an actor. */
import { RaiaError } from "../base/errors.ts";
import type { AnyFunction } from "../worker/function-table.ts";
import { ActorClassHandle } from "./actor-class.ts";
import { RemoteFunctionHandle } from "./remote-function.ts";

// biome-ignore lint: replaced by exact types
export function remote(target: unknown, options: Readonly<Record<string, unknown>> = {}): never {
  if (typeof target !== "function") {
    throw new RaiaError("INVALID_ARGUMENT", { call: "remote", expected: "a function or a class", got: target === null ? "null" : typeof target });
  }
  return (isClass(target) ? new ActorClassHandle({ fn: target as AnyFunction }, options) : new RemoteFunctionHandle({ fn: target as AnyFunction }, options)) as never;
}

function isClass(target: Function): boolean {
  return /^class\b/.test(Function.prototype.toString.call(target));
}
