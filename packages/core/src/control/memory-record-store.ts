import type { RecordChange, RecordStore, StoredRecord } from "./record-store.ts";

/**
 * Records that live as long as this object does. For a head that dies with its driver there is nobody to read a file
 * afterwards; tests and the simulator hand the same store to the next control process, as a disk would be.
 */
export class MemoryRecordStore implements RecordStore {
  readonly #tables = new Map<string, Map<string, Uint8Array>>();
  #writes = 0;

  /** Writes acknowledged so far. */
  get writes(): number {
    return this.#writes;
  }

  load(table: string): Promise<readonly StoredRecord[]> {
    const records = [...(this.#tables.get(table) ?? [])].map(([key, value]) => ({ key, value }));
    return Promise.resolve(records.sort((a, b) => (a.key < b.key ? -1 : 1)));
  }

  write(changes: readonly RecordChange[]): Promise<void> {
    for (const { table, key, value } of changes) {
      const records = this.#tables.get(table) ?? new Map<string, Uint8Array>();
      this.#tables.set(table, records);
      if (value === undefined) records.delete(key);
      else records.set(key, value);
    }
    this.#writes++;
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
