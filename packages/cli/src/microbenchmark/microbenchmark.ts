/** `raia microbenchmark`: Ray's rows, start-up, memory, and the machine's limits, in one run. */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { get, init, RaiaError, remote, shutdown } from "@raia/core";
import { type Figure, fullMeasure, measure, type MeasureOptions, quickMeasure } from "./measure.ts";
import { type MachineLimits, measureLimits } from "./machine-limits.ts";
import { type RayFigure, runRay } from "./ray-figures.ts";
import { chooseRows, type Row } from "./rows.ts";

export interface MicrobenchmarkOptions {
  /** Rows whose name contains this, or whose number it is. */
  readonly only?: string;
  readonly json?: boolean;
  readonly quick?: boolean;
  /** "ray": run Ray's own and print both. */
  readonly compare?: string;
}

type RayFigures = ReadonlyMap<string, RayFigure>;

interface Result extends Figure {
  readonly number: number | undefined;
  readonly unit: string;
  /** Of the machine's limit, where there is one. */
  readonly ratio: number | undefined;
  readonly ray?: RayFigure | undefined;
}

export async function microbenchmark(options: MicrobenchmarkOptions, print: (line: string) => void): Promise<void> {
  const measuring = options.quick ? quickMeasure : fullMeasure;
  const chosen = chooseRows(options.only);
  if (options.compare !== undefined && options.compare !== "ray")
    throw new RaiaError("INVALID_OPTION", { option: "--compare", value: options.compare, allowed: "ray" });
  const ray: RayFigures = options.compare === "ray" ? runRay(chosen, options.only !== undefined) : new Map();
  const show = options.json ? () => {} : print;
  show(`${cpus()[0]?.model ?? "CPU"}, ${cpus().length} CPUs, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}`);
  const limits = await measureLimits(measuring);
  const results: Result[] = [];
  const add = (result: Result): void => {
    results.push(result);
    show(lineOf(result));
  };
  add({ ...limits.roundTrips, number: undefined, unit: "/s", ratio: undefined });
  add({ ...limits.pipelined, number: undefined, unit: "/s", ratio: undefined });
  add({ ...limits.memoryCopy, number: undefined, unit: "GB/s", ratio: undefined });
  if (options.only === undefined)
    for (const figure of await measureStart()) add({ ...figure, number: undefined, unit: "ms", ratio: undefined });
  for (const row of chosen) add(await runRow(row, limits, measuring, ray));
  if (options.only === undefined) {
    add({ ...(await measureTaskMemory()), number: undefined, unit: "bytes", ratio: undefined });
    for (const figure of await measureIdle()) add(figure);
  }
  if (ray.size > 0) for (const line of comparison(results)) show(line);
  if (options.json) print(JSON.stringify(results, undefined, 2));
}

async function runRow(row: Row, limits: MachineLimits, measuring: MeasureOptions, ray: RayFigures): Promise<Result> {
  await init();
  try {
    await new Promise((resolve) => setTimeout(resolve, measuring.restMs));
    const step = await row.prepare();
    const figure = await measure(row.name, step, row.multiplier, measuring);
    const unit = row.against === "memoryCopy" ? "GB/s" : "/s";
    return {
      ...figure,
      number: row.number,
      unit,
      ratio: (figure.mean * operationsPerUnit(row)) / limits[row.against].mean,
      ray: ray.get(row.name),
    };
  } finally {
    await shutdown();
  }
}

/** Rows that count batches are compared by the calls in them. */
function operationsPerUnit(row: Row): number {
  return row.number === 5 || row.number === 10 ? 1000 : row.against === "memoryCopy" ? 1.048_576 : 1;
}

function lineOf({ number, name, mean, deviation, unit, ratio }: Result): string {
  const figure = `${textOf(mean)} ${unit}`;
  const parts = [String(number ?? "").padStart(2), name.padEnd(58), figure.padStart(18), `± ${textOf(deviation)}`.padStart(12)];
  if (ratio !== undefined) parts.push(`${ratio.toFixed(2)} of the limit`.padStart(20));
  return parts.join(" ");
}

