import type { Timer } from "../base/clock.ts";
import { jobIdOf } from "../base/ids.ts";
import { Machine } from "../base/machine.ts";
import type { Connection } from "../wire/connection.ts";
import { type JobEffect, type JobEvent, type JobState, jobTable } from "./job-machine.ts";
import type { JobRecord } from "./record-codec.ts";

export interface JobEntry {
  record: JobRecord;
  readonly machine: Machine<JobState, JobEvent, JobEffect>;
  connection: Connection | undefined;
  grace: Timer | undefined;
  /** Resolves when its record is durable. */
  registered: Promise<void>;
  /** On the clock that decides; 0 while it runs. */
  finishedAtMs: number;
}

/** Jobs by id and by driver: those that run, and a short history of the finished. */
export class JobTable {
  readonly #running = new Map<string, JobEntry>();
  readonly #byDriver = new Map<string, JobEntry>();
  readonly #finished = new Map<string, JobEntry>();
  readonly #maxFinished: number;
  #lastNumber = 0;
  #forgotten = 0;

  constructor(maxFinished: number) {
    this.#maxFinished = maxFinished;
  }

  get size(): number {
    return this.#running.size;
  }

  /** Finished jobs that are not listed any more. */
  get forgotten(): number {
    return this.#forgotten;
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** An id is never given twice, also not by the next control process. */
  nextId(): string {
    return jobIdOf(++this.#lastNumber);
  }

  startAfter(number: number): void {
    this.#lastNumber = Math.max(this.#lastNumber, number);
  }

  get(jobId: string): JobEntry | undefined {
    return this.#running.get(jobId) ?? this.#finished.get(jobId);
  }

  ofDriver(driverId: string): JobEntry | undefined {
    return this.#byDriver.get(driverId);
  }

  isRunning(jobId: string): boolean {
    return this.#running.has(jobId);
  }

  add(record: JobRecord, state: JobState, connection: Connection | undefined): JobEntry {
    const machine = new Machine("job", jobTable, state);
    const entry: JobEntry = { record, machine, connection, grace: undefined, registered: Promise.resolve(), finishedAtMs: 0 };
    if (state.kind === "finished") this.#bury(entry);
    else {
      this.#running.set(record.jobId, entry);
      this.#byDriver.set(record.driverId, entry);
    }
    return entry;
  }

  remove(entry: JobEntry): void {
    this.#running.delete(entry.record.jobId);
    if (this.#byDriver.get(entry.record.driverId) === entry) this.#byDriver.delete(entry.record.driverId);
  }

  /** Moves it to the history. Returns the id of the job that the history forgets for it, if it is full. */
  finish(entry: JobEntry): string | undefined {
    this.remove(entry);
    return this.#bury(entry);
  }

  #bury(entry: JobEntry): string | undefined {
    this.#finished.set(entry.record.jobId, entry);
    const oldest = this.#finished.keys().next();
    if (this.#finished.size <= this.#maxFinished || oldest.done) return undefined;
    this.#finished.delete(oldest.value);
    this.#forgotten++;
    return oldest.value;
  }

  running(): Iterable<JobEntry> {
    return this.#running.values();
  }

  finished(): Iterable<JobEntry> {
    return this.#finished.values();
  }
}
