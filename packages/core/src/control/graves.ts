/**
 * Which actors or placement groups of a running job are gone, on disk: what is not known may still be created, by somebody who
 * waits for an argument, so a control process that forgot the dead would have people wait for them for ever.
 */
import type { RecordChange, RecordStore } from "./record-store.ts";

/** Past it the oldest is forgotten. */
const MAX_GRAVES = 100_000;
const NO_JOB = "00000000";

/** The change that goes with the removal of a record. @param end why it is gone */
export function graveChange(table: string, id: string, end: Uint8Array): RecordChange {
  return { table, key: id, value: end };
}

export class Graves {
  readonly #store: RecordStore;
  readonly #table: string;
  readonly #onFailure: () => void;
  /** Why each is gone, in the order of their deaths. */
  readonly #ends = new Map<string, Uint8Array>();

  constructor(store: RecordStore, table: string, onFailure: () => void) {
    this.#store = store;
    this.#table = table;
    this.#onFailure = onFailure;
  }

  /** What an earlier control process wrote, of jobs that still run; the rest goes. @param jobOf the job that an id is of */
  async load(
    jobOf: (id: string) => string,
    isRunning: (jobId: string) => boolean,
  ): Promise<{ readonly id: string; readonly end: Uint8Array }[]> {
    const all = (await this.#store.load(this.#table)).map(({ key, value }) => ({ id: key, end: value }));
    // An id that was made while its driver was joining names no job.
    const needed = all.filter(({ id }) => jobOf(id) === NO_JOB || isRunning(jobOf(id)));
    for (const { id, end } of needed) this.#ends.set(id, end);
    this.#remove(all.filter(({ id }) => !this.#ends.has(id)).map(({ id }) => id));
    return needed;
  }

  endOf(id: string): Uint8Array | undefined {
    return this.#ends.get(id);
  }

  /** Its grave was written with its death. */
  note(id: string, end: Uint8Array): void {
    this.#ends.set(id, end);
    const oldest = this.#ends.keys().next();
    if (this.#ends.size <= MAX_GRAVES || oldest.done) return;
    this.#ends.delete(oldest.value);
    this.#remove([oldest.value]);
  }

  /** Of one that ended before it had a record. Settles when it is durable. */
  dig(id: string, end: Uint8Array): Promise<void> {
    this.note(id, end);
    return this.#store.write([graveChange(this.#table, id, end)]);
  }

  /** Of a job that is over. */
  remove(id: string): void {
    this.#ends.delete(id);
    this.#remove([id]);
  }

  /** The job is over: none of its own is still to come. @complexity O(n) in the graves of all jobs */
  forget(isOfJob: (id: string) => boolean): void {
    const gone = [...this.#ends.keys()].filter(isOfJob);
    for (const id of gone) this.#ends.delete(id);
    this.#remove(gone);
  }

  #remove(ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.#store.write(ids.map((key) => ({ table: this.#table, key, value: undefined }))).catch(() => {
      // The next control process finds them, and removes them.
      this.#onFailure();
    });
  }
}
