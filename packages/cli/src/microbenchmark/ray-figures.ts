/** Ray's own benchmark, run as its users run it. */
import { spawnSync } from "node:child_process";
import { RaiaError } from "@raia/core";
import type { Row } from "./rows.ts";

export interface RayFigure {
  readonly mean: number;
  readonly deviation: number;
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const STDERR_LINES = 5;

/**
 * @returns what Ray measured, by the name of its row
 * @throws {RaiaError} INVALID_OPTION when there is no Ray, or it measures nothing
 */
export function runRay(chosen: readonly Row[], isSubset: boolean): ReadonlyMap<string, RayFigure> {
  const figures = new Map<string, RayFigure>();
  // Ray chooses by one part of a name; the rows of Ray Client have no counterpart here.
  const runs = isSubset ? chosen.map((row) => ({ TESTS_TO_RUN: row.name })) : [{ TESTS_TO_SKIP: "client:" }];
  for (const choice of runs) {
    const { stdout, stderr, error, status } = spawnSync("ray", ["microbenchmark"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: MAX_OUTPUT_BYTES,
      env: { ...process.env, ...choice },
    });
    if (error !== undefined)
      throw refused(
        "the command `ray` is not on PATH; install it into a virtual environment (pip install 'ray[client]' numpy) and activate that",
      );
    const printed = rayFigures(stdout);
    if (printed.size === 0) {
      const tail = stderr.trimEnd().split("\n").slice(-STDERR_LINES).join("\n");
      throw refused(`\`ray microbenchmark\` measured nothing (exit code ${status}); is \`ray\` on PATH the one of Ray? ${tail}`);
    }
    for (const [name, figure] of printed) figures.set(name, figure);
  }
  return figures;
}

/** Reads lines of `name per second 123.4 +- 5.6`. */
export function rayFigures(output: string): ReadonlyMap<string, RayFigure> {
  const figures = new Map<string, RayFigure>();
  for (const line of output.split("\n")) {
    const found = /^(.*) per second ([\d.]+) \+- ([\d.]+)/.exec(line.trim());
    if (found !== null) figures.set(found[1] as string, { mean: Number(found[2]), deviation: Number(found[3]) });
  }
  return figures;
}

function refused(reason: string): RaiaError {
  return new RaiaError("INVALID_OPTION", { option: "--compare", value: "ray", reason });
}
