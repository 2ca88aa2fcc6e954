/**
 * The form in which a function travels: a table of nodes that point at one another by number, so that shared and cyclic values
 * keep their identity, and the texts (units) in which the functions stand.
 *
 * Sender and receiver agree on one order of creation, in `creationChildren`: a node is created after those, everything else is
 * filled in afterwards.
 */
import { deserialize, serialize } from "node:v8";
import { RaiaError } from "../base/errors.ts";
import { crypto } from "../base/late-modules.ts";

/** A primitive stands for itself; anything with an identity is `[number of its node]`. */
export type Child = string | number | bigint | boolean | null | undefined | NodeReference;
export type NodeReference = readonly [id: number];

/** Own properties of an object, a function or a prototype. */
export interface Properties {
  /** Absent for the usual one of its kind. */
  readonly proto?: Child;
  readonly keys?: readonly string[];
  readonly values?: readonly Child[];
  /** Those that are not plain enumerable data under a string key. */
  readonly odd?: readonly OddProperty[];
  readonly integrity?: "fixed" | "sealed" | "frozen";
  /** Own keys that the rebuilt one has by default and the original has not. */
  readonly dropped?: readonly string[];
}

export interface OddProperty {
  readonly key: Child;
  readonly enumerable: boolean;
  readonly configurable: boolean;
  readonly writable?: boolean;
  readonly value?: Child;
  readonly get?: Child;
  readonly set?: Child;
}

export type GraphNode =
  /** A value that V8 encodes by itself; its inner identities are kept across all nodes of this kind. */
  | readonly ["data", value: unknown]
  | readonly ["object", properties: Properties]
  | readonly ["array", length: number, properties: Properties]
  | readonly ["map", entries: readonly Child[], properties: Properties]
  | readonly ["set", members: readonly Child[], properties: Properties]
  | readonly ["weakMap", entries: readonly Child[], properties: Properties]
  | readonly ["weakSet", members: readonly Child[], properties: Properties]
  | readonly ["error", properties: Properties]
  /** A date, regular expression or boxed primitive with properties or a prototype of its own. */
  | readonly ["boxed", value: unknown, properties: Properties]
  | readonly ["buffer", index: number]
  | readonly ["view", kind: string, buffer: NodeReference, byteOffset: number, length: number]
  | readonly ["symbol", how: "known" | "registered" | "unique", text: string]
  /** `new Name(...args)` of a global. */
  | readonly ["construct", name: string, args: readonly Child[]]
  /** A built-in object, by its path from a global or a module of Node. */
  | readonly ["known", module: string | undefined, keys: readonly string[]]
  | readonly ["imported", module: number, from: ImportedPart, codeHash: string | undefined]
  | readonly ["function", FunctionNode]
  | readonly ["bound", target: Child, boundThis: Child, args: readonly Child[], name: string]
  /** The `prototype` of a function of this graph. */
  | readonly ["prototype", owner: NodeReference]
  /** What was put on such a prototype and is not in the text of its class. */
  | readonly ["prototypeFill", prototype: number, properties: Properties]
  /** What the hooks gave instead of a value. */
  | readonly ["replaced", kind: string, payload: Child]
  /** `import()` and `require` as they are seen from one file; with the root of Vite where it transformed the specifiers. */
  | readonly ["importer", base: string, viteRoot: string | undefined]
  | readonly ["require", base: string];

export type ImportedPart =
  | { readonly part: "namespace" }
  | { readonly part: "export"; readonly name: string }
  /** A variable at the top of the module, read through one of its exported functions. */
  | { readonly part: "local"; readonly name: string };

export interface FunctionNode {
  readonly unit: number;
  /** Which of the unit's creators makes it, and what they are given. */
  readonly creator: number;
  readonly params: readonly Child[];
  /** Captures that can only be known after the function itself. */
  readonly late: readonly (readonly [name: string, value: Child])[];
  readonly pick: "value" | "method" | "get" | "set";
  readonly name: string | undefined;
  readonly properties: Properties | undefined;
  /** Of an error class: the name under which both sides know it. */
  readonly errorClass?: string;
}

/** One text with functions of one script, each at its own line and column. */
export interface Unit {
  /** A module when it uses `import`; else a script, which costs less and can be forgotten. */
  readonly form: "module" | "script";
  /** The address that traces and breakpoints see. */
  readonly address: string;
  /** What relative imports are relative to. */
  readonly base: string;
  readonly startLine: number;
  readonly text: string;
  /** Values of the variables that its functions share, in the order in which the text asks for them. */
  readonly cells: readonly Child[];
  /** Those of them that cannot be known while the unit starts. */
  readonly lateCells: readonly (readonly [name: string, value: Child])[];
}

