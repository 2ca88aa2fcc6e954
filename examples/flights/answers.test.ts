/** The figures again, computed another way: rows as objects, groups in maps, percentiles from sorted lists. */

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { type Answer, answerOf, fingerprint } from "./answer.ts";
import { mergeResampled, resample } from "./bootstrap.ts";
import { type FlightColumns, type Flights, type RowRange, rowRanges } from "./columns.ts";
import { combineTree } from "./combine.ts";
import { type FlightPart, joinParts, readRowGroup, rowGroupSizes } from "./read-flights.ts";
import { mergeSummaries, summarize } from "./summary.ts";

/** Enough for more than thirty days of mornings. */
const rows = 560_000;
const path = fileURLToPath(new URL("../data/flights-3m.parquet", import.meta.resolve("vega-datasets")));

type Flight = {
  readonly date: Date;
  readonly delay: bigint;
  readonly distance: bigint;
  readonly origin: string;
  readonly destination: string;
};

describe("answers, against plain loops", () => {
  let raw: Flight[];
  let flights: Flights;
  let answer: Answer;
  let departures: Map<string, Flight[]>;

  before(async () => {
    raw = (await parquetReadObjects({
      file: await asyncBufferFromFile(path),
      rowEnd: rows,
      compressors: { ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes) },
    })) as Flight[];
    const parts: FlightPart[] = [];
    let start = 0;
    for (const size of await rowGroupSizes(path, rows)) {
      parts.push(await readRowGroup(path, start, size));
      start += size;
    }
    flights = joinParts(parts);
    answer = answerFrom(flights, rowRanges(rows, 23));
    departures = Map.groupBy(raw, ({ origin }) => origin);
  });

  test("every row is read as it stands in the file", () => {
    assert.equal(flights.rows, rows);
    const midnight = Date.parse(`${flights.firstDay}T00:00:00Z`);
    for (const [row, flight] of raw.entries()) {
      const { columns, airports } = flights;
      const same =
        columns.minute[row]! * 60_000 + midnight === flight.date.getTime() &&
        columns.delay[row] === Number(flight.delay) &&
        columns.distance[row] === Number(flight.distance) &&
        airports[columns.origin[row]!] === flight.origin &&
        airports[columns.destination[row]!] === flight.destination;
      if (!same) assert.fail(`row ${row} differs`);
    }
  });

  test("counts, means, late shares and percentiles of every airport", () => {
    assert.equal(answer.airports.length, departures.size);
    for (const airport of answer.airports) {
      const delays = departures.get(airport.code)!.map(({ delay }) => Number(delay));
      assert.equal(airport.flights, delays.length);
      assert.equal(airport.mean, sum(delays) / delays.length);
      assert.equal(airport.lateShare, delays.filter((delay) => delay >= 15).length / delays.length);
      assert.deepEqual(airport.percentiles, percentiles(delays));
    }
  });

  test("percentiles of every airport and hour", () => {
    for (const { code, byHour } of answer.airports) {
      const hours = Map.groupBy(departures.get(code)!, ({ date }) => date.getUTCHours());
      for (let hour = 0; hour < 24; hour++) {
        const delays = hours.get(hour)?.map(({ delay }) => Number(delay));
        assert.deepEqual(byHour[hour], delays && { flights: delays.length, ...percentiles(delays) });
      }
    }
  });

  test("the worst routes", () => {
    const routes = [...Map.groupBy(raw, ({ origin, destination }) => `${origin} ${destination}`)]
      .filter(([, of]) => of.length >= answer.routeFlights)
      .map(([route, of]) => {
        const delays = of.map(({ delay }) => Number(delay));
        const [from, to] = route.split(" ");
        const late = delays.filter((delay) => delay >= 15).length;
        return { from, to, flights: of.length, mean: sum(delays) / of.length, lateShare: late / of.length };
      })
      .sort((a, b) => b.lateShare - a.lateShare || (`${a.from}${a.to}` < `${b.from}${b.to}` ? -1 : 1));
    assert.deepEqual(answer.worstRoutes, routes.slice(0, 20));
  });

  test("mornings and evenings", () => {
    let compared = 0;
    for (const { code, morning } of answer.airports) {
      const points: [x: number, y: number][] = [];
      for (const day of Map.groupBy(departures.get(code)!, ({ date }) => date.toISOString().slice(0, 10)).values()) {
        const of = (from: number, to: number) =>
          day.filter(({ date }) => date.getUTCHours() >= from && date.getUTCHours() < to).map(({ delay }) => Number(delay));
        const [before, after] = [of(5, 12), of(17, 24)];
        if (before.length >= 5 && after.length >= 5) points.push([sum(before) / before.length, sum(after) / after.length]);
      }
      assert.equal(morning?.days, points.length >= 30 ? points.length : undefined);
      if (morning === undefined) continue;
      compared++;
      // The textbook's other form: sums of products instead of products of differences.
      const n = points.length;
      const [x, y] = [sum(points.map((point) => point[0])), sum(points.map((point) => point[1]))];
      const xy = n * sum(points.map((point) => point[0] * point[1])) - x * y;
      const xx = n * sum(points.map((point) => point[0] ** 2)) - x * x;
      const yy = n * sum(points.map((point) => point[1] ** 2)) - y * y;
      assert.ok(Math.abs(morning.slope - xy / xx) < 1e-9, code);
      assert.ok(Math.abs(morning.correlation - xy / Math.sqrt(xx * yy)) < 1e-9, code);
    }
    assert.ok(compared > 50);
  });

  test("bootstrap limits lie where theory puts them", () => {
    const [busiest] = answer.airports;
    const delays = departures.get(busiest!.code)!.map(({ delay }) => Number(delay));
    const variance = sum(delays.map((delay) => (delay - busiest!.mean) ** 2)) / (delays.length - 1);
    const width = 2 * 1.96 * Math.sqrt(variance / delays.length);
    // 200 resamples know the width of an interval to about one part in ten.
    assert.ok(Math.abs((busiest!.high - busiest!.low) / width - 1) < 0.25);
    assert.ok(busiest!.low < busiest!.mean && busiest!.mean < busiest!.high);
  });
});

