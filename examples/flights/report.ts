/** The answer as text for a terminal: three short tables. */

import { styleText } from "node:util";
import type { Airport } from "./airports.ts";
import type { AirportAnswer, Answer } from "./answer.ts";
import { grouped } from "./progress.ts";

const listedAirports = 15;
const listedRoutes = 8;
const listedMornings = 8;

type Column<Row> = { readonly title: string; readonly of: (row: Row) => string; readonly align?: "left" };

export function report(answer: Answer, places: ReadonlyMap<string, Airport>): string {
  const city = (code: string) => shortened(places.get(code)?.city ?? "");
  const airports = table(answer.airports.slice(0, listedAirports), [
    { title: "airport", of: ({ code }) => `${code} ${city(code)}`, align: "left" },
    { title: "flights", of: ({ flights }) => grouped(flights) },
    { title: "mean", of: ({ mean }) => mean.toFixed(2) },
    { title: "95 % limits", of: ({ low, high }) => `${low.toFixed(2)}–${high.toFixed(2)}` },
    { title: "median", of: ({ percentiles }) => String(percentiles.p50) },
    { title: "p90", of: ({ percentiles }) => String(percentiles.p90) },
    { title: "late", of: ({ lateShare }) => percent(lateShare) },
    { title: "p90 8h 18h", of: (airport) => `${p90At(airport, 8)} ${p90At(airport, 18).padStart(3)}` },
  ]);
  const routes = table(answer.worstRoutes.slice(0, listedRoutes), [
    { title: "route", of: ({ from, to }) => `${from} – ${to}  ${city(from)} to ${city(to)}`, align: "left" },
    { title: "flights", of: ({ flights }) => grouped(flights) },
    { title: "late", of: ({ lateShare }) => percent(lateShare) },
    { title: "mean", of: ({ mean }) => mean.toFixed(1) },
  ]);
  const mornings = table(morningsOf(answer), [
    { title: "airport", of: ({ code }) => `${code} ${city(code)}`, align: "left" },
    { title: "days", of: ({ morning }) => String(morning.days) },
    { title: "evening minutes per morning minute", of: ({ morning }) => morning.slope.toFixed(2) },
    { title: "correlation", of: ({ morning }) => morning.correlation.toFixed(2) },
  ]);
  return [
    heading("Delay on arrival by airport of departure, in minutes"),
    airports,
    heading(`Worst routes of at least ${answer.routeFlights} flights (late: 15 minutes or more)`),
    routes,
    heading("Where the morning predicts the evening"),
    mornings,
  ].join("\n");
}

/** So that the widest table fits a terminal of 80 columns. */
function shortened(city: string): string {
  return city.length <= 13 ? city : `${city.slice(0, 12).trimEnd()}…`;
}

function morningsOf(answer: Answer) {
  return answer.airports
    .flatMap(({ code, morning }) => (morning === undefined ? [] : [{ code, morning }]))
    .toSorted((a, b) => b.morning.correlation - a.morning.correlation)
    .slice(0, listedMornings);
}

function p90At({ byHour }: AirportAnswer, hour: number): string {
  return String(byHour[hour]?.p90 ?? "-");
}

function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  if (rows.length === 0) return "  too few flights to tell\n";
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ of }) => of(row)))];
  const widths = columns.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  const lines = cells.map((line) =>
    line
      .map((cell, column) => (columns[column]!.align === "left" ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  "),
  );
  const [titles, ...body] = lines;
  return `${quiet(`  ${titles!.trimEnd()}`)}\n${body.map((line) => `  ${line.trimEnd()}`).join("\n")}\n`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `styleText` leaves colours out where standard output is no terminal or NO_COLOR is set. */
function heading(words: string): string {
  return styleText("bold", words, { stream: process.stdout });
}

function quiet(words: string): string {
  return styleText("dim", words, { stream: process.stdout });
}
