/**
 * What each option may be. A rule takes what a user wrote and gives what is kept: plain data that can travel with a handle.
 * Which options there are, and for what, is in `options.ts`.
 */
import { hasControlCharacters } from "../base/control-characters.ts";
import { RaiaError } from "../base/errors.ts";
import { type Labels, parseLabels, parseLabelSelector } from "../base/labels.ts";
import { nearestName } from "../base/nearest-name.ts";
import { parseNodeResources, parseResources } from "../base/resources.ts";
import {
  MAX_BACKPRESSURE_ITEMS,
  MAX_CONCURRENCY,
  MAX_CONCURRENCY_GROUPS,
  MAX_FALLBACKS,
  MAX_NAME_CHARS,
  MAX_RETRIES,
  MAX_RETURNS,
  MAX_TIMEOUT_MS,
} from "./limits.ts";

/** @param option the name as the user wrote it, with its path: `methods.add.numReturns` */
export type Rule = (value: unknown, option: string) => unknown;
export type Rules = { readonly [option: string]: Rule };

/** @param nearest of the values that are allowed, the one that was probably meant */
export function invalidOption(option: string, value: unknown, rule: string, nearest?: string): RaiaError {
  const meant = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return new RaiaError("INVALID_OPTION", { option, value: show(value), rule: `${option} ${rule}${meant}`, nearest });
}

const MAX_SHOWN_CHARS = 100;

function show(value: unknown): string {
  if (typeof value === "function") return `function ${value.name || "(anonymous)"}`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null)
    return typeof value === "string" ? JSON.stringify(value).slice(0, MAX_SHOWN_CHARS) : String(value);
  // Never the contents: they may be secret, cyclic, or run code when they are read.
  return Array.isArray(value) ? `an array of ${value.length}` : "an object";
}

/** Checks a record by the rules for its names; names whose value is `undefined` are as good as absent. */
export function checkRecord(value: unknown, option: string, rules: Rules, expected: string): { readonly [name: string]: unknown } {
  const kept: { [name: string]: unknown } = {};
  for (const [name, given] of entriesOf(value, option, expected)) {
    const path = option === "" ? name : `${option}.${name}`;
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) throw unknownOption(path, name, Object.keys(rules));
    if (given !== undefined) kept[name] = rule(given, path);
  }
  return kept;
}

/**
 * @param note says all that there is to say, in place of the nearest name
 * @param missing what is not there
 */
export function unknownOption(
  path: string,
  name: string,
  known: readonly string[],
  note?: string,
  missing = "there is no such option",
): RaiaError {
  const nearest = note === undefined ? nearestName(name, known) : undefined;
  return new RaiaError("INVALID_OPTION", {
    option: path.slice(0, MAX_NAME_CHARS),
    rule: note ?? (nearest === undefined ? missing : `${missing}; did you mean ${nearest}?`),
    nearest,
  });
}

export function entriesOf(value: unknown, option: string, expected: string): [name: string, given: unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidOption(option || "options", value, `must be ${expected}`);
  return Object.entries(value);
}

// -- numbers

