/** Reads values. Whatever the bytes say, it allocates no more than they could hold, and stops with PROTOCOL. */
import { type ErrorCode, errorCatalogue, type Facts, RaiaError } from "../base/errors.ts";
import { codecOfId } from "./tmp-registry.ts";
import type { ValueHooks } from "./value-codec.ts";
import { BUFFER_KIND, DATA_VIEW_KIND, FLOAT16_KIND, MAX_DEPTH, tag, viewKinds } from "./tmp-tags.ts";

export class GraphDecoder {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #parts: readonly Uint8Array[];
  readonly #hooks: ValueHooks;
  /** The general form numbers its objects and keys; the small one does not. */
  readonly #isGeneral: boolean;
  readonly #objects: unknown[] = [];
  readonly #keys: string[] = [];
  #at: number;
  #depth = 0;

  constructor(bytes: Uint8Array, start: number, end: number, parts: readonly Uint8Array[], hooks: ValueHooks, isGeneral: boolean) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
    this.#parts = parts;
    this.#hooks = hooks;
    this.#isGeneral = isGeneral;
  }

  decode(): unknown {
    const value = this.#read();
    if (this.#at !== this.#end) throw wrong("trailing bytes");
    return value;
  }

  #read(): unknown {
    const first = this.#u8();
    switch (first) {
      case tag.undefined:
        return undefined;
      case tag.null:
        return null;
      case tag.true:
        return true;
      case tag.false:
        return false;
      case tag.byte:
        return this.#u8();
      case tag.int:
        return this.#bytes.readInt32LE(this.#skip(4));
      case tag.double:
        return this.#f64();
      case tag.latin1:
      case tag.utf8:
      case tag.utf16:
        return this.#string(first);
      case tag.bigint:
        return this.#bigint();
      case tag.bytes:
        return this.#number(new Uint8Array(this.#slice(this.#u32())));
      case tag.buffer:
        return this.#number(Buffer.from(this.#slice(this.#u32())));
      default:
    }
    if (++this.#depth > MAX_DEPTH) throw wrong("nested too deep");
    const value = this.#container(first);
    this.#depth--;
    return value;
  }

  #container(first: number): unknown {
    switch (first) {
      case tag.array: {
        const count = this.#count(1);
        const items: unknown[] = [];
        this.#number(items);
        for (let i = 0; i < count; i++) items.push(this.#read());
        return items;
      }
      case tag.object:
        return this.#properties(this.#number({}));
      default:
        if (!this.#isGeneral) throw wrong("tag");
        return this.#general(first);
    }
  }

  #general(first: number): unknown {
    switch (first) {
      case tag.same: {
        const number = this.#u32();
        if (number >= this.#objects.length) throw wrong("number of an object");
        return this.#objects[number];
      }
      case tag.nullObject:
        return this.#properties(this.#number(Object.create(null) as object));
      case tag.sparse:
        return this.#sparse();
      case tag.map: {
        const map = this.#number(new Map<unknown, unknown>());
        for (let left = this.#count(2); left > 0; left--) map.set(this.#read(), this.#read());
        return map;
      }
      case tag.set: {
        const set = this.#number(new Set<unknown>());
        for (let left = this.#count(1); left > 0; left--) set.add(this.#read());
        return set;
      }
      case tag.date:
        return this.#number(new Date(this.#f64()));
      case tag.regexp:
        return this.#regexp();
      case tag.boxed: {
        const index = this.#reserve();
        return this.#fill(index, Object(this.#read()));
      }
      case tag.view:
        return this.#view();
      case tag.arrayBuffer:
        return this.#number(this.#part(this.#u32()));
      case tag.error:
        return this.#error();
      case tag.raiaError:
        return this.#raiaError();
      case tag.branded:
        return this.#branded();
      case tag.coded:
        return this.#coded();
      default:
        throw wrong("tag");
    }
  }

  #branded(): unknown {
    // The encoder numbers a branded value before its payload, so the place is kept.
    const index = this.#reserve();
    const kind = this.#text();
    return this.#fill(index, this.#hooks.revive(kind, this.#read()));
  }

  #coded(): unknown {
    const index = this.#reserve();
    const id = this.#text();
    const version = this.#read();
    const codec = codecOfId(id);
    const plain = this.#read();
    if (codec === undefined) {
      throw new RaiaError("UNSERIALIZABLE", { codec: id, reason: "this process has no codec of that id; import the module that registers it" });
    }
    return this.#fill(index, codec.decode(plain as never, version as number));
  }

  #properties<T extends object>(target: T): T {
    for (let left = this.#count(2); left > 0; left--) {
      const key = this.#key();
      const value = this.#read();
      // A plain assignment to this name would set the prototype.
      if (key === "__proto__") Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
      else (target as Record<string, unknown>)[key] = value;
    }
    return target;
  }

  #key(): string {
    if (!this.#isGeneral) return this.#text();
    const number = this.#varuint();
    if (number === 0) {
      const key = this.#text();
      this.#keys.push(key);
      return key;
    }
    const key = this.#keys[number - 1];
    if (key === undefined) throw wrong("number of a key");
    return key;
  }

  #sparse(): unknown[] {
    const length = this.#u32();
    const items: unknown[] = [];
    this.#number(items);
    for (let left = this.#count(5); left > 0; left--) {
      const index = this.#u32();
      if (index >= length) throw wrong("index in a sparse array");
      items[index] = this.#read();
    }
    items.length = length;
    return items;
  }

  #regexp(): RegExp {
    const index = this.#reserve();
    const source = this.#text();
    const flags = this.#text();
    const lastIndex = this.#read();
    let expression: RegExp;
    try {
      expression = new RegExp(source, flags);
    } catch {
      throw wrong("regular expression");
    }
    expression.lastIndex = Number(lastIndex);
    return this.#fill(index, expression);
  }

  #view(): unknown {
    const index = this.#reserve();
    const kind = this.#u8();
    const length = this.#f64();
    const buffer = this.#read();
    if (!(buffer instanceof ArrayBuffer) || !Number.isSafeInteger(length) || length < 0) throw wrong("view");
    // The memory of one part may be a piece of a larger buffer: views begin where the part does.
    const part = this.#partOf.get(buffer);
    const offset = part?.byteOffset ?? 0;
    const byteLength = part?.byteLength ?? buffer.byteLength;
    try {
      if (kind === BUFFER_KIND) return this.#fill(index, Buffer.from(buffer, offset, bounded(length, byteLength)));
      if (kind === DATA_VIEW_KIND) return this.#fill(index, new DataView(buffer, offset, bounded(length, byteLength)));
      const Kind = kind === FLOAT16_KIND ? float16() : viewKinds[kind];
      if (Kind === undefined) throw wrong("kind of view");
      bounded(length * Kind.BYTES_PER_ELEMENT, byteLength);
      return this.#fill(index, new Kind(buffer, offset, length));
    } catch (error) {
      throw RaiaError.is(error) ? error : wrong("view");
    }
  }

  readonly #partOf = new Map<ArrayBuffer, Uint8Array>();

  #part(number: number): ArrayBuffer {
    const part = this.#parts[number];
    if (part === undefined) throw wrong("number of a part");
    if (part.byteLength === part.buffer.byteLength) return part.buffer as ArrayBuffer;
    if (this.#parts.length === 1 || !this.#partOf.has(part.buffer as ArrayBuffer)) {
      this.#partOf.set(part.buffer as ArrayBuffer, part);
      return part.buffer as ArrayBuffer;
    }
    // A second part of the same memory must be another buffer to be told apart.
    return new Uint8Array(part).buffer;
  }

  #error(): Error {
    const index = this.#reserve();
    const error = new Error();
    this.#fill(index, error);
    const fields = this.#read();
    if (typeof fields !== "object" || fields === null) throw wrong("error");
    const { className, name, message, stack, own, errors } = fields as Record<string, unknown>;
    const classes = Array.isArray(className) ? className : [];
    for (const known of classes) {
      const Known = builtInErrors[known as string];
      if (Known === undefined) continue;
      Object.setPrototypeOf(error, Known.prototype);
      break;
    }
    const define = (key: string, value: unknown): void => void Object.defineProperty(error, key, { value, writable: true, configurable: true });
    define("message", String(message ?? ""));
    if (typeof stack === "string") define("stack", stack);
    if (error.name !== name) define("name", String(name));
    if ("cause" in fields) define("cause", (fields as { cause: unknown }).cause);
    if (Array.isArray(errors)) define("errors", errors);
    if (typeof own === "object" && own !== null) for (const [key, value] of Object.entries(own)) if (key !== "__proto__") (error as unknown as Record<string, unknown>)[key] = value;
    if (classes.length > 0) classesOfDecoded.set(error, classes as string[]);
    return error;
  }

  #raiaError(): RaiaError {
    const index = this.#reserve();
    const fields = this.#read();
    const [code, facts, stack, cause] = Array.isArray(fields) ? fields : [];
    if (typeof code !== "string" || !Object.hasOwn(errorCatalogue, code)) throw wrong("error code");
    const error = new RaiaError(code as ErrorCode, (facts ?? {}) as Facts, cause === undefined ? undefined : { cause });
    if (typeof stack === "string") Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
    return this.#fill(index, error);
  }

  // -- objects by number ------------------------------------------------------------------------------------------

  #number<T>(object: T): T {
    if (this.#isGeneral) this.#objects.push(object);
    return object;
  }

  #reserve(): number {
    return this.#objects.push(undefined) - 1;
  }

  #fill<T>(index: number, object: T): T {
    this.#objects[index] = object;
    return object;
  }

  // -- pieces -----------------------------------------------------------------------------------------------------

  #skip(count: number): number {
    const at = this.#at;
    if (at + count > this.#end) throw wrong("end");
    this.#at = at + count;
    return at;
  }

  #u8(): number {
    return this.#bytes[this.#skip(1)] as number;
  }

  #u32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4));
  }

  #f64(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  #varuint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#u8();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw wrong("number");
  }

  /** A count of items that take at least `atLeast` bytes each: never more than what is left can hold. */
  #count(atLeast: number): number {
    const count = this.#u32();
    if (count * atLeast > this.#end - this.#at) throw wrong("count");
    return count;
  }

  #slice(length: number): Buffer {
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  #text(): string {
    const first = this.#u8();
    if (first !== tag.latin1 && first !== tag.utf8 && first !== tag.utf16) throw wrong("string");
    return this.#string(first);
  }

  #string(kind: number): string {
    if (kind === tag.latin1) {
      const length = this.#u8();
      const start = this.#skip(length);
      return this.#bytes.latin1Slice(start, start + length);
    }
    const length = this.#u32();
    const start = this.#skip(length);
    return kind === tag.utf8 ? this.#bytes.utf8Slice(start, start + length) : this.#bytes.ucs2Slice(start, start + length);
  }

  #bigint(): bigint {
    const length = this.#u32();
    const start = this.#skip(length);
    const digits = this.#bytes.latin1Slice(start, start + length);
    if (!/^-?[0-9a-f]+$/.test(digits)) throw wrong("bigint");
    return digits.startsWith("-") ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`);
  }
}

/** Names of the classes that an error had where it was made, for those who ask what kind it was. */
export const classesOfDecoded = new WeakMap<Error, readonly string[]>();

const builtInErrors: Readonly<Record<string, ErrorConstructor | undefined>> = {
  __proto__: null as never,
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError: AggregateError as unknown as ErrorConstructor,
};

function float16(): Uint8ArrayConstructor | undefined {
  return (globalThis as unknown as { Float16Array?: Uint8ArrayConstructor }).Float16Array;
}

function bounded(length: number, limit: number): number {
  if (length > limit) throw wrong("length of a view");
  return length;
}

function wrong(what: string): RaiaError {
  return new RaiaError("PROTOCOL", { reason: "not an encoded value", at: what });
}