const small: FlightColumns = {
  minute: Int32Array.from({ length: 500 }, (_, row) => row * 13),
  delay: Int16Array.from({ length: 500 }, (_, row) => ((row * 7919) % 200) - 40),
  distance: new Int16Array(500),
  origin: Uint16Array.from({ length: 500 }, (_, row) => (row * row) % 7),
  destination: Uint16Array.from({ length: 500 }, (_, row) => row % 5),
};
const smallFlights: Flights = { columns: small, airports: ["A", "B", "C", "D", "E", "F", "G"], rows: 500, firstDay: "2001-01-01", days: 5 };

test("resampled sums are those of the weights' definition", () => {
  const resampling = { resamples: 24, seed: 5, airports: 7 };
  const sums = resample(small, { from: 100, to: 400 }, resampling);
  for (let draw = 0; draw < 24; draw++) {
    for (let airport = 0; airport < 7; airport++) {
      let [weight, weightedDelay] = [0, 0];
      for (let row = 100; row < 400; row++) {
        if (small.origin[row] !== airport) continue;
        weight += weightBy(row, draw, 5);
        weightedDelay += weightBy(row, draw, 5) * small.delay[row]!;
      }
      assert.equal(sums.weight[airport * 24 + draw], weight);
      assert.equal(sums.weightedDelay[airport * 24 + draw], weightedDelay);
    }
  }
});

test("the answer is the same bits however the rows are cut and in whatever order the parts meet", () => {
  const whole = fingerprint(answerFrom(smallFlights, [{ from: 0, to: 500 }]));
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 499 }), { maxLength: 12 });
  const ranks = fc.array(fc.nat(), { minLength: 13, maxLength: 13 });
  fc.assert(
    fc.property(cuts, fc.integer({ min: 2, max: 5 }), ranks, (points, fanIn, order) => {
      const edges = [0, ...points.toSorted((a, b) => a - b), 500];
      const ranges = edges.slice(1).map((to, index) => ({ from: edges[index]!, to, rank: order[index]! }));
      ranges.sort((a, b) => a.rank - b.rank);
      assert.equal(fingerprint(answerFrom(smallFlights, ranges, fanIn)), whole);
    }),
    { numRuns: 50, seed: 1 },
  );
});

test("another seed gives other limits", () => {
  const [one, other] = [1, 2].map((seed) => resample(small, { from: 0, to: 500 }, { resamples: 24, seed, airports: 7 }));
  assert.notDeepEqual(one, other);
});

function answerFrom(flights: Flights, ranges: readonly RowRange[], fanIn = 4): Answer {
  const shape = { airports: flights.airports.length, days: flights.days };
  const resampling = { resamples: 200, seed: 2001, airports: shape.airports };
  const summary = combineTree(
    ranges.map((range) => summarize(flights.columns, range, shape)),
    mergeSummaries,
    fanIn,
  );
  const sums = combineTree(
    ranges.map((range) => resample(flights.columns, range, resampling)),
    mergeResampled,
    fanIn,
  );
  return answerOf(flights, summary, sums);
}

/** The weight of a row in a resample, in exact arithmetic and without a running counter. */
function weightBy(row: number, draw: number, seed: number): number {
  const word32 = (value: bigint) => BigInt.asUintN(32, value);
  const mix = (word: bigint) => {
    let mixed = word32((word ^ (word >> 16n)) * 0x85ebca6bn);
    mixed = word32((mixed ^ (mixed >> 13n)) * 0xc2b2ae35n);
    return mixed ^ (mixed >> 16n);
  };
  const counter = word32(mix(BigInt(row ^ seed)) + 0x9e3779b9n * BigInt(Math.floor(draw / 4) + 1));
  const byte = Number((mix(counter) >> BigInt(8 * (draw % 4))) & 0xffn);
  return [95, 188, 235, 251, 255].filter((bound) => byte >= bound).length;
}

function percentiles(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  // The first value with enough values at or below it.
  const at = (share: number) => sorted.find((_, index) => (index + 1) / sorted.length >= share - 1e-12)!;
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
