/**
 * Classes whose instances may travel: their owner says how they become plain data and back. Sender and receiver register the
 * same class under the same id; what it is loaded from is not part of the value, so a value cannot make anybody load code.
 */
import { RaiaError } from "../base/errors.ts";

/** A class, which may have any constructor. */
export type AnyClass<T> = abstract new (...args: never[]) => T;

export interface ClassCodec<T extends object, Plain = unknown> {
  /** Unique in the cluster, such as `@shop/Money`. */
  readonly id: string;
  /** Raised when the encoding changes. Default 1. */
  readonly version?: number;
  /** Data that can be encoded; may hold other registered instances. */
  encode(value: T): Plain;
  /** @param version what the sender's codec said */
  decode(plain: Plain, version: number): T;
}

export interface RegisteredCodec {
  readonly id: string;
  readonly version: number;
  readonly prototype: object;
  encode(value: object): unknown;
  decode(plain: unknown, version: number): object;
}

/** Registrations are one a class in the program's text; more is a loop that registers. */
const MAX_CODECS = 10_000;
const byId = new Map<string, RegisteredCodec>();
const byPrototype = new Map<object, RegisteredCodec>();

/**
 * Lets instances of exactly this class travel in values. Registering the same class again replaces its codec.
 *
 * @throws {RaiaError} INVALID_ARGUMENT when the id belongs to another class
 */
export function registerCodec<T extends object, Plain>(type: AnyClass<T>, codec: ClassCodec<T, Plain>): void {
  const { id, version = 1 } = codec;
  const prototype: unknown = type.prototype;
  if (typeof type !== "function" || typeof prototype !== "object" || prototype === null) {
    throw new RaiaError("INVALID_ARGUMENT", { argument: "type", expected: "a class" });
  }
  if (typeof id !== "string" || id === "") throw new RaiaError("INVALID_ARGUMENT", { argument: "id", expected: "a name", class: type.name });
  if (!Number.isSafeInteger(version) || version < 0) throw new RaiaError("INVALID_ARGUMENT", { argument: "version", expected: "a count", id });
  const taken = byId.get(id);
  if (taken !== undefined && taken.prototype !== prototype) {
    throw new RaiaError("INVALID_ARGUMENT", { argument: "id", id, reason: "another class is registered under it", class: type.name });
  }
  if (taken === undefined && byId.size >= MAX_CODECS) {
    throw new RaiaError("LIMIT_EXCEEDED", { limit: "registered classes", maximum: MAX_CODECS });
  }
  const before = byPrototype.get(prototype);
  if (before !== undefined) byId.delete(before.id);
  const registered: RegisteredCodec = {
    id,
    version,
    prototype,
    encode: (value) => codec.encode(value as T),
    decode: (plain, sent) => codec.decode(plain as Plain, sent),
  };
  byId.set(id, registered);
  byPrototype.set(prototype, registered);
}

export function codecOf(prototype: object): RegisteredCodec | undefined {
  return byPrototype.get(prototype);
}

export function codecNamed(id: string): RegisteredCodec | undefined {
  return byId.get(id);
}
