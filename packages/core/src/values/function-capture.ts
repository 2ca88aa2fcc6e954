/**
 * The sending side: turns a function or class into bytes from which another process makes the same function, with what it captures.
 * By reference when a module can be imported that has it, else by value: its text and its captured variables, followed through
 * everything they reach.
 */
import { basename } from "node:path";
import { types } from "node:util";
import { withoutControlCharacters } from "../base/control-characters.ts";
import { RaiaError } from "../base/errors.ts";
import { isErrorClass, nameErrorClass } from "./error-class-table.ts";
import { contentHash, type Graph, type GraphNode, packGraph } from "./function-graph.ts";
import type { CaptureSize, FunctionProblem, ValueHooks } from "./function-hooks.ts";
import { originalShipment } from "./function-origin.ts";
import { scriptAddress } from "./function-inspector.ts";
import { markLateCaptures } from "./function-order.ts";
import { loadParsers } from "./function-syntax.ts";
import { buildUnit, type FunctionDraft, planUnits, type UnitPlan } from "./function-unit.ts";
import { ShipmentWalk } from "./function-walk.ts";

export type { CaptureSize, FunctionProblem, LargeCaptureWarning, ValueHooks } from "./function-hooks.ts";

export interface ShippedFunction {
  /** For people. */
  readonly name: string;
  /** By reference (`module`) or by value (`source`). */
  readonly form: "module" | "source";
  /** 32 hex digits; equal for the same code and the same captures. */
  readonly hash: string;
  /** All that `loadFunction` needs. */
  readonly bytes: Uint8Array;
  readonly isAsync: boolean;
  readonly isGenerator: boolean;
  readonly isClass: boolean;
  /** Of a class: own and inherited methods that are async or async generators. */
  readonly asyncMethodNames: readonly string[];
}

/** Captures past this are worth a warning: they are sent to every process that runs the function. */
const WARN_FROM_BYTES = 10 * 1024 * 1024;
/** Captures past this are an error. */
export const MAX_CAPTURED_BYTES = 95 * 1024 * 1024;

/**
 * Reads the function and its captures now, once. 0.2 to 0.6 ms for a small closure; the first one in a process costs some 50 ms more
 * (see {@link warmCapture}).
 *
 * @throws {RaiaError} FUNCTION_UNCAPTURABLE with the path to what cannot be sent, the reason and the way out
 */
export function shipFunction(fn: Function, hooks: ValueHooks): ShippedFunction {
  // What was shipped here goes on as it came: no inspector, no parser, and its captures are those that were read once.
  const origin = originalShipment(fn);
  if (origin !== undefined) return { ...describe(fn, origin), form: "source", hash: origin.hash, bytes: origin.bytes };
  const { graph, problems, captures, place } = captureGraph(fn, hooks);
  const [problem] = problems;
  if (problem !== undefined) throw uncapturable(graph.name, problem, problems.length - 1);
  const capturedBytes = captures.reduce((sum, { bytes }) => sum + bytes, 0);
  if (capturedBytes > MAX_CAPTURED_BYTES) {
    throw uncapturable(graph.name, {
      path: captures[0]?.path ?? graph.name,
      reason: `its captures are ${megabytes(capturedBytes)} MiB, more than ${megabytes(MAX_CAPTURED_BYTES)}`,
      wayOut: "put() the large ones and pass the refs as arguments",
    });
  }
  if (capturedBytes > WARN_FROM_BYTES) hooks.warn?.({ function: graph.name, bytes: capturedBytes, captures });
  return { ...describe(fn, { name: fn.name === "" && place !== undefined ? place : graph.name }), ...packed(graph) };
}

/** Loads the parsers and the hash, and starts the inspector now, for a program that is about to wait anyway. */
export function warmCapture(): void {
  loadParsers();
  scriptAddress("");
  contentHash("");
}

export interface CapturedGraph {
  readonly graph: Graph;
  readonly problems: readonly FunctionProblem[];
  /** Largest first. */
  readonly captures: readonly CaptureSize[];
  /** `file.ts:12`: where its text is, when it goes by value. */
  readonly place?: string | undefined;
}

