/**
 * Records in a SQLite file, on a thread of its own. One commit runs at a time; whatever is written meanwhile goes into
 * the next one, so a thousand writes at once cost two waits for the disk. The thread starts with the first use, and a
 * file that does not exist is not read, so a fresh control process waits for neither.
 */
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { RaiaError } from "../base/errors.ts";
import { ownFile } from "../base/own-place.ts";
import type { RecordChange, RecordStore, StoredRecord } from "./record-store.ts";
import type { ThreadOptions, ThreadReply, ThreadRequest } from "./sqlite-thread.ts";

export interface SqliteOptions {
  readonly path: string;
  /** The file never grows past this; a write that would is refused. Default: 4 GiB, many times what the tables may hold. */
  readonly maxBytes?: number;
  /** Bytes that wait for the commit that runs; a write past it is refused. Default: 256 MiB, a slow disk must not fill the heap. */
  readonly maxPendingBytes?: number;
}

const DEFAULT_MAX_BYTES = 4 * 1024 ** 3;
const DEFAULT_MAX_PENDING_BYTES = 256 * 1024 ** 2;
/** What a change costs beside its value. */
const CHANGE_BYTES = 100;

/** The changes that will be committed together. */
interface Group {
  readonly changes: RecordChange[];
  readonly done: PromiseWithResolvers<void>;
  bytes: number;
}

type Waiting = PromiseWithResolvers<readonly StoredRecord[]>;

export class SqliteRecordStore implements RecordStore {
  readonly #options: Required<SqliteOptions>;
  /** Answers come in the order of the requests. */
  readonly #waiting: Waiting[] = [];
  #thread: Worker | undefined;
  #failure: RaiaError | undefined;
  #next: Group | undefined;
  #isCommitting = false;
  #commits = 0;

  constructor({ path, maxBytes = DEFAULT_MAX_BYTES, maxPendingBytes = DEFAULT_MAX_PENDING_BYTES }: SqliteOptions) {
    this.#options = { path, maxBytes, maxPendingBytes };
  }

  /** Groups committed so far. */
  get commits(): number {
    return this.#commits;
  }

  load(table: string): Promise<readonly StoredRecord[]> {
    if (this.#thread === undefined && !existsSync(this.#options.path)) return Promise.resolve([]);
    return this.#ask({ kind: "load", table });
  }

  write(changes: readonly RecordChange[]): Promise<void> {
    const bytes = changes.reduce((sum, change) => sum + CHANGE_BYTES + change.key.length + (change.value?.byteLength ?? 0), 0);
    const { maxPendingBytes } = this.#options;
    const group = (this.#next ??= { changes: [], done: Promise.withResolvers(), bytes: 0 });
    // One write alone is always let through: its own size is bounded by the frame it came in.
    if (group.bytes > 0 && group.bytes + bytes > maxPendingBytes)
      return Promise.reject(this.#error("the disk is slower than what is written", { pendingBytes: group.bytes, maxPendingBytes }));
    group.changes.push(...changes);
    group.bytes += bytes;
    if (!this.#isCommitting) void this.#commitAll();
    return group.done.promise;
  }

  async close(): Promise<void> {
    if (this.#next !== undefined || this.#isCommitting) await this.#lastWrite();
    if (this.#thread === undefined || this.#failure !== undefined) return;
    const exited = new Promise((resolve) => this.#thread?.once("exit", resolve));
    await this.#ask({ kind: "close" });
    await exited;
  }

  #lastWrite(): Promise<void> {
    // An empty write joins the last group and is done with it.
    return this.write([]).catch(() => {
      // Whoever wrote was told; closing goes on.
    });
  }

  /** Never rejects: each group's writers are told. */
  async #commitAll(): Promise<void> {
    this.#isCommitting = true;
    while (this.#next !== undefined) {
      const group = this.#next;
      this.#next = undefined;
      try {
        await this.#ask({ kind: "write", changes: group.changes.map(({ table, key, value }) => [table, key, value ?? null] as const) });
        this.#commits++;
        group.done.resolve();
      } catch (error) {
        group.done.reject(error);
      }
    }
    this.#isCommitting = false;
  }

  #ask(request: ThreadRequest): Promise<readonly StoredRecord[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const thread = (this.#thread ??= this.#start());
    const waiting: Waiting = Promise.withResolvers();
    this.#waiting.push(waiting);
    // Only work that waits for the disk keeps the process alive.
    thread.ref();
    thread.postMessage(request);
    return waiting.promise;
  }

  #start(): Worker {
    const { path, maxBytes } = this.#options;
    const workerData: ThreadOptions = { path, maxBytes };
    // Flags of the process (--input-type, --import) are not meant for this thread, nor those in its NODE_OPTIONS.
    const thread = new Worker(ownFile("control/sqlite-thread"), { workerData, name: "raia-store", execArgv: [], env: {} });
    thread.on("message", (reply: ThreadReply) => {
      const waiting = this.#waiting.shift();
      if (this.#waiting.length === 0) thread.unref();
      if (reply.ok) waiting?.resolve(reply.records);
      else waiting?.reject(this.#error(reply.reason, { sqliteCode: reply.sqliteCode }));
    });
    thread.on("error", (error) => this.#fail(error));
    thread.on("exit", () => this.#fail("its thread ended"));
    return thread;
  }

  #fail(cause: unknown): void {
    this.#failure ??= this.#error(String(cause), {});
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure);
  }

  #error(reason: string, facts: { readonly [name: string]: number | undefined }): RaiaError {
    return new RaiaError("CONTROL_STORE_FAILED", { reason, path: this.#options.path, ...facts });
  }
}
