/** Objects that cannot be made again from what they show, each with its reason and what to do instead. */
import { types } from "node:util";
import { builtinPath, knownPath } from "./function-globals.ts";
import type { Obstruction } from "./function-hooks.ts";
import { lookInside, privateFields } from "./function-inspector.ts";
import { addressOf } from "./function-script.ts";
import { whyUnsendable } from "./value-tags.ts";

/** Says why an object cannot be taken apart, or undefined when it can. */
export function instanceObstruction(value: object): Obstruction | undefined {
  const told = (value as { readonly [whyUnsendable]?: Obstruction })[whyUnsendable];
  if (told !== undefined) return told;
  if (types.isPromise(value)) return { reason: "it is a promise", wayOut: "await it first and capture its value" };
  if (types.isGeneratorObject(value))
    return { reason: "it is a running generator", wayOut: "capture the generator function, or collect the values into an array" };
  if (types.isSharedArrayBuffer(value))
    return { reason: "it is memory shared between threads", wayOut: "copy it (slice()), or put() it and pass the ref" };
  if (types.isExternal(value)) return { reason: "it is a native handle", wayOut: "open it inside the function" };
  for (let proto = Object.getPrototypeOf(value) as object | null; proto !== null; proto = Object.getPrototypeOf(proto) as object | null) {
    const obstruction = types.isProxy(proto)
      ? { reason: "its prototype is a Proxy", wayOut: "send the object behind it" }
      : prototypeObstruction(proto, value);
    if (obstruction !== undefined) return obstruction;
  }
  return privateObstruction(value);
}

/** Built-in classes whose instances are rebuilt by what they are. */
const REBUILT: Readonly<Record<string, (value: object) => boolean>> = {
  Object: () => true,
  Array: Array.isArray,
  Map: types.isMap,
  Set: types.isSet,
  WeakMap: types.isWeakMap,
  WeakSet: types.isWeakSet,
  Date: types.isDate,
  RegExp: types.isRegExp,
  Number: types.isNumberObject,
  String: types.isStringObject,
  Boolean: types.isBooleanObject,
  BigInt: types.isBigIntObject,
  Symbol: types.isSymbolObject,
  Error: types.isNativeError,
  AggregateError: types.isNativeError,
  EvalError: types.isNativeError,
  RangeError: types.isNativeError,
  ReferenceError: types.isNativeError,
  SuppressedError: types.isNativeError,
  SyntaxError: types.isNativeError,
  TypeError: types.isNativeError,
  URIError: types.isNativeError,
};

function prototypeObstruction(proto: object, value: object): Obstruction | undefined {
  const path = knownPath(proto) ?? builtinPath(proto);
  if (path !== undefined) {
    // Ordinary objects that happen to have methods; they hold nothing but their properties.
    if (path.module === "node:events") return undefined;
    const name = path.module === undefined ? (path.keys[0] as string) : (path.keys.findLast((key) => key !== "prototype") ?? path.module);
    if (path.module === undefined && REBUILT[name]?.(value) === true) return undefined;
    // The prototype itself is captured, not an instance.
    if (proto === value) return undefined;
    return nativeInstance(name, path.module);
  }
  const owner = Object.getOwnPropertyDescriptor(proto, "constructor")?.value as unknown;
  if (typeof owner !== "function" || types.isProxy(owner) || owner.prototype !== proto) return undefined;
  return isNativeFunction(owner) && Object.getPrototypeOf(proto) !== null ? nativeInstance(owner.name, undefined) : undefined;
}

function nativeInstance(name: string, module: string | undefined): Obstruction {
  const of = module === undefined ? "" : ` of ${module}`;
  if (/^(?:Timeout|Immediate)$/.test(name)) return { reason: "it is a timer", wayOut: "set the timer inside the function" };
  if (/Iterator/.test(name))
    return { reason: "it is an iterator, which cannot be copied", wayOut: "collect the values into an array first" };
  if (/^Abort(?:Signal|Controller)$/.test(name))
    return { reason: `it is an ${name}`, wayOut: "use the signal of runtimeContext() inside the function, and cancel() outside" };
  if (module === "node:module" && (name === "Module" || name === module))
    return {
      reason: "it is the `module` of a CommonJS file, which belongs to its process",
      wayOut:
        "read what you need of it outside the function (const isMain = require.main === module), write exports.x for module.exports.x, or use require, __filename and __dirname, which travel",
    };
  if (name === "AsyncLocalStorage")
    return {
      reason: "it is an AsyncLocalStorage",
      wayOut: "register it with registerContext(storage, { id }), so that its value travels with calls",
    };
  return {
    reason: `it is a ${name}${of}, which belongs to this process`,
    wayOut: `make the ${name} inside the function, or keep it in an actor`,
  };
}

const nativeFunctions = new WeakMap<Function, boolean>();

/** Whether a function is V8's or Node's own. */
function isNativeFunction(fn: Function): boolean {
  const known = nativeFunctions.get(fn);
  if (known !== undefined) return known;
  const inside = lookInside(fn);
  const isNative = inside.place === undefined || addressOf(inside).startsWith("node:");
  nativeFunctions.set(fn, isNative);
  return isNative;
}

function privateObstruction(value: object): Obstruction | undefined {
  for (let proto = Object.getPrototypeOf(value) as object | null; proto !== null; proto = Object.getPrototypeOf(proto) as object | null) {
    const owner = Object.getOwnPropertyDescriptor(proto, "constructor")?.value as unknown;
    if (typeof owner !== "function" || owner.prototype !== proto) continue;
    const text = Function.prototype.toString.call(owner);
    if (!/^class\b/.test(text) || !/#[\w$]/.test(text)) continue;
    const field = [...privateFields(value).keys()][0] ?? /(?:^|[\s;{}])(#[\w$]+)\s*\(/.exec(text)?.[1];
    if (field !== undefined) {
      return {
        reason: `it is an instance of ${owner.name} with private members (${field})`,
        wayOut: "register a codec for its class with registerCodec, or send what it is made from",
      };
    }
  }
  return undefined;
}
