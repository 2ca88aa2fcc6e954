/** What processes cost beside the rate of their calls: starting them, many calls at once, losing one, and doing nothing. */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { get, init, remote, runtimeContext, shutdown } from "@raia/core";
import type { Figure } from "./measure.ts";

export interface ProcessFigure extends Figure {
  readonly unit: string;
}

const RUNS = 5;

/** Each in a fresh process, warm disk. */
export async function measureStart(): Promise<ProcessFigure[]> {
  await runProgram("start-process");
  const runs = await repeat(() => runProgram<{ import: number; init: number; actors: number }>("start-process"));
  return [
    median(
      "import",
      runs.map((run) => run.import),
      "ms",
    ),
    median(
      "init and first task",
      runs.map((run) => run.init),
      "ms",
    ),
    median(
      "20 actors ready",
      runs.map((run) => run.actors),
      "ms",
    ),
  ];
}

/** Many no-op tasks submitted at once by a fresh driver that has run one. */
export async function measureMany(): Promise<ProcessFigure[]> {
  const figures: ProcessFigure[] = [];
  for (const count of [100_000, 1_000_000]) {
    const { totalMs, bytesEach } = await runProgram<{ totalMs: number; bytesEach: number }>("many-process", String(count));
    const tasks = `${count.toLocaleString("en")} tasks at once`;
    figures.push(
      { name: `${tasks}: until all are done`, mean: totalMs, deviation: 0, unit: "ms" },
      { name: `${tasks}: driver memory of each, queued`, mean: bytesEach, deviation: 0, unit: "bytes" },
    );
  }
  return figures;
}

/** From a worker's death to the result of its task, which another worker runs again. */
export async function measureRecovery(): Promise<ProcessFigure[]> {
  await init();
  try {
    const work = remote(() => {
      if (runtimeContext().attempt === 0) process.kill(process.pid, "SIGKILL");
    });
    const times = await repeat(async () => {
      const start = performance.now();
      await get(work.remote());
      return performance.now() - start;
    });
    return [median("worker killed, its task's result back", times, "ms")];
  } finally {
    await shutdown();
  }
}

const IDLE_MS = 5000;

/** What a cluster takes that has nothing to do. */
export async function measureIdle(): Promise<ProcessFigure[]> {
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
    return [
      { name: "idle: processes, driver included", mean: pids.length, deviation: 0, unit: "" },
      { name: "idle: memory beside the driver", mean: memory, deviation: 0, unit: "MiB" },
      { name: "idle: share of a core", mean: (100 * cpuMs) / IDLE_MS, deviation: 0, unit: "%" },
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

/** The JSON that a program beside this one prints. */
function runProgram<T>(name: string, ...args: readonly string[]): Promise<T> {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
  const program = fileURLToPath(new URL(`./${name}${extension}`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
    child.once("close", (code) =>
      code === 0 ? resolve(JSON.parse(text) as T) : reject(new Error(`${name} ended with exit code ${code}`)),
    );
  });
}

async function repeat<T>(run: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let index = 0; index < RUNS; index++) results.push(await run());
  return results;
}

function median(name: string, values: readonly number[], unit: string): ProcessFigure {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    name: `${name} (median of ${values.length})`,
    mean: sorted[Math.floor(sorted.length / 2)] as number,
    deviation: ((sorted.at(-1) as number) - (sorted[0] as number)) / 2,
    unit,
  };
}
