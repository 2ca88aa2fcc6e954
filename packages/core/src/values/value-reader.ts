/**
 * Reads both forms. Bytes may come from a broken or hostile peer: every count is checked against the bytes that are left before
 * anything is made for it, depth is bounded, and what is wrong gives a PROTOCOL error. Nothing read here runs code, but for the
 * codecs and hooks of this process.
 */
import { ByteReader, malformed } from "../base/byte-reader.ts";
import { RaiaError } from "../base/errors.ts";
import { codecById } from "./class-registry.ts";
import { decodeArrow } from "./value-arrow.ts";
import { HEADER_BYTES, PACKED_VERSION } from "./value-packing.ts";
import { createError, hide, RAIA_ERROR } from "./value-error.ts";
import type { ErrorClassReference } from "./value-error-class.ts";
import type { ValueHooks } from "./value-hooks.ts";
import { MemoryReader, type MemoryRange } from "./value-memory.ts";
import { areNumbers, readNumbers } from "./value-numbers.ts";
import { readKey, readScalar, readString } from "./value-scalars.ts";
import { laterKind, MAX_PAYLOAD_NESTING, MAX_SHAPE_KEYS, MAX_SHAPES, tag } from "./value-tags.ts";

/** An array of at most this many elements is made at its size: a count beyond the truth then costs next to nothing. */
const MAX_PRESIZED = 64;

/** The small form. */
class SmallReader extends ByteReader {
  value(depth: number): unknown {
    const first = this.u8();
    switch (first) {
      case tag.buffer:
        return this.#buffer();
      case tag.uint8Array:
        return this.#uint8Array();
      case tag.array:
        return this.array(depth, undefined);
      case tag.object:
        return this.#object(depth);
      default:
        return readScalar(this, first);
    }
  }

  /** @param into an empty array that exists already */
  protected array(depth: number, into: unknown[] | undefined): unknown[] {
    if (depth > MAX_PAYLOAD_NESTING) throw malformed("nested too deep");
    const length = this.count();
    const isPresized = into === undefined && length <= MAX_PRESIZED;
    const array = into ?? (isPresized ? new Array<unknown>(length) : []);
    this.remember(array, into);
    for (let i = 0; i < length; i++) {
      if (this.buffer[this.position] === tag.hole) {
        this.position++;
        if (!isPresized) array.length = i + 1;
      } else if (isPresized) array[i] = this.value(depth + 1);
      else array.push(this.value(depth + 1));
    }
    return array;
  }

  #object(depth: number): Record<string, unknown> {
    if (depth > MAX_PAYLOAD_NESTING) throw malformed("nested too deep");
    const count = this.count(2);
    const object: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = readKey(this);
      setProperty(object, key, this.value(depth + 1));
    }
    return object;
  }

  #buffer(): Buffer {
    const length = this.varuint();
    const at = this.skip(length);
    const copy = Buffer.allocUnsafe(length);
    copyBytes(this.buffer, at, copy, length);
    return copy;
  }

  #uint8Array(): Uint8Array {
    const length = this.varuint();
    const at = this.skip(length);
    const copy = new Uint8Array(length);
    copyBytes(this.buffer, at, copy, length);
    return copy;
  }

  /** Gives an object its number. The small form has none. */
  protected remember(_object: object, _into?: object): void {}
}

function copyBytes(source: Buffer, at: number, target: Uint8Array, length: number): void {
  if (length > 32) source.copy(target, 0, at, at + length);
  else for (let i = 0; i < length; i++) target[i] = source[at + i] as number;
}

function setProperty(object: object, key: string, value: unknown): void {
  // Assigning to this key would change the prototype.
  if (key === "__proto__") Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else (object as Record<string, unknown>)[key] = value;
}

/** A place in the list of objects whose object does not exist yet. */
const UNFINISHED = Symbol("unfinished");

