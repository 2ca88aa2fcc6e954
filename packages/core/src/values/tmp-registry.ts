/** Classes whose instances travel by a codec of their own. One registry for all copies of the library in a process. */
import { RaiaError } from "../base/errors.ts";

export interface ClassCodec<T, Plain = unknown> {
  /** Names the class on the wire: unique, and the same in every process. */
  readonly id: string;
  /** Counts changes of the plain form. */
  readonly version: number;
  encode(instance: T): Plain;
  /** `version` is the one that encoded. */
  decode(plain: Plain, version: number): T;
}

interface Registry {
  readonly byPrototype: Map<object, ClassCodec<never>>;
  readonly byId: Map<string, ClassCodec<never>>;
}

const key = Symbol.for("raia.classRegistry");
const holder = globalThis as { [key]?: Registry };
holder[key] ??= { byPrototype: new Map(), byId: new Map() };
const registry: Registry = holder[key];

/**
 * Lets instances of a class travel between processes. Call it in the module that defines the class, so that every process
 * that has the class has the codec.
 *
 * @throws {RaiaError} INVALID_ARGUMENT when the id belongs to another class already
 */
export function registerCodec<T extends object, Plain>(Class: abstract new (...args: never[]) => T, codec: ClassCodec<T, Plain>): void {
  if (typeof Class !== "function" || typeof codec?.id !== "string" || codec.id === "" || typeof codec.encode !== "function" || typeof codec.decode !== "function") {
    throw new RaiaError("INVALID_ARGUMENT", { call: "registerCodec", expected: "a class, and { id, version, encode, decode }" });
  }
  const prototype = Class.prototype as object;
  const known = registry.byId.get(codec.id);
  if (known !== undefined && registry.byPrototype.get(prototype) !== known && registry.byPrototype.get(prototype) === undefined && hasLivePrototype(known)) {
    throw new RaiaError("INVALID_ARGUMENT", { call: "registerCodec", id: codec.id, reason: "the id belongs to another class" });
  }
  registry.byPrototype.set(prototype, codec as unknown as ClassCodec<never>);
  registry.byId.set(codec.id, codec as unknown as ClassCodec<never>);
}

function hasLivePrototype(codec: ClassCodec<never>): boolean {
  for (const other of registry.byPrototype.values()) if (other === codec) return true;
  return false;
}

export function codecOfPrototype(prototype: object): ClassCodec<never> | undefined {
  return registry.byPrototype.get(prototype);
}

export function codecOfId(id: string): ClassCodec<never> | undefined {
  return registry.byId.get(id);
}
