/**
 * Three million flights: which airports, hours and routes run late, what a morning says about its evening, and how sure one
 * can be of each mean. Run with `--help` for the options.
 */

import { access, constants, mkdir, readFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { analyze, type Outcome } from "./analysis.ts";
import { parseAirports } from "./airports.ts";
import { fingerprint } from "./answer.ts";
import { LiveLine } from "./live-line.ts";
import { writePicture } from "./map/write-picture.ts";
import { helpText, OptionError, type Options, parseOptions } from "./options.ts";
import { grouped, progressLine } from "./progress.ts";
import { report } from "./report.ts";

const data = new URL("../data/", import.meta.resolve("vega-datasets"));
const path = (file: string) => fileURLToPath(new URL(file, data));

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = optionsFrom(args);
  if (options === undefined) return 2;
  if (options.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const unusable = await outDirectoryFault(options.outDirectory);
  if (unusable !== undefined) {
    process.stderr.write(`Cannot write the pictures to ${options.outDirectory}: ${unusable}. Choose another directory with --out.\n`);
    return 2;
  }
  // One worker first: the measure for the speed-up, and the answer that chaos must not change.
  const alone = options.workers > 1 || options.chaos ? await run({ ...options, workers: 1, chaos: false }) : undefined;
  const outcome = await run(options);

  const places = parseAirports(await readFile(path("airports.csv"), "utf8"));
  process.stdout.write(`\n${report(outcome.answer, places)}\n`);
  const files = await writePicture(outcome.answer, places, path("us-10m.json"), options.outDirectory);
  process.stdout.write(`Picture: ${relative(process.cwd(), files.png)} and ${relative(process.cwd(), files.svg)}\n`);
  process.stdout.write(figures(options, outcome, alone));
  return alone === undefined || fingerprint(alone.answer) === fingerprint(outcome.answer) ? 0 : 1;
}

function optionsFrom(args: readonly string[]): Options | undefined {
  try {
    return parseOptions(args, fileURLToPath(new URL("out/", import.meta.url)));
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}

/** Asked before the work and not after it. */
async function outDirectoryFault(directory: string): Promise<string | undefined> {
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.W_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

async function run({ rows, workers, chaos }: Options): Promise<Outcome> {
  const line = new LiveLine(process.stdout);
  const label = `${workersOf(workers)}${chaos ? ", under fire" : ""}`;
  try {
    const outcome = await analyze({
      path: path("flights-3m.parquet"),
      rows,
      workers,
      chaos,
      onProgress: ({ step, ...view }) =>
        line.show(step === "reading" ? `${label}  reading the file  ${seconds(view.elapsedMs)}` : progressLine({ ...view, label })),
    });
    line.clear();
    process.stdout.write(`${label}: ${seconds(outcome.totalMs)} (reading ${seconds(outcome.readMs)})\n`);
    return outcome;
  } finally {
    line.clear();
  }
}

function figures({ workers, chaos }: Options, outcome: Outcome, alone: Outcome | undefined): string {
  const rate = grouped((outcome.answer.flights / outcome.totalMs) * 1000);
  const lines = [`Time: ${seconds(outcome.totalMs)} on ${workersOf(workers)}, ${rate} flights/s from file to answer`];
  if (alone !== undefined && !chaos) {
    lines.push(`Speed-up: ${(alone.totalMs / outcome.totalMs).toFixed(2)} times (${seconds(alone.totalMs)} on 1 worker)`);
  }
  lines.push(
    `Peak memory: ${megabytes(outcome.driverPeakBytes)} in this process, ${megabytes(outcome.workerPeakBytes)} in the largest worker`,
  );
  const answer = fingerprint(outcome.answer);
  if (alone === undefined) lines.push(`Answer: ${answer}`);
  else {
    const same =
      answer === fingerprint(alone.answer) ? "the same as on 1 worker" : `NOT the same as on 1 worker: ${fingerprint(alone.answer)}`;
    lines.push(`Answer: ${answer}, ${same}${chaos ? `, with ${workersOf(outcome.shot)} shot` : ""}`);
  }
  return `${lines.join("\n")}\n`;
}

function workersOf(count: number): string {
  return count === 1 ? "1 worker" : `${count} workers`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function megabytes(bytes: number): string {
  return `${grouped(bytes / 1e6)} MB`;
}
