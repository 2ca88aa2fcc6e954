/**
 * The environment variables that Raia reads, and what each may be. They are checked where a driver or a command starts, so
 * that a slip in one is told to whoever made it instead of being ignored in a process that nobody watches.
 */
import { RaiaError } from "../base/errors.ts";
import { nearestName } from "../base/nearest-name.ts";
import { invalidOption, oneOf, type Rule } from "./option-rules.ts";

type Variables = { readonly [name: string]: string | undefined };

export type Mode = "processes" | "inProcess";

/** What users may set. Addresses and directories are judged where they are used: they are right or wrong by what is there. */
const anyText: Rule = (value) => value;

const share: Rule = (value, variable) => {
  const number = Number(value);
  if (!(number > 0 && number <= 1)) throw invalidOption(variable, value, "must be a number above 0, at most 1, such as 0.9");
  return number;
};

export const variableRules: { readonly [variable: string]: Rule } = {
  RAIA_ADDRESS: anyText,
  RAY_ADDRESS: anyText,
  RAIA_MODE: oneOf("processes", "inProcess"),
  RAIA_MEMORY_USAGE_THRESHOLD: share,
  RAIA_RECORD_REF_CREATION_SITES: oneOf("0", "1"),
  RAIA_TMPDIR: anyText,
  RAIA_WARN_UNHANDLED_ERRORS: oneOf("0", "1"),
};

/** What Raia tells its own processes. A program that a worker starts inherits them. */
const ownVariables = [
  "RAIA_SESSION",
  "RAIA_CONTROL",
  "RAIA_WORKER_ID",
  "RAIA_PARENT_PID",
  "RAIA_SETUP_HOOK",
  "RAIA_HEAD_OPTIONS",
  "RAIA_CONTROL_OPTIONS",
  "RAIA_RUNTIME_ENV",
];

const PREFIX = "RAIA_";

/**
 * Variables of other names are left alone, since programs have theirs; but what is nearly one of ours was meant to be it.
 * Empty is as good as unset.
 *
 * @throws {RaiaError} INVALID_OPTION naming the variable, its value, what is allowed, and the nearest name
 */
export function checkEnvironment(env: Variables): void {
  const known = [...Object.keys(variableRules), ...ownVariables].filter((name) => name.startsWith(PREFIX));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || known.includes(name)) continue;
    const ending = nearestName(
      name.slice(PREFIX.length),
      known.map((each) => each.slice(PREFIX.length)),
    );
    if (ending === undefined) continue;
    const nearest = `${PREFIX}${ending}`;
    const rule = `there is no such variable; did you mean ${nearest}?`;
    throw new RaiaError("INVALID_OPTION", { option: name, value: value?.slice(0, MAX_SHOWN_CHARS), rule, nearest });
  }
  for (const name of Object.keys(variableRules)) readVariable(env, name);
}

const MAX_SHOWN_CHARS = 100;

function readVariable(env: Variables, name: string): unknown {
  const value = env[name];
  return value === undefined || value === "" ? undefined : variableRules[name]?.(value, name);
}

/** @throws {RaiaError} INVALID_OPTION */
export function modeOf(env: Variables): Mode | undefined {
  return readVariable(env, "RAIA_MODE") as Mode | undefined;
}

/** Whether errors are told of that nobody looked at. @throws {RaiaError} INVALID_OPTION */
export function warnsUnhandledOf(env: Variables): boolean {
  return readVariable(env, "RAIA_WARN_UNHANDLED_ERRORS") !== "0";
}

/** Share of memory above which a worker is ended. @throws {RaiaError} INVALID_OPTION */
export function memoryThresholdOf(env: Variables): number | undefined {
  return readVariable(env, "RAIA_MEMORY_USAGE_THRESHOLD") as number | undefined;
}
