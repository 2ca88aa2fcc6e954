/**
 * What a worker process must have before it runs the work: variables, a directory, a hook. A child's environment is its
 * parent's with its own on top, so a program says once what all of its tasks need. Equal environments have equal hashes,
 * and only they share processes.
 */
import { resolve } from "node:path";
import { currentDirectory } from "../base/current-directory.ts";
import { RaiaError } from "../base/errors.ts";
import { crypto } from "../base/late-modules.ts";
import type { RuntimeEnv } from "../messages/common.ts";
import { MAX_ENV_CHARS, MAX_ENV_TOTAL_CHARS } from "./limits.ts";
import { checkRecord, entriesOf, invalidOption, type Rule, type Rules, text } from "./option-rules.ts";
import type { RuntimeEnvOptions } from "./option-types.ts";
import { hashDirectory } from "./working-directory.ts";

type Variables = { readonly [name: string]: string | undefined };

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Ours tell a worker who it is. */
const RESERVED = /^RAIA_(?:SESSION|WORKER_ID|PARENT_PID|SETUP_HOOK|HEAD_OPTIONS|RUNTIME_ENV)$/;

const envVars: Rule = (value, option) => {
  const entries = entriesOf(value, option, "a record of variables and their text");
  let total = 0;
  for (const [name, given] of entries) {
    if (!VARIABLE_NAME.test(name)) throw invalidOption(option, name, "must have names of letters, digits and underscores");
    if (RESERVED.test(name)) throw invalidOption(`${option}.${name}`, name, "is set by Raia itself");
    // The value is not shown: variables hold secrets.
    if (typeof given !== "string")
      throw new RaiaError("INVALID_OPTION", { option: `${option}.${name}`, got: typeof given, rule: `${option}.${name} must be text` });
    checkLength(`${option}.${name}`, name.length + given.length, MAX_ENV_CHARS);
    if (given.includes("\0"))
      throw new RaiaError("INVALID_OPTION", { option: `${option}.${name}`, rule: `${option}.${name} must not contain the character 0` });
    total += name.length + given.length;
  }
  checkLength(option, total, MAX_ENV_TOTAL_CHARS);
  return Object.fromEntries(entries);
};

function checkLength(option: string, chars: number, most: number): void {
  if (chars > most) throw new RaiaError("INVALID_OPTION", { option, chars, rule: `${option} must have at most ${most} characters` });
}

const setupHook: Rule = (value, option) => {
  if (typeof value === "function") throw invalidOption(option, value, 'must be text, "module#export": a hook is imported in the worker');
  const hook = text(value, option) as string;
  if (/^#|#$/.test(hook)) throw invalidOption(option, value, 'must be "module#export", or a module alone');
  return hook;
};

export const runtimeEnvRules: Rules = { envVars, workingDir: text, setupHook };

export const runtimeEnv: Rule = (value, option) =>
  checkRecord(value, option, runtimeEnvRules, 'a record such as { envVars: { MODE: "fast" } }');

/**
 * A child's environment over its parent's. `${NAME}` in a variable is what the parent has under that name: set by its own
 * environment, or else inherited by its process; nothing when it has none.
 *
 * @param inherited variables of the process that submits
 */
export function mergeRuntimeEnv(parent: RuntimeEnvOptions, child: RuntimeEnvOptions, inherited: Variables): RuntimeEnvOptions {
  const known: Variables = { ...inherited, ...parent.envVars };
  const added = Object.entries(child.envVars ?? {}).map(([name, given]) => [name, expand(name, given, known)] as const);
  const merged = { ...parent.envVars, ...Object.fromEntries(added) };
  const workingDir = child.workingDir === undefined ? parent.workingDir : resolve(currentDirectory(), child.workingDir);
  const hook = child.setupHook ?? parent.setupHook;
  let total = 0;
  for (const [name, value] of Object.entries(merged)) {
    total += name.length + value.length;
  }
  checkLength("runtimeEnv.envVars", total, MAX_ENV_TOTAL_CHARS);
  return {
    ...(Object.keys(merged).length > 0 && { envVars: merged }),
    ...(workingDir !== undefined && { workingDir }),
    ...(hook !== undefined && { setupHook: hook }),
  };
}

function expand(name: string, value: string, known: Variables): string {
  let chars = name.length + value.length;
  return value.replaceAll(REFERENCE, (_reference, other: string) => {
    const found = Object.hasOwn(known, other) ? (known[other] ?? "") : "";
    // A short text with many references can become longer than any string may be.
    checkLength(`runtimeEnv.envVars.${name}`, (chars += found.length), MAX_ENV_CHARS);
    return found;
  });
}

/**
 * The environment as a node is asked for it. Reads the working directory: a change of its files is another environment, so
 * that a process with modules of yesterday is not used again.
 *
 * @throws {RaiaError} RUNTIME_ENV_FAILED when the directory cannot be read or is too large
 */
export function wireRuntimeEnv(env: RuntimeEnvOptions): RuntimeEnv {
  const variables = env.envVars ?? {};
  return {
    hash: hashOf(env, variables),
    envVars: variables,
    ...(env.workingDir !== undefined && { workingDir: env.workingDir }),
    ...(env.setupHook !== undefined && { setupHook: env.setupHook }),
  };
}

function hashOf({ workingDir, setupHook }: RuntimeEnvOptions, variables: { readonly [name: string]: string }): string {
  const sorted = Object.entries(variables).sort(([a], [b]) => (a < b ? -1 : 1));
  if (sorted.length === 0 && workingDir === undefined && setupHook === undefined) return "";
  const directory = workingDir === undefined ? undefined : [workingDir, hashDirectory(workingDir)];
  const hash = crypto()
    .createHash("sha256")
    .update(JSON.stringify([sorted, directory, setupHook]));
  return hash.digest("hex").slice(0, 32);
}

// -- the environment of this process

let own: RuntimeEnvOptions | undefined;

/** The environment that tasks of this process inherit: of the job in a driver, its own in a worker. */
export function ownRuntimeEnv(): RuntimeEnvOptions {
  own ??= readOwn(process.env["RAIA_RUNTIME_ENV"], process.env);
  return own;
}

/** Sets what all tasks of a job inherit; `undefined` for what this process was started with. */
export function setOwnRuntimeEnv(env: RuntimeEnvOptions | undefined): void {
  own = env;
}

/** A node says which of a worker's variables belong to its environment; their values it has. */
function readOwn(written: string | undefined, inherited: Variables): RuntimeEnvOptions {
  if (written === undefined) return {};
  try {
    const { names, ...rest } = JSON.parse(written) as { readonly names: readonly string[] };
    const values = Object.fromEntries(names.map((name) => [name, inherited[name] ?? ""]));
    return runtimeEnv({ ...rest, ...(names.length > 0 && { envVars: values }) }, "RAIA_RUNTIME_ENV") as RuntimeEnvOptions;
  } catch (cause) {
    throw new RaiaError("RUNTIME_ENV_FAILED", { variable: "RAIA_RUNTIME_ENV", reason: "it is not what a node sets" }, { cause });
  }
}
