/** `raia microbenchmark`: Ray's rows, start-up, memory, and the machine's limits, in one run. */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { get, init, remote, shutdown } from "@raia/core";
import { type Figure, fullMeasure, measure, type MeasureOptions, quickMeasure } from "./measure.ts";
import { type MachineLimits, measureLimits } from "./machine-limits.ts";
import { type Row, rows } from "./rows.ts";

export interface MicrobenchmarkOptions {
  /** Rows whose name contains this, or whose number it is. */
  readonly only?: string;
  readonly json?: boolean;
  readonly quick?: boolean;
  /** "ray": run Ray's own and print both. */
  readonly compare?: string;
}

interface Result extends Figure {
  readonly number: number | undefined;
  readonly unit: string;
  /** Of the machine's limit, where there is one. */
  readonly ratio: number | undefined;
  readonly ray?: number | undefined;
}

export async function microbenchmark(options: MicrobenchmarkOptions, print: (line: string) => void): Promise<void> {
  const measuring = options.quick ? quickMeasure : fullMeasure;
  const chosen = rows.filter((row) => options.only === undefined || row.name.includes(options.only) || String(row.number) === options.only);
  const ray = options.compare === "ray" ? runRay() : new Map<string, number>();
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
  if (options.json) print(JSON.stringify(results, undefined, 2));
}

async function runRow(row: Row, limits: MachineLimits, measuring: MeasureOptions, ray: ReadonlyMap<string, number>): Promise<Result> {
  await init();
  try {
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

function lineOf({ number, name, mean, deviation, unit, ratio, ray }: Result): string {
  const figure = `${mean >= 100 ? Math.round(mean).toLocaleString("en") : mean.toFixed(2)} ${unit}`;
  const parts = [
    String(number ?? "").padStart(2),
    name.padEnd(58),
    figure.padStart(18),
    `± ${deviation >= 100 ? Math.round(deviation).toLocaleString("en") : deviation.toFixed(2)}`.padStart(12),
  ];
  if (ratio !== undefined) parts.push(`${ratio.toFixed(2)} of the limit`.padStart(20));
  if (ray !== undefined) parts.push(`Ray ${Math.round(ray).toLocaleString("en")}`.padStart(14), `${(mean / ray).toFixed(0)}x`.padStart(7));
  return parts.join(" ");
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

/** Ray's own benchmark, when its command is there: lines of `name per second 123.4 +- 5.6`. */
function runRay(): Map<string, number> {
  const { stdout, error } = spawnSync("ray", ["microbenchmark"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  if (error !== undefined)
    throw new Error("--compare ray: the command `ray` is not on PATH; install it into a virtual environment and activate that");
  const figures = new Map<string, number>();
  for (const line of stdout.split("\n")) {
    const found = /^(.*) per second ([\d.]+) \+- [\d.]+/.exec(line.trim());
    if (found !== null) figures.set(found[1] as string, Number(found[2]));
  }
  return figures;
}
