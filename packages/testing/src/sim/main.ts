/** `npm run sim`: runs seeds of the simulator, on all cores, or one seed with its story. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { plantedBugs } from "./planted-bugs.ts";
import { runSeeds } from "./run-seeds.ts";
import { showSeed } from "./show-seed.ts";

const HELP = `Usage: npm run sim -- [options]

Runs whole clusters (control, node, workers, drivers) in one thread on virtual time, with faults, and checks after each
event that nothing is broken. Everything in a run follows from its seed.

  --seeds N        how many seeds to run (default 1000)
  --start S        the first one (default: from the time, so that each call runs fresh ones)
  --seed S         runs one seed and prints its story; with --seeds, the same as --start
  --jobs N         processes to run seeds in (default: one a core)
  --twice          runs each seed twice and compares
  --quiet          with --seed: the outcome without the story
  --max-failures N stops after so many failing seeds (default 10)
  --planted NAME   plants a bug that must be caught; without a name that is known, lists them
  --help           this text

A failing seed is printed as the command that repeats it.`;

function parse(): ReturnType<typeof options> {
  try {
    return options();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return process.exit(2);
  }
}

function options() {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      start: { type: "string" },
      seed: { type: "string" },
      jobs: { type: "string" },
      twice: { type: "boolean", default: false },
      quiet: { type: "boolean", default: false },
      "max-failures": { type: "string" },
      planted: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  return {
    seeds: whole("seeds", values.seeds, 1),
    start: whole("start", values.start ?? values.seed, 0),
    isOne: values.seed !== undefined && values.seeds === undefined,
    jobs: whole("jobs", values.jobs, 1),
    maxFailures: whole("max-failures", values["max-failures"], 1),
    planted: values.planted,
    twice: values.twice,
    quiet: values.quiet,
    help: values.help,
  };
}

function whole(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} takes a whole number from ${least}, not "${text}"`);
  return value;
}

const { seeds, start, isOne, jobs, maxFailures, planted, twice, quiet, help } = parse();
if (help) {
  console.log(HELP);
} else if (planted !== undefined && !Object.hasOwn(plantedBugs, planted)) {
  console.error(
    `--planted takes one of:\n${Object.entries(plantedBugs)
      .map(([name, { what }]) => `  ${name.padEnd(20)} ${what}`)
      .join("\n")}`,
  );
  process.exitCode = 2;
} else if (isOne && start !== undefined) {
  process.exitCode = (await showSeed(start, { planted, isQuiet: quiet })) ? 0 : 1;
} else {
  process.exitCode = await runSeeds({
    count: seeds ?? 1000,
    start: start ?? Date.now() % 2 ** 31,
    jobs: jobs ?? availableParallelism(),
    maxFailures: maxFailures ?? 10,
    planted,
    twice,
  });
}
