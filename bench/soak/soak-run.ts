/** One soak from start to end: a cluster, its workload, its killer, samples, and what is left afterwards. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { get, init, remote, shutdown } from "@raia/core";
import { seededRandom } from "@raia/core/internal";
import { eventually } from "@raia/testing/fixtures/eventually";
import { isClean, leaksOf, sharedMemoryFiles } from "@raia/testing/fixtures/leak-check";
import { actorOperations } from "./actor-operations.ts";
import { driverOperations } from "./driver-operations.ts";
import { figureNames, figures, type Places, type Sample, takeSample } from "./sampler.ts";
import { judgeSeries, type Verdict } from "./gates.ts";
import { shootWorker } from "./killer.ts";
import { limitOperations } from "./limit-operations.ts";
import { objectOperations } from "./object-operations.ts";
import type { SoakOptions } from "./options.ts";
import { childrenOf } from "./process-figures.ts";
import { whenQuiet } from "./quiet.ts";
import { streamOperations } from "./stream-operations.ts";
import { Tally } from "./tally.ts";
import { taskOperations } from "./task-operations.ts";
import { runWorkload } from "./workload.ts";

export interface SoakResult {
  readonly seconds: number;
  readonly tally: Tally;
  readonly samples: readonly TimedSample[];
  readonly verdicts: readonly Verdict[];
  /** What was held when all was quiet, and what was left when all was over. */
  readonly left: readonly string[];
}

export interface TimedSample {
  readonly atSeconds: number;
  readonly sample: Sample;
}

export type Progress = (now: { readonly atSeconds: number; readonly tally: Tally; readonly sample: Sample }) => void;

/** Small, so that objects spill now and then. */
const STORE_BYTES = 64 * 1024 * 1024;
const WARM_UP_SHARE = 0.25;
const LONGEST_WARM_UP_SECONDS = 600;
/** After this, what is left of a cluster is a leak. */
const GONE_MS = 2000;
/** When all answers are wrong there is nothing more to learn. */
const MOST_FAULTS = 1000;

const operations = [
  ...taskOperations,
  ...objectOperations,
  ...streamOperations,
  ...actorOperations,
  ...limitOperations,
  ...driverOperations,
];

/** @param interrupted ends it early */
export async function runSoak(options: SoakOptions, interrupted: AbortSignal, progress: Progress): Promise<SoakResult> {
  const directory = mkdtempSync(join(tmpdir(), "rs-"));
  process.env["RAIA_TMPDIR"] = directory;
  const marks = join(directory, "marks");
  mkdirSync(marks);
  const sharedBefore = new Set(sharedMemoryFiles());
  const { sessionDirectory } = await init({ address: "local", numCpus: 2, objectStoreMemory: STORE_BYTES, logToDriver: false });
  const places = await findPlaces(directory, sessionDirectory, sharedBefore);
  const tally = new Tally();
  const startMs = performance.now();
  const secondsNow = (): number => (performance.now() - startMs) / 1000;
  const before = await takeSample(places);
  const samples: TimedSample[] = [];
  const noteUnhandled = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tally.fault({ operation: "a rejection that nobody handled", atSeconds: secondsNow(), kind: "wrong", text });
  };
  process.on("unhandledRejection", noteUnhandled);

  const seconds = options.minutes * 60;
  const ending = new AbortController();
  const signal = AbortSignal.any([interrupted, ending.signal]);
  const end = setTimeout(() => ending.abort(), seconds * 1000);
  let paths = 0;
  const newPath = (): string => join(marks, `${++paths}`);
  const random = seededRandom(options.seed);
  const guards = [
    every(Math.max(1000, Math.min(5000, (seconds * 1000) / 60)), signal, async () => {
      const sample = await takeSample(places);
      samples.push({ atSeconds: secondsNow(), sample });
      progress({ atSeconds: secondsNow(), tally, sample });
      if (tally.faultCount > MOST_FAULTS) ending.abort();
    }),
    ...(options.killsPerMinute > 0
      ? [every(60_000 / options.killsPerMinute, signal, () => shootWorker(places.headPid, random, tally))]
      : []),
  ];
  await Promise.all([runWorkload({ operations, tally, sessionDirectory, newPath, secondsNow }, options, signal), ...guards]);
  clearTimeout(end);
  const took = secondsNow();

  const left = await whenQuiet(places, before);
  const marked = readdirSync(marks);
  if (marked.length > 0) left.push(`side effects after their operation had ended: ${marked.length}`);
  await shutdown();
  if (!(await eventually(() => isClean(leaksOf(directory, sharedBefore)), GONE_MS)))
    left.push(`after shutdown: ${JSON.stringify(leaksOf(directory, sharedBefore))}`);
  process.removeListener("unhandledRejection", noteUnhandled);
  rmSync(directory, { recursive: true, force: true });
  return { seconds: took, tally, samples, verdicts: judge(samples, took), left };
}

async function findPlaces(directory: string, sessionDirectory: string, sharedBefore: ReadonlySet<string>): Promise<Places> {
  // The first task: from here on everything that is started once is there.
  await get(remote(() => 1).remote());
  const [headPid] = childrenOf(process.pid);
  if (headPid === undefined) throw new Error("the head was not found among the children of this process");
  const root = join(directory, `raia-${process.getuid?.() ?? "user"}-logs`);
  return {
    headPid,
    sessionDirectory,
    logDirectory: root,
    sharedMemoryBefore: sharedBefore,
  };
}

/** Does it again and again, one at a time, until the signal aborts. */
async function every(ms: number, signal: AbortSignal, act: () => Promise<unknown>): Promise<void> {
  let nextMs = performance.now() + ms;
  for (;;) {
    await sleepUntil(nextMs, signal);
    if (signal.aborted) return;
    await act();
    // A machine that was busy for long is not made up for by a salvo.
    nextMs = Math.max(nextMs + ms, performance.now() - 10 * ms);
  }
}

function sleepUntil(atMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, Math.max(0, atMs - performance.now()));
    signal.addEventListener("abort", wake);
    if (signal.aborted) wake();
  });
}

function judge(samples: readonly TimedSample[], seconds: number): Verdict[] {
  const warmUpSeconds = Math.min(LONGEST_WARM_UP_SECONDS, seconds * WARM_UP_SHARE);
  return figureNames.flatMap((name) => {
    const points = samples.map(({ atSeconds, sample }) => [atSeconds, sample[name]] as const);
    const verdict = judgeSeries({ name, unit: figures[name].unit, points }, figures[name], warmUpSeconds);
    return verdict === undefined ? [] : [verdict];
  });
}
