/**
 * Counting: what a range of rows says about delays, as integers. Two summaries merge into one by adding and by merging sorted
 * lists, so that any cut of the rows, merged in any order, gives the very same bits.
 */

import { type FlightColumns, largestDelayMinutes, type RowRange, type Shape } from "./columns.ts";

/** A flight is late from this many minutes on: the definition of the US Department of Transportation. */
export const lateMinutes = 15;

/** Departures from 05:00 to 11:59 are morning, from 17:00 to 23:59 evening. */
const morningHours = { from: 5, to: 12 } as const;
const eveningHours = { from: 17, to: 24 } as const;

export type Summary = {
  /** One key for each flight, ascending: airport, hour of day and delay in one number (see `keyOf`). */
  readonly keys: Int32Array;
  /** Flights, summed delay and late flights of each route; index `origin * airports + destination`. */
  readonly routeFlights: Int32Array;
  readonly routeDelay: Int32Array;
  readonly routeLate: Int32Array;
  /** Flights and summed delay of each airport's mornings and evenings; index `(origin * days + day) * 2 + (evening ? 1 : 0)`. */
  readonly halfDayFlights: Int32Array;
  readonly halfDayDelay: Int32Array;
};

/** Counts the rows of a range. @complexity O(rows log rows) for the sorting, plus the size of the answer */
export function summarize(columns: FlightColumns, { from, to }: RowRange, shape: Shape): Summary {
  const summary = emptySummary(to - from, shape);
  const { keys, routeFlights, routeDelay, routeLate, halfDayFlights, halfDayDelay } = summary;
  for (let row = from; row < to; row++) {
    const minute = columns.minute[row]!;
    const delay = columns.delay[row]!;
    const origin = columns.origin[row]!;
    const day = Math.floor(minute / 1440);
    const hour = Math.floor((minute % 1440) / 60);
    keys[row - from] = keyOf(origin, hour, delay);
    const route = origin * shape.airports + columns.destination[row]!;
    routeFlights[route]! += 1;
    routeDelay[route]! += delay;
    if (delay >= lateMinutes) routeLate[route]! += 1;
    const half = halfOf(hour);
    if (half !== undefined) {
      const halfDay = (origin * shape.days + day) * 2 + half;
      halfDayFlights[halfDay]! += 1;
      halfDayDelay[halfDay]! += delay;
    }
  }
  keys.sort();
  return summary;
}

/** Merges summaries of different rows. */
export function mergeSummaries(...summaries: Summary[]): Summary {
  return summaries.reduce((left, right) => ({
    keys: mergeSorted(left.keys, right.keys),
    routeFlights: add(left.routeFlights, right.routeFlights),
    routeDelay: add(left.routeDelay, right.routeDelay),
    routeLate: add(left.routeLate, right.routeLate),
    halfDayFlights: add(left.halfDayFlights, right.halfDayFlights),
    halfDayDelay: add(left.halfDayDelay, right.halfDayDelay),
  }));
}

const delayRange = 2 * (largestDelayMinutes + 1);

/** Orders flights by airport, then hour, then delay. 229 airports take 26 bits of the 31. */
function keyOf(airport: number, hour: number, delay: number): number {
  return (airport * 24 + hour) * delayRange + delay + largestDelayMinutes;
}

/** The delays that are in `keys` for one airport and hour, ascending. */
export function delaysAt(keys: Int32Array, airport: number, hour: number): Int16Array {
  const lowest = (airport * 24 + hour) * delayRange;
  const first = lowerBound(keys, lowest);
  const last = lowerBound(keys, lowest + delayRange);
  const delays = new Int16Array(last - first);
  for (let index = 0; index < delays.length; index++) delays[index] = keys[first + index]! - lowest - largestDelayMinutes;
  return delays;
}

function halfOf(hour: number): 0 | 1 | undefined {
  if (hour >= morningHours.from && hour < morningHours.to) return 0;
  return hour >= eveningHours.from && hour < eveningHours.to ? 1 : undefined;
}

function emptySummary(rows: number, { airports, days }: Shape): Summary {
  return {
    keys: new Int32Array(rows),
    routeFlights: new Int32Array(airports * airports),
    routeDelay: new Int32Array(airports * airports),
    routeLate: new Int32Array(airports * airports),
    halfDayFlights: new Int32Array(airports * days * 2),
    halfDayDelay: new Int32Array(airports * days * 2),
  };
}

function mergeSorted(left: Int32Array, right: Int32Array): Int32Array {
  const merged = new Int32Array(left.length + right.length);
  let fromLeft = 0;
  let fromRight = 0;
  for (let at = 0; at < merged.length; at++) {
    const takeLeft = fromRight >= right.length || (fromLeft < left.length && left[fromLeft]! <= right[fromRight]!);
    merged[at] = takeLeft ? left[fromLeft++]! : right[fromRight++]!;
  }
  return merged;
}

/** Index of the first value that is at least `wanted`. */
function lowerBound(sorted: Int32Array, wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function add(left: Int32Array, right: Int32Array): Int32Array {
  const sum = new Int32Array(left.length);
  for (let index = 0; index < sum.length; index++) sum[index] = left[index]! + right[index]!;
  return sum;
}
