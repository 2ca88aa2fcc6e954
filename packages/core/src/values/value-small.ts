/**
 * The small form: a tag and its payload, for scalars, small bytes, and small plain arrays and objects of those. Nothing in it has
 * an identity that matters: a value that mentions an object twice, overlapping memory, holes or anything unusual takes the packed
 * form. This is the form of nearly every argument and result, so it is written for speed: no allocation, no closures.
 */
import { types } from "node:util";
import type { ByteWriter } from "../base/byte-writer.ts";
import { isDetached } from "./value-memory.ts";
import { isBigint64, writeBigint, writeKey, writeNumber, writeString } from "./value-scalars.ts";
import { brandSymbol, MAX_SMALL_BYTES, MAX_SMALL_DEPTH, MAX_SMALL_ELEMENTS, tag } from "./value-tags.ts";

/** UTF-8 takes up to three bytes for each unit of a string. */
const MAX_SMALL_CHARS = MAX_SMALL_BYTES / 3;
/** Arrays and objects in all: each is compared with those before it, and what has more is worth a map of them. */
const MAX_CONTAINERS = 16;
/** Binary views in one small value; past it the packed form looks after their memory. */
const MAX_VIEWS = 8;

/** What was met so far, the first `containerCount` and `viewCount`; emptied after each value, so that none is kept alive. */
const containers: (object | undefined)[] = new Array<undefined>(MAX_CONTAINERS).fill(undefined);
let containerCount = 0;
const views: (Uint8Array | undefined)[] = new Array<undefined>(MAX_VIEWS).fill(undefined);
let viewCount = 0;
let limit = 0;
/** A getter may call into the codec while it runs; the inner value takes the packed form, which keeps no state here. */
let isBusy = false;

/** Writes the small form; false, with the position restored, when the value needs the packed form. Never throws for a value. */
export function tryEncodeSmall(writer: ByteWriter, value: unknown): boolean {
  if (typeof value !== "object") return writeSmall(writer, value, 0);
  if (value === null) {
    writer.u8(tag.null);
    return true;
  }
  if (isBusy) return false;
  const start = writer.position;
  limit = start + MAX_SMALL_BYTES;
  isBusy = true;
  try {
    if (writeObject(writer, value, 0)) return true;
  } catch {
    // A getter that throws, or a trap: the packed form meets it again and says where.
  } finally {
    isBusy = false;
    while (containerCount > 0) containers[--containerCount] = undefined;
    while (viewCount > 0) views[--viewCount] = undefined;
  }
  writer.position = start;
  return false;
}

function writeSmall(writer: ByteWriter, value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "number":
      writeNumber(writer, value);
      return true;
    case "string":
      if (value.length > MAX_SMALL_CHARS) return false;
      writeString(writer, value);
      return true;
    case "undefined":
      writer.u8(tag.undefined);
      return true;
    case "boolean":
      writer.u8(value ? tag.true : tag.false);
      return true;
    case "bigint":
      if (!isBigint64(value)) return false;
      writeBigint(writer, value);
      return true;
    case "object":
      if (value !== null) return writeObject(writer, value, depth);
      writer.u8(tag.null);
      return true;
    default:
      return false;
  }
}

function writeObject(writer: ByteWriter, value: object, depth: number): boolean {
  if (depth >= MAX_SMALL_DEPTH) return false;
  if (ArrayBuffer.isView(value)) return writeBytes(writer, value);
  const isArray = Array.isArray(value);
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== (isArray ? Array.prototype : Object.prototype) || types.isProxy(value) || brandSymbol in value || isSeen(value))
    return false;
  return isArray ? writeArray(writer, value as readonly unknown[], depth) : writePlain(writer, value as Record<string, unknown>, depth);
}

function writeArray(writer: ByteWriter, value: readonly unknown[], depth: number): boolean {
  const { length } = value;
  // Named properties beside the elements. The values are counted, since making all names as strings takes longer.
  if (length > MAX_SMALL_ELEMENTS || Object.values(value).length !== length) return false;
  writer.u8(tag.array);
  writer.varuint(length);
  for (let i = 0; i < length; i++) {
    const element = value[i];
    if (element === undefined && !(i in value)) return false;
    if (!writeSmall(writer, element, depth + 1) || writer.position > limit) return false;
  }
  return true;
}

function writePlain(writer: ByteWriter, value: Record<string, unknown>, depth: number): boolean {
  const keys = Object.keys(value);
  writer.u8(tag.object);
  writer.varuint(keys.length);
  for (const key of keys) {
    if (key === "__proto__") return false;
    writeKey(writer, key);
    if (!writeSmall(writer, value[key], depth + 1) || writer.position > limit) return false;
  }
  return true;
}

function writeBytes(writer: ByteWriter, value: ArrayBufferView): boolean {
  const proto: unknown = Object.getPrototypeOf(value);
  const isBuffer = proto === Buffer.prototype;
  if (!isBuffer && proto !== Uint8Array.prototype) return false;
  const bytes = value as Uint8Array;
  const { length } = bytes;
  if (length > MAX_SMALL_BYTES || isMemoryShared(bytes)) return false;
  writer.u8(isBuffer ? tag.buffer : tag.uint8Array);
  writer.varuint(length);
  writer.ensure(length);
  const { buffer, position } = writer;
  if (length <= 32) for (let i = 0; i < length; i++) buffer[position + i] = bytes[i] as number;
  else buffer.set(bytes, position);
  writer.position = position + length;
  return writer.position <= limit;
}

/** Whether this object was met before, or one too many. */
function isSeen(value: object): boolean {
  if (containerCount === MAX_CONTAINERS) return true;
  for (let i = 0; i < containerCount; i++) if (containers[i] === value) return true;
  containers[containerCount++] = value;
  return false;
}

/** Whether these bytes must not be copied by themselves: another view here sees them too, or they are gone. */
function isMemoryShared(bytes: Uint8Array): boolean {
  // An empty one may be detached, which is an error that the packed form reports. Small arrays live on V8's heap and get a buffer
  // only when asked for it, so a single one is not asked.
  if (bytes.length === 0 && isDetached(bytes)) return true;
  if (viewCount === MAX_VIEWS) return true;
  for (let i = 0; i < viewCount; i++) {
    const other = views[i] as Uint8Array;
    if (other === bytes) return true;
    if (other.buffer !== bytes.buffer) continue;
    if (bytes.byteOffset <= other.byteOffset + other.length && other.byteOffset <= bytes.byteOffset + bytes.length) return true;
  }
  views[viewCount++] = bytes;
  return false;
}
