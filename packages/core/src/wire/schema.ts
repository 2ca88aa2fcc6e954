/**
 * What a message may hold, declared once as a value: the type, the check at the border and the encoding follow from it.
 * Fields travel by position in a msgpack array; new fields are appended and optional, so that an older peer reads what
 * it knows and a newer one sees `undefined` for the rest.
 */
import { RaiaError } from "../base/errors.ts";

export interface Type<T> {
  readonly what: string;
  /**
   * Throws PROTOCOL when what came from a peer is not of this type.
   *
   * @param path of the value in its message; undefined: not asked for, since making paths would cost more than the check
   */
  check(wire: unknown, path: string | undefined): T;
  /** What msgpack writes for the value: structures become arrays by position. */
  toWire(value: T): unknown;
}

export type Infer<X> = X extends { check(wire: unknown, path: string | undefined): infer T } ? T : never;

export type Fields = { readonly [name: string]: Type<unknown> };
type Optional<F extends Fields> = { [K in keyof F]: undefined extends Infer<F[K]> ? K : never }[keyof F];
export type InferFields<F extends Fields> = { readonly [K in Exclude<keyof F, Optional<F>>]: Infer<F[K]> } & {
  readonly [K in Optional<F>]?: Infer<F[K]>;
};

function wrong(path: string | undefined, what: string, value: unknown): never {
  throw new RaiaError("PROTOCOL", { reason: "wrong type in message", field: path, expected: what, got: describe(value) });
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return value instanceof Uint8Array ? "bytes" : typeof value;
}

function simple<T>(what: string, accepts: (value: unknown) => boolean): Type<T> {
  return { what, check: (wire, path) => (accepts(wire) ? (wire as T) : wrong(path, what, wire)), toWire: (value) => value };
}

const MAX_STRING_CHARS = 1 << 24;

export const str: Type<string> = simple("string", (value) => typeof value === "string" && value.length <= MAX_STRING_CHARS);
export const bool: Type<boolean> = simple("boolean", (value) => typeof value === "boolean");
export const f64: Type<number> = simple("number", (value) => typeof value === "number");
export const u32: Type<number> = simple("u32", (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32);
/** A whole number that a double holds exactly. */
export const u53: Type<number> = simple("u53", (value) => Number.isSafeInteger(value) && (value as number) >= 0);
export const i32: Type<number> = simple("i32", (value) => Number.isInteger(value) && Math.abs(value as number) <= 2 ** 31);
export const bytes: Type<Uint8Array> = simple("bytes", (value) => value instanceof Uint8Array);

/** One of the given words. */
export function oneOf<const W extends string>(...words: readonly W[]): Type<W> {
  return simple(words.join("|"), (value) => words.includes(value as W));
}

export function opt<T>(type: Type<T>): Type<T | undefined> {
  return {
    what: `${type.what}?`,
    check: (wire, path) => (wire === undefined || wire === null ? undefined : type.check(wire, path)),
    toWire: (value) => (value === undefined ? null : type.toWire(value)),
  };
}

const MAX_LIST_ITEMS = 1_000_000;

export function list<T>(type: Type<T>): Type<readonly T[]> {
  const what = `list of ${type.what}`;
  return {
    what,
    check(wire, path) {
      if (!Array.isArray(wire) || wire.length > MAX_LIST_ITEMS) return wrong(path, what, wire);
      return wire.map((item, index) => type.check(item, path && `${path}[${index}]`));
    },
    toWire: (value) => value.map((item) => type.toWire(item)),
  };
}

/** A record from any string to one type. */
export function dict<T>(type: Type<T>): Type<Readonly<Record<string, T>>> {
  const what = `record of ${type.what}`;
  return {
    what,
    check(wire, path) {
      if (typeof wire !== "object" || wire === null || Array.isArray(wire)) return wrong(path, what, wire);
      // A null prototype: a peer may send the key "__proto__".
      const checked = Object.create(null) as Record<string, T>;
      for (const [key, item] of Object.entries(wire)) checked[key] = type.check(item, path && `${path}.${key}`);
      return checked;
    },
    toWire: (value) => Object.fromEntries(Object.entries(value).map(([key, item]) => [key, type.toWire(item)])),
  };
}

const MAX_PLAIN_DEPTH = 32;

/** Plain nested data, bounded in depth, for facts and listings. */
export const plain: Type<unknown> = {
  what: "plain data",
  check: (wire, path) => checkPlain(wire, path, 0),
  toWire: (value) => value,
};

function checkPlain(value: unknown, path: string | undefined, depth: number): unknown {
  if (depth > MAX_PLAIN_DEPTH) return wrong(path, "plain data of bounded depth", value);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  for (const [key, item] of Object.entries(value)) checkPlain(item, path && `${path}.${key}`, depth + 1);
  return value;
}

/** A structure, as a message or inside one. */
export function struct<const F extends Fields>(what: string, fields: F): Type<InferFields<F>> {
  const entries = Object.entries(fields);
  return {
    what,
    check(wire, path) {
      if (!Array.isArray(wire)) return wrong(path, what, wire);
      const checked: Record<string, unknown> = {};
      for (let index = 0; index < entries.length; index++) {
        const [name, type] = entries[index] as [string, Type<unknown>];
        const field = type.check(wire[index], path && `${path}.${name}`);
        if (field !== undefined) checked[name] = field;
      }
      return checked as InferFields<F>;
    },
    toWire: (value) => entries.map(([name, type]) => type.toWire((value as Record<string, unknown>)[name])),
  };
}
