/**
 * Writes the values of the packed form (value-packing.ts): everything the structured clone knows, with identity and cycles, and what
 * hooks, registered codecs and the Arrow libraries add to it.
 */
import { types } from "node:util";
import type { ByteWriter } from "../base/byte-writer.ts";
import { RaiaError } from "../base/errors.ts";
import { codecOf, type RegisteredCodec } from "./class-registry.ts";
import { encodeArrow, type EncodedArrow } from "./value-arrow.ts";
import { isIndex, isUnusualArray } from "./value-array.ts";
import { describeError, errorProperties, isError, RAIA_ERROR } from "./value-error.ts";
import type { ValueHooks } from "./value-hooks.ts";
import { isDetached, type MemoryWriter, viewKind } from "./value-memory.ts";
import { MIN_NUMBERS, writeNumbers } from "./value-numbers.ts";
import { Obstacle, obstacleOf } from "./value-obstacle.ts";
import { findPath } from "./value-path.ts";
import { isPrototypeOf } from "./value-realm.ts";
import { writeKey, writeScalar, writeString } from "./value-scalars.ts";
import { brandSymbol, laterKind, MAX_NESTING, MAX_PAYLOAD_NESTING, MAX_SHAPE_KEYS, MAX_SHAPES, tag } from "./value-tags.ts";

/** Contents that can be put off: those of containers, and the properties of errors. */
type Container = readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | Readonly<Record<string, unknown>> | Error;

export class ValueEncoder {
  readonly #writer: ByteWriter;
  readonly #hooks: ValueHooks;
  readonly #memory: MemoryWriter;
  /** Every object by its number, in the order in which the reader meets them. */
  readonly #numbers = new Map<object, number>();
  /** Objects whose payload is being written: it cannot mention them, for they do not exist before it is read. */
  readonly #unfinished = new Set<object>();
  readonly #later: { readonly value: Container; readonly kind: number }[] = [];
  readonly #shapes: string[][] = [];
  readonly #shapesByFirstKey = new Map<string, number[]>();
  #lastShape = -1;

  constructor(writer: ByteWriter, hooks: ValueHooks, memory: MemoryWriter) {
    this.#writer = writer;
    this.#hooks = hooks;
    this.#memory = memory;
  }

  write(root: unknown): void {
    this.#value(root, 0);
    for (let next = 0; next < this.#later.length; next++) {
      const { value, kind } = this.#later[next] as { value: Container; kind: number };
      this.#contents(value, kind, 0);
    }
  }

  #value(value: unknown, depth: number): void {
    if (depth > MAX_PAYLOAD_NESTING) {
      throw new Obstacle(
        value,
        `what codecs write is nested more than ${MAX_PAYLOAD_NESTING} levels deep`,
        "write a flatter form in encode",
      );
    }
    if (typeof value === "object" && value !== null) this.#object(value, depth);
    else if (!writeScalar(this.#writer, value)) this.#functionOrSymbol(value as Function | symbol, depth);
  }

  #functionOrSymbol(value: Function | symbol, depth: number): void {
    if (typeof value === "symbol") throw new Obstacle(value, `it is a symbol (${String(value)})`, "send a string instead");
    if (!this.#reference(value) && !this.#branded(value, depth)) {
      throw new Obstacle(value, "it is a function, and values never contain code", "pass it as a task of its own: remote(fn)");
    }
  }

