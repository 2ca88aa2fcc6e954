/**
 * Code that is shipped by value, once for each hash. It stays while a job that put it runs, or an actor that outlives that
 * job lives. A worker may hear of a function before its code is here (two connections, two orders), so it waits a little.
 */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { controlService } from "../messages/control.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Handlers } from "../wire/service.ts";
import { type ControlLimits, checkLimit } from "./control-limits.ts";
import { FunctionTable } from "./function-table.ts";
import { ownBytes } from "./record-codec.ts";
import type { RecordChange, RecordStore } from "./record-store.ts";

type Served = "putFunction" | "getFunction";
export type FunctionHandlers = Pick<Handlers<typeof controlService, Connection>, Served>;
type Put = Infer<(typeof controlService.methods.putFunction)["request"]>;
type Reply = Infer<(typeof controlService.methods.getFunction)["reply"]>;

export interface FunctionDeps {
  readonly clock: Clock;
  readonly store: RecordStore;
  readonly limits: ControlLimits;
  /** Whether the job runs, or an actor that outlives it lives. */
  readonly isNeeded: (jobId: string) => boolean;
}

/** Many times what lies between two connections of a busy machine; code that is not here by then was never sent. */
const WAIT_MS = 5_000;
const FUNCTIONS = "functions";
const HOLDS = "functionJobs";

export class FunctionServer {
  readonly #deps: FunctionDeps;
  readonly #functions: FunctionTable;
  /** Puts that are being written; a second put of the same code is done when the first is. */
  readonly #writing = new Map<string, Promise<void>>();
  readonly #waiters = new Map<string, Set<() => void>>();
  #writingBytes = 0;
  #waiting = 0;
  #storeFailures = 0;

  constructor(deps: FunctionDeps) {
    this.#deps = deps;
    this.#functions = new FunctionTable();
  }

  readonly handlers: FunctionHandlers = {
    putFunction: (request) => this.#put(request),
    getFunction: ({ hash }) => this.#get(hash),
  };

  get counters(): { readonly functions: number; readonly bytes: number; readonly storeFailures: number } {
    return { functions: this.#functions.size, bytes: this.#functions.bytes, storeFailures: this.#storeFailures };
  }

  async load(): Promise<void> {
    for (const { key, value } of await this.#deps.store.load(FUNCTIONS)) this.#functions.add(key, value);
    for (const { key } of await this.#deps.store.load(HOLDS)) {
      const slash = key.indexOf("/");
      const entry = this.#functions.get(key.slice(slash + 1));
      if (entry !== undefined) this.#functions.hold(entry, key.slice(0, slash));
    }
  }

  async #put({ hash, jobId, code }: Put): Promise<Record<string, never>> {
    const { limits, isNeeded } = this.#deps;
    checkLimit("maxFunctionBytes", code.byteLength, limits);
    if (!isNeeded(jobId)) throw new RaiaError("OWNER_DIED", { jobId, reason: "the job is over" });
    const own = this.#sameCode(hash, code) ?? ownBytes(code);
    await this.#writing.get(hash);
    const known = this.#functions.get(hash);
    this.#sameCode(hash, own);
    if (known?.jobIds.has(jobId)) return {};
    const writing = this.#write(hash, jobId, own, known === undefined);
    this.#writing.set(hash, writing);
    try {
      await writing;
    } finally {
      if (this.#writing.get(hash) === writing) this.#writing.delete(hash);
    }
    // The job ended meanwhile.
    if (!isNeeded(jobId)) this.releaseJob(jobId);
    return {};
  }

  /** What is here under the hash, if anything. @throws {RaiaError} INVALID_ARGUMENT when that is other code */
  #sameCode(hash: string, code: Uint8Array): Uint8Array | undefined {
    const known = this.#functions.get(hash)?.code;
    if (known !== undefined && Buffer.compare(known, code) !== 0)
      throw new RaiaError("INVALID_ARGUMENT", { argument: "hash", hash, reason: "other code has this hash" });
    return known;
  }

  async #write(hash: string, jobId: string, code: Uint8Array, isNew: boolean): Promise<void> {
    const { limits, store } = this.#deps;
    if (isNew) checkLimit("maxAllFunctionBytes", this.#functions.bytes + this.#writingBytes + code.byteLength, limits);
    const changes: RecordChange[] = [{ table: HOLDS, key: holdKey(jobId, hash), value: new Uint8Array() }];
    if (isNew) changes.push({ table: FUNCTIONS, key: hash, value: code });
    const bytes = isNew ? code.byteLength : 0;
    this.#writingBytes += bytes;
    try {
      await store.write(changes);
    } finally {
      this.#writingBytes -= bytes;
    }
    this.#functions.hold(this.#functions.add(hash, code), jobId);
    const waiters = this.#waiters.get(hash) ?? [];
    for (const wake of [...waiters]) wake();
  }

  #get(hash: string): Reply | Promise<Reply> {
    const known = this.#functions.get(hash);
    if (known !== undefined) return { code: known.code };
    if (this.#waiting >= this.#deps.limits.maxFunctionWaiters) return {};
    return this.#wait(hash);
  }

  #wait(hash: string): Promise<Reply> {
    this.#waiting++;
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(hash) ?? new Set();
      const wake = (): void => {
        timer.cancel();
        waiters.delete(wake);
        if (waiters.size === 0) this.#waiters.delete(hash);
        this.#waiting--;
        resolve({ code: this.#functions.get(hash)?.code });
      };
      const timer = this.#deps.clock.after(WAIT_MS, wake);
      this.#waiters.set(hash, waiters.add(wake));
    });
  }

  /** The job is over and no actor of it lives. */
  releaseJob(jobId: string): void {
    const { freed, kept } = this.#functions.releaseJob(jobId);
    const changes = [...freed, ...kept].map(({ hash }): RecordChange => ({ table: HOLDS, key: holdKey(jobId, hash), value: undefined }));
    for (const { hash } of freed) changes.push({ table: FUNCTIONS, key: hash, value: undefined });
    if (changes.length === 0) return;
    // What stays in the file for want of disk is read again by the next control process, and costs no more than that.
    this.#deps.store.write(changes).catch(() => this.#storeFailures++);
  }
}

function holdKey(jobId: string, hash: string): string {
  return `${jobId}/${hash}`;
}
