/**
 * The flights as columns: one typed array for each, all of the same length, ordered as in the file.
 * Airports are small numbers, places in `airports`. Columns go to shared memory once; tasks get a range of rows.
 */

export type FlightColumns = {
  /** Minutes since the first day's midnight, on the clock of the place of departure. */
  readonly minute: Int32Array;
  /** Arrival behind (or, negative, ahead of) schedule, in minutes. */
  readonly delay: Int16Array;
  /** Great-circle distance, in miles. */
  readonly distance: Int16Array;
  readonly origin: Uint16Array;
  readonly destination: Uint16Array;
};

export type Flights = {
  readonly columns: FlightColumns;
  /** IATA codes in alphabetical order; `origin` and `destination` are places in it. */
  readonly airports: readonly string[];
  readonly rows: number;
  /** The calendar day of minute 0, `YYYY-MM-DD`. */
  readonly firstDay: string;
  readonly days: number;
};

/** What a task must know of the whole table to size its answer. */
export type Shape = { readonly airports: number; readonly days: number };

/** Rows `from` (included) to `to` (not included). */
export type RowRange = { readonly from: number; readonly to: number };

/** Delays beyond this are refused when reading: counting packs a delay into 13 bits. */
export const largestDelayMinutes = 4095;

/** Cuts `rows` into `count` ranges whose lengths differ by one at most. */
export function rowRanges(rows: number, count: number): RowRange[] {
  const pieces = Math.max(1, Math.min(count, rows));
  return Array.from({ length: pieces }, (_, index) => ({
    from: Math.floor((index * rows) / pieces),
    to: Math.floor(((index + 1) * rows) / pieces),
  }));
}
