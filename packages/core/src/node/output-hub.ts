import { assert } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { OutputFolder } from "./output-folder.ts";
import { OutputLimiter } from "./output-limiter.ts";
import type { OutputLine } from "./output-line.ts";
import { LineSplitter } from "./output-splitter.ts";

export interface OutputHubDeps {
  readonly clock: Clock;
  /** Shows lines at a job's driver. Called in batches, in order, never from inside `receive`. */
  deliver(jobId: string, lines: readonly OutputLine[]): void;
  /** Everything that a worker writes goes here, unlimited by what the driver is shown. */
  openLog(workerId: string, stream: "stdout" | "stderr"): OutputLog;
}

export interface OutputLog {
  /** Takes the chunk at once; what the disk cannot keep up with is dropped and counted by the log. */
  append(chunk: Buffer): void;
  close(): void;
}

/** What a worker does now, for the prefix of its lines and for whom they are. */
export interface OutputSource {
  readonly pid: number;
  readonly name: string;
  readonly jobId: string;
}

/**
 * What the workers of one node write, on its way to log files and drivers: cut into lines, limited per worker, folded
 * across the workers of a job. Costs nothing while nobody writes.
 */
export class OutputHub {
  readonly #deps: OutputHubDeps;
  readonly #workers = new Map<string, Worker>();
  readonly #jobs = new Map<string, Job>();

  constructor(deps: OutputHubDeps) {
    this.#deps = deps;
  }

  addWorker(workerId: string, source: OutputSource): void {
    assert(!this.#workers.has(workerId), `worker ${workerId} is known already`);
    const limiter = new OutputLimiter(this.#deps.clock.nowMs());
    this.#workers.set(workerId, {
      source,
      limiter,
      streams: { stdout: undefined, stderr: undefined },
    });
  }

  /** The worker begins something else. What it has written belongs to what it did before; another job never sees it. */
  setSource(workerId: string, source: OutputSource): void {
    const worker = this.#worker(workerId);
    if (source.jobId !== worker.source.jobId) this.#finishLines(worker);
    worker.source = source;
  }

  receive(workerId: string, stream: "stdout" | "stderr", chunk: Buffer): void {
    const worker = this.#worker(workerId);
    const { limiter } = worker;
    const open = (worker.streams[stream] ??= { splitter: new LineSplitter(), log: this.#deps.openLog(workerId, stream) });
    open.log.append(chunk);
    limiter.refill(this.#deps.clock.nowMs());
    const dropped = open.splitter.push(
      chunk,
      (bytes) => limiter.admit(bytes),
      (text) => {
        if (limiter.dropped > 0) this.#markDropped(worker);
        this.#show(worker, stream, text);
      },
    );
    limiter.drop(dropped);
    if (dropped > 0) this.#markSoon(worker);
  }

  /** The worker is gone: shows what it had begun to write and what was dropped. */
  removeWorker(workerId: string): void {
    const worker = this.#worker(workerId);
    this.#workers.delete(workerId);
    this.#finishLines(worker);
    worker.marking?.cancel();
    for (const stream of STREAMS) worker.streams[stream]?.log.close();
  }

  /** Delivers everything now, begun lines and counts of open folds included. For the end of a job, whose record is forgotten. */
  endJob(jobId: string): void {
    for (const worker of this.#workers.values()) if (worker.source.jobId === jobId) this.#finishLines(worker);
    const job = this.#jobs.get(jobId);
    if (job === undefined) return;
    this.#jobs.delete(jobId);
    job.timer?.cancel();
    const lines = [...job.lines, ...job.folder.flush()];
    if (lines.length > 0) this.#deps.deliver(jobId, lines);
  }

  #finishLines(worker: Worker): void {
    this.#markDropped(worker);
    for (const stream of STREAMS) {
      const text = worker.streams[stream]?.splitter.end();
      if (text !== undefined) this.#show(worker, stream, text);
    }
  }

  #show({ source }: Worker, stream: "stdout" | "stderr", text: string): void {
    const { pid, name, jobId } = source;
    const job = this.#job(jobId);
    job.lines.push(...job.folder.push({ name, pid, stream, text }, this.#deps.clock.nowMs()));
    this.#deliverSoon(jobId, job, job.lines.length >= MAX_BATCH_LINES ? 0 : BATCH_MS);
  }

  /** The count comes before the next line that is shown; when none comes, after a second. The sum is exact. */
  #markSoon(worker: Worker): void {
    worker.marking ??= this.#deps.clock.after(MARK_AFTER_MS, () => {
      worker.marking = undefined;
      this.#markDropped(worker);
    });
  }

  #markDropped(worker: Worker): void {
    const dropped = worker.limiter.takeDropped();
    if (dropped === 0) return;
    const { pid, name, jobId } = worker.source;
    const job = this.#job(jobId);
    job.lines.push({ name, pid, stream: "stderr", text: `[${dropped} lines dropped: too many at once; all of them are in the log file]` });
    this.#deliverSoon(jobId, job, BATCH_MS);
  }

  #deliverSoon(jobId: string, job: Job, delayMs: number): void {
    const atMs = this.#deps.clock.nowMs() + delayMs;
    if (job.timer !== undefined && job.timerAtMs <= atMs) return;
    job.timer?.cancel();
    job.timerAtMs = atMs;
    job.timer = this.#deps.clock.after(delayMs, () => this.#deliverNow(jobId, job));
  }

  #deliverNow(jobId: string, job: Job): void {
    job.timer = undefined;
    const nowMs = this.#deps.clock.nowMs();
    const lines = [...job.lines, ...job.folder.expire(nowMs)];
    job.lines = [];
    const nextMs = job.folder.nextExpiryMs;
    if (nextMs !== undefined) this.#deliverSoon(jobId, job, Math.max(0, nextMs - nowMs));
    if (lines.length > 0) this.#deps.deliver(jobId, lines);
  }

  #job(jobId: string): Job {
    let job = this.#jobs.get(jobId);
    if (job === undefined) {
      job = { lines: [], folder: new OutputFolder(), timer: undefined, timerAtMs: 0 };
      this.#jobs.set(jobId, job);
    }
    return job;
  }

  #worker(workerId: string): Worker {
    const worker = this.#workers.get(workerId);
    assert(worker !== undefined, `worker ${workerId} writes and is not known`);
    return worker;
  }
}

interface Worker {
  source: OutputSource;
  readonly limiter: OutputLimiter;
  /** Made at the first byte: most workers write nothing. */
  readonly streams: { stdout: OpenStream | undefined; stderr: OpenStream | undefined };
  marking?: Timer | undefined;
}

interface OpenStream {
  readonly splitter: LineSplitter;
  readonly log: OutputLog;
}

interface Job {
  /** Lines of one batch. Bounded by the limiters: at most the burst of each worker in one batch's time. */
  lines: OutputLine[];
  readonly folder: OutputFolder;
  timer: Timer | undefined;
  timerAtMs: number;
}

const STREAMS = ["stdout", "stderr"] as const;
/** People do not see the delay; messages become few. */
const BATCH_MS = 50;
const MAX_BATCH_LINES = 1_000;
const MARK_AFTER_MS = 1_000;
