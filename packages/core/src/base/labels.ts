import { RaiaError } from "./errors.ts";

/**
 * Labels say what a node is (`region=eu`); a selector says what work wants. Each key of a selector holds a value, or one of
 * `!v`, `in(a,b)`, `!in(a,b)`. A node without the key has no value, so it passes the two negated forms and fails the others.
 */
export type Labels = { readonly [key: string]: string };

/** A selector as users write it. */
export type LabelSelector = { readonly [key: string]: string };

export interface LabelRule {
  readonly key: string;
  /** `true` when none of `values` may be the label's. */
  readonly excludes: boolean;
  readonly values: readonly string[];
}

/** `[domain/]name` and values: letters, digits, `-`, `_`, `.`, at most 63, as Ray and Kubernetes have them. */
const NAME = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const DOMAIN = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const LIST = /^in\(([^()]*)\)$/;
const MAX_LABELS = 256; // Per node and per selector; bounds the work of each comparison.

/**
 * Checks the labels of a node.
 *
 * @throws {RaiaError} INVALID_OPTION naming the label
 */
export function parseLabels(labels: Labels, option = "labels"): Labels {
  const entries = recordEntries(labels, option);
  for (const [key, value] of entries) {
    checkKey(key, option);
    checkValue(value, `${option}.${key}`);
  }
  return Object.freeze(Object.fromEntries(entries));
}

/**
 * Reads a selector once, so that comparing nodes reads no text.
 *
 * @throws {RaiaError} INVALID_OPTION naming key and value
 */
export function parseLabelSelector(selector: LabelSelector, option = "labelSelector"): readonly LabelRule[] {
  return recordEntries(selector, option).map(([key, text]) => {
    checkKey(key, option);
    if (typeof text !== "string") throw invalid(`${option}.${key}`, text, "must be text");
    const excludes = text.startsWith("!");
    const wanted = excludes ? text.slice(1) : text;
    const list = LIST.exec(wanted)?.[1];
    const values = list === undefined ? [wanted] : list.split(",").map((value) => value.trim());
    for (const value of values) checkValue(value, `${option}.${key}`);
    return { key, excludes, values };
  });
}

export function firstUnmetRule(rules: readonly LabelRule[], labels: Labels): LabelRule | undefined {
  return rules.find(({ key, excludes, values }) => {
    const value = labelOf(labels, key);
    return (value !== undefined && values.includes(value)) === excludes;
  });
}

export function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** `region in(eu,us)`, `zone !a` */
export function showRule({ key, excludes, values }: LabelRule): string {
  const wanted = values.length === 1 ? values[0] : `in(${values.join(",")})`;
  return `${key} ${excludes ? "!" : ""}${wanted}`;
}

function recordEntries(record: { readonly [key: string]: string }, option: string): [string, string][] {
  if (typeof record !== "object" || record === null || Array.isArray(record)) throw invalid(option, record, "must be a record of text");
  const entries = Object.entries(record);
  if (entries.length > MAX_LABELS) throw invalid(option, entries.length, `must have at most ${MAX_LABELS} keys`);
  return entries;
}

function checkKey(key: string, option: string): void {
  const slash = key.lastIndexOf("/");
  const domainFits = slash < 0 || DOMAIN.test(key.slice(0, slash));
  if (!domainFits || !NAME.test(key.slice(slash + 1)) || key === "__proto__")
    throw invalid(option, key, "must have keys like name or domain/name, of letters, digits, - _ . and at most 63 characters");
}

function checkValue(value: string, option: string): void {
  if (typeof value !== "string" || (value !== "" && !NAME.test(value)))
    throw invalid(option, value, "must hold values of letters, digits, - _ . and at most 63 characters, alone or as !v, in(a,b), !in(a,b)");
}

function invalid(option: string, value: unknown, rule: string): RaiaError {
  return new RaiaError("INVALID_OPTION", { option, value: JSON.stringify(value) ?? String(value), rule: `${option} ${rule}` });
}
