/**
 * Why a value cannot be sent, and where in it. The encoder only says which thing it was; the way to it is found by a second walk
 * (`value-path.ts`), so that the usual case pays nothing for it.
 */
import { types } from "node:util";
import { RaiaError } from "../base/errors.ts";
import { codecOf } from "./class-registry.ts";
import { instanceObstruction } from "./function-obstacles.ts";
import { findPath, findThrowingGetter, typeName } from "./value-path.ts";

/** Thrown by the encoder; does not leave this folder. */
export class Obstacle extends Error {
  readonly culprit: unknown;
  readonly reason: string;
  readonly wayOut: string | undefined;
  /** From a value that a codec made to the culprit inside it. */
  readonly inner: string;

  constructor(culprit: unknown, reason: string, wayOut?: string, inner = "") {
    super(reason);
    this.culprit = culprit;
    this.reason = reason;
    this.wayOut = wayOut;
    this.inner = inner;
  }
}

/** Says what is wrong with an object that no form of the encoding covers. */
export function obstacleOf(value: object): Obstacle {
  if (types.isProxy(value)) return new Obstacle(value, "it is a Proxy", "send the object behind it, or a copy such as { ...proxy }");
  if (types.isWeakMap(value) || types.isWeakSet(value) || value instanceof WeakRef) {
    return new Obstacle(value, "it is a weak collection, whose entries cannot be listed", "send a Map, Set or array");
  }
  if (types.isSharedArrayBuffer(value))
    return new Obstacle(value, "it is memory shared between threads", "send a copy (slice()), or put() it and pass the ref");
  const proto = Object.getPrototypeOf(value) as object;
  for (let up = Object.getPrototypeOf(proto) as object | null; up !== null; up = Object.getPrototypeOf(up) as object | null) {
    const codec = codecOf(up);
    if (codec === undefined) continue;
    return new Obstacle(
      value,
      `its class extends one with the codec ${codec.id}, which would lose its own fields`,
      "register a codec for the subclass",
    );
  }
  if (ArrayBuffer.isView(value)) {
    const base = Object.prototype.toString.call(value).slice("[object ".length, -1);
    return new Obstacle(
      value,
      `it is an instance of ${typeName(value)}, and would arrive as a plain ${base}`,
      `register a codec for its class with registerCodec, or send a plain ${base}`,
    );
  }
  const native = nativeObstruction(value);
  if (native !== undefined) return new Obstacle(value, native.reason, native.wayOut);
  return new Obstacle(
    value,
    `it is an instance of ${typeName(value)}, and would arrive as a plain object`,
    "register a codec for its class with registerCodec, or send a plain object",
  );
}

function nativeObstruction(value: object): { readonly reason: string; readonly wayOut: string } | undefined {
  try {
    return instanceObstruction(value);
  } catch {
    // It looks into the object with the inspector, which may be forbidden; then less is said.
    return undefined;
  }
}

/** The error for the user. @param failure what the encoder threw: an obstacle, or what a getter or a codec threw */
export function unserializable(root: unknown, failure: unknown): RaiaError {
  if (failure instanceof Obstacle) {
    const { culprit, reason, wayOut, inner } = failure;
    const way = findPath(root, culprit);
    return new RaiaError("UNSERIALIZABLE", { path: `$${way ?? ""}${inner}`, type: typeName(culprit), reason, wayOut });
  }
  if (RaiaError.is(failure) && failure.code !== "LIMIT_EXCEEDED") return failure;
  if (RaiaError.is(failure) || isOutOfMemory(failure)) {
    return new RaiaError(
      "UNSERIALIZABLE",
      { path: "$", type: typeName(root), reason: "it is too large", wayOut: "send it in pieces, or keep numbers in typed arrays" },
      { cause: failure },
    );
  }
  if (isStackOverflow(failure)) {
    return new RaiaError(
      "UNSERIALIZABLE",
      { path: "$", type: typeName(root), reason: "the stack was full when it was to be encoded" },
      { cause: failure },
    );
  }
  const way = findThrowingGetter(root);
  const message = failure instanceof Error ? failure.message : String(failure);
  return new RaiaError(
    "UNSERIALIZABLE",
    { path: `$${way ?? ""}`, type: typeName(root), reason: `reading it threw: ${message}` },
    { cause: failure },
  );
}

function isOutOfMemory(failure: unknown): boolean {
  return (
    failure instanceof RangeError &&
    /allocation failed|Invalid (?:string|typed array|array buffer) length|ERR_STRING_TOO_LONG/i.test(
      `${failure.message}${String((failure as { code?: unknown }).code)}`,
    )
  );
}

function isStackOverflow(failure: unknown): boolean {
  return failure instanceof RangeError && failure.message.startsWith("Maximum call stack");
}
