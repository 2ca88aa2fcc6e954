/**
 * Walks everything that a function reaches and writes it into a table of nodes. Brands come before structure: whatever the hooks
 * recognise is replaced before anything looks at its inside, because a silent copy of an ObjectRef would be the worst outcome.
 *
 * Values that V8 encodes by itself without loss go in whole; an object with a function, a class instance or anything else that V8
 * would drop or flatten somewhere inside is taken apart, each of its parts a node.
 */
import { types } from "node:util";
import { captureFunction, type CaptureContext } from "./function-closure.ts";
import { builtinPath, knownPath } from "./function-globals.ts";
import type { BufferEntry, Child, GraphNode, ImportedModule, NodeReference, OddProperty, Properties } from "./function-graph.ts";
import { shownName } from "./function-origin.ts";
import type { FunctionProblem, Obstruction, ValueHooks } from "./function-hooks.ts";
import { weakEntries } from "./function-inspector.ts";
import { CapturedMemory, memoryObstruction } from "./function-memory.ts";
import { instanceObstruction } from "./function-obstacles.ts";
import { integrityOf, isUsualPrototype, type PropertyParts, propertyParts } from "./function-plain.ts";
import { WholeValues } from "./function-whole.ts";
import { importedVariable, moduleOfNamespace } from "./module-namespace.ts";
import { requiredModuleOf } from "./function-reference.ts";
import type { FunctionDraft } from "./function-unit.ts";

interface Origin {
  readonly parent: number | undefined;
  readonly label: string;
  /** The name under which the root captured what this belongs to: sizes are counted by it. */
  readonly capture: string | undefined;
}

