/**
 * User values to bytes and back. Two forms: a small one for what most calls carry (primitives, short strings, small plain
 * arrays and objects), written in well under a microsecond; and a general one for everything else the structured clone
 * knows, with cycles and shared identity, whose binary parts stay outside of the encoded body: they are copied once, to
 * where the value is going, and read back in place.
 *
 * The format is this project's own, so it can be read by other languages, and decoding builds values only: it never
 * loads or runs anything that a peer names.
 */
import { types } from "node:util";
import { ByteWriter } from "../base/byte-writer.ts";
import { RaiaError } from "../base/errors.ts";
import { PACKED, tag } from "./tmp-tags.ts";
import { GraphDecoder } from "./value-graph-decoder.ts";
import { GraphEncoder } from "./value-graph-encoder.ts";

export interface ValueHooks {
  /** What travels instead of a branded value (a ref, an actor handle, a remote function); undefined for others. The payload is plain. */
  replace(value: object): { readonly kind: string; readonly payload: unknown } | undefined;
  revive(kind: string, payload: unknown): unknown;
}

/** General form before it has a place: the body, and parts that are still the caller's memory. */
export interface EncodedValue {
  readonly body: Uint8Array;
  readonly parts: readonly Uint8Array[];
  /** Bytes of the packed form. */
  readonly byteLength: number;
}

const MAX_SMALL_DEPTH = 6;
const MAX_SMALL_ITEMS = 64;
const MAX_SMALL_STRING = 4096;
const MAX_SMALL_BYTES = 4096;
const MAX_SMALL_OBJECTS = 16;

const seen: object[] = [];

/** Writes the small form. False, with nothing written, when the value needs the general one. */
export function tryEncodeSmall(writer: ByteWriter, value: unknown): boolean {
  const start = writer.position;
  seen.length = 0;
  if (small(writer, value, 0)) return true;
  writer.position = start;
  return false;
}

function small(writer: ByteWriter, value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "number":
      writeNumber(writer, value);
      return true;
    case "string":
      if (value.length > MAX_SMALL_STRING) return false;
      writeString(writer, value);
      return true;
    case "boolean":
      writer.u8(value ? tag.true : tag.false);
      return true;
    case "undefined":
      writer.u8(tag.undefined);
      return true;
    case "bigint":
      writeBigint(writer, value);
      return true;
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) {
    writer.u8(tag.null);
    return true;
  }
  if (depth >= MAX_SMALL_DEPTH || seen.length >= MAX_SMALL_OBJECTS || seen.includes(value)) return false;
  seen.push(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return smallObject(writer, value as Record<string, unknown>, depth);
  if (prototype === Array.prototype) return smallArray(writer, value as unknown[], depth);
  if (prototype === Buffer.prototype || prototype === Uint8Array.prototype) {
    const bytes = value as Uint8Array;
    if (bytes.byteLength > MAX_SMALL_BYTES || bytes.buffer instanceof SharedArrayBuffer) return false;
    writer.u8(prototype === Buffer.prototype ? tag.buffer : tag.bytes);
    writer.u32(bytes.byteLength);
    writer.bytes(bytes);
    return true;
  }
  return false;
}

function smallArray(writer: ByteWriter, items: unknown[], depth: number): boolean {
  const { length } = items;
  if (length > MAX_SMALL_ITEMS || types.isProxy(items)) return false;
  writer.u8(tag.array);
  writer.u32(length);
  for (let i = 0; i < length; i++) {
    const item = items[i];
    if (item === undefined && !(i in items)) return false;
    if (!small(writer, item, depth + 1)) return false;
  }
  // Named properties of an array are rare; they are refused where they can be named.
  return Object.keys(items).length === length;
}

function smallObject(writer: ByteWriter, value: Record<string, unknown>, depth: number): boolean {
  if (types.isProxy(value) || Object.getOwnPropertySymbols(value).length > 0) return false;
  const keys = Object.keys(value);
  if (keys.length > MAX_SMALL_ITEMS) return false;
  writer.u8(tag.object);
  writer.u32(keys.length);
  for (const key of keys) {
    writeString(writer, key);
    if (!small(writer, value[key], depth + 1)) return false;
  }
  return true;
}

export function writeNumber(writer: ByteWriter, value: number): void {
  if ((value | 0) === value && !Object.is(value, -0)) {
    if (value >= 0 && value < 256) {
      writer.ensure(2);
      writer.buffer[writer.position++] = tag.byte;
      writer.buffer[writer.position++] = value;
      return;
    }
    writer.u8(tag.int);
    writer.i32(value);
    return;
  }
  writer.u8(tag.double);
  writer.f64(value);
}

export function writeBigint(writer: ByteWriter, value: bigint): void {
  const digits = value.toString(16);
  writer.u8(tag.bigint);
  writer.u32(digits.length);
  writer.ensure(digits.length);
  writer.position += writer.buffer.latin1Write(digits, writer.position);
}