/** The walk, the texts and the table; problems are collected, so that a check can list them all. */
export function captureGraph(fn: Function, hooks: ValueHooks): CapturedGraph {
  const walk = new ShipmentWalk(hooks);
  const root = walk.walk(fn);
  const name = walk.path(root)[0] ?? "";
  const plans = planUnits(walk.drafts, {
    refuse: (node, obstruction, label) => walk.refuse(node, obstruction, label),
    boxNode: (cells, parent) => {
      const properties = { proto: null, keys: cells.map((cell) => cell.name), values: cells.map(({ child }) => child) };
      return walk.add(`variables ${parent}`, ["object", properties], parent, "variables");
    },
    globalNode: (global, parent) => walk.add(`global ${global}`, ["known", undefined, [global]], parent, global),
  });
  const planOf = new Map<FunctionDraft, UnitPlan>(plans.flatMap((plan) => plan.drafts.map((draft) => [draft, plan] as const)));
  const draftOf = new Map(walk.drafts.map((draft) => [draft.id, draft]));
  markLateCaptures(root, {
    nodes: walk.nodes,
    draftOf,
    planOf,
    refuseCycle: (node) => walk.refuse(node, { reason: "it needs itself to be made", wayOut: "set one of the values of the cycle later" }),
  });
  const captures = [...walk.bytesByCapture]
    .map(([capture, bytes]) => ({ path: `${name} -> ${capture}`, bytes }))
    .sort((a, b) => b.bytes - a.bytes);
  if (walk.problems.length > 0)
    return { graph: { name, root, nodes: [], units: [], modules: [], buffers: [] }, problems: walk.problems, captures };

  const nodes = [...walk.nodes];
  const units = plans.map((plan, unit) => {
    const built = buildUnit(plan);
    for (const [draft, { creator, params, late }] of built.instances) {
      const value = walk.valueAt(draft.id);
      const place = `${draft.syntax.script.url}:${draft.site.start}#${draft.name ?? ""}`;
      nodes[draft.id] = [
        "function",
        {
          unit,
          creator,
          params,
          late,
          pick: draft.pick,
          name: draft.name,
          properties: draft.properties,
          ...(isErrorClass(value) && { errorClass: nameErrorClass(value, place) }),
        },
      ];
    }
    return built.unit;
  });
  return {
    graph: { name, root, nodes: nodes as GraphNode[], units, modules: walk.modules, buffers: walk.buffers },
    problems: [],
    captures,
    place: placeOf(draftOf.get(root)),
  };
}

function placeOf(draft: FunctionDraft | undefined): string | undefined {
  if (draft === undefined) return undefined;
  const { syntax, site } = draft;
  const file = basename(syntax.script.url.replace(/[?#].*$/, ""));
  return file === "" ? undefined : withoutControlCharacters(`${file}:${syntax.position(site.start).line + 1}`);
}

function packed(graph: Graph): Pick<ShippedFunction, "bytes" | "hash" | "form"> {
  const bytes = packGraph(graph);
  return { bytes, hash: contentHash(bytes), form: graph.nodes[graph.root]?.[0] === "imported" ? "module" : "source" };
}

function describe(fn: Function, graph: Pick<Graph, "name">): Omit<ShippedFunction, "bytes" | "hash" | "form"> {
  const isClass = isClassFunction(fn);
  return {
    name: graph.name,
    isAsync: types.isAsyncFunction(fn),
    isGenerator: types.isGeneratorFunction(fn),
    isClass,
    asyncMethodNames: isClass ? asyncMethods(fn) : [],
  };
}

export function isClassFunction(fn: Function): boolean {
  return /^class\b/.test(Function.prototype.toString.call(fn));
}

function asyncMethods(cls: Function): string[] {
  const names = new Set<string>();
  for (
    let proto = cls.prototype as object | null;
    proto !== null && proto !== Object.prototype;
    proto = Object.getPrototypeOf(proto) as object | null
  ) {
    for (const key of Object.getOwnPropertyNames(proto)) {
      const method = Object.getOwnPropertyDescriptor(proto, key)?.value as unknown;
      if (key !== "constructor" && typeof method === "function" && types.isAsyncFunction(method)) names.add(key);
    }
  }
  return [...names];
}

function uncapturable(name: string, { path, reason, wayOut, location }: FunctionProblem, more = 0): RaiaError {
  return new RaiaError("FUNCTION_UNCAPTURABLE", {
    function: name,
    path,
    reason,
    wayOut,
    location,
    ...(more > 0 ? { moreProblems: more } : {}),
  });
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