class PackedReader extends SmallReader {
  readonly #hooks: ValueHooks;
  readonly #memory: MemoryReader;
  readonly #objects: unknown[] = [];
  readonly #shapes: (readonly string[])[] = [];
  readonly #later: { readonly kind: number; readonly into: object }[] = [];

  constructor(bytes: Uint8Array, start: number, end: number, hooks: ValueHooks, memory: MemoryReader) {
    super(bytes, start, end);
    this.#hooks = hooks;
    this.#memory = memory;
  }

  root(): unknown {
    const value = this.value(0);
    for (let next = 0; next < this.#later.length; next++) {
      const { kind, into } = this.#later[next] as { kind: number; into: object };
      this.#fill(kind, into);
    }
    if (this.remaining > 0) throw malformed("bytes behind the value");
    return value;
  }

  override value(depth: number): unknown {
    const first = this.buffer[this.position] as number;
    if (first <= tag.packed || first >= tag.firstSmallInteger || this.position >= this.end) return super.value(depth);
    if (depth > MAX_PAYLOAD_NESTING + 1) throw malformed("nested too deep");
    this.position++;
    switch (first) {
      case tag.reference:
        return this.#reference();
      case tag.record:
        return this.#record(depth, undefined);
      case tag.sameRecord:
        return this.#sameRecord(depth, undefined);
      case tag.nullObject:
        return this.#nullObject(depth, undefined);
      case tag.sparseArray:
        return this.#sparseArray(depth, undefined);
      case tag.map:
        return this.#map(depth, undefined);
      case tag.set:
        return this.#set(depth, undefined);
      case tag.int32s:
      case tag.doubles:
        return this.#numbers(first);
      case tag.later:
        return this.#putOff();
      case tag.date:
        return this.#made(new Date(this.f64()));
      case tag.regExp:
        return this.#regExp();
      case tag.boxed:
        return this.#made(Object(readScalar(this, this.u8())) as object);
      case tag.error:
        return this.#error(depth);
      case tag.binary:
        return this.#made(this.#memory.view(this.varuint()));
      case tag.branded:
        return this.#finished(() => this.#hooks.revive(readString(this), this.value(depth + 1)));
      case tag.coded:
        return this.#finished(() => this.#coded(depth));
      case tag.arrow:
        return this.#finished(() => decodeArrow(this.u8(), this.u8(), this.#memory.view(this.varuint()) as Uint8Array));
      default:
        throw malformed(`unknown tag ${first}`);
    }
  }

  protected override remember(object: object, into?: object): void {
    if (into === undefined) this.#objects.push(object);
  }

