/**
 * Finds the user's class of an error on the other side. Its module and export are noted when the error is sent. The receiver looks
 * only among modules that it runs already: a value may name a class, but cannot make a process load anything.
 */
import inspector from "node:inspector";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { LruMap } from "../base/lru-map.ts";
import { errorClassOf, keyOfErrorClass } from "./error-class-table.ts";
import { lookInside } from "./function-inspector.ts";
import { importableReference } from "./function-reference.ts";
import { isRebuilt } from "./function-script.ts";

export interface ErrorClassReference {
  /** `shipped`: it travelled as text, see error-class-table.ts. */
  readonly how: "import" | "require" | "shipped";
  /** A file URL, or a path for `require`. */
  readonly module: string;
  readonly name: string;
}

const references = new WeakMap<Function, ErrorClassReference | null>();

/** Where the class of this error can be had; undefined for built-in classes, and for those of the entry script that never travelled. */
export function referenceOf(error: Error): ErrorClassReference | undefined {
  const proto = Object.getPrototypeOf(error) as { constructor?: unknown } | null;
  const errorClass = proto?.constructor;
  if (typeof errorClass !== "function" || errorClass.prototype !== proto || isNative(errorClass)) return undefined;
  const shipped = keyOfErrorClass(errorClass);
  if (shipped !== undefined) return { how: "shipped", module: shipped, name: "" };
  let reference = references.get(errorClass);
  if (reference === undefined) {
    reference = findReference(errorClass);
    references.set(errorClass, reference);
  }
  return reference ?? undefined;
}

function findReference(errorClass: Function): ErrorClassReference | null {
  try {
    const found = importableReference(errorClass, lookInside(errorClass));
    if (found?.part.part !== "export") return null;
    return { how: found.module.how === "require" ? "require" : "import", module: found.module.specifier, name: found.part.name };
  } catch {
    // The class is a courtesy: without the inspector the error travels under its name.
    return null;
  }
}

function isNative(fn: Function): boolean {
  return Function.prototype.toString.call(fn).endsWith("{ [native code] }");
}

/** Classes looked up; a program throws few. */
const found = new LruMap<string, { readonly errorClass: Function | undefined; readonly atMs: number }>(1000);
/** A module that was not running may have been imported since. */
const LOOK_AGAIN_MS = 1000;

/** The class, if its module runs in this process and still has it under that name. */
export function findErrorClass(reference: ErrorClassReference): Function | undefined {
  if (reference.how === "shipped") return errorClassOf(reference.module);
  const key = `${reference.module}#${reference.name}`;
  const known = found.get(key);
  if (known !== undefined && (known.errorClass !== undefined || Date.now() - known.atMs < LOOK_AGAIN_MS)) return known.errorClass;
  const errorClass = lookUp(reference);
  found.set(key, { errorClass, atMs: Date.now() });
  return errorClass;
}

function lookUp({ how, module, name }: ErrorClassReference): Function | undefined {
  try {
    const exports: unknown = how === "require" ? requiredExports(module) : runningExports(module);
    if (exports === undefined || exports === null) return undefined;
    const candidate = name === "" ? exports : (exports as Record<string, unknown>)[name];
    return typeof candidate === "function" && candidate.prototype instanceof Error ? candidate : undefined;
  } catch {
    // Such as a module that waits at its top level: it cannot be had at once.
    return undefined;
  }
}

function requiredExports(file: string): unknown {
  return path.isAbsolute(file) ? createRequire(file).cache[file]?.exports : undefined;
}

function runningExports(url: string): unknown {
  // Where rebuilt text runs under the address of a file, the file itself may never have been loaded.
  if (!url.startsWith("file:") || isRebuilt(url) || !isRunning(url)) return undefined;
  const file = fileURLToPath(url);
  return createRequire(file)(file);
}

/** Addresses of the modules that were running when they were last listed. A module does not stop running. */
const running = new Set<string>();

/** Listing the scripts costs V8 5 to 10 ms through the profiler, and 30 to 300 ms through the debugger. */
function isRunning(url: string): boolean {
  if (running.has(url)) return true;
  const session = new inspector.Session();
  session.connect();
  try {
    // A coverage run has the profiler in use.
    if (process.env["NODE_V8_COVERAGE"] === undefined) listProfiled(session);
    else listParsed(session);
  } finally {
    session.disconnect();
  }
  return running.has(url);
}

/** Only modules have a file: address; other scripts have a path. */
function remember(url: string): void {
  if (url.startsWith("file:")) running.add(url);
}

function listProfiled(session: inspector.Session): void {
  session.post("Profiler.enable");
  session.post("Profiler.getBestEffortCoverage", (error, coverage) => {
    if (error === null) for (const { url } of coverage.result) remember(url);
  });
  session.post("Profiler.disable");
}

function listParsed(session: inspector.Session): void {
  session.on("Debugger.scriptParsed", ({ params }) => remember(params.url));
  session.post("Debugger.enable");
  session.post("Debugger.disable");
}
