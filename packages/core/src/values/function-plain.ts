/** Which objects V8 encodes without loss: those that are nothing but their plain properties or entries. */
import { types } from "node:util";
import { knownPath } from "./function-globals.ts";
import type { Properties } from "./function-graph.ts";

/** Arrays longer than this are not searched for accessors and extra properties, which nobody puts on them. */
const MAX_SEARCHED_LENGTH = 10_000;

/** What a plain object, array, Map or Set holds; empty for a date or the like; undefined for anything else. No getter is run. */
export function plainInside(value: object): unknown[] | undefined {
  if (types.isProxy(value) || !Object.isExtensible(value) || ArrayBuffer.isView(value) || types.isExternal(value)) return undefined;
  const proto = Object.getPrototypeOf(value) as object | null;
  if (Array.isArray(value)) {
    if (!isUsualPrototype(proto, Array.prototype)) return undefined;
    return value.length > MAX_SEARCHED_LENGTH ? sendable([...(value as unknown[])]) : ownValues(value, "length");
  }
  if (isUsualPrototype(proto, Object.prototype))
    return types.isArgumentsObject(value) || types.isModuleNamespaceObject(value) ? undefined : ownValues(value);
  if (Reflect.ownKeys(value).some((key) => key !== "lastIndex")) return undefined;
  if (types.isMap(value))
    return isUsualPrototype(proto, Map.prototype) ? sendable([...Map.prototype.entries.call(value)].flat()) : undefined;
  if (types.isSet(value)) return isUsualPrototype(proto, Set.prototype) ? sendable([...Set.prototype.values.call(value)]) : undefined;
  if (types.isDate(value)) return isUsualPrototype(proto, Date.prototype) ? [] : undefined;
  if (types.isRegExp(value)) return value.lastIndex === 0 && isUsualPrototype(proto, RegExp.prototype) ? [] : undefined;
  return undefined;
}

function ownValues(value: object, skipped?: string): unknown[] | undefined {
  const values: unknown[] = [];
  for (const key of Reflect.ownKeys(value)) {
    if (key === skipped) continue;
    const descriptor = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
    const isPlain =
      typeof key === "string" && descriptor.enumerable === true && descriptor.writable === true && descriptor.configurable === true;
    if (!isPlain) return undefined;
    values.push(descriptor.value);
  }
  return sendable(values);
}

function sendable(values: unknown[]): unknown[] | undefined {
  return values.some((value) => typeof value === "function" || typeof value === "symbol") ? undefined : values;
}

/** Whether a prototype is `usual` itself or its counterpart in another realm. */
export function isUsualPrototype(proto: object | null, usual: object | null | undefined): boolean {
  if (proto === usual) return true;
  if (proto === null || usual === null || usual === undefined) return false;
  if (Object.getPrototypeOf(usual) === null && Object.getPrototypeOf(proto) === null) return isForeignObjectPrototype(proto);
  const path = knownPath(proto);
  return path !== undefined && path.module === undefined && path.keys.join() === knownPath(usual)?.keys.join();
}

/** `Object.prototype` of a realm of which nothing else has been seen yet. */
function isForeignObjectPrototype(proto: object): boolean {
  const owner = Object.getOwnPropertyDescriptor(proto, "constructor")?.value as unknown;
  return (
    typeof owner === "function" &&
    owner.name === "Object" &&
    owner.prototype === proto &&
    Function.prototype.toString.call(owner).endsWith("{ [native code] }")
  );
}

export function integrityOf(value: object): Pick<Properties, "integrity"> {
  if (Object.isExtensible(value)) return {};
  return { integrity: Object.isFrozen(value) ? "frozen" : Object.isSealed(value) ? "sealed" : "fixed" };
}

/** A property descriptor whose parts are only passed on, never called. */
export interface PropertyParts {
  readonly value?: unknown;
  readonly get?: unknown;
  readonly set?: unknown;
  readonly enumerable?: boolean;
  readonly configurable?: boolean;
  readonly writable?: boolean;
}

export function propertyParts(owner: object, key: string | symbol): PropertyParts {
  return Object.getOwnPropertyDescriptor(owner, key) as PropertyParts;
}
