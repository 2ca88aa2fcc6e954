/** What people read of a soak, and what programs do. */
import type { Series, Verdict } from "./gates.ts";
import type { Sample } from "./sampler.ts";
import type { SoakResult } from "./soak-run.ts";
import type { Tally } from "./tally.ts";

export function progressLine(atSeconds: number, tally: Tally, sample: Sample): string {
  const memory = [sample.driverPrivate, sample.headPrivate, sample.workersPrivate].map((bytes) => shown(bytes, "bytes")).join(" / ");
  return [
    clock(atSeconds),
    `${tally.operationCount} operations`,
    `${tally.killCount} kills`,
    `${tally.allowedCount} allowed failures`,
    `${tally.faultCount} faults`,
    `driver / head / workers ${memory}`,
    `arena ${shown(sample.arenaUsed, "bytes")}`,
    `spilled ${shown(sample.spilled, "bytes")}`,
    `descriptors ${sample.driverDescriptors} / ${sample.headDescriptors}`,
    `processes ${sample.processes}`,
  ].join("  ");
}

/** Why it failed; nothing when all was well. */
export function reasonsOf({ tally, verdicts, left }: SoakResult): string[] {
  return [
    ...(tally.faultCount > 0 ? [`${tally.faultCount} results were wrong or did not come`] : []),
    ...verdicts
      .filter(({ isFlat }) => !isFlat)
      .map(
        ({ name, unit, growth, allowedGrowth, median }) =>
          `${name} grew by ${shown(growth, unit)} (allowed ${shown(allowedGrowth, unit)}, median ${shown(median, unit)})`,
      ),
    ...left,
  ];
}

export function summary(result: SoakResult): string {
  const { tally, seconds, verdicts } = result;
  const reasons = reasonsOf(result);
  return [
    `${clock(seconds)}: ${tally.operationCount} operations, ${tally.killCount} kills, ${tally.allowedCount} allowed failures, ${tally.faultCount} faults`,
    "",
    "operations (mean and longest time)",
    ...operationLines(tally),
    "kills",
    ...countLines(tally.kills),
    "allowed failures",
    ...countLines(tally.allowed),
    ...(tally.faults.length === 0 ? [] : ["faults"]),
    ...tally.faults.map(
      ({ operation, atSeconds, kind, text }) => `  ${clock(atSeconds)} ${kind}: ${operation}\n    ${text.replaceAll("\n", "\n    ")}`,
    ),
    "",
    `${"figure".padEnd(24)}${["median", "highest", "growth", "allowed"].map((title) => title.padStart(12)).join("")}`,
    ...verdicts.map(verdictLine),
    "",
    ...(reasons.length === 0
      ? ["all results right, everything flat, nothing left"]
      : ["FAILED", ...reasons.map((reason) => `  ${reason}`)]),
    "",
  ].join("\n");
}

export function json(result: SoakResult, seed: number): string {
  const { tally, seconds, verdicts, samples, left } = result;
  const counts = (map: ReadonlyMap<string, number>): { [key: string]: number } => Object.fromEntries(map);
  return JSON.stringify({
    seed,
    seconds,
    operations: counts(tally.operations),
    kills: counts(tally.kills),
    allowed: counts(tally.allowed),
    faultCount: tally.faultCount,
    faults: tally.faults,
    verdicts,
    left,
    reasons: reasonsOf(result),
    samples,
  });
}

function verdictLine({ name, unit, median, highest, growth, allowedGrowth, isFlat }: Verdict): string {
  const numbers = [median, highest, growth, allowedGrowth].map((value) => shown(value, unit).padStart(12)).join("");
  return `${name.padEnd(24)}${numbers}${isFlat ? "" : "  GREW"}`;
}

function operationLines(tally: Tally): string[] {
  return [...tally.operations]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => {
      const times = `${Math.round(tally.meanMs(name))} ms ${Math.round(tally.longestMs(name))} ms`;
      return `  ${String(count).padStart(8)}  ${name} (${times})`;
    });
}

function countLines(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => `  ${String(count).padStart(8)}  ${name}`);
}

function shown(value: number, unit: Series["unit"]): string {
  return unit === "count" ? String(Math.round(value * 10) / 10) : `${(value / 2 ** 20).toFixed(1)} MiB`;
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
