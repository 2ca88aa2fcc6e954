/**
 * Makes a function again from its graph, once all is there that must be waited for: everything is created in one go, in the order
 * that the sender foresaw, and at last filled.
 */
import { RaiaError } from "../base/errors.ts";
import { errorClassOf, noteErrorClass } from "./error-class-table.ts";
import { resolveKnownPath } from "./function-globals.ts";
import {
  type Child,
  creationChildren,
  fillChildren,
  type FunctionNode,
  type Graph,
  type GraphNode,
  type ImportedModule,
  isReference,
  type OddProperty,
  type Properties,
} from "./function-graph.ts";
import type { ValueHooks } from "./function-hooks.ts";
import { lookInside } from "./function-inspector.ts";
import { rememberOrigin } from "./function-origin.ts";
import { codeHash, exportedFunctions, readVariable, topScope } from "./function-reference.ts";
import { type Importer, requireOf, type UnitCreator, type UnitFunction } from "./module-loader.ts";
import { rememberVariable } from "./module-namespace.ts";
import { specifierWithoutVite } from "./module-vite.ts";

/** What had to be waited for. */
export interface GraphParts {
  readonly modules: readonly unknown[];
  readonly buffers: readonly Uint8Array[];
  readonly units: readonly UnitFunction[];
  readonly importerAt: ReadonlyMap<string, Importer>;
}

/** One function and all that came with it, made anew. */
export class GraphBuilder {
  readonly #bytes: Uint8Array;
  readonly #graph: Graph;
  readonly #parts: GraphParts;
  readonly #hooks: ValueHooks;
  readonly #values: unknown[];
  readonly #isMade: boolean[];
  readonly #isFilled = new Set<number>();
  readonly #known = new Set<number>();
  readonly #creators: (readonly UnitCreator[] | undefined)[];
  readonly #afterwards: (() => void)[] = [];

  constructor(bytes: Uint8Array, graph: Graph, parts: GraphParts, hooks: ValueHooks) {
    this.#bytes = bytes;
    this.#graph = graph;
    this.#parts = parts;
    this.#hooks = hooks;
    this.#values = graph.nodes.map(() => undefined);
    this.#isMade = graph.nodes.map(() => false);
    this.#creators = graph.units.map(() => undefined);
  }

