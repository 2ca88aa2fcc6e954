/** A child of `runSeeds`: runs the ranges that it is sent, and reports each seed. */
import { plantedBugs } from "./planted-bugs.ts";
import { runSeed, type SimResult } from "./run-seed.ts";
import type { SeedRange, SeedReport } from "./run-seeds.ts";

process.on("message", (range: SeedRange) => void runRange(range));
// Ctrl-C reaches the whole group: the parent decides.
process.on("SIGINT", () => {});

async function runRange({ first, count, planted, twice }: SeedRange): Promise<void> {
  const bug = planted === undefined ? undefined : plantedBugs[planted];
  const unplant = bug?.plant?.();
  for (let seed = first; seed < first + count; seed++) {
    const result = await runSeed(seed, bug?.options);
    const failure = result.failure ?? (twice ? await compare(result, seed) : undefined);
    const report: SeedReport = {
      seed,
      counts: result.counts.entries,
      failure: failure && `${failure.message}${failure.cause instanceof Error ? ` (${failure.cause.message})` : ""}`,
      isLast: seed === first + count - 1,
    };
    process.send?.(report);
  }
  unplant?.();
}

async function compare(first: SimResult, seed: number): Promise<Error | undefined> {
  const second = await runSeed(seed);
  return second.hash === first.hash ? undefined : new Error(`it ran differently the second time: ${first.hash}, ${second.hash}`);
}
