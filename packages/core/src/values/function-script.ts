/**
 * The script that a function is from. Of an ES module V8 tells the text at once; whatever needs more than text and address (CommonJS,
 * code that was compiled with an offset) asks the debugger, whose first use costs about 100 ms.
 */
import { LruMap } from "../base/lru-map.ts";
import { type FunctionInside, type ScriptText, scriptAddress, scriptText } from "./function-inspector.ts";
import { sourceOf } from "./function-source.ts";

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
  const found = scriptWithoutDebugger(fn, inside) ?? scriptText(scriptId);
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

/** An `import` or `export` that stands at the beginning of a line. */
const MODULE_DECLARATION = /^[ \t]*(?:import[ \t]*["'{*]|import[ \t]+[\w$]|export[ \t]*[{*]|export[ \t]+[\w$])/m;

function scriptWithoutDebugger(fn: Function, inside: FunctionInside): ScriptText | undefined {
  const { scriptId } = inside.place as NonNullable<FunctionInside["place"]>;
  const url = scriptAddress(scriptId);
  // A node: address needs no text.
  if (url?.startsWith("node:") === true) return { url, text: "", isModule: false, startLine: 0, startColumn: 0 };
  if (url?.startsWith("file:") !== true) return undefined;
  const text = sourceOf(fn);
  if (text === undefined) return undefined;
  // Only ES modules have a module scope, but it shows only where some function uses a variable of it; and they alone import and export.
  if (!inside.scopes.some(({ type }) => type === "Module") && !MODULE_DECLARATION.test(text)) return undefined;
  const script = { url, text, isModule: true, startLine: 0, startColumn: 0 };
  // The one way to be wrong about the beginning: a module that was compiled with an offset.
  return textStart(fn, inside, script) === undefined ? undefined : script;
}
