import { listedStates, type Observer, shortId } from "@raia/core/cluster";
import { type AddressOption, observe, tellMissing } from "../observe.ts";
import { type Format, misuse, note, say, sayJson, showBytes, showDuration, showOwnedId, table } from "../print.ts";
import { checkKeys, checkStates, matches, readFilters } from "../row-filter.ts";

export interface ListOptions extends AddressOption {
  readonly format: Format;
  readonly limit: number;
  readonly filter: readonly string[];
}

type Row = Readonly<Record<string, unknown>>;

interface Kind {
  /** All that may be filtered; the answer is cut afterwards. */
  read(
    state: Observer["state"],
    limit: number,
  ): Promise<{ readonly rows: readonly object[]; readonly total?: number; readonly missing?: Parameters<typeof tellMissing>[0] }>;
  /** What the table shows, in this order. */
  readonly columns: readonly string[];
}

/** What is filtered is read before it is cut. */
const LEAST_READ = 10_000;

const kinds: Readonly<Record<string, Kind>> = {
  tasks: {
    read: (state, limit) => state.tasks({ limit }),
    columns: ["taskId", "name", "state", "attempt", "jobId", "ownerPid", "pid", "actorId", "durationMs", "error"],
  },
  actors: {
    read: (state, limit) => state.actors({ limit }),
    columns: ["actorId", "className", "name", "namespace", "state", "restarts", "jobId", "pid", "deathCause"],
  },
  "placement-groups": {
    read: (state, limit) => state.placementGroups({ limit }),
    columns: ["placementGroupId", "name", "namespace", "state", "strategy", "bundles", "jobId"],
  },
  objects: {
    read: (state, limit) => state.objects({ limit }),
    columns: ["objectId", "state", "bytes", "ownerPid", "handles", "borrowers", "pins", "site"],
  },
  workers: {
    read: async (state) => ({ rows: await state.workers() }),
    columns: ["workerId", "pid", "kind", "state", "jobId", "residentBytes", "running"],
  },
  nodes: {
    read: async (state) => ({ rows: await state.nodes() }),
    columns: ["nodeId", "state", "total", "available", "labels"],
  },
  jobs: {
    read: async (state) => ({ rows: await state.jobs() }),
    columns: ["jobId", "state", "namespace", "driverPid", "startedAtMs", "entrypoint"],
  },
};

export async function list(kind: string, { format, limit, filter, ...options }: ListOptions): Promise<void> {
  const chosen = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (chosen === undefined) misuse(`list ${kind}: there is no such kind; there are ${Object.keys(kinds).join(", ")}`);
  const filters = readFilters(filter);
  const filterable = { keys: chosen.columns, states: listedStates[kind as keyof typeof listedStates] };
  checkStates(filters, filterable);
  await observe(options, async ({ state }) => {
    const { rows, total = rows.length, missing = [] } = await chosen.read(state, Math.max(limit, LEAST_READ));
    tellMissing(missing);
    checkKeys(filters, rows, filterable);
    const found = (rows as readonly Row[]).filter((row) => matches(row, filters));
    const shown = found.slice(0, limit);
    if (format === "json") sayJson(shown);
    else if (shown.length === 0) say(`no ${kind}`);
    else say(tableOf(shown, chosen.columns));
    const all = filters.length === 0 ? Math.max(total, found.length) : found.length;
    if (all > shown.length) note(`${shown.length} of ${all} ${kind}; --limit shows more`);
  });
}

/** Columns of which no row has anything are left out. */
function tableOf(rows: readonly Row[], columns: readonly string[]): string {
  const cells = rows.map((row) => columns.map((column) => cellOf(column, row[column])));
  const used = columns.map((_, index) => cells.some((row) => row[index] !== ""));
  const keep = (row: readonly string[]): string[] => row.filter((_, index) => used[index]);
  return table(keep(columns), cells.map(keep));
}

const MAX_CELL_CHARS = 60;

function cellOf(column: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = show(column, value);
  return text.length > MAX_CELL_CHARS ? `${text.slice(0, MAX_CELL_CHARS - 1)}…` : text;
}

function show(column: string, value: unknown): string {
  if (column === "taskId" || column === "objectId") return showOwnedId(value as string);
  if (column === "bundles") return (value as readonly Bundle[]).map(showBundle).join("; ");
  if (column === "placementGroupId" || column === "actorId" || column === "workerId" || column === "nodeId")
    return shortId(value as string);
  if (column.endsWith("Bytes") || column === "bytes") return showBytes(value as number);
  if (column.endsWith("AtMs")) return new Date(value as number).toISOString();
  if (column.endsWith("Ms")) return showDuration(value as number);
  if (column === "deathCause") return (value as { kind: string }).kind;
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "object" && value !== null)
    return Object.entries(value)
      .map(([key, part]) => `${key}=${showPart(key, part)}`)
      .join(" ");
  return String(value);
}

interface Bundle {
  readonly resources: Readonly<Record<string, number>>;
  readonly nodeId?: string;
}

function showBundle({ resources, nodeId }: Bundle): string {
  const shown = Object.entries(resources).map(([name, count]) => `${name}=${showPart(name, count)}`);
  return `${shown.join(" ")}${nodeId === undefined ? "" : ` on ${shortId(nodeId)}`}`;
}

function showPart(key: string, value: unknown): string {
  return key.endsWith("memory") ? showBytes(value as number) : String(value);
}