  #made<T extends object>(object: T): T {
    this.#objects.push(object);
    return object;
  }

  /** For what exists only when all of it has been read: its number comes before those of its parts. */
  #finished(read: () => unknown): unknown {
    const number = this.#objects.push(UNFINISHED) - 1;
    const object = read();
    this.#objects[number] = object;
    return object;
  }

  #reference(): unknown {
    const number = this.varuint();
    const object = number < this.#objects.length ? this.#objects[number] : UNFINISHED;
    if (object === UNFINISHED) throw malformed("reference to no object");
    return object;
  }

  #putOff(): object {
    const kind = this.u8();
    const into = emptyContainer(kind);
    this.#objects.push(into);
    this.#later.push({ kind, into });
    return into;
  }

  #fill(kind: number, into: object): void {
    if (kind === laterKind.errorProperties) {
      this.#errorProperties(into, 0);
      return;
    }
    const first = this.u8();
    if (kind === laterKind.array && first === tag.array) this.array(0, into as unknown[]);
    else if (kind === laterKind.array && areNumbers(first)) readNumbers(this, first, into as unknown[]);
    else if (kind === laterKind.array && first === tag.sparseArray) this.#sparseArray(0, into as unknown[]);
    else if (kind === laterKind.object && first === tag.record) this.#record(0, into);
    else if (kind === laterKind.object && first === tag.sameRecord) this.#sameRecord(0, into);
    else if (kind === laterKind.nullObject && first === tag.nullObject) this.#nullObject(0, into);
    else if (kind === laterKind.map && first === tag.map) this.#map(0, into as Map<unknown, unknown>);
    else if (kind === laterKind.set && first === tag.set) this.#set(0, into as Set<unknown>);
    else throw malformed("contents of another kind");
  }

  #numbers(first: number): unknown[] {
    const array = this.#made<unknown[]>([]);
    readNumbers(this, first, array);
    return array;
  }

  #record(depth: number, into: object | undefined): object {
    const count = this.count(2);
    const keys: string[] = [];
    for (let i = 0; i < count; i++) keys.push(readKey(this));
    if (count > 0 && count <= MAX_SHAPE_KEYS && this.#shapes.length < MAX_SHAPES) this.#shapes.push(keys);
    return this.#values(keys, depth, into);
  }

  #sameRecord(depth: number, into: object | undefined): object {
    const keys = this.#shapes[this.varuint()];
    if (keys === undefined) throw malformed("no such shape");
    return this.#values(keys, depth, into);
  }

  #values(keys: readonly string[], depth: number, into: object | undefined): object {
    const object = into ?? this.#made({});
    for (let i = 0; i < keys.length; i++) setProperty(object, keys[i] as string, this.value(depth + 1));
    return object;
  }

  #nullObject(depth: number, into: object | undefined): object {
    const object = into ?? this.#made(Object.create(null) as object);
    this.#properties(object, depth);
    return object;
  }

  #properties(object: object, depth: number): void {
    for (let left = this.count(2); left > 0; left--) {
      const key = readKey(this);
      setProperty(object, key, this.value(depth + 1));
    }
  }

  #sparseArray(depth: number, into: unknown[] | undefined): unknown[] {
    const array = into ?? this.#made<unknown[]>([]);
    const length = this.varuint();
    if (length >= 2 ** 32) throw malformed("length of an array");
    // Writing the last index first makes V8 keep a table instead of room for every hole.
    if (length > 0) {
      array[length - 1] = undefined;
      Reflect.deleteProperty(array, length - 1);
    }
    for (let left = this.count(2); left > 0; left--) {
      const index = this.varuint();
      if (index >= length) throw malformed("index beyond an array");
      array[index] = this.value(depth + 1);
    }
    for (let left = this.count(2); left > 0; left--) {
      const key = readKey(this);
      if (key === "length") throw malformed("length among properties");
      setProperty(array, key, this.value(depth + 1));
    }
    return array;
  }

  #map(depth: number, into: Map<unknown, unknown> | undefined): Map<unknown, unknown> {
    const map = into ?? this.#made(new Map<unknown, unknown>());
    for (let left = this.count(2); left > 0; left--) {
      const key = this.value(depth + 1);
      map.set(key, this.value(depth + 1));
    }
    return map;
  }

  #set(depth: number, into: Set<unknown> | undefined): Set<unknown> {
    const set = into ?? this.#made(new Set<unknown>());
    for (let left = this.count(); left > 0; left--) set.add(this.value(depth + 1));
    return set;
  }

  #regExp(): RegExp {
    const source = readString(this);
    return this.#made(new RegExp(source, readString(this)));
  }

  #error(depth: number): Error {
    const number = this.#objects.push(UNFINISHED) - 1;
    const base = this.u8();
    const code = base === RAIA_ERROR ? readScalar(this, this.u8()) : undefined;
    const facts = base === RAIA_ERROR ? this.value(depth + 1) : undefined;
    const reference = this.u8() === 1 ? this.#errorClass() : undefined;
    const head = {
      base,
      reference,
      className: readString(this),
      name: readString(this),
      message: readString(this),
      stack: readScalar(this, this.u8()) as string | undefined,
    };
    const error = createError(head, code, facts);
    this.#objects[number] = error;
    if (this.u8() === 0) this.#errorProperties(error, depth);
    else this.#later.push({ kind: laterKind.errorProperties, into: error });
    return error;
  }

  #errorClass(): ErrorClassReference {
    const how = readString(this);
    return { how: how === "require" || how === "shipped" ? how : "import", module: readString(this), name: readString(this) };
  }

  #errorProperties(error: object, depth: number): void {
    for (let left = this.count(2); left > 0; left--) {
      const key = readKey(this);
      hide(error, key, this.value(depth + 1));
    }
    for (let left = this.count(2); left > 0; left--) {
      const key = readKey(this);
      // A class may have an accessor of this name, or a read-only property: what the error has of its own wins.
      Object.defineProperty(error, key, { value: this.value(depth + 1), writable: true, configurable: true, enumerable: true });
    }
  }

  #coded(depth: number): object {
    const id = readString(this);
    const version = this.varuint();
    const codec = codecById(id);
    const payload = this.value(depth + 1);
    try {
      return codec.decode(payload, version);
    } catch (error) {
      if (RaiaError.is(error)) throw error;
      const reason = `its codec could not read it: ${error instanceof Error ? error.message : String(error)}`;
      throw new RaiaError("UNSERIALIZABLE", { codec: id, version, reason }, { cause: error });
    }
  }
}

