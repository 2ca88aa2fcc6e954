/**
 * Makes modules out of generated text, under the address of the file that the text is from, so that what it imports is found as
 * from that file, and traces and breakpoints name it.
 */
import { createRequire, registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { RaiaError } from "../base/errors.ts";
import { LruMap } from "../base/lru-map.ts";
import { contentHash, type ImportedModule, type Unit } from "./function-graph.ts";
import { rememberRebuilt } from "./function-script.ts";
import { rememberNamespace } from "./module-namespace.ts";

/** What a unit's text evaluates to: a function that asks for its shared values. */
export type UnitFunction = (ask: (what: number | string | readonly UnitCreator[], set?: (value: unknown) => void) => unknown) => void;
export type UnitCreator = (...given: unknown[]) => unknown;

/** Compiled scripts kept; past it the oldest is compiled again when needed. One a shipped function and its file. */
const MAX_COMPILED = 1024;
const compiled = new LruMap<string, UnitFunction>(MAX_COMPILED);

/** The compiled text, kept by its place and itself: other captures of the same code need no compiling. */
export async function loadUnit(unit: Unit): Promise<UnitFunction> {
  rememberRebuilt(unit.address);
  if (unit.form === "module") {
    // Padding cannot be sent as an offset for a module: the lines before it are written out here.
    const source = `${"\n".repeat(unit.startLine)}${unit.text}${sourceUrl(unit.address)}`;
    const namespace = (await importGenerated(unit.base, contentHash(unit.address, source), source)) as { default: UnitFunction };
    return namespace.default;
  }
  const key = `${unit.startLine} ${unit.address}\n${unit.text}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const script = new vm.Script(unit.text, { filename: unit.address, lineOffset: unit.startLine });
  const made = script.runInThisContext() as UnitFunction;
  compiled.set(key, made);
  return made;
}

/** Imports a module as the file that asks for it would. */
export async function importModule(module: ImportedModule): Promise<unknown> {
  const { how, specifier, parent, attributes } = module;
  try {
    if (how === "require") return createRequire(specifier)(specifier) as unknown;
    const options = attributes === undefined || Object.keys(attributes).length === 0 ? undefined : { with: attributes };
    const load = parent === "" ? importHere : await importerOf(parent);
    const namespace = await load(specifier, options);
    if (typeof namespace === "object" && namespace !== null) rememberNamespace(namespace, module);
    return namespace;
  } catch (error) {
    throw new RaiaError(
      "FUNCTION_LOAD_FAILED",
      { module: specifier, importedBy: parent === "" ? undefined : parent, reason: (error as Error).message },
      { cause: error },
    );
  }
}

export type Importer = (specifier: string, options?: { with?: Readonly<Record<string, string>> }) => Promise<unknown>;

const importHere: Importer = (specifier, options) => import(specifier, options as ImportCallOptions) as Promise<unknown>;

/** Importers kept, one a file that ships functions with `import()` in them; there are as many as such files. */
const importers = new Map<string, Promise<Importer>>();

/** `import()` as it works inside the file at `base`. */
export function importerOf(base: string): Promise<Importer> {
  let importer = importers.get(base);
  if (importer === undefined) {
    importer = importGenerated(base, "importer", "export const load = (specifier, options) => import(specifier, options);").then(
      (namespace) => (namespace as { load: Importer }).load,
    );
    importers.set(base, importer);
  }
  return importer;
}

/** The `require` of a file. */
export function requireOf(base: string): NodeJS.Require {
  return createRequire(base.startsWith("file:") ? fileURLToPath(base) : base);
}

const QUERY = /[?&]raia=[\w]+$/;
/** Texts on their way into the module loader; each is taken out when it is loaded. */
const generated = new Map<string, string>();
let areHooksRegistered = false;

async function importGenerated(base: string, key: string, source: string): Promise<unknown> {
  if (!areHooksRegistered) {
    areHooksRegistered = true;
    registerHooks({
      resolve: (specifier, context, next) =>
        QUERY.test(specifier) ? { url: specifier, format: "module", shortCircuit: true } : next(specifier, context),
      load: (url, context, next) => {
        const text = generated.get(url);
        return text === undefined ? next(url, context) : { format: "module", source: text, shortCircuit: true };
      },
    });
  }
  const url = generatedUrl(base, key);
  generated.set(url, source);
  try {
    return await (import(url) as Promise<unknown>);
  } finally {
    generated.delete(url);
  }
}

function generatedUrl(base: string, key: string): string {
  const address = base.startsWith("file:") ? base : "file:///raia-unit";
  return `${address}${address.includes("?") ? "&" : "?"}raia=${key}`;
}

function sourceUrl(address: string): string {
  return /\s/.test(address) ? "" : `\n//# sourceURL=${address}`;
}
