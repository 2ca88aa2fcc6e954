/**
 * The text of the script that a function is from, as V8 compiled it. V8 has a function of its own for that, in a syntax that a
 * flag must allow. The debugger tells the same, but its first use lists every script of the process and hashes it (80 to 120 ms),
 * and stripping a TypeScript file once more would load a compiler of 50 MB.
 */
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

type ReadSource = (fn: Function) => unknown;

let readSource: ReadSource | undefined;
/** This V8 has no such function: asked once. */
let isAbsent = false;
/** Where the program itself allows the syntax, the flag stays as it is. */
let isAllowed: boolean | undefined;

/** @returns undefined for native functions, and where V8 does not tell */
export function sourceOf(fn: Function): string | undefined {
  if (isAbsent) return undefined;
  isAllowed ??= compiles();
  // At each call: V8 drops the code of functions that were not used for a while, and then compiles this one again.
  if (!isAllowed) setFlagsFromString("--allow-natives-syntax");
  try {
    readSource ??= new Script("(fn) => %FunctionGetScriptSource(fn)").runInThisContext() as ReadSource;
    const text = readSource(fn);
    return typeof text === "string" ? text : undefined;
  } catch {
    isAbsent = true;
    return undefined;
  } finally {
    if (!isAllowed) setFlagsFromString("--no-allow-natives-syntax");
  }
}

function compiles(): boolean {
  try {
    // Arguments would be evaluated; a script that is only compiled does nothing.
    return new Script("%FunctionGetScriptSource(0)") instanceof Script;
  } catch {
    return false;
  }
}
