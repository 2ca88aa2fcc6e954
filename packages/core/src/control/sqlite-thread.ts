/**
 * The thread of the SQLite store. `node:sqlite` is synchronous and a commit waits for the disk, so it must not run on a
 * loop that grants leases or answers probes. Requests come one at a time and are answered in order.
 */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { StoredRecord } from "./record-store.ts";

export type ThreadRequest =
  | { readonly kind: "load"; readonly table: string }
  | { readonly kind: "write"; readonly changes: readonly (readonly [table: string, key: string, value: Uint8Array | null])[] }
  | { readonly kind: "close" };

export type ThreadReply =
  | { readonly ok: true; readonly records: readonly StoredRecord[] }
  | { readonly ok: false; readonly reason: string; readonly sqliteCode: number | undefined };

export interface ThreadOptions {
  readonly path: string;
  readonly maxBytes: number;
}

const PAGE_BYTES = 4096;
/** The write-ahead log is cut back to this after a checkpoint, so that one large write does not keep the disk for ever. */
const MAX_IDLE_LOG_BYTES = 16 * 1024 * 1024;

function open({ path, maxBytes }: ThreadOptions): DatabaseSync {
  const database = new DatabaseSync(path);
  // Exclusive: a second control process on the same tables is refused, and no shared-memory file is made.
  database.exec(`
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES};
    PRAGMA max_page_count = ${Math.ceil(maxBytes / PAGE_BYTES)};
    CREATE TABLE IF NOT EXISTS records (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key));
  `);
  return database;
}

let opened: DatabaseSync | undefined;

function database(): DatabaseSync {
  return (opened ??= open(workerData as ThreadOptions));
}

function load(table: string): readonly StoredRecord[] {
  const rows = database().prepare("SELECT key, value FROM records WHERE kind = ? ORDER BY key").all(table);
  return rows.map((row) => ({ key: row["key"] as string, value: row["value"] as Uint8Array }));
}

function write(changes: Extract<ThreadRequest, { kind: "write" }>["changes"]): void {
  const put = database().prepare("INSERT INTO records VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value");
  const remove = database().prepare("DELETE FROM records WHERE kind = ? AND key = ?");
  database().exec("BEGIN IMMEDIATE");
  try {
    for (const [table, key, value] of changes) {
      if (value === null) remove.run(table, key);
      else put.run(table, key, value);
    }
    database().exec("COMMIT");
  } catch (error) {
    // A full disk may have ended the transaction already.
    if (database().isTransaction) database().exec("ROLLBACK");
    throw error;
  }
}

function answer(request: ThreadRequest): ThreadReply {
  try {
    if (request.kind === "load") return { ok: true, records: load(request.table) };
    if (request.kind === "write") write(request.changes);
    else opened?.close();
    return { ok: true, records: [] };
  } catch (error) {
    const sqliteCode: unknown = error instanceof Error && "errcode" in error ? error.errcode : undefined;
    return { ok: false, reason: String(error), sqliteCode: typeof sqliteCode === "number" ? sqliteCode : undefined };
  }
}

parentPort?.on("message", (request: ThreadRequest) => {
  parentPort?.postMessage(answer(request));
  if (request.kind === "close") parentPort?.close();
});
