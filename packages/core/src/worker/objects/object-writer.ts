/** Makes objects out of values, and frees them. */
import { ByteWriter } from "../../base/byte-writer.ts";
import { type EncodedValue, encodeValue, packValue, tryEncodeSmall } from "../../values/value-codec.ts";
import type { OwnerAddress } from "../../messages/common.ts";
import { MAX_INLINE_BYTES, type ObjectEntry, objectState } from "./object-entry.ts";
import type { ObjectRef } from "./object-ref.ts";
import type { ReferenceTable } from "./references.ts";
import type { StoreAdapter } from "./store-adapter.ts";
import type { RuntimeValueHooks } from "./value-hooks.ts";

/** The node where this process stores what is large, once it has one. */
export interface StoringNode {
  readonly isJoined: boolean;
  readonly nodeId: string;
}

export class ObjectWriter {
  readonly #table: ReferenceTable;
  readonly #hooks: RuntimeValueHooks;
  readonly #store: StoreAdapter;
  readonly #node: StoringNode;
  readonly #freeAtOwner: (owner: OwnerAddress, sequence: number) => void;
  readonly #scratch = new ByteWriter(256);

  constructor(
    table: ReferenceTable,
    hooks: RuntimeValueHooks,
    store: StoreAdapter,
    node: StoringNode,
    freeAtOwner: (owner: OwnerAddress, sequence: number) => void,
  ) {
    this.#table = table;
    this.#hooks = hooks;
    this.#store = store;
    this.#node = node;
    this.#freeAtOwner = freeAtOwner;
  }

  put<T>(value: T, site: string): ObjectRef<T> {
    return this.#table.refFor(this.putEntry(value, site));
  }

  putEntry(value: unknown, site: string): ObjectEntry {
    const entry = this.#table.own(this.#table.takeSequences(1), site);
    if (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol" && !isLong(value)) {
      entry.settle(objectState.value, value);
      return entry;
    }
    const writer = this.#scratch;
    writer.position = 0;
    if (tryEncodeSmall(writer, value) && writer.position <= MAX_INLINE_BYTES) {
      entry.settle(objectState.bytes, Buffer.from(writer.buffer.subarray(0, writer.position)));
      return entry;
    }
    const scope = this.#hooks.beginEncode();
    let encoded: EncodedValue;
    try {
      encoded = encodeValue(value, this.#hooks);
    } finally {
      scope.end();
    }
    if (scope.entries.length > 0) {
      for (const inner of scope.entries) this.#table.hold(inner);
      entry.nested = scope.entries;
    }
    // Before this process has joined there is no shared memory to put it: it stays here, and travels inside calls.
    if (encoded.byteLength > MAX_INLINE_BYTES && this.#node.isJoined) {
      this.#store.put(this.#table.idOf(entry), encoded, site, this.#table.ownIds(scope.entries));
      entry.settle(objectState.stored, { nodeId: this.#node.nodeId, sizeBytes: encoded.byteLength });
    } else {
      const bytes = Buffer.allocUnsafeSlow(encoded.byteLength);
      packValue(encoded, bytes);
      entry.settle(objectState.bytes, bytes);
    }
    return entry;
  }

  free(entries: readonly ObjectEntry[]): void {
    for (const entry of entries) {
      const { owner, sequence } = entry;
      if (owner === undefined) {
        this.#table.free(entry);
        continue;
      }
      entry.settle(objectState.failure, { code: "OBJECT_FREED", facts: { object: this.#table.idOf(entry) } });
      this.#freeAtOwner(owner, sequence);
    }
  }
}

function isLong(value: unknown): boolean {
  return typeof value === "string" && value.length > MAX_INLINE_BYTES / 4;
}