export function whole(least: number, most: number): Rule {
  return (value, option) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      throw invalidOption(option, value, `must be a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

/** A count where -1 stands for no limit. */
export const retries: Rule = (value, option) => {
  if (!Number.isInteger(value) || (value as number) < -1 || (value as number) > MAX_RETRIES) {
    throw invalidOption(option, value, `must be a whole number from 0 to ${MAX_RETRIES}, or -1 for no limit`);
  }
  return value;
};

export const pendingCalls: Rule = (value, option) => {
  if (value === -1) return value;
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > MAX_RETRIES) {
    throw invalidOption(option, value, `must be a whole number from 1 to ${MAX_RETRIES}, or -1 for no limit`);
  }
  return value;
};

export const durationMs: Rule = (value, option) => {
  if (typeof value !== "number" || !(value > 0) || value > MAX_TIMEOUT_MS) {
    throw invalidOption(option, value, `must be milliseconds above 0, at most ${MAX_TIMEOUT_MS} (24 days)`);
  }
  return value;
};

export const maxConcurrency = whole(1, MAX_CONCURRENCY);
export const backpressureItems = whole(1, MAX_BACKPRESSURE_ITEMS);

const returnCount = whole(0, MAX_RETURNS);

export const numReturns: Rule = (value, option) => {
  if (value === "streaming") return value;
  if (typeof value !== "number") throw invalidOption(option, value, `must be a whole number from 0 to ${MAX_RETURNS}, or "streaming"`);
  return returnCount(value, option);
};

/** Of what a machine has: shares of a device are for those who use it. */
export function wholeDevices(rule: Rule): Rule {
  return (value, option) => {
    const kept = rule(value, option);
    try {
      parseNodeResources(option === "numGpus" ? { numGpus: kept as number } : { resources: kept as Record<string, number> });
    } catch (error) {
      if (RaiaError.is(error, "INVALID_OPTION")) throw invalidOption(option, value, "must have whole devices: a machine has no half GPU");
      throw error;
    }
    return kept;
  };
}

export const nodeLabels: Rule = (value, option) => parseLabels(value as Labels, option);

// -- words

export const truth: Rule = (value, option) => {
  if (typeof value !== "boolean") throw invalidOption(option, value, "must be true or false");
  return value;
};

export const name: Rule = (value, option) => {
  if (typeof value !== "string" || value === "" || value.length > MAX_NAME_CHARS) {
    throw invalidOption(option, value, `must be text of 1 to ${MAX_NAME_CHARS} characters`);
  }
  // Names stand in front of what a task prints: a line of its own there would pass for another task's.
  if (hasControlCharacters(value)) throw invalidOption(option, value, "must be text without control characters or line ends");
  return value;
};

export const text: Rule = (value, option) => {
  if (typeof value !== "string") throw invalidOption(option, value, "must be text");
  if (value === "") throw invalidOption(option, value, "must not be empty");
  if (value.includes("\0")) throw invalidOption(option, value, "must not contain the character 0");
  return value;
};

export function oneOf(...words: readonly string[]): Rule {
  return (value, option) => {
    if (typeof value === "string" && words.includes(value)) return value;
    const nearest = typeof value === "string" ? nearestName(value, words) : undefined;
    throw invalidOption(option, value, `must be ${words.map((word) => `"${word}"`).join(" or ")}`, nearest);
  };
}

// -- resources and places

/** `numCpus` and the like: read here only to be refused early; they are read again, together, when they are used. */
export function resource(name: "numCpus" | "numGpus" | "memory" | "resources" | "acceleratorType"): Rule {
  return (value) => {
    parseResources({ [name]: value });
    return name === "resources" ? { ...(value as object) } : value;
  };
}

export const labelSelector: Rule = (value, option) => {
  parseLabelSelector(value as Record<string, string>, option);
  return { ...(value as object) };
};

export const fallbackStrategy: Rule = (value, option) => {
  if (!Array.isArray(value) || value.length > MAX_FALLBACKS) {
    throw invalidOption(option, value, `must be a list of at most ${MAX_FALLBACKS}, such as [{ labelSelector: { region: "eu" } }]`);
  }
  return value.map((fallback: unknown, index) => {
    const path = `${option}[${index}]`;
    const kept = checkRecord(fallback, path, { labelSelector }, 'a record such as { labelSelector: { region: "eu" } }');
    if (kept["labelSelector"] === undefined) throw invalidOption(path, fallback, "must have a labelSelector");
    return kept;
  });
};

const GROUP_ID = /^[0-9a-f]{36}$/;
const strategyForms =
  '"DEFAULT", "SPREAD", { nodeId, soft } or { placementGroup, placementGroupBundleIndex, placementGroupCaptureChildTasks }';
const strategyRules: Rules = {
  nodeId: text,
  soft: truth,
  // What travels is its id, and what its bundles have: a group itself is a handle.
  placementGroup: (value, option) => {
    const { id, bundleSpecs } = (typeof value === "object" && value !== null ? value : {}) as { id?: unknown; bundleSpecs?: unknown };
    if (typeof id !== "string" || !GROUP_ID.test(id)) throw invalidOption(option, value, "must be a placement group");
    return Array.isArray(bundleSpecs) ? { id, bundleSpecs: bundleSpecs.map((spec: object) => ({ ...spec })) } : { id };
  },
  placementGroupBundleIndex: whole(-1, MAX_RETRIES),
  placementGroupCaptureChildTasks: truth,
};

export const schedulingStrategy: Rule = (value, option) => {
  if (value === "DEFAULT" || value === "SPREAD") return value;
  if (typeof value !== "object" || value === null) throw invalidOption(option, value, `must be ${strategyForms}`);
  const kept = checkRecord(value, option, strategyRules, strategyForms);
  if ((kept["nodeId"] === undefined) === (kept["placementGroup"] === undefined)) {
    throw invalidOption(option, value, "must have either nodeId or placementGroup");
  }
  const stray = Object.keys(kept).find(
    (name) => name !== "nodeId" && (name === "soft" ? kept["nodeId"] : kept["placementGroup"]) === undefined,
  );
  if (stray !== undefined)
    throw invalidOption(`${option}.${stray}`, kept[stray], stray === "soft" ? "goes with nodeId" : "goes with placementGroup");
  const { bundleSpecs } = (kept["placementGroup"] ?? {}) as { readonly bundleSpecs?: readonly object[] };
  const index = kept["placementGroupBundleIndex"] as number | undefined;
  if (index !== undefined && bundleSpecs !== undefined && index >= bundleSpecs.length)
    throw invalidOption(
      `${option}.placementGroupBundleIndex`,
      index,
      `must be from -1, any, to ${bundleSpecs.length - 1}: the group has ${bundleSpecs.length} bundles`,
    );
  return kept;
};

// -- errors that are tried again

/** Classes are kept as their names: a class cannot travel in an option, and an error names its class and those it extends. */
export const retryExceptions: Rule = (value, option) => {
  if (typeof value === "boolean") return value;
  if (!Array.isArray(value) || value.length === 0) throw invalidOption(option, value, "must be true, false or a list of error classes");
  return value.map((one: unknown, index) => {
    const className: unknown = typeof one === "function" ? one.name : one;
    if (typeof className !== "string" || className === "" || className.length > MAX_NAME_CHARS) {
      throw invalidOption(`${option}[${index}]`, one, "must be an error class that has a name");
    }
    return className;
  });
};

export const signal: Rule = (value, option) => {
  if (!(value instanceof AbortSignal)) throw invalidOption(option, value, "must be an AbortSignal");
  return value;
};

// -- actors

const limitRule = maxConcurrency;

export const concurrencyGroups: Rule = (value, option) => {
  const entries = entriesOf(value, option, "a record of names and limits, such as { io: 2 }");
  if (entries.length > MAX_CONCURRENCY_GROUPS)
    throw invalidOption(option, entries.length, `must have at most ${MAX_CONCURRENCY_GROUPS} names`);
  return Object.fromEntries(entries.map(([group, limit]) => [name(group, `${option}.${group}`), limitRule(limit, `${option}.${group}`)]));
};

/** A record of methods, each with options of its own. */
export function methodsRule(rules: Rules): Rule {
  return (value, option) =>
    Object.fromEntries(
      entriesOf(value, option, "a record of methods and their options").map(([method, given]) => [
        method,
        checkRecord(given, `${option}.${method}`, rules, "a record of options"),
      ]),
    );
}
