/** remote(): an ordinary function becomes a task, an ordinary class an actor. */
import { RaiaError } from "../base/errors.ts";
import type { AnyFunction } from "../worker/functions.ts";
import { ActorClassHandle } from "./actor-class.ts";
import type { ActorOptions, MethodsOptions, NumReturns, TaskOptions } from "./option-types.ts";
import { RemoteFunctionHandle } from "./remote-function.ts";
import type { ActorClass, ActorClassLike, OnlyMethods, RemoteFunctionOf, SendableClass, SendableFunction } from "./remote-types.ts";

/**
 * Makes a handle whose calls run in other processes. Code and captured variables are read once, at the first call of the
 * handle; `remote(fn)` again reads them anew.
 *
 * @throws {RaiaError} INVALID_ARGUMENT, INVALID_OPTION
 */
export function remote<C extends ActorClassLike, const M extends MethodsOptions = Record<never, never>>(
  Class: C & SendableClass<C>,
  options?: ActorOptions<M> & OnlyMethods<C, M>,
): ActorClass<C, M>;
export function remote<F extends (...args: never[]) => unknown, N extends NumReturns | undefined = undefined>(
  fn: F & SendableFunction<F>,
  options?: TaskOptions<N>,
): RemoteFunctionOf<F, N>;
export function remote(target: unknown, options: object = {}): unknown {
  if (typeof target !== "function") {
    throw new RaiaError("INVALID_ARGUMENT", {
      call: "remote",
      expected: "a function or a class",
      got: target === null ? "null" : typeof target,
    });
  }
  const source = { fn: target as AnyFunction };
  const given = options as Readonly<Record<string, unknown>>;
  return isClass(target) ? new ActorClassHandle(source, given) : new RemoteFunctionHandle(source, given);
}

function isClass(target: Function): boolean {
  return /^class\b/.test(Function.prototype.toString.call(target));
}
