/** The job: read, share, count, resample, combine, on a Raia of a given number of workers that lives as long as the job. */

import { setTimeout as sleep } from "node:timers/promises";
import { type ActorHandle, get, init, type ObjectRef, put, RaiaError, remote, shutdown } from "raia";
import { type Answer, answerOf } from "./answer.ts";
import { mergeResampled } from "./bootstrap.ts";
import { startChaos } from "./chaos.ts";
import { type Flights, rowRanges } from "./columns.ts";
import { combineTree } from "./combine.ts";
import { Progress, SteadyCount, type Tally } from "./progress.ts";
import { joinParts, readRowGroup, rowGroupSizes } from "./read-flights.ts";
import { mergeSummaries } from "./summary.ts";
import { resampleRange, summarizeRange } from "./tasks.ts";

export type Job = {
  readonly path: string;
  readonly rows: number;
  readonly workers: number;
  readonly chaos: boolean;
  /** Called several times a second while the job runs. */
  readonly onProgress: (view: JobView) => void;
};

/** Row visits done and to be done (each row is visited once to count and once to resample), and workers shot by chaos. */
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
  const watch = new Watch();
  const shooting = chaos ? startChaos(() => watch.pids) : undefined;
  try {
    // The actor may be shot as well: it starts again, empty.
    const progress = remote(Progress).options({ maxRestarts: -1, maxTaskRetries: -1 }).remote();
    const look = async (step: JobView["step"], of: number) => {
      const done = watch.see(await get(progress.tally.remote()), of);
      onProgress({ step, done, of, elapsedMs: performance.now() - startMs, shot: shooting?.shot() ?? 0 });
    };

    const flights = joinParts(await whileLooking(readParts(path, rows), () => look("reading", 2 * rows)));
    const readMs = performance.now() - startMs;
    const { columns, ...table } = flights;
    const root = startTree(put(columns), table, progress);
    const counting = () => look("counting", 2 * table.rows);
    const { summary, sums } = await whileLooking(get(root), counting);
    await attempt(counting);
    return {
      answer: answerOf(table, summary, sums),
      totalMs: performance.now() - startMs,
      readMs,
      shot: shooting?.shot() ?? 0,
      driverPeakBytes: process.resourceUsage().maxRSS * 1024,
      workerPeakBytes: watch.largestPeakBytes,
    };
  } finally {
    shooting?.stop();
    await shutdown();
  }
}

/** Each row group is decoded by a task; the parts come back through shared memory. */
async function readParts(path: string, rows: number) {
  const read = remote(readRowGroup).options({ maxRetries: -1 });
  let start = 0;
  const parts = (await rowGroupSizes(path, rows)).map((size) => {
    const part = read.remote(path, start, size);
    start += size;
    return part;
  });
  return await get(parts);
}

/** Starts everything at once: tasks over row ranges, and above them the combiners that wait for them. */
function startTree(columns: ObjectRef<Flights["columns"]>, table: Omit<Flights, "columns">, progress: ActorHandle<Progress>) {
  // Chaos may shoot the same task's worker more often than the usual three retries forgive.
  const summarize = remote(summarizeRange).options({ maxRetries: -1 });
  const resample = remote(resampleRange).options({ maxRetries: -1 });
  const merge = remote(mergeSummaries).options({ maxRetries: -1 });
  const mergeSums = remote(mergeResampled).options({ maxRetries: -1 });

  const shape = { airports: table.airports.length, days: table.days };
  const resampling = { resamples, seed, airports: shape.airports };
  const ranges = rowRanges(table.rows, Math.ceil(table.rows / rowsPerTask));
  // Counting and resampling take turns, so that the progress line runs evenly.
  const parts = ranges.map((range) => ({
    summary: summarize.remote(columns, range, shape, progress),
    sums: resample.remote(columns, range, resampling, progress),
  }));
  return {
    summary: combineTree(
      parts.map(({ summary }) => summary),
      (...group) => merge.remote(...group),
    ),
    sums: combineTree(
      parts.map(({ sums }) => sums),
      (...group) => mergeSums.remote(...group),
    ),
  };
}

/** What the driver knows from the progress actor. */
class Watch {
  readonly #count = new SteadyCount();
  #tally: Tally | undefined;
  #largestPeakBytes = 0;

  see(tally: Tally, most: number): number {
    this.#tally = tally;
    this.#largestPeakBytes = Math.max(this.#largestPeakBytes, tally.largestPeakBytes);
    return this.#count.next(tally, most);
  }

  /** Workers that have reported, the actor's among them. */
  get pids(): readonly number[] {
    return this.#tally === undefined ? [] : [this.#tally.actorPid, ...this.#tally.workerPids];
  }

  get largestPeakBytes(): number {
    return this.#largestPeakBytes;
  }
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
