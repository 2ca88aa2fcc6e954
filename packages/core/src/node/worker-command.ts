/**
 * How a worker process is started: program, arguments, environment. It imports next to nothing, since the head starts its
 * first worker before it has loaded its own parts.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ROOT_DIRECTORY } from "../base/current-directory.ts";
import { ownFile } from "../base/own-place.ts";

export interface WorkerStart {
  readonly workerId: string;
  readonly execArgv: readonly string[];
  readonly cwd: string;
  readonly envVars: Readonly<Record<string, string>>;
  readonly setupHook: string | undefined;
  /** Present when `cwd` was asked for, and is not just where the program stands. */
  readonly workingDir?: string | undefined;
}

/** Where a worker belongs. */
export interface WorkerPlace {
  readonly sessionPath: string;
  readonly controlAddress: string;
}

export interface WorkerCommand {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
  readonly cwd: string;
}

const workerMain = fileURLToPath(ownFile("bin/worker-main"));
const threadHostMain = fileURLToPath(ownFile("bin/thread-host-main"));

/** @param inherited what every worker gets */
export function workerCommand(start: WorkerStart, inherited: Readonly<Record<string, string>>, place: WorkerPlace): WorkerCommand {
  return {
    command: process.execPath,
    args: [...start.execArgv, workerMain],
    env: {
      ...inherited,
      ...start.envVars,
      RAIA_SESSION: place.sessionPath,
      RAIA_CONTROL: place.controlAddress,
      RAIA_WORKER_ID: start.workerId,
      RAIA_PARENT_PID: String(process.pid),
      ...(start.setupHook !== undefined && { RAIA_SETUP_HOOK: start.setupHook }),
      ...ownEnvironment(start),
    },
    cwd: startDirectory(start),
  };
}

/** A program's directory may be removed while it runs, and its calls are none the worse for that. */
function startDirectory({ cwd, workingDir }: WorkerStart): string {
  return workingDir === undefined && !existsSync(cwd) ? ROOT_DIRECTORY : cwd;
}

/** The program whose threads are workers. */
export function threadHostCommand(start: WorkerStart, inherited: Readonly<Record<string, string>>, place: WorkerPlace): WorkerCommand {
  return { ...workerCommand(start, inherited, place), args: [...start.execArgv, threadHostMain] };
}

/** What the worker's own tasks inherit. Names alone: it has the values, and one variable holds no more than 128 KiB. */
function ownEnvironment({ envVars, setupHook, workingDir }: WorkerStart): Record<string, string> {
  const names = Object.keys(envVars);
  if (names.length === 0 && setupHook === undefined && workingDir === undefined) return {};
  return { RAIA_RUNTIME_ENV: JSON.stringify({ names, setupHook, workingDir }) };
}

/** What workers inherit of a head's environment: not what is for the head itself. */
export function inheritedEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith("RAIA_HEAD_") && entry[0] !== "RAIA_RUNTIME_ENV",
    ),
  );
}