function textOf(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2);
}

/** Both, side by side: the rows that both have. */
function comparison(results: readonly Result[]): string[] {
  const line = (number: string, name: string, raia: string, ray: string, times: string): string =>
    [number.padStart(2), name.padEnd(58), raia.padStart(24), ray.padStart(20), times.padStart(9)].join(" ");
  const figure = ({ mean, deviation }: RayFigure): string => `${textOf(mean)} ± ${textOf(deviation)}`;
  const both = results.filter((result) => result.ray !== undefined);
  return [
    "",
    line("", "", "Raia", "Ray", "Raia/Ray"),
    ...both.map((result) => {
      const ray = result.ray as RayFigure;
      const times = result.mean / ray.mean;
      return line(String(result.number), result.name, figure(result), figure(ray), `${times < 10 ? times.toFixed(1) : times.toFixed(0)}x`);
    }),
  ];
}

/** Each in a fresh process, warm disk. */
async function measureStart(): Promise<Figure[]> {
  const program = fileURLToPath(new URL(`./start-process${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url));
  const runs: StartTimes[] = [];
  for (let run = 0; run < 6; run++) runs.push(await runStart(program));
  runs.shift();
  const figure = (name: string, values: number[]): Figure => {
    const sorted = values.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] as number;
    return {
      name: `${name} (median of ${values.length})`,
      mean: median,
      deviation: ((sorted.at(-1) as number) - (sorted[0] as number)) / 2,
    };
  };
  return [
    figure(
      "import",
      runs.map((run) => run.import),
    ),
    figure(
      "init and first task",
      runs.map((run) => run.init),
    ),
    figure(
      "20 actors ready",
      runs.map((run) => run.actors),
    ),
  ];
}

interface StartTimes {
  readonly import: number;
  readonly init: number;
  readonly actors: number;
}

function runStart(program: string): Promise<StartTimes> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
    child.once("close", (code) =>
      code === 0 ? resolve(JSON.parse(text) as StartTimes) : reject(new Error(`the start measurement ended with exit code ${code}`)),
    );
  });
}

/** Driver memory of a queued task: refs, finalizers and all. */
async function measureTaskMemory(): Promise<Figure> {
  await init();
  try {
    const task = remote(() => 1);
    await get(task.remote());
    const count = 200_000;
    const before = process.memoryUsage().rss;
    const refs = Array.from({ length: count }, () => task.remote());
    const bytes = (process.memoryUsage().rss - before) / count;
    await get(refs);
    return { name: "driver memory of a queued task", mean: bytes, deviation: 0 };
  } finally {
    await shutdown();
  }
}

const IDLE_MS = 5000;

async function measureIdle(): Promise<Result[]> {
  await init();
  try {
    await get(remote(() => 1).remote());
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const pids = processTree(process.pid);
    const cpuBefore = pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const cpuMs = pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0) - cpuBefore;
    const others = pids.filter((pid) => pid !== process.pid);
    const memory = others.reduce((sum, pid) => sum + proportionalBytes(pid), 0) / 2 ** 20;
    const row = (name: string, mean: number, unit: string): Result => ({
      name,
      mean,
      deviation: 0,
      unit,
      number: undefined,
      ratio: undefined,
    });
    return [
      row("idle: processes, driver included", pids.length, ""),
      row("idle: memory beside the driver", memory, "MiB"),
      row("idle: share of a core", (100 * cpuMs) / IDLE_MS, "%"),
    ];
  } finally {
    await shutdown();
  }
}

function processTree(root: number): number[] {
  const { stdout } = spawnSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" });
  const parents = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const tree = [root];
  for (const pid of tree)
    for (const [child, parent] of parents) if (parent === pid && !tree.includes(child) && isRaia(child)) tree.push(child);
  return tree;
}

function isRaia(pid: number): boolean {
  try {
    return /head-main|worker-main/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
  } catch {
    return false;
  }
}

function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return 0;
  }
}

function proportionalBytes(pid: number): number {
  try {
    return 1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
