/** What the command line says. */
import { parseArgs } from "node:util";

export interface SoakOptions {
  readonly minutes: number;
  readonly killsPerMinute: number;
  readonly seed: number;
  readonly lanes: number;
  readonly isJson: boolean;
  readonly help: boolean;
}

export class OptionError extends Error {}

export const helpText = `Usage: npm run soak -- [options]

Mixed tasks, actors, objects and streams whose right answers are known, while workers are shot; then looks whether anything
was wrong, hung or grew. Ctrl-C ends it early, with its summary.

  --minutes N            how long (60)
  --kills-per-minute N   how many workers are shot (50)
  --seed N               of the order of operations and of who is shot (a fresh one)
  --lanes N              operations at a time (6)
  --json                 the summary as JSON, with all samples; as text it goes to standard error
  --help                 this text

The exit status is 1 when a result was wrong, an operation hung, a figure grew, or something was left behind.
`;

/** @throws {OptionError} */
export function parseOptions(args: readonly string[], freshSeed: number): SoakOptions {
  const { values } = parse(args);
  const number = (name: "minutes" | "kills-per-minute" | "seed" | "lanes", least: number, fallback: number): number => {
    const given = values[name];
    const parsed = given === undefined ? fallback : Number(given);
    if (given === "" || !Number.isFinite(parsed) || parsed < least)
      throw new OptionError(`--${name} must be a number from ${least} on, not ${given}`);
    return parsed;
  };
  return {
    minutes: number("minutes", 0.01, 60),
    killsPerMinute: number("kills-per-minute", 0, 50),
    seed: Math.floor(number("seed", 0, freshSeed)),
    lanes: Math.floor(number("lanes", 1, 6)),
    isJson: values.json ?? false,
    help: values.help ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        minutes: { type: "string" },
        "kills-per-minute": { type: "string" },
        seed: { type: "string" },
        lanes: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new OptionError(`${(error as Error).message}\n\n${helpText}`);
  }
}
