/**
 * What is left of an error of which some cannot be sent: the same error, with a text in the place of each value that stays
 * behind. Nothing vanishes without a word: an error that arrives incomplete says more than an error about sending errors.
 */
import { encodeValue, type ValueHooks } from "./value-codec.ts";
import { isError } from "./value-error.ts";

/** Errors and objects that are copied; what is behind further ones is a text. */
const MAX_COPIES = 256;
/** Longer lists are a text. */
const MAX_ITEMS = 1000;
const MAX_NAME_CHARS = 100;

export class ErrorRemainder {
  readonly #hooks: ValueHooks;
  readonly #copies = new Map<object, object>();
  /** Where the texts stand: `response.json`. */
  readonly omitted = new Set<string>();

  constructor(hooks: ValueHooks) {
    this.#hooks = hooks;
  }

  /** @param path of the error, with a dot behind it where it is not the outermost */
  ofError(error: Error, path: string): Error {
    const known = this.#copies.get(error);
    if (known !== undefined) return known as Error;
    const copy = Object.setPrototypeOf(new Error(), Object.getPrototypeOf(error) as object) as Error;
    this.#copies.set(error, copy);
    Reflect.deleteProperty(copy, "stack");
    for (const key of Object.getOwnPropertyNames(error)) {
      const enumerable = Object.prototype.propertyIsEnumerable.call(error, key);
      Object.defineProperty(copy, key, { value: this.#property(error, key, path), enumerable, writable: true, configurable: true });
    }
    return copy;
  }

  #property(owner: object, key: string, path: string): unknown {
    let value: unknown;
    try {
      value = (owner as Record<string, unknown>)[key];
    } catch {
      // A getter of the user's that throws.
      this.omitted.add(path + key);
      return "[cannot be read]";
    }
    // Of an error these are asked for as texts.
    if (isError(owner) && (key === "name" || key === "message") && typeof value !== "string") return this.#text(value, path + key);
    return this.#valueAt(value, path + key);
  }

  #valueAt(value: unknown, path: string): unknown {
    if (this.#canTravel(value)) return value;
    if (typeof value === "object" && value !== null) {
      const known = this.#copies.get(value);
      if (known !== undefined) return known;
      if (this.#copies.size < MAX_COPIES) {
        if (isError(value)) return this.ofError(value as Error, `${path}.`);
        if (Array.isArray(value) && value.length <= MAX_ITEMS) return this.#ofList(value, path);
        if (isPlain(value)) return this.#ofRecord(value, path);
      }
    }
    return this.#text(value, path);
  }

  #text(value: unknown, path: string): string {
    this.omitted.add(path);
    return `[${nameOf(value)}: cannot be sent]`;
  }

  #canTravel(value: unknown): boolean {
    try {
      encodeValue(value, this.#hooks);
      return true;
    } catch {
      return false;
    }
  }

  #ofList(list: readonly unknown[], path: string): unknown[] {
    const copy: unknown[] = [];
    this.#copies.set(list, copy);
    for (const [index, one] of list.entries()) copy.push(this.#valueAt(one, `${path}[${index}]`));
    return copy;
  }

  #ofRecord(record: object, path: string): object {
    const copy: Record<string, unknown> = {};
    this.#copies.set(record, copy);
    for (const key of Object.keys(record)) {
      const value = this.#property(record, key, `${path}.`);
      Object.defineProperty(copy, key, { value, enumerable: true, writable: true, configurable: true });
    }
    return copy;
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** `Socket` of one, `function json`, `Symbol(agent)`. */
function nameOf(value: unknown): string {
  try {
    if (typeof value === "function") return `function ${value.name}`.trim().slice(0, MAX_NAME_CHARS);
    if (typeof value !== "object" || value === null) return String(value).slice(0, MAX_NAME_CHARS);
    const { name } = value.constructor;
    return (typeof name === "string" && name !== "" ? name : "object").slice(0, MAX_NAME_CHARS);
  } catch {
    // A proxy or a getter of the user's that throws.
    return typeof value;
  }
}
