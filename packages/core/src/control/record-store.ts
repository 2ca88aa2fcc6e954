/**
 * Where control keeps its tables: key-value records, written in groups, read once at start. What a `write` has
 * acknowledged survives a crash of the process, if the store is one that promises so.
 */
export interface RecordStore {
  /** All records of one table, in order of key. Called at start only. */
  load(table: string): Promise<readonly StoredRecord[]>;
  /**
   * Applies all changes or none. Resolves when they are durable; writes become durable in the order they were made.
   *
   * @throws {RaiaError} CONTROL_STORE_FAILED when they cannot be written; the same write may be tried again
   */
  write(changes: readonly RecordChange[]): Promise<void>;
  /** Waits for what was written, then lets go of the files. */
  close(): Promise<void>;
}

export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface RecordChange {
  readonly table: string;
  readonly key: string;
  /** `undefined` removes the record. The store may keep the bytes: they are not changed afterwards. */
  readonly value: Uint8Array | undefined;
}
