/**
 * One function or class, taken apart: from where it can be imported, or else its text, what the text uses from outside, and what
 * was put on the function since.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { currentDirectory } from "../base/current-directory.ts";
import { builtinPath, isGlobalName, knownPath, registerRealm } from "./function-globals.ts";
import type { Child, FunctionNode, GraphNode, ImportedModule, NodeReference, Properties } from "./function-graph.ts";
import type { Obstruction } from "./function-hooks.ts";
import { type FunctionInside, lookInside, privateFields, type ScopeLevel } from "./function-inspector.ts";
import { type PropertyParts, propertyParts } from "./function-plain.ts";
import { baseUrl, codeHash, importableReference, type SourceScript, variableReference } from "./function-reference.ts";
import { addressOf, scriptOf, textStart } from "./function-script.ts";
import type { DefinitionValue, Edit, FreeName, Site } from "./function-site.ts";
import { type ScriptSyntax, scriptSyntax } from "./function-syntax.ts";
import type { Capture, FunctionDraft } from "./function-unit.ts";
import { specifierWithoutVite } from "./module-vite.ts";

/** What the walk offers to the capture of a function. */
export interface CaptureContext {
  readonly drafts: FunctionDraft[];
  child(value: unknown, parent: number, label: string): Child;
  add(key: string, node: GraphNode, parent: number, label: string): NodeReference;
  /** The node of `value`, which is this one unless it has one already. */
  addFor(value: object, node: GraphNode, parent: number, label: string): Child;
  module(module: ImportedModule): number;
  properties(
    owner: object,
    node: number,
    usual: object | null | undefined,
    skip?: (key: string | symbol, descriptor: PropertyParts) => boolean,
  ): Properties;
  refuse(node: number, obstruction: Obstruction, label?: string): void;
}

/** @returns undefined for a function that travels as text (it becomes a draft) and for one that is refused */
export function captureFunction(fn: Function, id: number, walk: CaptureContext): GraphNode | undefined {
  const text = Function.prototype.toString.call(fn);
  const known = text.endsWith("{ [native code] }") ? knownPath(fn) : undefined;
  if (known !== undefined) return ["known", known.module, known.keys];
  const inside = lookInside(fn);
  if (inside.bound !== undefined) return boundNode(fn, inside.bound, id, walk);
  if (inside.place === undefined) return nativeNode(fn, id, walk);
  if (addressOf(inside).startsWith("node:")) return requireNode(fn) ?? nativeNode(fn, id, walk);
  const reference = importableReference(fn, inside);
  if (reference !== undefined) return ["imported", walk.module(reference.module), reference.part, codeHash(fn)];
  captureText(fn, inside, id, walk);
  return undefined;
}

function boundNode(
  fn: Function,
  { target, boundThis, boundArguments }: NonNullable<FunctionInside["bound"]>,
  id: number,
  walk: CaptureContext,
): GraphNode {
  const args = boundArguments.map((argument, index) => walk.child(argument, id, `bound argument ${index}`));
  return ["bound", walk.child(target, id, "bound function"), walk.child(boundThis, id, "bound this"), args, fn.name];
}

function nativeNode(fn: Function, id: number, walk: CaptureContext): GraphNode | undefined {
  const path = knownPath(fn) ?? builtinPath(fn);
  if (path !== undefined) return ["known", path.module, path.keys];
  walk.refuse(id, {
    reason: "it is a function of Node or V8 that no module exports",
    wayOut: "call it through the object it belongs to, inside the function",
  });
  return undefined;
}

/** `require` and what `createRequire` gives: they look from one directory. */
function requireNode(fn: Function): GraphNode | undefined {
  const { resolve } = fn as { resolve?: { paths?: (request: string) => string[] | null } };
  if (!("cache" in fn) || typeof resolve?.paths !== "function") return undefined;
  const directory = resolve.paths("./x")?.[0];
  return directory === undefined ? undefined : ["require", path.resolve(directory, "noop.js")];
}

