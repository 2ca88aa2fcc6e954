/** The job: read, share, count, resample, combine, on a Raia of a given number of workers that lives as long as the job. */

import { setTimeout as sleep } from "node:timers/promises";
import { type ActorHandle, get, init, type ObjectRef, put, RaiaError, remote, shutdown, wait } from "raia";
import { type Answer, answerOf } from "./answer.ts";
import { Chaos } from "./chaos.ts";
import { type Flights, rowRanges } from "./columns.ts";
import { combineTree } from "./combine.ts";
import { Ledger, Progress } from "./progress.ts";
import { joinParts, readRowGroup, rowGroupSizes } from "./read-flights.ts";
import { type Findings, findInRange, mergeFindings } from "./tasks.ts";

export type Job = {
  readonly path: string;
  readonly rows: number;
  readonly workers: number;
  readonly chaos: boolean;
  /** Called several times a second while the job runs. */
  readonly onProgress: (view: JobView) => void;
};

/** Rows done and to be done, and workers shot by chaos. */
export type JobView = {
  readonly step: "reading" | "counting";
  readonly done: number;
  readonly of: number;
  readonly elapsedMs: number;
  readonly shot: number;
};

export type Outcome = {
  readonly answer: Answer;
  readonly totalMs: number;
  readonly readMs: number;
  readonly shot: number;
  /** The most memory that this process, and the largest worker, ever had; shared columns count in each that read them. */
  readonly driverPeakBytes: number;
  readonly workerPeakBytes: number;
};

/** Resamples of the whole table: enough for steady 95 % limits, and for the cores to have something to do. */
const resamples = 1500;
const seed = 2001;
/** A task's worth of rows: about a quarter of a second. */
const rowsPerTask = 50_000;
const pollMs = 100;

export async function analyze({ path, rows, workers, chaos, onProgress }: Job): Promise<Outcome> {
  const startMs = performance.now();
  await init({ address: "local", numCpus: workers });
  const ledger = new Ledger();
  let finished = 0;
  const count = (task: ObjectRef) => void wait([task]).then(() => finished++, ignoreShutdown);
  const shooting = chaos ? new Chaos(() => finished) : undefined;
  try {
    // It needs no CPU of its own, nor has to wait for one behind the tasks.
    const progress = remote(Progress).options({ numCpus: 0, maxRestarts: -1, maxTaskRetries: -1 }).remote();
    const look = async (step: JobView["step"], of: number) => {
      ledger.enter(await get(progress.reports.remote()));
      onProgress({ step, done: ledger.rows, of, elapsedMs: performance.now() - startMs, shot: shooting?.shot ?? 0 });
    };

    const flights = joinParts(await whileLooking(readParts(path, rows, count), () => look("reading", rows)));
    const readMs = performance.now() - startMs;
    const { columns, ...table } = flights;
    const root = startTree(put(columns), table, progress, count);
    const counting = () => look("counting", table.rows);
    const { summary, sums } = await whileLooking(get(root), counting);
    await attempt(counting);
    return {
      answer: answerOf(table, summary, sums),
      totalMs: performance.now() - startMs,
      readMs,
      shot: shooting?.shot ?? 0,
      driverPeakBytes: process.resourceUsage().maxRSS * 1024,
      workerPeakBytes: ledger.largestPeakBytes,
    };
  } finally {
    await shooting?.stop();
    await shutdown();
  }
}

/** Each row group is decoded by a task; the parts come back through shared memory. */
async function readParts(path: string, rows: number, started: (task: ObjectRef) => void) {
  const read = remote(readRowGroup).options({ maxRetries: -1 });
  let start = 0;
  const parts = (await rowGroupSizes(path, rows)).map((size) => {
    const part = read.remote(path, start, size);
    start += size;
    started(part);
    return part;
  });
  return await get(parts);
}

/** Starts everything at once: tasks over row ranges, and above them the combiners that wait for them. */
function startTree(
  columns: ObjectRef<Flights["columns"]>,
  table: Omit<Flights, "columns">,
  progress: ActorHandle<Progress>,
  started: (task: ObjectRef) => void,
): ObjectRef<Findings> {
  // Chaos may shoot the same task's worker more often than the usual three retries forgive.
  const find = remote(findInRange).options({ maxRetries: -1 });
  const merge = remote(mergeFindings).options({ maxRetries: -1 });
  const airports = table.airports.length;
  const question = { shape: { airports, days: table.days }, resampling: { resamples, seed, airports } };
  const ranges = rowRanges(table.rows, Math.ceil(table.rows / rowsPerTask));
  const found = ranges.map((range) => find.remote(columns, range, question, progress));
  found.forEach(started);
  return combineTree(found, (...group) => merge.remote(...group));
}

/** Whoever counts a task that the end of the job overtook has nothing to do with it any more. */
function ignoreShutdown(error: unknown): void {
  if (!RaiaError.is(error, "SHUTTING_DOWN")) throw error;
}

/** Calls `look` several times a second until `work` has ended, one call at a time, and answers what `work` does. */
async function whileLooking<Result>(work: Promise<Result>, look: () => Promise<void>): Promise<Result> {
  let ended = false;
  const end = work.then(
    () => (ended = true),
    () => (ended = true),
  );
  while (!ended) {
    await Promise.race([end, attempt(look)]);
    await Promise.race([end, sleep(pollMs)]);
  }
  return await work;
}

/** A look that fails (its actor is being restarted) is made up for by the next; only the line depends on it. */
async function attempt(look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error) {
    if (!(error instanceof RaiaError)) throw error;
  }
}
