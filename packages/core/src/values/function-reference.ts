/**
 * Which functions can be had from a module that the receiver imports itself. Those travel as an address, a name and a hash of
 * their code; the others as text.
 *
 * Not importable are the entry (importing it would run the program again), test files, code with no file, and modules under a
 * query (a module system of somebody else made them).
 */
import { realpathSync } from "node:fs";
import nodeModule, { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { currentDirectory } from "../base/current-directory.ts";
import { contentHash, type ImportedModule, type ImportedPart } from "./function-graph.ts";
import { type FunctionInside, lookInside, type ScopeLevel, type ScriptText } from "./function-inspector.ts";
import { propertyParts } from "./function-plain.ts";
import { scriptOf, textStart } from "./function-script.ts";
import { type ScriptSyntax, scriptSyntax, UNIT_MARKER } from "./function-syntax.ts";

export interface FunctionReference {
  readonly module: ImportedModule;
  readonly part: ImportedPart;
}

/** Where `fn` can be imported from, or undefined when it has to travel as text. */
export function importableReference(fn: Function, inside: FunctionInside): FunctionReference | undefined {
  if (inside.place === undefined) return undefined;
  const script = scriptOf(fn, inside);
  if (script.text.startsWith(UNIT_MARKER)) return undefined;
  if (!script.isModule) return requiredReference(fn, script, inside);
  if (!isImportableUrl(script.url)) return undefined;
  const scope = inside.scopes.find(({ type }) => type === "Module");
  const start = textStart(fn, inside, script);
  if (scope === undefined || start === undefined) return undefined;
  return moduleReference(fn, script, scope, start, inside.place.scriptId);
}

function moduleReference(
  fn: Function,
  script: ScriptText,
  scope: ScopeLevel,
  start: number,
  scriptId: string,
): FunctionReference | undefined {
  const module: ImportedModule = { how: "import", specifier: script.url, parent: "" };
  const before = script.text.slice(Math.max(0, start - 200), start);
  if (/(?:^|[;}\n])[ \t]*export[ \t]+default[ \t]+\(?$/.test(before)) return { module, part: { part: "export", name: "default" } };
  const local = variableHolding(scope, fn);
  if (local === undefined) return undefined;
  // The two common forms need no parser.
  if (
    /(?:^|[;}\n])[ \t]*export[ \t]+$/.test(before) ||
    new RegExp(`(?:^|[;}\\n])[ \\t]*export[ \\t]+(?:const|let|var)[ \\t]+${local.replaceAll("$", "\\$")}[ \\t]*=[ \\t]*$`).test(before)
  ) {
    return { module, part: { part: "export", name: local } };
  }
  const { exports } = scriptSyntax(scriptId, script);
  const exported = exports.get(local);
  if (exported !== undefined) return { module, part: { part: "export", name: exported } };
  const door = [...exports.keys()].some((name) => typeof readVariable(scope, name) === "function");
  return door ? { module, part: { part: "local", name: local } } : undefined;
}

/** A CommonJS function, found by identity in what its module exports, or at the top of its module. */
function requiredReference(fn: Function, script: ScriptText, inside: FunctionInside): FunctionReference | undefined {
  const filename = script.url.startsWith("file:") ? fileURLToPath(script.url) : script.url;
  if (!path.isAbsolute(filename) || isEntryFile(filename) || isTestFile(filename)) return undefined;
  const cached = requireCache()[filename];
  if (cached === undefined) return undefined;
  const module: ImportedModule = { how: "require", specifier: filename, parent: "" };
  const name = exportHolding(cached.exports, fn);
  if (name !== undefined) return { module, part: name === "" ? { part: "namespace" } : { part: "export", name } };
  const local = topVariableHolding(inside.scopes, fn);
  const door = exportedFunctions(cached.exports)[0];
  if (local === undefined || door === undefined || door === fn) return undefined;
  const doorInside = lookInside(door);
  if (doorInside.place?.scriptId !== inside.place?.scriptId) return undefined;
  const top = topClosure(doorInside.scopes);
  return top !== undefined && readVariable(top, local) === fn ? { module, part: { part: "local", name: local } } : undefined;
}

/**
 * Where a receiver finds a variable at the top of a module that it can import, so that a closure made by that module shares the
 * module's own state there instead of a copy. By `export` the variable stays live; by `local` it is read once.
 */
export function variableReference(
  name: string,
  value: unknown,
  level: ScopeLevel,
  inside: FunctionInside,
  source: SourceScript,
): FunctionReference | undefined {
  const { script, syntax } = source;
  if (inside.place === undefined || script.text.startsWith(UNIT_MARKER)) return undefined;
  if (!script.isModule) return isObject(value) ? requiredVariable(name, value, level, inside, script) : undefined;
  if (level.type !== "Module" || !isImportableUrl(script.url)) return undefined;
  const module: ImportedModule = { how: "import", specifier: script.url, parent: "" };
  const exported = syntax.exports.get(name);
  if (exported !== undefined) return { module, part: { part: "export", name: exported } };
  const door = [...syntax.exports.keys()].some((each) => typeof readVariable(level, each) === "function");
  return door && isObject(value) ? { module, part: { part: "local", name } } : undefined;
}

export interface SourceScript {
  readonly script: ScriptText;
  readonly syntax: ScriptSyntax;
}

