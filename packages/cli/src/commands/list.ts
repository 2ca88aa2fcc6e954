import { listActors, listJobs, listWorkers, nodes } from "@raia/core";
import { fail, say, table } from "../print.ts";
import { asGuest } from "./connect.ts";

const kinds: Readonly<Record<string, () => Promise<readonly object[]>>> = {
  workers: listWorkers,
  actors: listActors,
  jobs: listJobs,
  nodes,
};

export async function list(kind: string, options: Readonly<Record<string, unknown>>): Promise<void> {
  const read = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (read === undefined) fail(`list: no kind "${kind}"; there are ${Object.keys(kinds).join(", ")}`);
  const { format } = options;
  if (format !== "table" && format !== "json") fail(`list: --format "${String(format)}" is not known; there are table, json`);
  await asGuest(options, async () => {
    const rows = await read();
    if (format === "json") say(JSON.stringify(rows, undefined, 2));
    else if (rows.length === 0) say(`no ${kind}`);
    else say(tableOf(rows));
  });
}

function tableOf(rows: readonly object[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return table(
    columns,
    rows.map((row) => columns.map((column) => cellOf((row as Record<string, unknown>)[column]))),
  );
}

const MAX_CELL_CHARS = 40;

function cellOf(value: unknown): string {
  const text = typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
  return text.length > MAX_CELL_CHARS ? `${text.slice(0, MAX_CELL_CHARS - 1)}…` : text;
}