export class ShipmentWalk implements CaptureContext {
  readonly nodes: (GraphNode | undefined)[] = [];
  readonly drafts: FunctionDraft[] = [];
  readonly modules: ImportedModule[] = [];
  buffers: readonly BufferEntry[] = [];
  readonly problems: FunctionProblem[] = [];
  /** Estimated bytes by the root's capture; what went to the store is not counted. */
  readonly bytesByCapture = new Map<string, number>();
  readonly #hooks: ValueHooks;
  readonly #ids = new Map<unknown, number>();
  readonly #values: unknown[] = [];
  readonly #origins: Origin[] = [];
  readonly #pending: number[] = [];
  #drained = 0;
  readonly #replacements = new Map<object, { readonly kind: string; readonly payload: unknown }>();
  readonly #whole = new WholeValues(
    (value) => this.#ids.has(value) || importedVariable(value) !== undefined || this.#replacement(value) !== undefined,
  );
  readonly #memory = new CapturedMemory();
  readonly #weak: { readonly node: number; readonly collection: WeakMap<object, unknown> | WeakSet<object> }[] = [];
  readonly #moduleIndex = new Map<string, number>();

  constructor(hooks: ValueHooks) {
    this.#hooks = hooks;
  }

  /** Walks all that `root` reaches. The result is one consistent moment: nothing else runs meanwhile. */
  walk(root: Function): number {
    const id = this.#allocate(root, { parent: undefined, label: shownName(root), capture: undefined });
    do this.#drain();
    while (this.#addWeakEntries());
    if (this.problems.length === 0) this.#placeMemory();
    return id;
  }

  child(value: unknown, parent: number, label: string): Child {
    switch (typeof value) {
      case "string":
        this.#count(parent, value.length, label);
        return value;
      case "object":
        return value === null ? null : this.#reference(value, parent, label);
      case "function":
      case "symbol":
        return this.#reference(value, parent, label);
      case "number":
      case "boolean":
      case "bigint":
      case "undefined":
        this.#count(parent, 8, label);
        return value;
    }
  }

  /** A node that stands for no value of its own, such as a built-in by its path. */
  add(key: string, node: GraphNode, parent: number, label: string): NodeReference {
    const known = this.#ids.get(key);
    if (known !== undefined) return [known];
    const id = this.#allocate(key, { parent, label, capture: undefined }, false);
    this.nodes[id] = node;
    return [id];
  }

  addFor(value: object, node: GraphNode, parent: number, label: string): Child {
    // A brand says more than where the value is kept.
    if (this.#ids.has(value) || this.#replacement(value) !== undefined) return this.#reference(value, parent, label);
    const id = this.#allocate(value, { parent, label, capture: undefined }, false);
    this.nodes[id] = node;
    return [id];
  }

  /** What the node stands for. */
  valueAt(id: number): unknown {
    return this.#values[id];
  }

  module(module: ImportedModule): number {
    const key = JSON.stringify(module);
    const known = this.#moduleIndex.get(key);
    if (known !== undefined) return known;
    this.modules.push(module);
    this.#moduleIndex.set(key, this.modules.length - 1);
    return this.modules.length - 1;
  }

  refuse(node: number, obstruction: Obstruction, label?: string): void {
    const labels = label === undefined ? this.path(node) : [...this.path(node), label];
    this.problems.push({ path: labels.join(" -> "), ...obstruction });
  }

  path(node: number): string[] {
    const labels: string[] = [];
    for (let at: number | undefined = node; at !== undefined; at = this.#origins[at]?.parent)
      labels.unshift(this.#origins[at]?.label ?? "");
    return labels;
  }

  /** Own properties of `owner`, but for those that `skip` names or accepts. */
  properties(
    owner: object,
    node: number,
    usual: object | null | undefined,
    skip: (key: string | symbol, descriptor: PropertyParts) => boolean = () => false,
  ): Properties {
    const keys: string[] = [];
    const values: Child[] = [];
    const odd: OddProperty[] = [];
    for (const key of Reflect.ownKeys(owner)) {
      const descriptor = propertyParts(owner, key);
      if (skip(key, descriptor)) continue;
      const label = String(key);
      if (
        typeof key === "string" &&
        "value" in descriptor &&
        descriptor.enumerable === true &&
        descriptor.writable === true &&
        descriptor.configurable === true
      ) {
        keys.push(key);
        values.push(this.child(descriptor.value, node, label));
        this.#count(node, key.length);
      } else odd.push(this.#oddProperty(key, descriptor, node, label));
    }
    const proto = Object.getPrototypeOf(owner) as object | null;
    return {
      ...(isUsualPrototype(proto, usual) ? {} : { proto: proto === null ? null : this.child(proto, node, "[[Prototype]]") }),
      ...(keys.length === 0 ? {} : { keys, values }),
      ...(odd.length === 0 ? {} : { odd }),
      ...integrityOf(owner),
    };
  }

  #oddProperty(key: string | symbol, descriptor: PropertyParts, node: number, label: string): OddProperty {
    const { enumerable = false, configurable = false } = descriptor;
    const base = { key: this.child(key, node, label), enumerable, configurable };
    if ("value" in descriptor) return { ...base, writable: descriptor.writable ?? false, value: this.child(descriptor.value, node, label) };
    return {
      ...base,
      ...(descriptor.get === undefined ? {} : { get: this.child(descriptor.get, node, `get ${label}`) }),
      ...(descriptor.set === undefined ? {} : { set: this.child(descriptor.set, node, `set ${label}`) }),
    };
  }

  #reference(value: unknown, parent: number, label: string): NodeReference {
    return [this.#ids.get(value) ?? this.#allocate(value, { parent, label, capture: this.#captureOf(parent, label) })];
  }

  #allocate(value: unknown, origin: Origin, isPending = true): number {
    const id = this.#values.length;
    this.#values.push(value);
    this.nodes.push(undefined);
    this.#origins.push(origin);
    this.#ids.set(value, id);
    if (isPending) this.#pending.push(id);
    return id;
  }

  /** What the root (node 0) captures directly has the name of its variable; everything below inherits it. */
  #captureOf(node: number, label: string | undefined): string | undefined {
    return this.#origins[node]?.capture ?? (node === 0 ? label : undefined);
  }

  #count(node: number, bytes: number, label?: string): void {
    const capture = this.#captureOf(node, label);
    if (capture !== undefined) this.bytesByCapture.set(capture, (this.bytesByCapture.get(capture) ?? 0) + bytes);
  }

  #drain(): void {
    while (this.#drained < this.#pending.length) {
      const id = this.#pending[this.#drained++] as number;
      const value = this.#values[id];
      const node = typeof value === "symbol" ? symbolNode(value) : this.#encode(value as object, id);
      // A function that travels as text becomes a node when the texts are put together, a view when its buffer's range is known.
      if (node !== undefined) this.nodes[id] = node;
    }
  }

  #encode(value: object, id: number): GraphNode | undefined {
    const replacement = this.#replacement(value);
    if (replacement !== undefined) return ["replaced", replacement.kind, this.child(replacement.payload, id, replacement.kind)];
    if (types.isProxy(value)) {
      this.refuse(id, {
        reason: "it is a Proxy, which hides what it does",
        wayOut: "send the object behind it, or make the Proxy inside the function",
      });
      return undefined;
    }
    if (typeof value === "function") return captureFunction(value, id, this);
    if (value === process.env) return ["known", undefined, ["process", "env"]];
    const kept = importedVariable(value);
    if (kept !== undefined) return ["imported", this.module(kept.module), kept.part, undefined];
    if (ArrayBuffer.isView(value)) return this.#view(value, id);
    if (this.#isWhole(value, id)) return ["data", value];
    return this.#builtin(value) ?? this.#prototypeOf(value, id) ?? this.#exotic(value, id) ?? this.#instance(value, id);
  }

  #replacement(value: object): { readonly kind: string; readonly payload: unknown } | undefined {
    const known = this.#replacements.get(value);
    if (known !== undefined) return known;
    const replacement = this.#hooks.replace(value);
    if (replacement !== undefined) this.#replacements.set(value, replacement);
    return replacement;
  }

  #builtin(value: object): GraphNode | undefined {
    const path = knownPath(value) ?? (types.isModuleNamespaceObject(value) ? undefined : builtinPath(value));
    if (path !== undefined) return ["known", path.module, path.keys];
    const required = requiredModuleOf(value);
    return required === undefined ? undefined : ["imported", this.module(required), { part: "namespace" }, undefined];
  }

  /** The prototype of a class comes with the class; what was put on it later is found there. */
  #prototypeOf(value: object, id: number): GraphNode | undefined {
    const owner = Object.getOwnPropertyDescriptor(value, "constructor")?.value as unknown;
    return typeof owner === "function" && owner.prototype === value ? ["prototype", this.#reference(owner, id, "constructor")] : undefined;
  }

  /** Objects that are more than their properties. */
  #exotic(value: object, id: number): GraphNode | undefined {
    if (types.isArrayBuffer(value)) {
      this.#memory.addWhole(value, id);
      return ["data", null];
    }
    if (types.isModuleNamespaceObject(value)) {
      const module = moduleOfNamespace(value);
      if (module !== undefined) return ["imported", this.module(module), { part: "namespace" }, undefined];
      this.refuse(id, {
        reason: "it is a module whose address is not known",
        wayOut: "import it inside the function, or with an import declaration",
      });
      return ["data", null];
    }
    if (types.isWeakMap(value) || types.isWeakSet(value)) {
      this.#weak.push({ node: id, collection: value });
      return types.isWeakMap(value)
        ? ["weakMap", [], this.properties(value, id, WeakMap.prototype)]
        : ["weakSet", [], this.properties(value, id, WeakSet.prototype)];
    }
    const path = knownPath(Object.getPrototypeOf(value) as object);
    if (path?.module === undefined && path !== undefined) return this.#constructed(value, path.keys[0] as string, id);
    return undefined;
  }

  /** Objects of Node and of `Intl` that can be made again from what they show. */
  #constructed(value: object, name: string, id: number): GraphNode | undefined {
    const construct = (...args: unknown[]): GraphNode => ["construct", name, args.map((arg) => this.child(arg, id, "argument"))];
    if (value instanceof URL || value instanceof URLSearchParams) return construct(String(value));
    if (value instanceof TextEncoder) return construct();
    if (value instanceof TextDecoder) return construct(value.encoding, { fatal: value.fatal, ignoreBOM: value.ignoreBOM });
    if (name !== "Intl" || !("resolvedOptions" in value)) return undefined;
    const { locale, ...options } = (value as Intl.NumberFormat).resolvedOptions();
    return ["construct", `Intl.${value.constructor.name}`, [locale, this.child(options, id, "options")]];
  }

  #view(view: ArrayBufferView, id: number): undefined {
    const obstruction = memoryObstruction(view);
    if (obstruction !== undefined) {
      this.refuse(id, obstruction);
      return;
    }
    const buffer = view.buffer as ArrayBuffer;
    const node =
      this.#ids.get(buffer) ?? this.#allocate(buffer, { parent: id, label: "buffer", capture: this.#origins[id]?.capture }, false);
    this.#memory.addView(view, buffer, { view: id, buffer: node });
  }

  #placeMemory(): void {
    const { buffers, nodes, inline } = this.#memory.place(this.#hooks);
    this.buffers = buffers;
    for (const [id, node] of nodes) this.nodes[id] = node;
    for (const [id, bytes] of inline) this.#count(id, bytes);
  }

  #instance(value: object, id: number): GraphNode | undefined {
    const obstruction = instanceObstruction(value);
    if (obstruction !== undefined) {
      this.refuse(id, obstruction);
      return undefined;
    }
    if (Array.isArray(value)) return this.#array(value, id);
    if (types.isMap(value)) {
      const entries = [...Map.prototype.entries.call(value)].flatMap(([key, item]: [unknown, unknown], index) => [
        this.child(key, id, `key ${index}`),
        this.child(item, id, typeof key === "string" ? key : `value ${index}`),
      ]);
      return ["map", entries, this.properties(value, id, Map.prototype)];
    }
    if (types.isSet(value)) {
      const members = [...Set.prototype.values.call(value)].map((member: unknown, index) => this.child(member, id, `member ${index}`));
      return ["set", members, this.properties(value, id, Set.prototype)];
    }
    if (types.isNativeError(value)) return ["error", this.#errorProperties(value, id)];
    if (types.isDate(value)) return ["boxed", new Date(value.getTime()), this.properties(value, id, Date.prototype)];
    if (types.isRegExp(value)) return ["boxed", new RegExp(value.source, value.flags), this.properties(value, id, RegExp.prototype)];
    if (types.isBoxedPrimitive(value)) {
      return [
        "boxed",
        Object((value as { valueOf(): unknown }).valueOf()),
        this.properties(value, id, undefined, (key) => key === "length" || /^\d+$/.test(String(key))),
      ];
    }
    return ["object", this.properties(value, id, Object.prototype)];
  }

  #array(value: readonly unknown[], id: number): GraphNode {
    const keys = Object.keys(value);
    const isDense = keys.length === value.length && Reflect.ownKeys(value).length === value.length + 1;
    if (!isDense) return ["array", value.length, this.properties(value, id, Array.prototype, (key) => key === "length")];
    const { keys: _indices, ...properties } = this.properties(value, id, Array.prototype, (key) => key === "length");
    return ["array", value.length, properties];
  }

  /** V8 makes the trace when it is read; here it is read now. */
  #errorProperties(error: Error, id: number): Properties {
    const { odd = [], ...properties } = this.properties(error, id, Error.prototype, (key) => key === "stack");
    const stack: OddProperty = {
      key: "stack",
      enumerable: false,
      configurable: true,
      writable: true,
      value: this.child(error.stack, id, "stack"),
    };
    return { ...properties, odd: [...odd, stack] };
  }

  #addWeakEntries(): boolean {
    let grew = false;
    for (const { node, collection } of this.#weak) {
      const current = this.nodes[node] as ["weakMap" | "weakSet", readonly Child[], Properties];
      // Only entries whose key travels anyway: nothing else could ever look them up.
      const entries = weakEntries(collection).filter(([key]) => this.#ids.has(key));
      const size = current[0] === "weakMap" ? entries.length * 2 : entries.length;
      if (size === current[1].length) continue;
      grew = true;
      const children = entries.flatMap(([key, value]) =>
        current[0] === "weakMap" ? [this.child(key, node, "key"), this.child(value, node, "value")] : [this.child(key, node, "member")],
      );
      this.nodes[node] = [current[0], children, current[2]];
    }
    return grew;
  }

  /** Whether V8 encodes `root` and all it reaches without loss. */
  #isWhole(root: object, id: number): boolean {
    const bytes = this.#whole.bytesOf(root);
    if (bytes !== undefined && bytes > 0) this.#count(id, bytes);
    return bytes !== undefined;
  }
}

function symbolNode(symbol: symbol): GraphNode {
  const key = Symbol.keyFor(symbol);
  if (key !== undefined) return ["symbol", "registered", key];
  const name = symbol.description ?? "";
  const known = /^Symbol\.(\w+)$/.exec(name)?.[1];
  if (known !== undefined && (Symbol as unknown as Record<string, unknown>)[known] === symbol) return ["symbol", "known", known];
  return ["symbol", "unique", name];
}
