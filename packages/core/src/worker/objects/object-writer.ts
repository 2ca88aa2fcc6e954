/** Makes objects out of values, and frees them. */
import { ByteWriter } from "../../base/byte-writer.ts";
import { type EncodedValue, encodeValue, packValue, tryEncodeSmall } from "../../values/value-codec.ts";
import type { ClusterLink } from "../cluster-link.ts";
import { MAX_INLINE_BYTES, type ObjectEntry, objectState } from "./object-entry.ts";
import type { ObjectRef } from "./object-ref.ts";
import type { OwnerClient } from "../ownership/owner-client.ts";
import type { ReferenceTable } from "./references.ts";
import type { StoreAdapter } from "./store-adapter.ts";
import type { RuntimeValueHooks } from "./value-hooks.ts";

export class ObjectWriter {
  readonly #table: ReferenceTable;
  readonly #hooks: RuntimeValueHooks;
  readonly #store: StoreAdapter;
  readonly #cluster: ClusterLink;
  readonly #owners: OwnerClient;
  readonly #scratch = new ByteWriter(256);

  constructor(table: ReferenceTable, hooks: RuntimeValueHooks, store: StoreAdapter, cluster: ClusterLink, owners: OwnerClient) {
    this.#table = table;
    this.#hooks = hooks;
    this.#store = store;
    this.#cluster = cluster;
    this.#owners = owners;
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
    if (encoded.byteLength > MAX_INLINE_BYTES && this.#cluster.isJoined) {
      this.#store.put(this.#table.idOf(entry), encoded, site, this.#table.ownIds(scope.entries));
      entry.settle(objectState.stored, { nodeId: this.#cluster.nodeId, sizeBytes: encoded.byteLength });
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
      this.#owners.tell(owner, (client) => client.freeOwned({ sequences: [sequence] }));
    }
  }
}

function isLong(value: unknown): boolean {
  return typeof value === "string" && value.length > MAX_INLINE_BYTES / 4;
}
