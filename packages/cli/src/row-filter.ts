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

/** @param columns that rows of this kind may have, absent ones included */
export function matches(row: Readonly<Record<string, unknown>>, filters: readonly RowFilter[], columns: readonly string[]): boolean {
  return filters.every(({ key, value, excludes }) => {
    if (!columns.includes(key) && !Object.hasOwn(row, key)) {
      misuse(`--filter ${key}: there is no such column; there are ${[...new Set([...columns, ...Object.keys(row)])].join(", ")}`);
    }
    return (textOf(row[key]) === value) !== excludes;
  });
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