function captureText(fn: Function, inside: FunctionInside, id: number, walk: CaptureContext): void {
  const place = inside.place as NonNullable<FunctionInside["place"]>;
  const script = scriptOf(fn, inside);
  let syntax: ScriptSyntax;
  try {
    syntax = scriptSyntax(place.scriptId, script);
  } catch (error) {
    walk.refuse(id, {
      reason: `its script could not be parsed (${(error as Error).message})`,
      wayOut: "export it from a module of its own",
      location: script.url,
    });
    return;
  }
  const start = textStart(fn, inside, script);
  const site = start === undefined ? undefined : syntax.siteAt(start);
  if (site === undefined) {
    walk.refuse(id, { reason: "its text was not found in its script", wayOut: "export it from a module", location: script.url });
    return;
  }
  const locate = (offset: number): string => {
    const { line, column } = syntax.position(offset);
    return `${script.url}:${line + 1}:${column + 1}`;
  };
  for (const { reason, wayOut, offset } of site.obstacles) walk.refuse(id, { reason, wayOut, location: locate(offset) });
  if (site.obstacles.length > 0) return;

  const base = baseUrl(script);
  const reader = new CaptureReader(fn, id, inside, { script, syntax }, walk, locate);
  const captures = site.freeNames.flatMap((free) => reader.read(free, site) ?? []);
  walk.drafts.push({
    id,
    scriptId: place.scriptId,
    syntax,
    site,
    base,
    captures,
    globals: site.freeNames.filter(({ binding, name }) => binding === undefined && isGlobalName(name)).map(({ name }) => name),
    definitions: site.edits.flatMap((edit) => definitionCapture(edit, fn, script.text, id, base, walk, locate)),
    blankName: site.kind === "function" && captures.some(({ name }) => name === site.declaredName),
    pick: pickOf(site),
    name: ownName(fn),
    properties: functionProperties(fn, site, id, walk),
  });
}

interface FoundVariable {
  readonly value: unknown;
  readonly isInitialized: boolean;
  readonly level?: ScopeLevel;
  /** The global object, for a variable that all scripts of its realm share. */
  readonly realm?: object;
}

/** Finds the values of a function's free names in its scopes. */
class CaptureReader {
  readonly #fn: Function;
  readonly #id: number;
  readonly #inside: FunctionInside;
  readonly #source: SourceScript;
  readonly #base: string;
  readonly #walk: CaptureContext;
  readonly #locate: (offset: number) => string;

  constructor(
    fn: Function,
    id: number,
    inside: FunctionInside,
    source: SourceScript,
    walk: CaptureContext,
    locate: (offset: number) => string,
  ) {
    this.#fn = fn;
    this.#id = id;
    this.#inside = inside;
    this.#source = source;
    this.#base = baseUrl(source.script);
    this.#walk = walk;
    this.#locate = locate;
  }

