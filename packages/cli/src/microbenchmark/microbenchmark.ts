/** `raia microbenchmark`: Ray's rows, start-up, memory, and the machine's limits, in one run. */
import { cpus, totalmem } from "node:os";
import { init, RaiaError, shutdown } from "@raia/core";
import { type Figure, fullMeasure, measure, type MeasureOptions, quickMeasure } from "./measure.ts";
import { type MachineLimits, measureLimits } from "./machine-limits.ts";
import { measureIdle, measureMany, measureRecovery, measureStart, type ProcessFigure } from "./process-figures.ts";
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
  const addMore = (figures: readonly ProcessFigure[]): void => {
    for (const figure of figures) add({ ...figure, number: undefined, ratio: undefined });
  };
  const isWhole = options.only === undefined;
  if (isWhole) addMore(await measureStart());
  for (const row of chosen) add(await runRow(row, limits, measuring, ray));
  if (isWhole) {
    addMore(await measureMany());
    addMore(await measureRecovery());
    addMore(await measureIdle());
  }
  if (ray.size > 0) for (const line of comparison(results)) show(line);
  if (options.json) print(JSON.stringify(results, undefined, 2));
}

async function runRow(row: Row, limits: MachineLimits, measuring: MeasureOptions, ray: RayFigures): Promise<Result> {
  await init(row.resources === undefined ? {} : { resources: row.resources });
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
