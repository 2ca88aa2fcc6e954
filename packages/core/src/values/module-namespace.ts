/**
 * From a module's namespace object back to the address it was imported from. The language gives no way, so: what was loaded here is
 * remembered, modules of Node are recognised by identity, and for the rest the functions it exports say where they are from.
 */
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { currentDirectory } from "../base/current-directory.ts";
import { builtinPath } from "./function-globals.ts";
import type { ImportedModule, ImportedPart } from "./function-graph.ts";
import { lookInside } from "./function-inspector.ts";
import { exportedFunctions } from "./function-reference.ts";
import { addressOf } from "./function-script.ts";

const variables = new WeakMap<object, { readonly module: ImportedModule; readonly part: ImportedPart }>();

/** Remembers from which variable of a module a value was read, so that it is sent on as that variable. */
export function rememberVariable(value: object, module: ImportedModule, part: ImportedPart): void {
  variables.set(value, { module, part });
}

export function importedVariable(value: object): { readonly module: ImportedModule; readonly part: ImportedPart } | undefined {
  return variables.get(value);
}

const loaded = new WeakMap<object, ImportedModule>();

/** Remembers where a namespace was imported from. */
export function rememberNamespace(namespace: object, module: ImportedModule): void {
  loaded.set(namespace, module);
}

export function moduleOfNamespace(namespace: object): ImportedModule | undefined {
  const known = loaded.get(namespace);
  if (known !== undefined) return known;
  const main = Object.getOwnPropertyDescriptor(namespace, "default")?.value as unknown;
  const builtin =
    typeof main === "object" && main !== null ? builtinPath(main) : typeof main === "function" ? builtinPath(main) : undefined;
  if (builtin?.module !== undefined && builtin.keys.length === 0) return { how: "import", specifier: builtin.module, parent: "" };
  for (const fn of exportedFunctions(namespace)) {
    const inside = lookInside(fn);
    const url = inside.place === undefined ? "" : addressOf(inside);
    if (url.startsWith("file:") && isNamespaceOf(namespace, url)) return { how: "import", specifier: url, parent: "" };
  }
  return undefined;
}

/** The module is loaded, so requiring it gives the same namespace without running anything. */
function isNamespaceOf(namespace: object, url: string): boolean {
  try {
    const filename = fileURLToPath(url);
    const required: unknown = createRequire(path.join(currentDirectory(), "noop.js"))(filename);
    return required === namespace;
  } catch {
    // A module with top-level await cannot be required; then its address stays unknown.
    return false;
  }
}
