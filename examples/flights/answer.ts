/** From counts to figures: pure arithmetic on what the tasks found, so equal counts give equal answers to the last bit. */

import { createHash } from "node:crypto";
import type { ResampledSums } from "./bootstrap.ts";
import type { Flights } from "./columns.ts";
import { delaysAt, type Summary } from "./summary.ts";

/** Delays in minutes; `low` and `high` are the 2.5th and 97.5th percentile of the resampled means. */
export type AirportAnswer = {
  readonly code: string;
  readonly flights: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly lateShare: number;
  readonly percentiles: Percentiles;
  /** One entry for each hour of the day; `undefined` where nothing leaves. */
  readonly byHour: readonly (HourAnswer | undefined)[];
  readonly morning: MorningAnswer | undefined;
};

export type Percentiles = { readonly p10: number; readonly p50: number; readonly p90: number };

export type HourAnswer = Percentiles & { readonly flights: number };

/** How the mean delay of an airport's mornings predicts that of its evenings, by least squares over days. */
export type MorningAnswer = {
  readonly days: number;
  /** Minutes of evening delay that go with one minute of morning delay. */
  readonly slope: number;
  readonly correlation: number;
};

export type RouteAnswer = {
  readonly from: string;
  readonly to: string;
  readonly flights: number;
  readonly mean: number;
  readonly lateShare: number;
};

export type Answer = {
  readonly flights: number;
  readonly firstDay: string;
  readonly days: number;
  readonly mean: number;
  readonly lateShare: number;
  /** Busiest first. */
  readonly airports: readonly AirportAnswer[];
  /** Routes of at least `routeFlights` flights, those with the largest share of late flights first: a mean would trust a clerk's slip of a day. */
  readonly worstRoutes: readonly RouteAnswer[];
  readonly routeFlights: number;
};

/** Fewer days than this with enough flights on both halves, and a line through them says nothing. */
const fewestDays = 30;
/** A half day of fewer departures has no mean worth speaking of. */
const fewestHalfDayFlights = 5;
const worstRouteCount = 20;

export function answerOf(flights: Omit<Flights, "columns">, summary: Summary, sums: ResampledSums): Answer {
  const airports = flights.airports.map((code, airport) => {
    const departures = sumRoutes(summary, airport, flights.airports.length);
    const hours = Array.from({ length: 24 }, (_, hour) => delaysAt(summary.keys, airport, hour));
    return {
      code,
      ...departures,
      ...confidence(sums, airport, flights.airports.length),
      percentiles: percentilesOf(joined(hours).sort()),
      byHour: hours.map((delays) => (delays.length === 0 ? undefined : { flights: delays.length, ...percentilesOf(delays) })),
      morning: morningOf(summary, airport, flights.days),
    };
  });
  const flying = airports.filter((airport) => airport.flights > 0).sort((a, b) => b.flights - a.flights || compare(a.code, b.code));
  // Two flights a day on average, or on a small part of the file as many as make a mean.
  const routeFlights = Math.max(20, flights.days);
  return {
    flights: flights.rows,
    firstDay: flights.firstDay,
    days: flights.days,
    mean: total(summary.routeDelay) / flights.rows,
    lateShare: total(summary.routeLate) / flights.rows,
    airports: flying,
    worstRoutes: worstRoutesOf(flights.airports, summary, routeFlights),
    routeFlights,
  };
}

/** Equal answers, equal text: 16 hexadecimal digits. */
export function fingerprint(answer: Answer): string {
  return createHash("sha256").update(JSON.stringify(answer)).digest("hex").slice(0, 16);
}

/** Nearest rank: the smallest value that at least `share` of all values do not exceed. `sorted` must not be empty. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  // A product a rounding above a whole number is that number.
  return sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)]!;
}

function percentilesOf(sorted: Int16Array): Percentiles {
  if (sorted.length === 0) return { p10: 0, p50: 0, p90: 0 };
  return { p10: percentile(sorted, 0.1), p50: percentile(sorted, 0.5), p90: percentile(sorted, 0.9) };
}

function joined(parts: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function sumRoutes({ routeFlights, routeDelay, routeLate }: Summary, airport: number, airports: number) {
  const from = airport * airports;
  const flights = total(routeFlights.subarray(from, from + airports));
  return {
    flights,
    mean: total(routeDelay.subarray(from, from + airports)) / flights,
    lateShare: total(routeLate.subarray(from, from + airports)) / flights,
  };
}

function confidence({ weight, weightedDelay }: ResampledSums, airport: number, airports: number): { low: number; high: number } {
  const resamples = weight.length / airports;
  const room = new Float64Array(resamples);
  let count = 0;
  for (let at = airport * resamples; at < (airport + 1) * resamples; at++) {
    // A resample that drew none of a small airport's flights has no mean.
    if (weight[at] !== 0) room[count++] = weightedDelay[at]! / weight[at]!;
  }
  const means = room.subarray(0, count).sort();
  return means.length === 0 ? { low: 0, high: 0 } : { low: percentile(means, 0.025), high: percentile(means, 0.975) };
}

function morningOf({ halfDayFlights, halfDayDelay }: Summary, airport: number, days: number): MorningAnswer | undefined {
  const mornings: number[] = [];
  const evenings: number[] = [];
  for (let day = 0; day < days; day++) {
    const morning = (airport * days + day) * 2;
    const evening = morning + 1;
    if (Math.min(halfDayFlights[morning]!, halfDayFlights[evening]!) < fewestHalfDayFlights) continue;
    mornings.push(halfDayDelay[morning]! / halfDayFlights[morning]!);
    evenings.push(halfDayDelay[evening]! / halfDayFlights[evening]!);
  }
  return mornings.length < fewestDays ? undefined : { days: mornings.length, ...lineThrough(mornings, evenings) };
}

/** Least squares: the slope of `y` over `x`, and Pearson's correlation. Both zero where `x` or `y` never changes. */
export function lineThrough(x: readonly number[], y: readonly number[]): { slope: number; correlation: number } {
  const meanX = total(x) / x.length;
  const meanY = total(y) / y.length;
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (const [index, value] of x.entries()) {
    xx += (value - meanX) ** 2;
    xy += (value - meanX) * (y[index]! - meanY);
    yy += (y[index]! - meanY) ** 2;
  }
  return xx === 0 || yy === 0 ? { slope: 0, correlation: 0 } : { slope: xy / xx, correlation: xy / Math.sqrt(xx * yy) };
}

function worstRoutesOf(airports: readonly string[], summary: Summary, fewestFlights: number): RouteAnswer[] {
  const routes: RouteAnswer[] = [];
  for (const [origin, from] of airports.entries()) {
    for (const [destination, to] of airports.entries()) {
      const route = origin * airports.length + destination;
      const flights = summary.routeFlights[route]!;
      if (flights < fewestFlights) continue;
      routes.push({ from, to, flights, mean: summary.routeDelay[route]! / flights, lateShare: summary.routeLate[route]! / flights });
    }
  }
  return routes.sort((a, b) => b.lateShare - a.lateShare || compare(a.from + a.to, b.from + b.to)).slice(0, worstRouteCount);
}

function total(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/** Order by code unit: the same everywhere, whatever the language of the machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
