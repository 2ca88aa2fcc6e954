/** The first worker, started before the head has loaded its own parts: both load side by side. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { inheritedEnvironment, workerCommand } from "../node/worker-command.ts";
import type { HeadOptions } from "./head-options.ts";

export interface EarlyWorker {
  readonly workerId: string;
  readonly process: ChildProcess;
}

const WORKER_ID_BYTES = 28;

export function startEarlyWorker({ launch, sessionPath, prestart }: HeadOptions): EarlyWorker | undefined {
  if (prestart === 0) return undefined;
  const workerId = randomBytes(WORKER_ID_BYTES).toString("hex");
  const { command, args, env } = workerCommand(
    { workerId, execArgv: launch.execArgv, envVars: {}, setupHook: undefined },
    inheritedEnvironment(process.env),
    sessionPath,
  );
  return { workerId, process: spawn(command, args, { env, cwd: launch.cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] }) };
}
