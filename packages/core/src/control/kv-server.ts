/**
 * Key-value pairs that outlive a control process. A pair is seen by readers once it is durable, so nobody acts on what a
 * crash takes back; writes of one key run one after the other.
 */
import type { controlService } from "../messages/control.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Handlers } from "../wire/service.ts";
import { type ControlLimits, checkLimit } from "./control-limits.ts";
import { KvTable } from "./kv-table.ts";
import { ownBytes } from "./record-codec.ts";
import type { RecordStore } from "./record-store.ts";

type Served = "kvPut" | "kvGet" | "kvDelete" | "kvKeys";
export type KvHandlers = Pick<Handlers<typeof controlService, Connection>, Served>;
type Put = Infer<(typeof controlService.methods.kvPut)["request"]>;

export interface KvDeps {
  readonly store: RecordStore;
  readonly limits: ControlLimits;
}

const KV = "kv";

export class KvServer {
  readonly #deps: KvDeps;
  readonly #pairs = new KvTable();
  /** The last write of each key that has not ended. */
  readonly #writing = new Map<string, Promise<unknown>>();
  #writingBytes = 0;

  constructor(deps: KvDeps) {
    this.#deps = deps;
  }

  readonly handlers: KvHandlers = {
    kvPut: (request) => this.#put(request),
    kvGet: ({ namespace, key }) => ({ value: this.#pairs.get(namespace, key) }),
    kvDelete: ({ namespace, key }) => this.#delete(namespace, key),
    kvKeys: ({ namespace, prefix }) => ({ keys: this.#pairs.keys(namespace, prefix) }),
  };

  get counters(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#pairs.entries, bytes: this.#pairs.bytes };
  }

  async load(): Promise<void> {
    for (const { key: path, value } of await this.#deps.store.load(KV)) {
      const [namespace, key] = parsePath(path);
      this.#pairs.set(namespace, key, value);
    }
  }

  #put({ namespace, key, value, overwrite }: Put): Promise<{ added: boolean }> {
    const { limits, store } = this.#deps;
    checkLimit("maxKeyChars", namespace.length + key.length, limits);
    checkLimit("maxValueBytes", value.byteLength, limits);
    checkLimit("maxKvEntries", this.#pairs.entries + this.#writing.size + 1, limits);
    const bytes = key.length + value.byteLength;
    checkLimit("maxKvBytes", this.#pairs.bytes + this.#writingBytes + bytes, limits);
    const own = ownBytes(value);
    const path = pathOf(namespace, key);
    this.#writingBytes += bytes;
    const written = this.#inOrder(path, async () => {
      const isNew = this.#pairs.get(namespace, key) === undefined;
      if (!isNew && !overwrite) return { added: false };
      await store.write([{ table: KV, key: path, value: own }]);
      this.#pairs.set(namespace, key, own);
      return { added: isNew };
    });
    return written.finally(() => (this.#writingBytes -= bytes));
  }

  #delete(namespace: string, key: string): Promise<Record<string, never>> {
    const path = pathOf(namespace, key);
    return this.#inOrder(path, async () => {
      if (this.#pairs.get(namespace, key) === undefined) return {};
      await this.#deps.store.write([{ table: KV, key: path, value: undefined }]);
      this.#pairs.delete(namespace, key);
      return {};
    });
  }

  #inOrder<T>(path: string, write: () => Promise<T>): Promise<T> {
    const before = this.#writing.get(path) ?? Promise.resolve();
    const result = before.then(write);
    const forget = (): void => {
      if (this.#writing.get(path) === settled) this.#writing.delete(path);
    };
    const settled = result.then(forget, forget);
    this.#writing.set(path, settled);
    return result;
  }
}

/** A namespace may hold any character, so its length says where the key begins. */
function pathOf(namespace: string, key: string): string {
  return `${namespace.length}:${namespace}${key}`;
}

function parsePath(path: string): [namespace: string, key: string] {
  const colon = path.indexOf(":");
  const end = colon + 1 + Number(path.slice(0, colon));
  return [path.slice(colon + 1, end), path.slice(end)];
}
