/** Mixed work for a long time while workers are shot: every result right, nothing grows. `npm run soak -- --help`. */
import { helpText, OptionError, parseOptions, type SoakOptions } from "./soak/options.ts";
import { json, progressLine, reasonsOf, summary } from "./soak/report.ts";
import { type Progress, runSoak } from "./soak/soak-run.ts";

const MAX_SEED = 2 ** 31;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = optionsFrom(args);
  if (options === undefined) return 2;
  if (options.help) {
    process.stdout.write(helpText);
    return 0;
  }
  process.stderr.write(`soak: ${options.minutes} minutes, ${options.killsPerMinute} kills a minute, seed ${options.seed}\n`);
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());
  const result = await runSoak(options, interrupted.signal, process.stderr.isTTY ? liveLine() : minuteLines());
  if (process.stderr.isTTY) process.stderr.write("\n");
  if (options.isJson) process.stdout.write(`${json(result, options.seed)}\n`);
  (options.isJson ? process.stderr : process.stdout).write(summary(result));
  return reasonsOf(result).length === 0 ? 0 : 1;
}

function optionsFrom(args: readonly string[]): SoakOptions | undefined {
  try {
    return parseOptions(args, Date.now() % MAX_SEED);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}

function liveLine(): Progress {
  return ({ atSeconds, tally, sample }) => process.stderr.write(`\r\u001b[2K${progressLine(atSeconds, tally, sample)}`);
}

/** Faults are told when they are seen: whoever watches a log need not wait for the end. */
function minuteLines(): Progress {
  let nextSeconds = 60;
  let told = 0;
  return ({ atSeconds, tally, sample }) => {
    for (const { operation, kind, text } of tally.faults.slice(told)) process.stderr.write(`${kind}: ${operation}: ${text}\n`);
    told = tally.faults.length;
    if (atSeconds < nextSeconds) return;
    nextSeconds += 60;
    process.stderr.write(`${progressLine(atSeconds, tally, sample)}\n`);
  };
}
