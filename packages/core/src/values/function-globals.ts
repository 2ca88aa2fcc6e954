/**
 * What every plain Node has, so that it travels as a name: globals, the built-in objects of the language in any realm, and what
 * the modules of Node export.
 *
 * A name is global by the fixed list below and by nothing else. Some globals load half of Node when they are touched (`FormData`
 * brings a whole HTTP client), so values are compared with the light ones only, and with the rest by their name.
 */
import { builtinModules } from "node:module";
import { types } from "node:util";

const LANGUAGE_NAMES = `Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp
  Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError SuppressedError globalThis JSON Math Intl ArrayBuffer Atomics
  Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array BigUint64Array BigInt64Array Uint8ClampedArray Float16Array Float32Array
  Float64Array DataView Map BigInt Set Iterator WeakMap WeakSet WeakRef Proxy Reflect FinalizationRegistry DisposableStack AsyncDisposableStack
  SharedArrayBuffer WebAssembly Temporal decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape eval isFinite isNaN`.split(
  /\s+/,
);

const LIGHT_NODE_NAMES = `console URL URLSearchParams DOMException AbortController AbortSignal Event EventTarget TextEncoder TextDecoder
  setTimeout clearTimeout setInterval clearInterval setImmediate clearImmediate queueMicrotask structuredClone atob btoa process Buffer`.split(
  /\s+/,
);

const HEAVY_NODE_NAMES = `global performance crypto navigator localStorage sessionStorage CustomEvent QuotaExceededError TransformStream
  TransformStreamDefaultController WritableStream WritableStreamDefaultController WritableStreamDefaultWriter ReadableStream
  ReadableStreamDefaultReader ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableByteStreamController ReadableStreamDefaultController
  ByteLengthQueuingStrategy CountQueuingStrategy TextEncoderStream TextDecoderStream CompressionStream DecompressionStream BroadcastChannel
  MessageChannel MessagePort Blob File Performance PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver
  PerformanceObserverEntryList PerformanceResourceTiming URLPattern fetch FormData Headers Request Response MessageEvent CloseEvent ErrorEvent
  WebSocket EventSource Crypto CryptoKey SubtleCrypto Navigator Storage`.split(/\s+/);

const GLOBAL_NAMES: ReadonlySet<string> = new Set([...LANGUAGE_NAMES, ...LIGHT_NODE_NAMES, ...HEAVY_NODE_NAMES]);

export function isGlobalName(name: string): boolean {
  return GLOBAL_NAMES.has(name);
}

/** A way from a global or a module of Node to one of the objects it holds. */
export interface KnownPath {
  /** `node:fs` and the like; undefined starts at the globals. */
  readonly module: string | undefined;
  readonly keys: readonly string[];
}

/** Globals that hold classes. */
const NAMESPACES: ReadonlySet<string> = new Set(["Intl", "Temporal", "WebAssembly"]);

const known = new WeakMap<object, KnownPath>();
const registeredRealms = new WeakSet<object>();

/** The path to `value` when it is one of the built-in objects, else undefined. */
export function knownPath(value: object): KnownPath | undefined {
  registerRealm(globalThis);
  return known.get(value);
}

/** The path to something that Node's modules export, or that only a heavy global holds. Slower than {@link knownPath}. */
export function builtinPath(value: object): KnownPath | undefined {
  registerBuiltinModules();
  const path = known.get(value);
  if (path !== undefined || typeof value !== "function") return path;
  // The value exists, so whatever it belongs to has been loaded already.
  const { name } = value;
  if (GLOBAL_NAMES.has(name) && (globalThis as Record<string, unknown>)[name] === value) return { module: undefined, keys: [name] };
  return undefined;
}

/** Makes the built-in objects of a realm known under the names they have in every realm. */
export function registerRealm(realm: object): void {
  if (registeredRealms.has(realm)) return;
  registeredRealms.add(realm);
  const isMain = realm === globalThis;
  remember(realm, { module: undefined, keys: ["globalThis"] });
  for (const name of isMain ? [...LANGUAGE_NAMES, ...LIGHT_NODE_NAMES] : LANGUAGE_NAMES) {
    const value = ownValue(realm, name) ?? (name === "process" || name === "Buffer" ? (realm as Record<string, unknown>)[name] : undefined);
    if (isObject(value) && value !== realm) registerObject(value, { module: undefined, keys: [name] }, NAMESPACES.has(name) ? 2 : 1);
  }
  if (isMain) registerUnnamed();
}

