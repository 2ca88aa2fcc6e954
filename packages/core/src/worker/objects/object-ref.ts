/**
 * The user's handle on an object that may not exist yet. Not thenable on purpose: an async function that returned one
 * would silently wait for it.
 */
import { RaiaError } from "../../base/errors.ts";
import { objectIdOf } from "../../base/ids.ts";
import type { ObjectEntry } from "./object-entry.ts";
import type { GetOptions } from "./wait-options.ts";

/** Marks what Raia itself can send inside values; the same symbol in every copy of the library. */
export const brand: unique symbol = Symbol.for("raia.brand") as never;

/**
 * What was given in place of one of ours. Its brand alone is no proof: it may be of a copy of the library that was loaded beside
 * this one, which has a cluster of its own.
 */
export function kindOf(value: unknown, expected: "ref" | "actor" | "placementGroup"): string {
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  if ((value as { readonly [brand]?: unknown })[brand] !== expected) return "object";
  return `${expected === "ref" ? "an ObjectRef" : "an actor handle"} of another copy of the library, loaded beside this one`;
}

export class ObjectRef<T = unknown> {
  declare readonly valueType?: T;
  #entry: ObjectEntry | undefined;

  /** @internal made by the runtime only */
  constructor(entry: ObjectEntry) {
    this.#entry = entry;
  }

  /**
   * The entry behind a ref.
   *
   * @throws {RaiaError} INVALID_ARGUMENT when it is no ref, OBJECT_FREED when it was released, SHUTTING_DOWN or CLUSTER_LOST
   * when it is of a cluster that this process has left
   */
  static entryOf(ref: unknown): ObjectEntry {
    if (typeof ref !== "object" || ref === null || !(#entry in ref)) {
      throw new RaiaError("INVALID_ARGUMENT", { expected: "an ObjectRef", got: kindOf(ref, "ref") });
    }
    if (ref.#entry === undefined) throw new RaiaError("OBJECT_FREED", { reason: "this ref was released" });
    const { ended } = ref.#entry.table;
    if (ended !== undefined) throw new RaiaError(ended, { reason: "this ref is of a cluster that this process has left", object: ref.id });
    return ref.#entry;
  }

  static isRef(value: unknown): value is ObjectRef {
    return typeof value === "object" && value !== null && #entry in value;
  }

  get [brand](): "ref" {
    return "ref";
  }

  /** 56 hex characters, unique in the cluster. */
  get id(): string {
    const entry = this.#entry ?? ObjectRef.entryOf(this);
    return objectIdOf(entry.owner?.workerId ?? entry.table.self.workerId, entry.sequence);
  }

  /** The value, when it is there. The method form of `get(ref)`. */
  get(options?: GetOptions): Promise<T> {
    const entry = ObjectRef.entryOf(this);
    return entry.table.reader.get(entry, options) as Promise<T>;
  }

  /**
   * Resolves when a large `put` has found its place in shared memory: the backpressure for programs that put faster than
   * memory can be made. At once for everything else.
   */
  get stored(): Promise<void> {
    const entry = ObjectRef.entryOf(this);
    return entry.table.reader.whenStored(entry);
  }

  /** Lets go now instead of when the garbage collector finds it: `using ref = put(x)`. */
  [Symbol.dispose](): void {
    const entry = this.#entry;
    if (entry === undefined) return;
    this.#entry = undefined;
    entry.releasedHandles++;
    entry.table.dropHandle(entry);
  }

  toString(): string {
    return this.#entry === undefined ? "ObjectRef(released)" : `ObjectRef(${this.id})`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  toJSON(): never {
    throw new RaiaError("UNSERIALIZABLE", { reason: "an ObjectRef is not JSON; pass it to a task, or get its value" });
  }
}
