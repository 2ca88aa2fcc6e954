/** The general form's body: every object once, later mentions by number. */
import { types } from "node:util";
import { ByteWriter } from "../base/byte-writer.ts";
import { RaiaError } from "../base/errors.ts";
import { codecOfPrototype } from "./tmp-registry.ts";
import { type ValueHooks, writeBigint, writeNumber, writeString } from "./value-codec.ts";
import { pathTo } from "./value-path.ts";
import { BUFFER_KIND, DATA_VIEW_KIND, FLOAT16_KIND, MAX_DEPTH, tag, viewKinds } from "./tmp-tags.ts";

/** Symbol that marks what the hooks know; the same in every copy of the library. */
const brand = Symbol.for("raia.brand");

/** Raised inside the walk; the path is looked for afterwards. */
class Refused {
  readonly culprit: unknown;
  readonly reason: string;

  constructor(culprit: unknown, reason: string) {
    this.culprit = culprit;
    this.reason = reason;
  }
}

export class GraphEncoder {
  readonly #hooks: ValueHooks;
  readonly #writer = new ByteWriter(1024);
  readonly #numbers = new Map<object, number>();
  readonly #keys = new Map<string, number>();
  readonly #parts: Uint8Array[] = [];
  #depth = 0;

  constructor(hooks: ValueHooks) {
    this.#hooks = hooks;
  }

  encode(value: unknown): { body: Uint8Array; parts: readonly Uint8Array[] } {
    try {
      this.#write(value);
    } catch (error) {
      throw explain(error, value);
    }
    return { body: this.#writer.buffer.subarray(0, this.#writer.position), parts: this.#parts };
  }

  #write(value: unknown): void {
    const writer = this.#writer;
    switch (typeof value) {
      case "number":
        writeNumber(writer, value);
        return;
      case "string":
        writeString(writer, value);
        return;
      case "boolean":
        writer.u8(value ? tag.true : tag.false);
        return;
      case "undefined":
        writer.u8(tag.undefined);
        return;
      case "bigint":
        writeBigint(writer, value);
        return;
      case "function":
        if (brand in value) this.#object(value);
        else throw new Refused(value, "a function is not data; pass a remote function, or call it before");
        return;
      case "symbol":
        throw new Refused(value, "a symbol exists in one process only");
      default:
        if (value === null) writer.u8(tag.null);
        else this.#object(value);
    }
  }

  #object(value: object): void {
    const known = this.#numbers.get(value);
    if (known !== undefined) {
      this.#writer.u8(tag.same);
      this.#writer.u32(known);
      return;
    }
    if (++this.#depth > MAX_DEPTH) throw new Refused(value, `it is nested more than ${MAX_DEPTH} deep`);
    if (types.isProxy(value)) throw new Refused(value, "a Proxy cannot be seen through");
    if (brand in value) this.#branded(value);
    else {
      this.#numbers.set(value, this.#numbers.size);
      this.#plainObject(value);
    }
    this.#depth--;
  }

  #branded(value: object): void {
    const replaced = this.#hooks.replace(value);
    if (replaced === undefined) throw new Refused(value, "it belongs to another copy or session of the library");
    this.#numbers.set(value, this.#numbers.size);
    this.#writer.u8(tag.branded);
    writeString(this.#writer, replaced.kind);
    this.#write(replaced.payload);
  }

  #plainObject(value: object): void {
    const writer = this.#writer;
    const prototype: object | null = Object.getPrototypeOf(value) as object | null;
    if (Array.isArray(value)) this.#array(value);
    else if (prototype === Object.prototype || prototype === null || isForeignObjectPrototype(prototype)) {
      writer.u8(prototype === null ? tag.nullObject : tag.object);
      this.#properties(value);
    } else if (this.#coded(value, prototype)) return;
    else if (ArrayBuffer.isView(value)) this.#view(value);
    else if (types.isArrayBuffer(value)) {
      writer.u8(tag.arrayBuffer);
      writer.u32(this.#part(new Uint8Array(value)));
    } else if (types.isMap(value) && isIntrinsic(prototype, "Map")) {
      writer.u8(tag.map);
      writer.u32(value.size);
      for (const [key, item] of value) {
        this.#write(key);
        this.#write(item);
      }
    } else if (types.isSet(value) && isIntrinsic(prototype, "Set")) {
      writer.u8(tag.set);
      writer.u32(value.size);
      for (const item of value) this.#write(item);
    } else if (types.isDate(value) && isIntrinsic(prototype, "Date")) {
      writer.u8(tag.date);
      writer.f64(value.getTime());
    } else if (types.isRegExp(value) && isIntrinsic(prototype, "RegExp")) {
      writer.u8(tag.regexp);
      writeString(writer, value.source);
      writeString(writer, value.flags);
      writeNumber(writer, value.lastIndex);
    } else if (types.isNativeError(value) || value instanceof Error) this.#error(value as Error);
    else if (types.isBoxedPrimitive(value) && !types.isSymbolObject(value)) {
      writer.u8(tag.boxed);
      this.#write((value as { valueOf(): unknown }).valueOf());
    } else throw new Refused(value, reasonAgainst(value, prototype));
  }

  #coded(value: object, prototype: object): boolean {
    const codec = codecOfPrototype(prototype);
    if (codec === undefined) return false;
    this.#writer.u8(tag.coded);
    writeString(this.#writer, codec.id);
    writeNumber(this.#writer, codec.version);
    this.#write(codec.encode(value as never));
    return true;
  }

  #array(items: readonly unknown[]): void {
    const writer = this.#writer;
    const keys = Object.keys(items);
    if (keys.length === items.length) {
      writer.u8(tag.array);
      writer.u32(items.length);
      for (let i = 0; i < items.length; i++) this.#write(items[i]);
      return;
    }
    if (keys.some((key) => String(Number(key) >>> 0) !== key)) throw new Refused(items, "an array with named properties");
    writer.u8(tag.sparse);
    writer.u32(items.length);
    writer.u32(keys.length);
    for (const key of keys) {
      writer.u32(Number(key));
      this.#write(items[Number(key)]);
    }
  }

  /** Keys are written once: rows of one shape cost their values. */
  #properties(value: object): void {
    const writer = this.#writer;
    const keys = Object.keys(value);
    writer.u32(keys.length);
    for (const key of keys) {
      const known = this.#keys.get(key);
      if (known === undefined) {
        this.#keys.set(key, this.#keys.size);
        writer.varuint(0);
        writeString(writer, key);
      } else {
        writer.varuint(known + 1);
      }
      this.#write((value as Record<string, unknown>)[key]);
    }
  }

