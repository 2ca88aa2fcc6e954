import { warnsUnhandledOf } from "../api/environment.ts";
import type { DriverOptions } from "../api/init.ts";

/** Where a driver tells of errors that nobody looked at; undefined when it does not. */
export function unhandledPrinter({ warnUnhandledErrors }: DriverOptions): ((line: string) => void) | undefined {
  const isWanted = warnUnhandledErrors ?? warnsUnhandledOf(process.env);
  return isWanted ? (line) => void process.stderr.write(`${line}\n`) : undefined;
}