function requiredVariable(
  name: string,
  value: object,
  level: ScopeLevel,
  inside: FunctionInside,
  script: ScriptText,
): FunctionReference | undefined {
  const filename = script.url.startsWith("file:") ? fileURLToPath(script.url) : script.url;
  if (level !== topClosure(inside.scopes) || isEntryFile(filename) || isTestFile(filename)) return undefined;
  const door = exportedFunctions(requireCache()[filename]?.exports)[0];
  const doorInside = door === undefined ? undefined : lookInside(door);
  const top = doorInside === undefined || doorInside.place?.scriptId !== inside.place?.scriptId ? undefined : topClosure(doorInside.scopes);
  if (top === undefined || readVariable(top, name) !== value) return undefined;
  return { module: { how: "require", specifier: filename, parent: "" }, part: { part: "local", name } };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The module whose `module.exports` this object is, unless it is the entry. */
export function requiredModuleOf(exports: object): ImportedModule | undefined {
  const cache = requireCache();
  const filenames = Object.keys(cache);
  if (filenames.length !== exportsSeen) {
    exportsSeen = filenames.length;
    exportsIndex = new WeakMap();
    for (const filename of filenames) {
      const value = cache[filename]?.exports;
      if ((typeof value === "object" && value !== null) || typeof value === "function") exportsIndex.set(value, filename);
    }
  }
  const filename = exportsIndex.get(exports);
  if (filename === undefined || isEntryFile(filename) || isTestFile(filename)) return undefined;
  return { how: "require", specifier: filename, parent: "" };
}

let exportsSeen = 0;
let exportsIndex = new WeakMap<object, string>();

/** What a receiver compares, so that other code under the same name is noticed. */
export function codeHash(fn: Function): string {
  return contentHash(Function.prototype.toString.call(fn)).slice(0, 16);
}

/** The functions through which the top of a module can be seen, in a fixed order. */
export function exportedFunctions(exports: unknown): Function[] {
  if (typeof exports === "function") return [exports];
  if (typeof exports !== "object" || exports === null) return [];
  return Object.keys(exports)
    .map((key) => exportedValue(exports, key))
    .filter((value) => typeof value === "function");
}

/** The scope at the top of the module: that of an ES module, or the function that CommonJS wraps around a file. */
export function topScope(scopes: readonly ScopeLevel[]): ScopeLevel | undefined {
  return scopes.find(({ type }) => type === "Module") ?? topClosure(scopes);
}

/** @returns undefined also for a variable that is not initialised yet */
export function readVariable({ variables }: ScopeLevel, name: string): unknown {
  try {
    return (variables as Record<string, unknown>)[name];
  } catch {
    // V8 shows a variable before its declaration ran as a getter that throws.
    return undefined;
  }
}

let mainEntry: { readonly argument: string | undefined; readonly file: string | undefined } | undefined;

function isEntryFile(filename: string): boolean {
  const argument = process.argv[1];
  if (mainEntry === undefined || mainEntry.argument !== argument)
    mainEntry = { argument, file: argument === undefined ? undefined : resolveEntry(argument) };
  return filename === mainEntry.file;
}

function resolveEntry(argument: string): string | undefined {
  const absolute = path.resolve(argument);
  try {
    return realPath(createRequire(path.join(currentDirectory(), "noop.js")).resolve(absolute));
  } catch {
    // Not a file that can be loaded (`-e`, standard input): no file is the entry.
    return realPath(absolute);
  }
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    // It does not exist; then nothing was loaded from it either.
    return file;
  }
}

function isImportableUrl(url: string): boolean {
  if (!url.startsWith("file:") || url.includes("?") || url.includes("#")) return false;
  const filename = fileURLToPath(url);
  return !isEntryFile(filename) && !isEntryFile(realPath(filename)) && !isTestFile(filename);
}

function isTestFile(filename: string): boolean {
  return /[.](?:test|spec)[.][cm]?[jt]sx?$/.test(filename);
}

/** The URL to which imports inside a script are relative. Scripts without a file (`-e`, the REPL) act as files of the working directory. */
export function baseUrl(script: ScriptText): string {
  if (/^(?:file|data|https?|blob):/.test(script.url)) return script.url;
  return pathToFileURL(
    path.isAbsolute(script.url) ? script.url : path.join(currentDirectory(), script.url === "" ? "[anonymous]" : script.url),
  ).href;
}

function variableHolding(scope: ScopeLevel, fn: Function): string | undefined {
  if (readVariable(scope, fn.name) === fn) return fn.name;
  return Object.keys(scope.variables).find((name) => readVariable(scope, name) === fn);
}

function topClosure(scopes: readonly ScopeLevel[]): ScopeLevel | undefined {
  return scopes.findLast(({ type }) => type.startsWith("Closure"));
}

function topVariableHolding(scopes: readonly ScopeLevel[], fn: Function): string | undefined {
  const top = topClosure(scopes);
  return top === undefined ? undefined : variableHolding(top, fn);
}

function exportHolding(exports: unknown, fn: Function): string | undefined {
  if (exports === fn) return "";
  if ((typeof exports !== "object" && typeof exports !== "function") || exports === null) return undefined;
  return Object.keys(exports).find((key) => exportedValue(exports, key) === fn);
}

function exportedValue(exports: object, key: string): unknown {
  const { value, get } = propertyParts(exports, key);
  if (typeof get !== "function" || !isReexport(get)) return value;
  return (exports as Record<string, unknown>)[key];
}

/** The getters that TypeScript and esbuild make for exports only read a variable. */
function isReexport(get: Function): boolean {
  return /^(?:function\s*\(\)\s*\{\s*return\s+[\w$.[\]"']+;?\s*\}|\(\)\s*=>\s*[\w$.[\]"']+)$/.test(Function.prototype.toString.call(get));
}

function requireCache(): Record<string, { exports: unknown } | undefined> {
  return (nodeModule as unknown as { _cache: Record<string, { exports: unknown } | undefined> })._cache;
}
