/**
 * The script that a function is from. V8 tells its text only through the debugger, whose first use lists every script of the process
 * and hashes it (30 to 100 ms); so where the file itself proves to be what V8 executed, it is read instead: it has not changed since
 * the process began, and the function's text stands in it exactly where V8 says. Everything else asks V8.
 */
import { readFileSync, statSync } from "node:fs";
import nodeModule from "node:module";
import { fileURLToPath } from "node:url";
import { LruMap } from "../base/lru-map.ts";
import { type FunctionInside, type ScriptText, scriptAddress, scriptText } from "./function-inspector.ts";

/** Scripts kept by id; the oldest is dropped past it and read again if needed. A program has a few hundred at most with functions to ship. */
const MAX_SCRIPTS = 512;
const scripts = new LruMap<string, ScriptText>(MAX_SCRIPTS);

/** Addresses under which rebuilt text runs here: there the file is not what V8 executed, however alike. */
const rebuiltAddresses = new Set<string>();

export function rememberRebuilt(address: string): void {
  rebuiltAddresses.add(address);
}

export function isRebuilt(address: string): boolean {
  return rebuiltAddresses.has(address);
}

/** @param inside must have a place */
export function scriptOf(fn: Function, inside: FunctionInside): ScriptText {
  const { scriptId } = inside.place as NonNullable<FunctionInside["place"]>;
  const known = scripts.get(scriptId);
  if (known !== undefined) return known;
  const found = scriptFromFile(fn, inside) ?? scriptText(scriptId);
  scripts.set(scriptId, found);
  return found;
}

/** The address of the script alone, which costs less. */
export function addressOf(inside: FunctionInside): string {
  const { scriptId } = inside.place as NonNullable<FunctionInside["place"]>;
  return scripts.get(scriptId)?.url ?? scriptAddress(scriptId) ?? scriptText(scriptId).url;
}

/** Where the function's own text begins in its script, or undefined when it is not found there. */
export function textStart(fn: Function, { place }: FunctionInside, script: ScriptText): number | undefined {
  if (place === undefined) return undefined;
  const text = Function.prototype.toString.call(fn);
  const offset = scriptOffset(
    script.text,
    place.line - script.startLine,
    place.column - (place.line === script.startLine ? script.startColumn : 0),
  );
  const start = script.text.lastIndexOf(text, offset);
  return start >= 0 && start + text.length > offset ? start : undefined;
}

function scriptOffset(text: string, line: number, column: number): number {
  let lineStart = 0;
  const breaks = /\r\n|[\n\r\u2028\u2029]/g;
  for (let count = 0; count < line && breaks.exec(text) !== null; count++) lineStart = breaks.lastIndex;
  return lineStart + column;
}

function scriptFromFile(fn: Function, inside: FunctionInside): ScriptText | undefined {
  const { scriptId } = inside.place as NonNullable<FunctionInside["place"]>;
  const url = scriptAddress(scriptId);
  // A node: address needs no text. Only ES modules have a file: address and a module scope.
  if (url?.startsWith("node:") === true) return { url, text: "", isModule: false, startLine: 0, startColumn: 0 };
  if (url === undefined || !url.startsWith("file:") || /[?#]/.test(url) || rebuiltAddresses.has(url)) return undefined;
  if (!inside.scopes.some(({ type }) => type === "Module")) return undefined;
  const text = executedText(fileURLToPath(url));
  if (text === undefined) return undefined;
  const script = { url, text, isModule: true, startLine: 0, startColumn: 0 };
  return textStart(fn, inside, script) === undefined ? undefined : script;
}

function executedText(file: string): string | undefined {
  try {
    const { mtimeMs, ctimeMs } = statSync(file);
    if (Math.max(mtimeMs, ctimeMs) >= performance.timeOrigin) return undefined;
    const text = readFileSync(file, "utf8");
    return /\.[mc]?ts$/.test(file) ? withoutTypes(text) : text;
  } catch {
    // Gone, unreadable or not plain TypeScript: V8 has it.
    return undefined;
  }
}

/** As Node strips them. It warns that the function is new; the program did not call it, so it should not hear about it. */
function withoutTypes(text: string): string | undefined {
  const { stripTypeScriptTypes } = nodeModule;
  if (stripTypeScriptTypes === undefined) return undefined;
  const emitWarning = Reflect.get(process, "emitWarning");
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
