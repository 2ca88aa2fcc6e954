/** One seed with its story, for who looks for the cause of a failure. */
import { plantedBugs } from "./planted-bugs.ts";
import { runSeed } from "./run-seed.ts";

export interface ShowOptions {
  readonly planted: string | undefined;
  readonly isQuiet: boolean;
}

/** @returns whether everything held */
export async function showSeed(seed: number, { planted, isQuiet }: ShowOptions): Promise<boolean> {
  const bug = planted === undefined ? undefined : plantedBugs[planted];
  const unplant = bug?.plant?.();
  const { failure, hash, steps, virtualMs, counts } = await runSeed(seed, {
    ...bug?.options,
    trace: isQuiet ? undefined : (line) => console.log(line),
  });
  unplant?.();
  console.log(`seed ${seed}: ${steps} steps in ${(virtualMs / 1000).toFixed(1)} s of its time, hash ${hash}`);
  console.log(counts.entries.map(([what, times]) => `${what} ${times}`).join(", "));
  console.log(failure === undefined ? "everything held" : `broken: ${failure.stack}`);
  if (failure?.cause instanceof Error) console.log(`caused by: ${failure.cause.stack}`);
  return failure === undefined;
}