  #view(value: ArrayBufferView): void {
    if (types.isSharedArrayBuffer(value.buffer)) throw new Refused(value, "shared memory exists in one process only");
    const writer = this.#writer;
    const kind = kindOf(value);
    if (kind === undefined) throw new Refused(value, "an unknown kind of view");
    writer.u8(tag.view);
    writer.u8(kind);
    const length = value instanceof DataView ? value.byteLength : (value as Uint8Array).length;
    // A view of all its buffer shares that buffer with others in this value; one of a part takes just what it sees.
    const isWhole = value.byteOffset === 0 && value.byteLength === value.buffer.byteLength;
    writer.f64(length);
    if (isWhole) {
      this.#write(value.buffer);
      return;
    }
    this.#numbers.set({}, this.#numbers.size);
    writer.u8(tag.arrayBuffer);
    writer.u32(this.#part(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)));
  }

  #part(bytes: Uint8Array): number {
    return this.#parts.push(bytes) - 1;
  }

  #error(error: Error): void {
    const writer = this.#writer;
    if (RaiaError.is(error)) {
      writer.u8(tag.raiaError);
      this.#write([error.code, error.facts, error.stack, error.cause]);
      return;
    }
    writer.u8(tag.error);
    const own = Object.fromEntries(Object.entries(error).filter(([key]) => !standardErrorKeys.has(key)));
    const fields: Record<string, unknown> = { className: classNamesOf(error), name: error.name, message: error.message, stack: error.stack, own };
    if ("cause" in error) fields["cause"] = error.cause;
    if (error instanceof AggregateError) fields["errors"] = error.errors;
    this.#write(fields);
  }
}

const standardErrorKeys = new Set(["name", "message", "stack", "cause", "errors"]);

/** Most specific first, down to Error. */
export function classNamesOf(error: object): string[] {
  const names: string[] = [];
  for (let at: object | null = Object.getPrototypeOf(error) as object | null; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at) as object | null) {
    const name = (at.constructor as { name?: string } | undefined)?.name;
    if (name) names.push(name);
  }
  return names;
}

function kindOf(value: ArrayBufferView): number | undefined {
  if (Buffer.isBuffer(value)) return BUFFER_KIND;
  if (types.isDataView(value)) return DATA_VIEW_KIND;
  const name = (value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag];
  if (name === "Float16Array") return FLOAT16_KIND;
  const index = viewKinds.findIndex((kind) => kind.name === name);
  return index < 0 ? undefined : index;
}

/** `Object.prototype` of another realm (a notebook's or REPL's context). */
function isForeignObjectPrototype(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "__lookupGetter__") && Object.hasOwn(prototype, "hasOwnProperty");
}

function isIntrinsic(prototype: object, name: string): boolean {
  const own = (globalThis as unknown as Record<string, { prototype: object }>)[name]?.prototype;
  if (prototype === own) return true;
  const { constructor } = prototype as { constructor?: { name?: string } };
  return constructor?.name === name && Function.prototype.toString.call(constructor).endsWith("{ [native code] }");
}

function reasonAgainst(value: object, prototype: object): string {
  const name = (prototype.constructor as { name?: string } | undefined)?.name ?? "an unknown class";
  if (types.isPromise(value)) return "a promise: await it first";
  if (types.isWeakMap(value) || types.isWeakSet(value)) return `a ${name} exists in one process only`;
  if (types.isGeneratorObject(value)) return "a generator is running code";
  if (types.isMap(value) || types.isSet(value) || types.isDate(value)) return `instances of the subclass ${name} lose their class; register a codec for it`;
  return `instances of ${name} need a codec: registerCodec(${name}, ...)`;
}

function explain(error: unknown, root: unknown): unknown {
  if (error instanceof Refused) {
    return new RaiaError("UNSERIALIZABLE", { path: pathTo(root, error.culprit), type: typeName(error.culprit), reason: error.reason });
  }
  if (RaiaError.is(error)) return error;
  if (error instanceof RangeError) return new RaiaError("UNSERIALIZABLE", { reason: "it is too large or too deep", detail: error.message }, { cause: error });
  return new RaiaError("UNSERIALIZABLE", { reason: "reading it threw", detail: String(error) }, { cause: error });
}

function typeName(value: unknown): string {
  if (typeof value !== "object" || value === null) return typeof value === "function" ? `function ${value.name}`.trim() : typeof value;
  try {
    return (Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null)?.constructor?.name ?? "object";
  } catch {
    // A hostile Proxy: its name is not worth more.
    return "Proxy";
  }
}
