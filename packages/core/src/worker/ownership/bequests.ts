/**
 * What a task returns must outlive its process. A ref inside a result may be of an object that this process owns and keeps
 * in its own memory, since it is small: before the result leaves, the node gets the value, and keeps it for those who hold
 * the ref should this process die. An object that is still to be made is given to the node when it is there.
 */
import { ByteWriter } from "../../base/byte-writer.ts";
import { tryEncodeSmall } from "../../values/value-codec.ts";
import { type ObjectEntry, objectState } from "../objects/object-entry.ts";

/** Both return what settles when the node has it; undefined when it has it now. */
export interface BequestStore {
  /** Gives the node a value of our own that is kept in this process. */
  storeOwn(entry: ObjectEntry, bytes: Uint8Array): Promise<void> | undefined;
  /** One that is on its way already, or was. */
  whenStored(entry: ObjectEntry): Promise<void> | undefined;
}

export class Bequests {
  readonly #store: BequestStore;

  constructor(store: BequestStore) {
    this.#store = store;
  }

  /** @param leaving gets what must settle before the refs are told to others */
  add(entries: readonly ObjectEntry[], leaving: Promise<void>[]): void {
    for (const entry of entries) {
      if (entry.owner !== undefined || entry.isBequeathed) continue;
      entry.isBequeathed = true;
      if (entry.isSettled) this.#give(entry, leaving);
      else entry.addWaiter({ settled: () => this.#give(entry, []) });
    }
  }

  #give(entry: ObjectEntry, leaving: Promise<void>[]): void {
    if (entry.nested !== undefined) this.add(entry.nested, leaving);
    const given = this.#given(entry);
    // Without room for it the value stays here only, and the ref is good as long as this process lives.
    if (given !== undefined) leaving.push(given.catch(() => {}));
  }

  #given(entry: ObjectEntry): Promise<void> | undefined {
    if (entry.state === objectState.stored) return this.#store.whenStored(entry);
    const bytes = bytesOf(entry);
    return bytes === undefined ? undefined : this.#store.storeOwn(entry, bytes);
  }
}

/** The encoded value of an object that is kept in this process. */
function bytesOf(entry: ObjectEntry): Uint8Array | undefined {
  if (entry.state === objectState.bytes) return entry.payload as Uint8Array;
  if (entry.state !== objectState.value) return undefined;
  const writer = new ByteWriter(64);
  tryEncodeSmall(writer, entry.payload);
  return writer.buffer.subarray(0, writer.position);
}
