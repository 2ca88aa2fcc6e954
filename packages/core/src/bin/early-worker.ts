/** The first worker, started before the head has loaded its own parts: both load side by side. */
import { type ChildProcess, spawn } from "node:child_process";
import { newWorkerId } from "../base/ids.ts";
import { realRandom } from "../base/random.ts";
import { inheritedEnvironment, workerCommand } from "../node/worker-command.ts";
import { controlAddressFor } from "./control-address.ts";
import type { HeadOptions } from "./head-options.ts";

export interface EarlyWorker {
  readonly workerId: string;
  readonly process: ChildProcess;
}

export function startEarlyWorker({ launch, sessionPath, prestart, standing }: HeadOptions): EarlyWorker | undefined {
  if (prestart === 0) return undefined;
  const workerId = newWorkerId(realRandom);
  const { command, args, env, cwd } = workerCommand(
    { workerId, execArgv: launch.execArgv, cwd: launch.cwd, envVars: {}, setupHook: undefined },
    inheritedEnvironment(process.env),
    { sessionPath, controlAddress: controlAddressFor(sessionPath, standing) },
  );
  return { workerId, process: spawn(command, args, { env, cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] }) };
}