export interface ImportedModule {
  readonly how: "import" | "require";
  readonly specifier: string;
  /** The URL of the file that asks, or "" when the specifier is absolute. */
  readonly parent: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Bytes that came along, or what the hook made of them. */
export type BufferEntry = { readonly bytes: Uint8Array } | { readonly stored: unknown; readonly byteLength: number };

export interface Graph {
  /** For people. */
  readonly name: string;
  readonly root: number;
  readonly nodes: readonly GraphNode[];
  readonly units: readonly Unit[];
  readonly modules: readonly ImportedModule[];
  readonly buffers: readonly BufferEntry[];
}

const MAGIC = 0x52;
const VERSION = 1;

/** Magic, version, the root's number (u32), then the table. */
const HEADER_BYTES = 6;

export function packGraph({ root, ...table }: Graph): Uint8Array {
  const body = serialize(table);
  const bytes = new Uint8Array(HEADER_BYTES + body.byteLength);
  bytes.set([MAGIC, VERSION]);
  new DataView(bytes.buffer).setUint32(2, root);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** The same shipment with another of its functions as the root. */
export function withRoot(bytes: Uint8Array, root: number): Uint8Array {
  // Not `slice`: of a Node Buffer that is a view of the same memory.
  const copy = new Uint8Array(bytes);
  new DataView(copy.buffer).setUint32(2, root);
  return copy;
}

/** @throws {RaiaError} FUNCTION_LOAD_FAILED when the bytes are not a function of this version */
export function unpackGraph(bytes: Uint8Array): Graph {
  if (bytes[0] !== MAGIC || bytes[1] !== VERSION) {
    throw new RaiaError("FUNCTION_LOAD_FAILED", {
      reason: "these bytes are not a function of this version",
      version: bytes[1] ?? null,
      expected: VERSION,
    });
  }
  try {
    const root = new DataView(bytes.buffer, bytes.byteOffset).getUint32(2);
    return { ...(deserialize(bytes.subarray(HEADER_BYTES)) as Omit<Graph, "root">), root };
  } catch (error) {
    throw new RaiaError(
      "FUNCTION_LOAD_FAILED",
      { reason: "the bytes of the function are damaged", bytes: bytes.byteLength },
      { cause: error },
    );
  }
}

/** Hex digits of a hash: 128 bits, so that two functions never meet. */
const HASH_DIGITS = 32;

export function contentHash(...parts: readonly (string | Uint8Array)[]): string {
  const hash = crypto().createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, HASH_DIGITS);
}

/** The nodes that must exist before this one can be created. */
export function creationChildren(node: GraphNode): readonly Child[] {
  switch (node[0]) {
    case "object":
    case "error":
      return [node[1].proto];
    case "array":
    case "map":
    case "set":
    case "weakMap":
    case "weakSet":
    case "boxed":
      return [node[2].proto];
    case "view":
      return [node[2]];
    case "construct":
      return node[2];
    case "function":
      return node[1].params;
    case "bound":
      return [node[1], node[2], ...node[3]];
    case "prototype":
      return [node[1]];
    case "data":
    case "buffer":
    case "symbol":
    case "known":
    case "imported":
    case "replaced":
    case "importer":
    case "require":
    case "prototypeFill":
      return [];
  }
}

/** What is put into a node after everything has been created. */
export function fillChildren(node: GraphNode): Child[] {
  switch (node[0]) {
    case "object":
    case "error":
      return propertyChildren(node[1]);
    case "array":
    case "boxed":
      return propertyChildren(node[2]);
    case "map":
    case "set":
    case "weakMap":
    case "weakSet":
      return [...node[1], ...propertyChildren(node[2])];
    case "function":
      return node[1].properties === undefined ? [] : propertyChildren(node[1].properties);
    case "prototypeFill":
      return propertyChildren(node[2]);
    default:
      return [];
  }
}

function propertyChildren({ values, odd }: Properties): Child[] {
  return [...(values ?? []), ...(odd ?? []).flatMap(({ key, value, get, set }) => [key, value, get, set])];
}

export function isReference(child: Child): child is NodeReference {
  return Array.isArray(child);
}