/** Short ASCII byte by byte; the rest as UTF-8, or UTF-16 where UTF-8 would lose lone surrogates. */
export function writeString(writer: ByteWriter, value: string): void {
  const { length } = value;
  if (length < 256) {
    writer.ensure(length + 2);
    const { buffer } = writer;
    const start = writer.position;
    buffer[start] = tag.latin1;
    buffer[start + 1] = length;
    let i = 0;
    if (length < 32) {
      for (; i < length; i++) {
        const code = value.charCodeAt(i);
        if (code > 127) break;
        buffer[start + 2 + i] = code;
      }
      if (i === length) {
        writer.position = start + 2 + length;
        return;
      }
    }
  }
  if (!value.isWellFormed()) {
    const bytes = Buffer.from(value, "utf16le");
    writer.u8(tag.utf16);
    writer.u32(bytes.length);
    writer.bytes(bytes);
    return;
  }
  const byteLength = Buffer.byteLength(value, "utf8");
  writer.ensure(byteLength + 5);
  writer.u8(tag.utf8);
  writer.u32(byteLength);
  writer.position += writer.buffer.utf8Write(value, writer.position);
}

const PACKED_HEADER_BYTES = 16;
const ALIGNMENT = 64;

/** The general form. @throws {RaiaError} UNSERIALIZABLE with the path of what cannot be sent */
export function encodeValue(value: unknown, hooks: ValueHooks): EncodedValue {
  const { body, parts } = new GraphEncoder(hooks).encode(value);
  let byteLength = PACKED_HEADER_BYTES + 8 * parts.length + body.byteLength;
  for (const part of parts) byteLength = aligned(byteLength) + part.byteLength;
  return { body, parts, byteLength };
}

function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

/**
 * Writes the packed layout to `target`, which has `byteLength` bytes:
 * `u8 0x80 | 3 zero | u32 parts | f64 body length | f64 length of each part | body | each part, aligned to 64 bytes`.
 */
export function packValue(encoded: EncodedValue, target: Uint8Array): void {
  const { body, parts } = encoded;
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  view.setUint32(0, PACKED, true);
  view.setUint32(4, parts.length, true);
  view.setFloat64(8, body.byteLength, true);
  parts.forEach((part, index) => view.setFloat64(PACKED_HEADER_BYTES + 8 * index, part.byteLength, true));
  let at = PACKED_HEADER_BYTES + 8 * parts.length;
  target.set(body, at);
  at += body.byteLength;
  for (const part of parts) {
    const start = aligned(at);
    target.fill(0, at, start);
    target.set(part, start);
    at = start + part.byteLength;
  }
}

/**
 * Reads either form from bytes[start, end).
 *
 * @param share binary parts become views of the same memory (objects of the store); else they are copies
 * @throws {RaiaError} PROTOCOL when the bytes are not a value
 */
export function decodeValue(bytes: Uint8Array, start: number, end: number, hooks: ValueHooks, share: boolean): unknown {
  const first = bytes[start];
  if (first !== PACKED) {
    if (end - start === 2 && first === tag.byte) return bytes[start + 1];
    if (end - start === 1) return primitiveOf(first);
    return new GraphDecoder(bytes, start, end, [], hooks, false).decode();
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  if (view.byteLength < PACKED_HEADER_BYTES) throw malformed("header");
  const count = view.getUint32(4, true);
  const bodyLength = view.getFloat64(8, true);
  const bodyStart = PACKED_HEADER_BYTES + 8 * count;
  if (!isLength(bodyLength) || bodyStart + bodyLength > view.byteLength) throw malformed("body length");
  const parts: Uint8Array[] = [];
  let at = bodyStart + bodyLength;
  for (let i = 0; i < count; i++) {
    const length = view.getFloat64(PACKED_HEADER_BYTES + 8 * i, true);
    const partStart = aligned(at);
    if (!isLength(length) || partStart + length > view.byteLength) throw malformed("part length");
    const part = new Uint8Array(bytes.buffer, bytes.byteOffset + start + partStart, length);
    // A copy when the memory is not only this value's, or when it would not be aligned for wider types.
    parts.push(share && part.byteOffset % 8 === 0 ? part : new Uint8Array(part));
    at = partStart + length;
  }
  return new GraphDecoder(bytes, start + bodyStart, start + bodyStart + bodyLength, parts, hooks, true).decode();
}

function primitiveOf(first: number | undefined): unknown {
  switch (first) {
    case tag.undefined:
      return undefined;
    case tag.null:
      return null;
    case tag.true:
      return true;
    case tag.false:
      return false;
    default:
      throw malformed("tag");
  }
}

function isLength(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function malformed(what: string): RaiaError {
  return new RaiaError("PROTOCOL", { reason: "not an encoded value", at: what });
}

/** Whether the bytes are an immutable primitive in small form: then the JavaScript value itself can be kept. */
export function isImmediate(bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start) return false;
  const first = bytes[start] as number;
  return first <= tag.bigint || first === tag.byte;
}

export function decodeImmediate(bytes: Uint8Array, start: number, end: number): unknown {
  return decodeValue(bytes, start, end, noHooks, false);
}

const noHooks: ValueHooks = {
  replace: () => undefined,
  revive: (kind) => {
    throw new RaiaError("PROTOCOL", { reason: "unknown kind of value", kind });
  },
};
