/** `--filter state=running`: rows whose value is that text. Pure, but for what is wrong, which ends the command. */
import { misuse } from "./print.ts";

export interface RowFilter {
  readonly key: string;
  readonly value: string;
  /** `key!=value` */
  readonly excludes: boolean;
}

export function readFilters(texts: readonly string[]): RowFilter[] {
  return texts.map((text) => {
    const [, key, not, value] = /^([^!=]+)(!?)=(.*)$/.exec(text) ?? [];
    if (key === undefined || value === undefined) return misuse(`--filter ${text}: write it as key=value or key!=value`);
    return { key: key.trim(), value: value.trim(), excludes: not === "!" };
  });
}

/** What rows of one kind have. */
export interface Filterable {
  /** Keys that they may have, absent ones included. */
  readonly keys: readonly string[];
  /** All that `state` may be. */
  readonly states: readonly string[];
}

/** Refuses what no row of this kind can ever match, before anything is asked. */
export function checkStates(filters: readonly RowFilter[], { states }: Filterable): void {
  for (const { key, value } of filters)
    if (key === "state" && !states.includes(value))
      misuse(`--filter state=${value}: there is no such state; there are ${states.join(", ")}`);
}

/** Refuses keys that no row has. */
export function checkKeys(filters: readonly RowFilter[], rows: readonly object[], { keys }: Filterable): void {
  for (const { key } of filters) {
    if (keys.includes(key) || rows.some((row) => Object.hasOwn(row, key))) continue;
    const all = new Set([...keys, ...rows.flatMap((row) => Object.keys(row))]);
    misuse(`--filter ${key}: there is no such column; there are ${[...all].join(", ")}`);
  }
}

export function matches(row: Readonly<Record<string, unknown>>, filters: readonly RowFilter[]): boolean {
  return filters.every(({ key, value, excludes }) => (textOf(row[key]) === value) !== excludes);
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