  read(free: FreeName, site: Site): Capture | undefined {
    const { name, binding, isWritten, offset } = free;
    if (binding?.kind === "import" && binding.imported !== undefined) return { name, binding, isWritten, child: undefined };
    if (binding?.kind === "selfName")
      return this.#refuse(
        name,
        offset,
        "it is the own name of a function expression around it, which V8 does not show",
        "give that function a variable of its own and use it",
      );
    if (binding?.moduleSpecifier !== undefined)
      return { name, binding, isWritten: false, child: this.#namespace(binding.moduleSpecifier, name) };
    const viteChild = this.#viteVariable(name);
    if (viteChild !== undefined) return { name, binding, isWritten: false, child: viteChild };

    const found = this.#find(name, binding !== undefined);
    if (found === undefined) {
      if (free.hasTypeof || (binding === undefined && isGlobalName(name))) return undefined;
      const reason = binding === undefined ? "no variable of that name was found" : "its variable is not visible";
      return this.#refuse(name, offset, reason, "declare it, or pass it as an argument");
    }
    if (!found.isInitialized)
      return this.#refuse(name, offset, "it is not initialised yet", "submit the function after its declaration ran");
    // The text carries its own name with it.
    if (name === site.declaredName && found.value === this.#fn && !isWritten) return undefined;
    return this.#ofModule(free, found) ?? this.#copied(free, found);
  }

  /** A variable of a module that the receiver imports too: it uses that one. What the function writes is its own copy. */
  #ofModule({ name, binding, isWritten }: FreeName, { value, level }: FoundVariable): Capture | undefined {
    if (binding?.kind !== "single" || isWritten || level === undefined || typeof value === "function") return undefined;
    const reference = variableReference(name, value, level, this.#inside, this.#source);
    if (reference === undefined) return undefined;
    const { module, part } = reference;
    if (part.part === "export") {
      const imported = { specifier: module.specifier, name: part.name, attributes: {} };
      return { name, binding: { name, kind: "import", imported }, isWritten, child: undefined };
    }
    const node: GraphNode = ["imported", this.#walk.module(module), part, undefined];
    return { name, binding, isWritten, value, child: this.#walk.addFor(value as object, node, this.#id, name) };
  }

  #copied({ name, binding, isWritten }: FreeName, found: FoundVariable): Capture {
    const child = this.#walk.child(found.value, this.#id, name);
    return { name, binding, isWritten, value: found.value, child, ...(found.realm === undefined ? {} : { realm: found.realm }) };
  }

  #find(name: string, isDeclared: boolean): FoundVariable | undefined {
    const realm = this.#inside.scopes.find(({ type }) => type === "Global")?.variables;
    for (const level of this.#inside.scopes) {
      const { type, variables } = level;
      if (type === "Global") {
        registerRealm(variables);
        return isGlobalName(name) && !isDeclared ? undefined : this.#findGlobal(name, variables);
      }
      const isHere = type.startsWith("With") ? name in variables : Object.hasOwn(variables, name);
      if (!isHere) continue;
      const shared = type === "Script" && realm !== undefined ? { realm } : {};
      try {
        return { value: (variables as Record<string, unknown>)[name], isInitialized: true, level, ...shared };
      } catch {
        // V8 shows a variable whose declaration has not run as a getter that throws.
        return { value: undefined, isInitialized: false };
      }
    }
    return undefined;
  }

  #findGlobal(name: string, realm: object): FoundVariable | undefined {
    const descriptor = Object.getOwnPropertyDescriptor(realm, name);
    if (descriptor === undefined) return undefined;
    if ("value" in descriptor) return { value: descriptor.value as unknown, isInitialized: true, realm };
    // The REPL offers the modules of Node as globals that load when they are touched.
    const value: unknown = (process.getBuiltinModule as (id: string) => unknown)(name) ?? descriptor.get?.call(realm);
    return { value, isInitialized: true };
  }

  /** What Vite puts in place of `import()` and `import.meta`. */
  #viteVariable(name: string): Child {
    if (name === "__vite_ssr_dynamic_import__")
      return this.#walk.add("vite importer", ["importer", this.#base, currentDirectory()], this.#id, name);
    if (name !== "__vite_ssr_import_meta__" || !this.#base.startsWith("file:")) return undefined;
    const filename = fileURLToPath(this.#base);
    return this.#walk.child({ url: this.#base, filename, dirname: path.dirname(filename), env: process.env }, this.#id, "import.meta");
  }

  #namespace(specifier: string, name: string): Child {
    const module: ImportedModule = { how: "import", specifier: specifierWithoutVite(specifier, currentDirectory()), parent: this.#base };
    const index = this.#walk.module(module);
    return this.#walk.add(`namespace ${index}`, ["imported", index, { part: "namespace" }, undefined], this.#id, name);
  }

  #refuse(name: string, offset: number, reason: string, wayOut: string): undefined {
    this.#walk.refuse(this.#id, { reason, wayOut, location: this.#locate(offset) }, name);
  }
}

function definitionCapture(
  edit: Edit,
  fn: Function,
  text: string,
  id: number,
  base: string,
  walk: CaptureContext,
  locate: (offset: number) => string,
): { readonly edit: Edit; readonly child: Child }[] {
  if (!("value" in edit.replacement)) return [];
  const found = definitionValue(edit.replacement.value, fn, id, base, walk);
  if (found !== undefined) return [{ edit, child: found.child }];
  walk.refuse(id, {
    reason: `the key [${text.slice(edit.start, edit.end)}] of a member is computed and cannot be read back`,
    wayOut: "use a constant key, or export the class from a module",
    location: locate(edit.start),
  });
  return [];
}

function definitionValue(
  wanted: DefinitionValue,
  fn: Function,
  id: number,
  base: string,
  walk: CaptureContext,
): { readonly child: Child } | undefined {
  switch (wanted.kind) {
    case "heritage": {
      const { prototype } = fn as { prototype: object };
      const heritage: unknown = Object.getPrototypeOf(prototype) === null ? null : Object.getPrototypeOf(fn);
      return { child: walk.child(heritage, id, "extends") };
    }
    case "staticPrivate":
      return { child: walk.child(privateFields(fn).get(wanted.name), id, wanted.name) };
    case "importer":
      return { child: walk.add(`importer ${base}`, ["importer", base, undefined], id, "import()") };
    case "key": {
      const owner = wanted.isStatic ? fn : (fn as { prototype: object }).prototype;
      const key = Reflect.ownKeys(owner).find(
        (candidate) => wanted.memberText !== "" && memberTexts(owner, candidate).includes(wanted.memberText),
      );
      return key === undefined ? undefined : { child: walk.child(key, id, "computed key") };
    }
  }
}