  run(): Function {
    const { nodes, root } = this.#graph;
    this.#make(root);
    for (let id = 0; id < nodes.length; id++) this.#make(id);
    for (const after of this.#afterwards) after();
    for (let id = 0; id < nodes.length; id++) this.#fill(id);
    for (let id = 0; id < nodes.length; id++) this.#close(id);
    const fn = this.#values[root];
    if (typeof fn !== "function")
      throw new RaiaError("FUNCTION_LOAD_FAILED", { function: this.#graph.name, reason: "what was found is not a function" });
    rememberOrigin(fn, this.#bytes, root);
    return fn;
  }

  #value(child: Child): unknown {
    return isReference(child) ? this.#make(child[0]) : child;
  }

  #has(id: number): boolean {
    return this.#isMade[id] === true;
  }

  #make(id: number): unknown {
    if (this.#has(id)) return this.#values[id];
    const node = this.#graph.nodes[id] as GraphNode;
    // First what it depends on: a unit that starts here may make this very node on the way.
    if (node[0] === "function") this.#start(node[1].unit);
    else for (const child of creationChildren(node)) this.#value(child);
    if (this.#has(id)) return this.#values[id];
    const value = this.#knownClass(node, id) ?? this.#create(node);
    this.#values[id] = value;
    this.#isMade[id] = true;
    return value;
  }

  /** An error class that came before, with another function: there must be one, or `instanceof` would tell them apart. */
  #knownClass(node: GraphNode, id: number): Function | undefined {
    const key = node[0] === "function" ? node[1].errorClass : undefined;
    const known = key === undefined ? undefined : errorClassOf(key);
    if (known !== undefined) this.#known.add(id);
    return known;
  }

  /** It is as it was made with the function that brought it; its prototype, too. */
  #isKnown(id: number): boolean {
    const node = this.#graph.nodes[id] as GraphNode;
    if (node[0] === "prototypeFill") return this.#isKnown(node[1]);
    return this.#known.has(node[0] === "prototype" ? node[1][0] : id);
  }

  #create(node: GraphNode): unknown {
    switch (node[0]) {
      case "data":
        return node[1];
      case "object":
        return Object.create(this.#proto(node[1], Object.prototype)) as unknown;
      case "array":
        return this.#withProto(new Array(node[1]), node[2]);
      case "map":
        return this.#withProto(new Map(), node[2]);
      case "set":
        return this.#withProto(new Set(), node[2]);
      case "weakMap":
        return this.#withProto(new WeakMap(), node[2]);
      case "weakSet":
        return this.#withProto(new WeakSet(), node[2]);
      case "error":
        return this.#withProto(new Error(), node[1]);
      case "boxed":
        return this.#withProto(node[1] as object, node[2]);
      case "buffer":
        return exactBuffer(this.#parts.buffers[node[1]] as Uint8Array);
      case "view":
        return this.#view(node);
      case "symbol":
        return makeSymbol(node[1], node[2]);
      case "construct":
        return construct(
          node[1],
          node[2].map((child) => this.#value(child)),
        );
      case "known":
        return this.#builtIn(node);
      case "imported":
        return this.#imported(node);
      case "function":
        return this.#function(node[1]);
      case "bound": {
        const target = this.#value(node[1]) as Function;
        return named(target.bind(this.#value(node[2]), ...node[3].map((child) => this.#value(child))) as Function, node[4]);
      }
      case "prototype":
        return (this.#value(node[1]) as Function).prototype as unknown;
      case "prototypeFill":
        return undefined;
      case "replaced": {
        const payload = this.#value(node[2]);
        this.#complete(node[2]);
        return this.#hooks.revive(node[1], payload);
      }
      case "importer":
        return this.#importer(node[1], node[2]);
      case "require":
        return requireOf(node[1]);
    }
  }

  #start(unit: number): void {
    if (this.#creators[unit] !== undefined) return;
    const { cells, lateCells } = this.#graph.units[unit] as Graph["units"][number];
    const late = new Map(lateCells);
    (this.#parts.units[unit] as UnitFunction)((what, set) => {
      if (typeof what === "number") return this.#value(cells[what]);
      if (typeof what === "string") this.#afterwards.push(() => set?.(this.#value(late.get(what))));
      else this.#creators[unit] = what;
      return undefined;
    });
  }

  #function({ unit, creator, params, late, pick, name, errorClass }: FunctionNode): Function {
    const create = (this.#creators[unit] as readonly UnitCreator[])[creator] as UnitCreator;
    const given = params.map((child) => this.#value(child));
    if (late.length > 0) {
      const values = new Map(late);
      given.push((captured: string, set: (value: unknown) => void) => this.#afterwards.push(() => set(this.#value(values.get(captured)))));
    }
    const made = create(...given);
    const fn = named(pick === "value" ? (made as Function) : memberOf(made as object, pick), name);
    if (errorClass !== undefined) noteErrorClass(fn, errorClass);
    return fn;
  }

  #builtIn([, module, keys]: Extract<GraphNode, readonly ["known", ...unknown[]]>): unknown {
    const value = resolveKnownPath({ module, keys });
    if (value === undefined && keys[0] !== "undefined") {
      throw new RaiaError("FUNCTION_LOAD_FAILED", {
        function: this.#graph.name,
        reason: `this Node has no ${[module, ...keys].filter(Boolean).join(".")}`,
        node: process.version,
      });
    }
    return value;
  }

  #imported([, index, part, hash]: Extract<GraphNode, readonly ["imported", ...unknown[]]>): unknown {
    const exports = this.#parts.modules[index];
    const module = this.#graph.modules[index]?.specifier ?? "";
    const name = part.part === "namespace" ? "module.exports" : part.name;
    const value =
      part.part === "namespace"
        ? exports
        : part.part === "export"
          ? (exports as Record<string, unknown>)[part.name]
          : variableOf(exports, part.name);
    if (part.part === "local" && typeof value === "object" && value !== null) {
      rememberVariable(value, this.#graph.modules[index] as ImportedModule, part);
    }
    if (hash === undefined) return value;
    if (typeof value !== "function")
      throw new RaiaError("FUNCTION_LOAD_FAILED", {
        function: this.#graph.name,
        module,
        name,
        reason: "the module has no such function here",
      });
    if (codeHash(value) !== hash) {
      throw new RaiaError("FUNCTION_LOAD_FAILED", {
        function: this.#graph.name,
        module,
        name,
        reason: "the module has other code under that name here",
      });
    }
    return value;
  }

  #view([, kind, [bufferNode], byteOffset, length]: Extract<GraphNode, readonly ["view", ...unknown[]]>): unknown {
    const [, index] = this.#graph.nodes[bufferNode] as readonly ["buffer", number];
    const bytes = this.#parts.buffers[index] as Uint8Array<ArrayBuffer>;
    const buffer = bytes.byteLength === bytes.buffer.byteLength ? (this.#value([bufferNode]) as ArrayBuffer) : bytes.buffer;
    const offset = (buffer === bytes.buffer ? bytes.byteOffset : 0) + byteOffset;
    if (kind === "Buffer") return Buffer.from(buffer, offset, length);
    const View = (globalThis as unknown as Record<string, new (buffer: ArrayBuffer, offset: number, length: number) => unknown>)[kind];
    if (View === undefined) throw new RaiaError("FUNCTION_LOAD_FAILED", { function: this.#graph.name, reason: `this Node has no ${kind}` });
    return new View(buffer, offset, length);
  }

  #importer(base: string, viteRoot: string | undefined): Importer {
    const load = this.#parts.importerAt.get(base) as Importer;
    return viteRoot === undefined ? load : (specifier, options) => load(specifierWithoutVite(specifier, viteRoot), options);
  }

  #proto({ proto }: Properties, usual: object): object | null {
    return proto === undefined ? usual : (this.#value(proto) as object | null);
  }

  #withProto<T extends object>(value: T, properties: Properties): T {
    if (properties.proto !== undefined) Object.setPrototypeOf(value, this.#value(properties.proto) as object | null);
    return value;
  }

  /** Fills a payload and the plain things it holds before the hooks see it. */
  #complete(child: Child): void {
    if (!isReference(child)) return;
    const [id] = child;
    const value = this.#make(id);
    const node = this.#graph.nodes[id] as GraphNode;
    if (node[0] === "function") rememberOrigin(value as Function, this.#bytes, id);
    if (node[0] === "function" || this.#isFilled.has(id)) return;
    // Made first, then filled: filling marks it, which ends a cycle.
    this.#fill(id);
    for (const each of fillChildren(node)) this.#complete(each);
  }

  #fill(id: number): void {
    if (this.#isFilled.has(id) || this.#isKnown(id)) return;
    this.#isFilled.add(id);
    const node = this.#graph.nodes[id] as GraphNode;
    const value = this.#values[id];
    switch (node[0]) {
      case "map":
      case "weakMap":
        for (let at = 0; at < node[1].length; at += 2)
          (value as Map<unknown, unknown>).set(this.#value(node[1][at]), this.#value(node[1][at + 1]));
        this.#define(value as object, node[2]);
        break;
      case "set":
      case "weakSet":
        for (const member of node[1]) (value as Set<unknown>).add(this.#value(member));
        this.#define(value as object, node[2]);
        break;
      case "object":
      case "error":
        this.#define(value as object, node[1]);
        break;
      case "array":
      case "boxed":
        this.#define(value as object, node[2]);
        break;
      case "function":
        if (node[1].properties !== undefined) this.#define(this.#withProto(value as object, node[1].properties), node[1].properties);
        break;
      case "prototypeFill":
        this.#define(this.#withProto(this.#value([node[1]]) as object, node[2]), node[2]);
        break;
      default:
        break;
    }
  }

  #define(owner: object, { keys, values = [], odd = [] }: Properties): void {
    for (const [index, child] of values.entries()) {
      // An array that was dense sends no keys.
      const key = keys?.[index] ?? index;
      Object.defineProperty(owner, key, { value: this.#value(child), writable: true, enumerable: true, configurable: true });
    }
    for (const property of odd) Object.defineProperty(owner, this.#value(property.key) as PropertyKey, this.#descriptor(property));
  }

  #descriptor({ enumerable, configurable, writable, value, get, set }: OddProperty): PropertyDescriptor {
    if (writable !== undefined) return { enumerable, configurable, writable, value: this.#value(value) };
    return { enumerable, configurable, get: this.#value(get) as () => unknown, set: this.#value(set) as (value: unknown) => void };
  }

  #close(id: number): void {
    if (this.#isKnown(id)) return;
    const node = this.#graph.nodes[id] as GraphNode;
    const properties =
      node[0] === "function"
        ? node[1].properties
        : (node.find((part) => typeof part === "object" && part !== null && "integrity" in part) as Properties | undefined);
    const value = (node[0] === "prototypeFill" ? this.#values[node[1]] : this.#values[id]) as object;
    if (properties?.integrity === "frozen") Object.freeze(value);
    else if (properties?.integrity === "sealed") Object.seal(value);
    else if (properties?.integrity === "fixed") Object.preventExtensions(value);
  }
}

/** A variable at the top of a module, read through any function that it exports. */
function variableOf(exports: unknown, name: string): unknown {
  for (const door of exportedFunctions(exports)) {
    const top = topScope(lookInside(door).scopes);
    if (top !== undefined && Object.hasOwn(top.variables, name)) return readVariable(top, name);
  }
  return undefined;
}

function exactBuffer(bytes: Uint8Array): ArrayBufferLike {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
}

function makeSymbol(how: "known" | "registered" | "unique", text: string): symbol {
  if (how === "registered") return Symbol.for(text);
  return how === "known" ? ((Symbol as unknown as Record<string, symbol>)[text] as symbol) : Symbol(text);
}

function construct(name: string, args: readonly unknown[]): unknown {
  const Class = resolveKnownPath({ module: undefined, keys: name.split(".") }) as new (...args: readonly unknown[]) => unknown;
  return new Class(...args);
}

/** The method out of the object literal that it was wrapped in. */
function memberOf(wrapper: object, pick: "method" | "get" | "set"): Function {
  const [key] = Reflect.ownKeys(wrapper);
  const descriptor = Object.getOwnPropertyDescriptor(wrapper, key as PropertyKey) as PropertyDescriptor;
  return (pick === "method" ? descriptor.value : descriptor[pick]) as Function;
}

function named(fn: Function, name: string | undefined): Function {
  const current = Object.getOwnPropertyDescriptor(fn, "name");
  if (name !== undefined && current?.value !== name) Object.defineProperty(fn, "name", { value: name, configurable: true });
  return fn;
}