  /** Writes the number of an object that was written before. */
  #reference(value: object): boolean {
    const number = this.#numbers.get(value);
    if (number === undefined) return false;
    if (this.#unfinished.has(value)) {
      throw new Obstacle(value, "what its codec writes contains the object itself", "leave the way back out of what encode returns");
    }
    this.#writer.u8(tag.reference);
    this.#writer.varuint(number);
    return true;
  }

  #object(value: object, depth: number): void {
    if (this.#reference(value) || (brandSymbol in value && this.#branded(value, depth))) return;
    if (types.isProxy(value)) throw obstacleOf(value);
    const proto = Object.getPrototypeOf(value) as object | null;
    if (proto === Object.prototype) this.#container(value as Container, laterKind.object, depth);
    else if (proto === null) this.#container(value as Container, laterKind.nullObject, depth);
    else if (Array.isArray(value) && isPrototypeOf(proto, Array)) this.#container(value, laterKind.array, depth);
    else if (ArrayBuffer.isView(value)) this.#view(value);
    else if (isError(value)) this.#error(value as Error, depth);
    else this.#special(value, proto, depth);
  }

  #special(value: object, proto: object, depth: number): void {
    if (types.isMap(value) && isPrototypeOf(proto, Map)) this.#container(value, laterKind.map, depth);
    else if (types.isSet(value) && isPrototypeOf(proto, Set)) this.#container(value, laterKind.set, depth);
    else if (types.isDate(value) && isPrototypeOf(proto, Date)) this.#date(value);
    else if (types.isRegExp(value) && isPrototypeOf(proto, RegExp)) this.#regExp(value);
    else if (types.isArrayBuffer(value) && isPrototypeOf(proto, ArrayBuffer)) this.#arrayBuffer(value);
    else if (types.isBoxedPrimitive(value) && isBoxPrototype(proto)) this.#boxed(value);
    else if (!this.#coded(value, proto, depth) && !this.#arrow(value)) {
      if (!types.isMap(value) && !types.isSet(value) && !Array.isArray(value) && isPrototypeOf(proto, Object) && !types.isExternal(value)) {
        this.#container(value as Container, laterKind.object, depth);
      } else {
        throw obstacleOf(value);
      }
    }
  }

  #number(value: object): void {
    this.#numbers.set(value, this.#numbers.size);
  }

  // -- containers -------------------------------------------------------------------------------------------------

  #container(value: Container, kind: number, depth: number): void {
    this.#number(value);
    if (depth < MAX_NESTING || this.#unfinished.size > 0) {
      this.#contents(value, kind, depth);
      return;
    }
    this.#writer.u8(tag.later);
    this.#writer.u8(kind);
    this.#later.push({ value, kind });
  }

  #contents(value: Container, kind: number, depth: number): void {
    switch (kind) {
      case laterKind.array:
        this.#array(value as readonly unknown[], depth);
        break;
      case laterKind.object:
        this.#record(value as Readonly<Record<string, unknown>>, depth);
        break;
      case laterKind.nullObject:
        this.#writer.u8(tag.nullObject);
        this.#properties(value, Object.keys(value), depth);
        break;
      case laterKind.map: {
        // A copy of the entries: a getter among them might change the map.
        const entries = [...(Map.prototype.entries.call(value) as Iterable<[unknown, unknown]>)];
        this.#writer.u8(tag.map);
        this.#writer.varuint(entries.length);
        for (const [key, held] of entries) {
          this.#value(key, depth + 1);
          this.#value(held, depth + 1);
        }
        break;
      }
      case laterKind.errorProperties: {
        const { shown, hidden } = errorProperties(value as Error);
        this.#properties(value, hidden, depth);
        this.#properties(value, shown, depth);
        break;
      }
      default: {
        const held = [...(Set.prototype.values.call(value) as Iterable<unknown>)];
        this.#writer.u8(tag.set);
        this.#writer.varuint(held.length);
        for (const member of held) this.#value(member, depth + 1);
      }
    }
  }

  #array(value: readonly unknown[], depth: number): void {
    if (isUnusualArray(value)) {
      this.#sparseArray(value, depth);
      return;
    }
    const { length } = value;
    if (length >= MIN_NUMBERS && typeof value[0] === "number" && writeNumbers(this.#writer, value)) return;
    this.#writer.u8(tag.array);
    this.#writer.varuint(length);
    for (let i = 0; i < length; i++) {
      const element = value[i];
      if (element === undefined && !(i in value)) this.#writer.u8(tag.hole);
      else this.#value(element, depth + 1);
    }
  }

  #sparseArray(value: readonly unknown[], depth: number): void {
    const writer = this.#writer;
    const keys = Object.keys(value);
    const count = keys.findIndex((key) => !isIndex(key));
    const indices = count < 0 ? keys : keys.slice(0, count);
    writer.u8(tag.sparseArray);
    writer.varuint(value.length);
    writer.varuint(indices.length);
    for (const key of indices) {
      const index = Number(key);
      writer.varuint(index);
      this.#value(value[index], depth + 1);
    }
    this.#properties(value, keys.slice(indices.length), depth);
  }

  #properties(value: object, keys: readonly string[], depth: number): void {
    this.#writer.varuint(keys.length);
    for (const key of keys) {
      writeKey(this.#writer, key);
      this.#value((value as Record<string, unknown>)[key], depth + 1);
    }
  }

  /** Keys first, so that the next object with the same ones names them by number. */
  #record(value: Readonly<Record<string, unknown>>, depth: number): void {
    const writer = this.#writer;
    const keys = Object.keys(value);
    const shape = this.#shapeOf(keys);
    if (shape !== undefined) {
      writer.u8(tag.sameRecord);
      writer.varuint(shape);
    } else {
      writer.u8(tag.record);
      writer.varuint(keys.length);
      for (const key of keys) writeKey(writer, key);
      this.#rememberShape(keys);
    }
    for (const key of keys) this.#value(value[key], depth + 1);
  }

  #shapeOf(keys: readonly string[]): number | undefined {
    if (keys.length === 0 || keys.length > MAX_SHAPE_KEYS) return undefined;
    if (this.#isShape(this.#lastShape, keys)) return this.#lastShape;
    const found = this.#shapesByFirstKey.get(keys[0] as string)?.find((shape) => this.#isShape(shape, keys));
    if (found !== undefined) this.#lastShape = found;
    return found;
  }

  #isShape(number: number, keys: readonly string[]): boolean {
    const shape = this.#shapes[number];
    if (shape?.length !== keys.length) return false;
    for (let i = 0; i < keys.length; i++) if (shape[i] !== keys[i]) return false;
    return true;
  }

  #rememberShape(keys: string[]): void {
    if (keys.length === 0 || keys.length > MAX_SHAPE_KEYS || this.#shapes.length >= MAX_SHAPES) return;
    this.#lastShape = this.#shapes.push(keys) - 1;
    const sameStart = this.#shapesByFirstKey.get(keys[0] as string);
    if (sameStart === undefined) this.#shapesByFirstKey.set(keys[0] as string, [this.#lastShape]);
    else sameStart.push(this.#lastShape);
  }

  // -- objects that are one thing -----------------------------------------------------------------------------------

  #view(value: ArrayBufferView): void {
    const kind = viewKind(value);
    if (kind === undefined) throw obstacleOf(value);
    this.#refuseDetached(value);
    this.#number(value);
    this.#writer.u8(tag.binary);
    this.#writer.varuint(this.#memory.addView(value, kind));
  }

  #arrayBuffer(value: ArrayBuffer): void {
    this.#refuseDetached(value);
    this.#number(value);
    this.#writer.u8(tag.binary);
    this.#writer.varuint(this.#memory.addBuffer(value));
  }

  #refuseDetached(value: ArrayBuffer | ArrayBufferView): void {
    if (isDetached(value)) throw new Obstacle(value, "its memory was transferred away", "send it before it is transferred");
  }

  #date(value: Date): void {
    this.#number(value);
    this.#writer.u8(tag.date);
    this.#writer.f64(Date.prototype.getTime.call(value));
  }

  #regExp(value: RegExp): void {
    this.#number(value);
    this.#writer.u8(tag.regExp);
    writeString(this.#writer, value.source);
    writeString(this.#writer, value.flags);
  }

  #boxed(value: object): void {
    const primitive = (value as { valueOf(): unknown }).valueOf();
    if (typeof primitive === "symbol") throw new Obstacle(value, "it is a symbol", "send a string instead");
    this.#number(value);
    this.#writer.u8(tag.boxed);
    writeScalar(this.#writer, primitive);
  }

  #error(value: Error, depth: number): void {
    const writer = this.#writer;
    const { base, reference, className, name, message, stack } = describeError(value);
    this.#number(value);
    writer.u8(tag.error);
    writer.u8(base);
    if (base === RAIA_ERROR) {
      const { code, facts } = value as RaiaError;
      writeScalar(writer, code);
      this.#value(facts, depth + 1);
    }
    writer.u8(reference === undefined ? 0 : 1);
    if (reference !== undefined) for (const text of [reference.how, reference.module, reference.name]) writeString(writer, text);
    writeString(writer, className);
    writeString(writer, name);
    writeString(writer, message);
    writeScalar(writer, stack);
    if (depth < MAX_NESTING || this.#unfinished.size > 0) {
      writer.u8(0);
      this.#contents(value, laterKind.errorProperties, depth);
    } else {
      writer.u8(1);
      this.#later.push({ value, kind: laterKind.errorProperties });
    }
  }

  #arrow(value: object): boolean {
    let arrow: EncodedArrow | undefined;
    try {
      arrow = encodeArrow(value);
    } catch (error) {
      throw new Obstacle(value, `its Arrow library could not write it: ${String((error as Error).message)}`);
    }
    if (arrow === undefined) return false;
    this.#number(value);
    this.#writer.u8(tag.arrow);
    this.#writer.u8(arrow.library);
    this.#writer.u8(arrow.form);
    this.#writer.varuint(this.#memory.addView(arrow.bytes, viewKind(new Uint8Array(0)) as number));
    return true;
  }

  // -- objects that others know ---------------------------------------------------------------------------------------

  #branded(value: object, depth: number): boolean {
    const replaced = this.#hooks.replace(value);
    if (replaced === undefined) return false;
    this.#number(value);
    this.#writer.u8(tag.branded);
    writeString(this.#writer, replaced.kind);
    this.#payload(value, replaced.payload, depth);
    return true;
  }

  #coded(value: object, proto: object, depth: number): boolean {
    const codec = codecOf(proto);
    if (codec === undefined) return false;
    this.#number(value);
    this.#writer.u8(tag.coded);
    writeString(this.#writer, codec.id);
    this.#writer.varuint(codec.version);
    this.#payload(value, encodeWith(codec, value), depth);
    return true;
  }

  #payload(owner: object, payload: unknown, depth: number): void {
    this.#unfinished.add(owner);
    try {
      this.#value(payload, depth + 1);
    } catch (error) {
      if (!(error instanceof Obstacle) || error.culprit === owner) throw error;
      const way = findPath(payload, error.culprit) ?? "";
      throw new Obstacle(owner, error.reason, error.wayOut, ` (encoded)${way}${error.inner}`);
    }
    this.#unfinished.delete(owner);
  }
}

function encodeWith(codec: RegisteredCodec, value: object): unknown {
  try {
    return codec.encode(value);
  } catch (error) {
    if (RaiaError.is(error)) throw error;
    throw new Obstacle(value, `its codec ${codec.id} threw: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function isBoxPrototype(proto: object): boolean {
  return [Number, String, Boolean, BigInt, Symbol].some((box) => isPrototypeOf(proto, box));
}
