/** The command line of the example. */

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export type Options = {
  readonly rows: number;
  readonly workers: number;
  readonly outDirectory: string;
  readonly chaos: boolean;
  readonly help: boolean;
};

export const fileRows = 3_000_000;

export const helpText = `Analyses three million flights on every core of this machine.

  --workers N   worker processes (default: one for each CPU, here ${availableParallelism()})
  --rows N      read only the first N rows (default: all ${fileRows})
  --out DIR     where flights.svg and flights.png go (default: out, beside the example)
  --chaos       shoot a random worker every second; the answer must stay the same
  --help        this text

The job runs on one worker first and then on all, so that the difference is seen.
`;

/** A flag that cannot be used, said in a sentence for the user. */
export class OptionError extends Error {}

/** @throws {OptionError} */
export function parseOptions(args: readonly string[], defaultOutDirectory: string): Options {
  const values = flagsOf(args);
  return {
    rows: wholeNumber("--rows", values.rows, fileRows, fileRows),
    workers: wholeNumber("--workers", values.workers, availableParallelism(), 256),
    outDirectory: values.out ?? defaultOutDirectory,
    chaos: values.chaos ?? false,
    help: values.help ?? false,
  };
}

const flags = {
  rows: { type: "string" },
  workers: { type: "string" },
  out: { type: "string" },
  chaos: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

function flagsOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags }).values;
  } catch (error) {
    // The parser's own sentence names the flag; what it suggests (`--`) is of no use here.
    const [sentence] = (error as Error).message.split(". To specify");
    throw new OptionError(`${sentence?.replace(/\.$/, "")}. See --help.`);
  }
}

function wholeNumber(flag: string, text: string | undefined, byDefault: number, largest: number): number {
  if (text === undefined) return byDefault;
  const value = Number(text.replaceAll("_", ""));
  if (Number.isInteger(value) && value >= 1 && value <= largest) return value;
  throw new OptionError(`${flag} takes a whole number from 1 to ${largest.toLocaleString("en-US")}, not "${text}". See --help.`);
}