/** Objects of the language that no global names: the prototypes of generators, iterators and async functions, and `%TypedArray%`. */
function registerUnnamed(): void {
  for (const [name, value] of Object.entries(unnamedObjects())) registerObject(value, { module: undefined, keys: [name] }, 1);
}

let unnamed: Record<string, object> | undefined;

function unnamedObjects(): Record<string, object> {
  if (unnamed !== undefined) return unnamed;
  const prototype = (value: object): object => Object.getPrototypeOf(value) as object;
  function* generator(): Generator {}
  async function* asyncGenerator(): AsyncGenerator {}
  unnamed = {
    "%TypedArray%": prototype(Uint8Array),
    "%TypedArray.prototype%": prototype(Uint8Array.prototype),
    "%AsyncFunction.prototype%": prototype(async () => {}),
    "%GeneratorFunction.prototype%": prototype(generator),
    "%AsyncGeneratorFunction.prototype%": prototype(asyncGenerator),
    "%Generator.prototype%": prototype(generator.prototype as object),
    "%AsyncGenerator.prototype%": prototype(asyncGenerator.prototype as object),
    "%ArrayIterator.prototype%": prototype([][Symbol.iterator]()),
    "%MapIterator.prototype%": prototype(new Map()[Symbol.iterator]()),
    "%SetIterator.prototype%": prototype(new Set()[Symbol.iterator]()),
    "%StringIterator.prototype%": prototype(""[Symbol.iterator]()),
    "%AsyncIterator.prototype%": prototype(prototype(asyncGenerator.prototype as object)),
  };
  return unnamed;
}

/** What {@link knownPath} or {@link builtinPath} named, in this process; undefined when there is no such thing here. */
export function resolveKnownPath({ module, keys }: KnownPath): unknown {
  const [first, ...rest] = keys;
  if (module === undefined && first !== undefined && Object.hasOwn(unnamedObjects(), first)) return follow(unnamedObjects()[first], rest);
  return follow(module === undefined ? globalThis : (process.getBuiltinModule as (id: string) => unknown)(module), keys);
}

function follow(start: unknown, keys: readonly string[]): unknown {
  let at = start;
  for (const key of keys) at = isObject(at) ? (at as Record<string, unknown>)[key] : undefined;
  return at;
}

let modulesRegistered = 0;

/** Only modules that are loaded already: what this process holds a value of is among them. */
function registerBuiltinModules(): void {
  const loaded = (process as { moduleLoadList?: readonly string[] }).moduleLoadList ?? [];
  if (loaded.length === modulesRegistered) return;
  modulesRegistered = loaded.length;
  const names = new Set(loaded.map((entry) => entry.replace(/^NativeModule /, "")));
  for (const name of builtinModules) {
    if (!names.has(name)) continue;
    const exports = (process.getBuiltinModule as (id: string) => unknown)(name);
    if (isObject(exports)) registerObject(exports, { module: `node:${name}`, keys: [] }, 1);
  }
}

/** Remembers `value` and, `levels` deep, what its data properties hold. */
function registerObject(value: object, path: KnownPath, levels: number): void {
  remember(value, path);
  if (levels === 0) return;
  for (const key of Object.getOwnPropertyNames(value)) {
    // Of the program's process alone: a worker has another main module, or none.
    const member = key === "constructor" || key === "mainModule" ? undefined : ownValue(value, key);
    if (isObject(member))
      registerObject(member, { module: path.module, keys: [...path.keys, key] }, key === "prototype" ? levels : levels - 1);
  }
}

function remember(value: object, path: KnownPath): void {
  if (!known.has(value)) known.set(value, path);
}

/** A data property's value; getters are not run, for they may load what they name. */
function ownValue(owner: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(owner, key)?.value as unknown;
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null && !types.isProxy(value)) || typeof value === "function";
}