function emptyContainer(kind: number): object {
  switch (kind) {
    case laterKind.array:
      return [];
    case laterKind.object:
      return {};
    case laterKind.nullObject:
      return Object.create(null) as object;
    case laterKind.map:
      return new Map();
    case laterKind.set:
      return new Set();
    default:
      throw malformed("contents of an unknown kind");
  }
}

/**
 * Reads `bytes[start, end)` in either form.
 *
 * @param shared where binary parts are that need not be copied; then `bytes` need not hold them
 * @throws {RaiaError} PROTOCOL for bytes that are no value
 */
export function readValue(bytes: Uint8Array, start: number, end: number, hooks: ValueHooks, shared?: MemoryRange): unknown {
  try {
    if (bytes[start] === tag.packed && start < end) return readPacked(bytes, start, end, hooks, shared);
    const reader = new SmallReader(bytes, start, end);
    const value = reader.value(0);
    if (reader.position !== end) throw malformed("bytes behind the value");
    return value;
  } catch (error) {
    if (RaiaError.is(error)) throw error;
    // A regular expression that does not parse, a buffer too large for this machine.
    throw new RaiaError("PROTOCOL", { reason: "malformed value" }, { cause: error });
  }
}

/** How many of its first bytes must be at hand to read a value whose binary parts are had from elsewhere. */
export function bodyBytesOf(head: Uint8Array, byteLength: number): number {
  if (head[0] !== tag.packed || head.length < HEADER_BYTES) return byteLength;
  const header = new ByteReader(head, 0, head.length);
  header.skip(2);
  return Math.min(header.u32(), byteLength);
}

function readPacked(bytes: Uint8Array, start: number, end: number, hooks: ValueHooks, shared: MemoryRange | undefined): unknown {
  const header = new ByteReader(bytes, start, Math.min(end, bytes.length));
  header.skip(1);
  const version = header.u8();
  if (version !== PACKED_VERSION) throw new RaiaError("PROTOCOL", { reason: "value of another version", version, known: PACKED_VERSION });
  const bodyEnd = start + header.u32();
  const tableStart = start + header.u32();
  if (tableStart < start + HEADER_BYTES || bodyEnd < tableStart || bodyEnd > end) throw malformed("lengths that contradict each other");
  const memory = new MemoryReader(new ByteReader(bytes, tableStart, bodyEnd), bytes, start, bodyEnd, end, shared);
  return new PackedReader(bytes, start + HEADER_BYTES, tableStart, hooks, memory).root();
}