function memberTexts(owner: object, key: string | symbol): string[] {
  const { value, get, set } = propertyParts(owner, key);
  return [value, get, set].flatMap((member) => (typeof member === "function" ? [Function.prototype.toString.call(member)] : []));
}

function pickOf(site: Site): FunctionNode["pick"] {
  return site.kind === "getter" ? "get" : site.kind === "setter" ? "set" : site.kind === "method" ? "method" : "value";
}

function ownName(fn: Function): string | undefined {
  const descriptor = Object.getOwnPropertyDescriptor(fn, "name");
  return typeof descriptor?.value === "string" && descriptor.writable === false ? descriptor.value : undefined;
}

const FUNCTION_KEYS: ReadonlySet<string | symbol> = new Set(["length", "prototype", "arguments", "caller"]);

/** What was put on a function or its prototype and is not in its text. */
function functionProperties(fn: Function, site: Site, id: number, walk: CaptureContext): Properties | undefined {
  const text = Function.prototype.toString.call(fn);
  const isInText = (_key: string | symbol, descriptor: PropertyParts): boolean =>
    // A method is not enumerable, a static field is: its value is not taken from the text.
    site.kind === "class" &&
    descriptor.enumerable === false &&
    [descriptor.value, descriptor.get, descriptor.set].some(
      (member) => typeof member === "function" && text.includes(Function.prototype.toString.call(member)),
    );
  const usual = site.kind === "class" ? (Object.getPrototypeOf(fn) as object | null) : usualPrototype(fn);
  const own = walk.properties(
    fn,
    id,
    usual,
    (key, descriptor) => FUNCTION_KEYS.has(key) || (key === "name" && ownName(fn) !== undefined) || isInText(key, descriptor),
  );
  const prototype = Object.getOwnPropertyDescriptor(fn, "prototype")?.value as unknown;
  if (typeof prototype !== "object" || prototype === null) return isEmpty(own) ? undefined : own;
  if (Object.getOwnPropertyDescriptor(prototype, "constructor")?.value !== fn) {
    // Replaced as a whole, or the bare prototype that a generator function has.
    if (/Generator/.test(String((fn as unknown as Record<symbol, unknown>)[Symbol.toStringTag])) && Reflect.ownKeys(prototype).length === 0)
      return isEmpty(own) ? undefined : own;
    const replaced = {
      key: "prototype",
      enumerable: false,
      configurable: false,
      writable: true,
      value: walk.child(prototype, id, "prototype"),
    };
    return { ...own, odd: [...(own.odd ?? []), replaced] };
  }
  const usualParent = site.kind === "class" ? (Object.getPrototypeOf(prototype) as object | null) : Object.prototype;
  const added = Reflect.ownKeys(prototype).some((key) => key !== "constructor" && !isInText(key, propertyParts(prototype, key)));
  if (added || (site.kind !== "class" && Object.getPrototypeOf(prototype) !== usualParent)) {
    const [prototypeId] = walk.child(prototype, id, "prototype") as NodeReference;
    const properties = walk.properties(
      prototype,
      prototypeId,
      usualParent,
      (key, descriptor) => key === "constructor" || isInText(key, descriptor),
    );
    walk.add(`prototype ${prototypeId}`, ["prototypeFill", prototypeId, properties], id, "prototype");
  }
  return isEmpty(own) ? undefined : own;
}

function usualPrototype(fn: Function): object | null {
  const proto = Object.getPrototypeOf(fn) as object | null;
  if (proto === null) return Function.prototype;
  const owner = Object.getOwnPropertyDescriptor(proto, "constructor")?.value as unknown;
  const isIntrinsic = typeof owner === "function" && /^(?:Async)?(?:Generator)?Function$/.test(owner.name) && owner.prototype === proto;
  return isIntrinsic ? proto : Function.prototype;
}

function isEmpty(properties: Properties): boolean {
  return Object.keys(properties).length === 0;
}
