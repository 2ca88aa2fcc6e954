/**
 * Reads the flights from Parquet. The file is a row of independent row groups, so each is a task of its own:
 * `readRowGroup` decodes one into columns, and `joinParts` lines the parts up under one list of airports.
 */

import { zstdDecompressSync } from "node:zlib";
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from "hyparquet";
import { type FlightColumns, type Flights, largestDelayMinutes } from "./columns.ts";

/** One row group, its airports numbered in the order in which they appeared. */
export type FlightPart = { readonly columns: FlightColumns; readonly airports: readonly string[]; readonly rows: number };

/** Rows of each row group of the file, cut off after `limit` rows in all. */
export async function rowGroupSizes(path: string, limit: number): Promise<number[]> {
  const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path));
  const sizes: number[] = [];
  let left = limit;
  for (const group of metadata.row_groups) {
    if (left <= 0) break;
    const rows = Math.min(left, Number(group.num_rows));
    sizes.push(rows);
    left -= rows;
  }
  return sizes;
}

/**
 * Decodes `rows` rows starting at `rowStart`, which must be within one row group.
 *
 * Text and times are decoded once per dictionary entry, not once per row: the parsers given to the reader turn an airport
 * into its number and a timestamp into minutes.
 *
 * @throws when a value is missing or a delay does not fit
 */
export async function readRowGroup(path: string, rowStart: number, rows: number): Promise<FlightPart> {
  const airports: string[] = [];
  const numberOf = new Map<string, number>();
  const text = new TextDecoder();
  const columns = emptyColumns(rows);
  await parquetRead({
    file: await asyncBufferFromFile(path),
    rowStart,
    rowEnd: rowStart + rows,
    columns: Object.keys(columnOfField),
    compressors: { ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes) },
    parsers: {
      timestampFromMicroseconds: (micros: bigint) => Number(micros / 60_000_000n),
      stringFromBytes: (bytes: Uint8Array) => {
        const code = text.decode(bytes);
        const known = numberOf.get(code);
        if (known !== undefined) return known;
        numberOf.set(code, airports.length);
        return airports.push(code) - 1;
      },
    },
    onChunk: ({ columnName, columnData, rowStart: chunkStart }) => {
      const column = columns[columnOfField[columnName as keyof typeof columnOfField]];
      const first = Math.max(0, rowStart - chunkStart);
      const last = Math.min(columnData.length, rowStart + rows - chunkStart);
      for (let index = first; index < last; index++) {
        const value = Number(columnData[index] ?? missing(columnName, chunkStart + index));
        column[chunkStart + index - rowStart] = value;
      }
    },
  });
  for (const delay of columns.delay) {
    if (Math.abs(delay) > largestDelayMinutes) throw new RangeError(`A delay of ${delay} minutes is beyond ${largestDelayMinutes}`);
  }
  return { columns, airports, rows };
}

/** Puts parts end to end. The result does not depend on how the file was cut. */
export function joinParts(parts: readonly FlightPart[]): Flights {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const airports = [...new Set(parts.flatMap((part) => part.airports))].sort();
  const numberOf = new Map(airports.map((code, index) => [code, index]));
  const columns = emptyColumns(rows);
  let at = 0;
  for (const part of parts) {
    const renumbered = Uint16Array.from(part.airports, (code) => numberOf.get(code) ?? 0);
    columns.minute.set(part.columns.minute, at);
    columns.delay.set(part.columns.delay, at);
    columns.distance.set(part.columns.distance, at);
    for (let row = 0; row < part.rows; row++) {
      columns.origin[at + row] = renumbered[part.columns.origin[row]!]!;
      columns.destination[at + row] = renumbered[part.columns.destination[row]!]!;
    }
    at += part.rows;
  }
  let firstMinute = Number.POSITIVE_INFINITY;
  let lastMinute = Number.NEGATIVE_INFINITY;
  for (const minute of columns.minute) {
    if (minute < firstMinute) firstMinute = minute;
    if (minute > lastMinute) lastMinute = minute;
  }
  const firstDay = Math.floor(firstMinute / minutesPerDay);
  const days = Math.floor(lastMinute / minutesPerDay) - firstDay + 1;
  for (let row = 0; row < rows; row++) columns.minute[row]! -= firstDay * minutesPerDay;
  return { columns, airports, rows, firstDay: new Date(firstDay * minutesPerDay * 60_000).toISOString().slice(0, 10), days };
}

const minutesPerDay = 24 * 60;

/** The file's names for our columns. */
const columnOfField = { date: "minute", delay: "delay", distance: "distance", origin: "origin", destination: "destination" } as const;

function emptyColumns(rows: number): FlightColumns {
  return {
    minute: new Int32Array(rows),
    delay: new Int16Array(rows),
    distance: new Int16Array(rows),
    origin: new Uint16Array(rows),
    destination: new Uint16Array(rows),
  };
}

function missing(field: string, row: number): never {
  throw new Error(`The file has no ${field} in row ${row}`);
}
