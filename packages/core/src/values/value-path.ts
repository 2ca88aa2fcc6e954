/** The ways to what is inside a value, such as `.user.repo[3]`. */
import { types } from "node:util";

/** Longer paths lose their middle. */
const MAX_PATH_CHARS = 400;

/** The way from `root` to `culprit`, such as `.user.repo[3]`; undefined when it is not reached through what is plain to see. */
export function findPath(root: unknown, culprit: unknown): string | undefined {
  return walk(root, (value) => value === culprit);
}

export function findThrowingGetter(root: unknown): string | undefined {
  return walk(root, (value) => value === THROWS);
}

/** Stands for the value of a property whose getter threw. */
export const THROWS = Symbol("throws");

interface Step {
  readonly value: unknown;
  readonly parent: number;
  readonly label: string;
}

function walk(root: unknown, isFound: (value: unknown) => boolean): string | undefined {
  for (const { value, way } of everythingIn(root, isFound)) if (isFound(value)) return way();
  return undefined;
}

export interface Found {
  /** `THROWS` for a property whose getter threw. */
  readonly value: unknown;
  readonly way: () => string;
}

/**
 * What is reached through what is plain to see, the value itself first. Breadth first and without recursion: the shortest ways
 * come first, however deep the value. An object is given each time that it is met, and looked into once.
 *
 * @param isWanted which of those that are no objects are given: of primitives there may be millions
 * @param isOpen whether it is looked into an object
 */
export function* everythingIn(
  root: unknown,
  isWanted: (value: unknown) => boolean,
  isOpen: (value: object) => boolean = () => true,
): Generator<Found> {
  const steps: Step[] = [{ value: root, parent: -1, label: "" }];
  const seen = new Set<unknown>();
  for (let at = 0; at < steps.length; at++) {
    const { value } = steps[at] as Step;
    yield { value, way: () => pathOf(steps, at) };
    if (typeof value !== "object" || value === null || seen.has(value) || types.isProxy(value) || !isOpen(value)) continue;
    seen.add(value);
    for (const [label, child] of children(value)) {
      if ((typeof child === "object" && child !== null) || isWanted(child)) steps.push({ value: child, parent: at, label });
    }
  }
}

function* children(value: object): Generator<[label: string, child: unknown]> {
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return;
  if (types.isMap(value)) {
    let index = 0;
    for (const [key, held] of Map.prototype.entries.call(value) as Iterable<[unknown, unknown]>) {
      yield [`.keys()[${index++}]`, key];
      yield [`.get(${shownKey(key)})`, held];
    }
  } else if (types.isSet(value)) {
    let index = 0;
    for (const held of Set.prototype.values.call(value) as Iterable<unknown>) yield [`.values()[${index++}]`, held];
  }
  const isArray = Array.isArray(value);
  const keys = types.isNativeError(value) ? Object.getOwnPropertyNames(value) : Object.keys(value);
  for (const key of keys) yield [isArray && /^\d+$/.test(key) ? `[${key}]` : shownProperty(key), read(value, key)];
}

function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    // The caller looks for exactly this.
    return THROWS;
  }
}

function shownProperty(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function shownKey(key: unknown): string {
  switch (typeof key) {
    case "string":
      return JSON.stringify(key.slice(0, 60));
    case "number":
    case "bigint":
    case "boolean":
    case "symbol":
      return key.toString();
    default:
      return key === undefined ? "undefined" : typeName(key);
  }
}

function pathOf(steps: readonly Step[], at: number): string {
  const labels: string[] = [];
  for (let index = at; index > 0; index = (steps[index] as Step).parent) labels.push((steps[index] as Step).label);
  const text = labels.reverse().join("");
  if (text.length <= MAX_PATH_CHARS) return text;
  return `${text.slice(0, MAX_PATH_CHARS / 2)}...(${labels.length} steps)...${text.slice(-MAX_PATH_CHARS / 2)}`;
}

export function typeName(value: unknown): string {
  if (typeof value === "function") return value.name === "" ? "function" : `function ${value.name}`;
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  if (types.isProxy(value)) return "Proxy";
  const proto = Object.getPrototypeOf(value) as object | null;
  if (proto === null) return "object";
  const owner = Object.getOwnPropertyDescriptor(proto, "constructor")?.value as unknown;
  return typeof owner === "function" && owner.name !== "" ? owner.name : "object of no named class";
}
