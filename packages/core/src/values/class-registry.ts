/**
 * Classes whose instances can be sent: each has a codec that turns an instance into a plain value and back. A codec belongs to one
 * class, not to its subclasses, whose further fields it would lose silently. Sender and receiver both register, usually because
 * the module of the class does.
 */
import { RaiaError } from "../base/errors.ts";

export interface ValueCodec<T extends object, P = unknown> {
  /** The same on every side and in every version of the program, such as `"shop.Money"`. `raia.` is Raia's own. */
  readonly id: string;
  /** What `encode` writes now; `decode` is told what was written. An integer from 0. */
  readonly version: number;
  /** @returns a value that can be sent: plain data, refs, instances of other registered classes */
  encode(value: T): P;
  decode(payload: P, version: number): T;
}

export type RegisteredCodec = ValueCodec<object>;

type AnyClass<T> = abstract new (...args: never[]) => T;

/** Far more than a program has; a program that registers in a loop should learn of it. */
const MAX_CODECS = 10_000;
const MAX_ID_CHARS = 200;

const byPrototype = new WeakMap<object, RegisteredCodec>();
const byId = new Map<string, { readonly codec: RegisteredCodec; readonly className: string }>();

/**
 * Lets instances of exactly `valueClass` be sent. Registering the same id again for a class of the same name replaces it (a cell
 * of a notebook that ran twice).
 *
 * @throws {RaiaError} INVALID_ARGUMENT for a malformed codec or an id that belongs to another class
 */
export function registerCodec<T extends object, P>(valueClass: AnyClass<T>, codec: ValueCodec<T, P>): void {
  check(valueClass, codec);
  if (codec.id.startsWith("raia.")) throw invalid("ids that begin with raia. belong to Raia", codec.id);
  register(valueClass, codec);
}

export function codecOf(prototype: object): RegisteredCodec | undefined {
  return byPrototype.get(prototype);
}

/** @throws {RaiaError} CODEC_MISSING */
export function codecById(id: string): RegisteredCodec {
  const found = byId.get(id);
  if (found === undefined) throw new RaiaError("CODEC_MISSING", { codec: id.slice(0, MAX_ID_CHARS) });
  return found.codec;
}

function register<T extends object, P>(valueClass: AnyClass<T>, codec: ValueCodec<T, P>): void {
  const known = byId.get(codec.id);
  if (known !== undefined && known.className !== valueClass.name) {
    throw invalid(`the id is taken by the class ${known.className}`, codec.id);
  }
  if (known === undefined && byId.size >= MAX_CODECS)
    throw new RaiaError("LIMIT_EXCEEDED", { limit: "registered codecs", max: MAX_CODECS });
  // Only instances of the class itself reach its codec, and only payloads that it made.
  const registered = codec as unknown as RegisteredCodec;
  byPrototype.set(valueClass.prototype as object, registered);
  byId.set(codec.id, { codec: registered, className: valueClass.name });
}

function check(valueClass: unknown, codec: unknown): void {
  if (typeof valueClass !== "function" || typeof valueClass.prototype !== "object" || valueClass.prototype === null) {
    throw invalid("the first argument must be a class");
  }
  if (valueClass.prototype === Object.prototype) throw invalid("plain objects need no codec");
  const { id, version, encode, decode } = (codec ?? {}) as Partial<Record<keyof RegisteredCodec, unknown>>;
  if (typeof id !== "string" || id === "" || id.length > MAX_ID_CHARS)
    throw invalid(`id must be a string of 1 to ${MAX_ID_CHARS} characters`);
  if (!Number.isSafeInteger(version) || (version as number) < 0) throw invalid("version must be an integer from 0", id);
  if (typeof encode !== "function" || typeof decode !== "function") throw invalid("encode and decode must be functions", id);
}

function invalid(reason: string, codec?: string): RaiaError {
  return new RaiaError("INVALID_ARGUMENT", { call: "registerCodec", reason, codec });
}

// Classes of the platform that are nothing but their text.

register(URL, { id: "raia.URL", version: 1, encode: (url) => url.href, decode: (href: string) => new URL(href) });
register(URLSearchParams, {
  id: "raia.URLSearchParams",
  version: 1,
  encode: (params) => params.toString(),
  decode: (text: string) => new URLSearchParams(text),
});

interface TemporalValue {
  toString(): string;
}
interface TemporalClass {
  new (...args: never[]): TemporalValue;
  from(text: string): TemporalValue;
}

const temporal = (globalThis as { Temporal?: Readonly<Record<string, TemporalClass>> }).Temporal;
const TEMPORAL_NAMES = [
  "Instant",
  "PlainDate",
  "PlainDateTime",
  "PlainMonthDay",
  "PlainTime",
  "PlainYearMonth",
  "ZonedDateTime",
  "Duration",
];

for (const name of TEMPORAL_NAMES) {
  const temporalClass = temporal?.[name];
  if (temporalClass === undefined) continue;
  register(temporalClass, {
    id: `raia.Temporal.${name}`,
    version: 1,
    encode: (value) => value.toString(),
    decode: (text: string) => temporalClass.from(text),
  });
}
