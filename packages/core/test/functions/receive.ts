/** The receiving half: a fresh process loads what was shipped, runs it and compares. Prints one line of JSON for each case. */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { deserialize } from "node:v8";
import { loadFunction } from "../../src/values/function-load.ts";
import { NO_BRANDS, type Outcome, outcomeOf, type TripFile, type TripRecord } from "./trip.ts";

export interface TripResult {
  readonly name: string;
  readonly isSame: boolean;
  readonly expected: string;
  readonly actual: string;
}

async function receive({ name, bytes, args, outcome }: TripRecord): Promise<TripResult> {
  const expected = deserialize(Buffer.from(outcome, "base64")) as Outcome;
  let actual: Outcome;
  try {
    const fn = await loadFunction(Buffer.from(bytes, "base64"), NO_BRANDS);
    actual = await outcomeOf(fn, deserialize(Buffer.from(args, "base64")) as unknown[]);
  } catch (error) {
    actual = { error: `while loading: ${(error as Error).stack}` };
  }
  return { name, isSame: isDeepStrictEqual(actual, expected), expected: shown(expected), actual: shown(actual) };
}

function shown(outcome: Outcome): string {
  return "error" in outcome
    ? outcome.error
    : (JSON.stringify(outcome.value, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value)) ?? "undefined");
}

const file = JSON.parse(readFileSync(process.env.TRIP_FILE as string, "utf8")) as TripFile;
for (const record of file.trips) console.log(JSON.stringify(await receive(record)));
