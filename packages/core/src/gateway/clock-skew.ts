import { RaiaError } from "../base/errors.ts";

/** @param clocks by whose they are, in milliseconds since 1970 */
export function clockSkew(clocks: Readonly<Record<string, number>>, facts: Readonly<Record<string, string>> = {}): RaiaError {
  const values = Object.values(clocks);
  return new RaiaError("CLOCK_SKEW", {
    ...facts,
    ...Object.fromEntries(Object.entries(clocks).map(([whose, ms]) => [`${whose}Clock`, isoOf(ms)])),
    secondsApart: Math.round((Math.max(...values) - Math.min(...values)) / 1000),
  });
}

/** What a peer says may be no moment at all. */
export function isoOf(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
