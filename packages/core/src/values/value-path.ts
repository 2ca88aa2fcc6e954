/** Where inside a value something is: `$.user.repo[3]`. Run only when an error needs it. */
import { types } from "node:util";

const MAX_VISITED = 1_000_000;

export function pathTo(root: unknown, culprit: unknown): string {
  if (Object.is(root, culprit)) return "$";
  const visited = new Set<object>();
  const stack: { readonly value: unknown; readonly path: string }[] = [{ value: root, path: "$" }];
  for (let next = stack.pop(); next !== undefined && visited.size < MAX_VISITED; next = stack.pop()) {
    const { value, path } = next;
    if (typeof value !== "object" || value === null || visited.has(value)) continue;
    visited.add(value);
    for (const [step, inner] of insidesOf(value)) {
      const innerPath = shorten(path + step);
      if (Object.is(inner, culprit)) return innerPath;
      stack.push({ value: inner, path: innerPath });
    }
  }
  return "$ (somewhere inside)";
}

const MAX_PATH_CHARS = 400;

function shorten(path: string): string {
  return path.length <= MAX_PATH_CHARS ? path : `${path.slice(0, 100)}...${path.slice(-(MAX_PATH_CHARS - 110))}`;
}

function* insidesOf(value: object): Iterable<readonly [step: string, inner: unknown]> {
  if (types.isProxy(value) || ArrayBuffer.isView(value)) return;
  if (types.isMap(value)) {
    for (const [key, item] of value) {
      yield [`.get(${typeof key === "string" ? JSON.stringify(key) : String(typeof key)})`, item];
      yield [".keys()", key];
    }
  } else if (types.isSet(value)) {
    for (const item of value) yield [".values()", item];
  }
  if (value instanceof Error && "cause" in value) yield [".cause", value.cause];
  for (const key of Object.keys(value)) {
    let inner: unknown;
    try {
      inner = (value as Record<string, unknown>)[key];
    } catch {
      // A getter that throws is the culprit's neighbour at most: there is nothing to look into.
      continue;
    }
    yield [Array.isArray(value) ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`, inner];
  }
}
