/** Values without identity: numbers, strings and the like, as bytes. Both forms use them; every task passes here. */
import { type ByteReader, malformed } from "../base/byte-reader.ts";
import type { ByteWriter } from "../base/byte-writer.ts";
import { LONG_KEY, MAX_SHORT_KEY, tag } from "./value-tags.ts";

const MAX_LATIN1_CHARS = 64;

const integer64 = new BigInt64Array(1);
const integer64Bytes = new Uint8Array(integer64.buffer);

export function writeNumber(writer: ByteWriter, value: number): void {
  const integer = value | 0;
  if (integer !== value || (value === 0 && 1 / value < 0)) {
    writer.u8(tag.double);
    writer.f64(value);
  } else if (integer >= 0 && integer < 128) {
    writer.u8(tag.firstSmallInteger + integer);
  } else {
    writer.u8(tag.int32);
    writer.i32(integer);
  }
}

export function writeString(writer: ByteWriter, text: string): void {
  const { length } = text;
  if (length <= MAX_LATIN1_CHARS && writeLatin1(writer, tag.latin1, text)) return;
  if (text.isWellFormed()) {
    writer.u8(tag.utf8);
    writer.utf8(text);
  } else {
    writer.u8(tag.utf16);
    writer.utf16(text);
  }
}

/** A key: its length and one byte a character; other keys are written as string values. */
export function writeKey(writer: ByteWriter, key: string): void {
  if (key.length <= MAX_SHORT_KEY && writeLatin1(writer, undefined, key)) return;
  writer.u8(LONG_KEY);
  writeString(writer, key);
}

/** @returns false, with nothing written, when a character needs more than a byte */
function writeLatin1(writer: ByteWriter, first: number | undefined, text: string): boolean {
  const { length } = text;
  writer.ensure(2 + length);
  const { buffer } = writer;
  let { position } = writer;
  if (first !== undefined) buffer[position++] = first;
  buffer[position++] = length;
  for (let i = 0; i < length; i++) {
    const char = text.charCodeAt(i);
    if (char > 255) return false;
    buffer[position++] = char;
  }
  writer.position = position;
  return true;
}

export function isBigint64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

export function writeBigint(writer: ByteWriter, value: bigint): void {
  if (isBigint64(value)) {
    integer64[0] = value;
    writer.u8(tag.bigint64);
    writer.bytes(integer64Bytes);
    return;
  }
  const digits = (value < 0n ? -value : value).toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex");
  writer.u8(tag.bigint);
  writer.u8(value < 0n ? 1 : 0);
  writer.varuint(bytes.length);
  writer.bytes(bytes);
}

/** @returns false for what is no scalar: objects but null, functions, symbols */
export function writeScalar(writer: ByteWriter, value: unknown): boolean {
  switch (typeof value) {
    case "number":
      writeNumber(writer, value);
      return true;
    case "string":
      writeString(writer, value);
      return true;
    case "undefined":
      writer.u8(tag.undefined);
      return true;
    case "boolean":
      writer.u8(value ? tag.true : tag.false);
      return true;
    case "bigint":
      writeBigint(writer, value);
      return true;
    default:
      if (value !== null) return false;
      writer.u8(tag.null);
      return true;
  }
}

export function isScalarTag(first: number): boolean {
  return first <= tag.utf16 || first >= tag.firstSmallInteger;
}

/** Reads the scalar whose tag was read just now. @throws {RaiaError} PROTOCOL when `first` is the tag of something else */
export function readScalar(reader: ByteReader, first: number): unknown {
  if (first >= tag.firstSmallInteger) return first - tag.firstSmallInteger;
  switch (first) {
    case tag.undefined:
      return undefined;
    case tag.null:
      return null;
    case tag.false:
      return false;
    case tag.true:
      return true;
    case tag.int32:
      return reader.i32();
    case tag.double:
      return reader.f64();
    case tag.latin1:
      return readLatin1(reader, reader.u8());
    case tag.utf8:
      return reader.utf8();
    case tag.utf16:
      return reader.utf16();
    case tag.bigint64:
      return readBigint64(reader);
    case tag.bigint:
      return readBigint(reader);
    default:
      throw malformed(`unknown tag ${first}`);
  }
}

/** A string value of which nothing else is expected. */
export function readString(reader: ByteReader): string {
  const value = readScalar(reader, reader.u8());
  if (typeof value !== "string") throw malformed("a string was expected");
  return value;
}

function readBigint64(reader: ByteReader): bigint {
  const at = reader.skip(8);
  for (let i = 0; i < 8; i++) integer64Bytes[i] = reader.buffer[at + i] as number;
  return integer64[0] as bigint;
}

function readBigint(reader: ByteReader): bigint {
  const isNegative = reader.u8() === 1;
  const bytes = reader.view(reader.varuint());
  if (bytes.length === 0) return 0n;
  const magnitude = BigInt(`0x${bytes.toString("hex")}`);
  return isNegative ? -magnitude : magnitude;
}

/** Short strings are cheaper to make here than through the call that makes long ones. */
function readLatin1(reader: ByteReader, length: number): string {
  if (length > 8) return reader.latin1(length);
  const at = reader.skip(length);
  const { buffer } = reader;
  const a = buffer[at] as number;
  if (length === 1) return String.fromCharCode(a);
  if (length === 0) return "";
  const b = buffer[at + 1] as number;
  if (length === 2) return String.fromCharCode(a, b);
  const c = buffer[at + 2] as number;
  if (length === 3) return String.fromCharCode(a, b, c);
  const d = buffer[at + 3] as number;
  if (length === 4) return String.fromCharCode(a, b, c, d);
  const e = buffer[at + 4] as number;
  if (length === 5) return String.fromCharCode(a, b, c, d, e);
  const f = buffer[at + 5] as number;
  if (length === 6) return String.fromCharCode(a, b, c, d, e, f);
  const g = buffer[at + 6] as number;
  if (length === 7) return String.fromCharCode(a, b, c, d, e, f, g);
  return String.fromCharCode(a, b, c, d, e, f, g, buffer[at + 7] as number);
}

/** Keys read before, by a hash of their bytes: programs have few keys, and a known string is found faster than made. A collision replaces. */
const KEY_SLOTS = 1024;
const keys: string[] = new Array<string>(KEY_SLOTS).fill("");

export function readKey(reader: ByteReader): string {
  const length = reader.u8();
  if (length > MAX_SHORT_KEY) {
    if (length !== LONG_KEY) throw malformed("key too long");
    return readString(reader);
  }
  const at = reader.skip(length);
  const { buffer } = reader;
  let hash = length;
  for (let i = at; i < at + length; i++) hash = (Math.imul(hash, 31) + (buffer[i] as number)) | 0;
  const slot = (hash ^ (hash >>> 10)) & (KEY_SLOTS - 1);
  const known = keys[slot] as string;
  if (known.length === length && isText(known, buffer, at)) return known;
  reader.position = at;
  const key = reader.latin1(length);
  keys[slot] = key;
  return key;
}

function isText(text: string, buffer: Buffer, at: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== buffer[at + i]) return false;
  return true;
}
