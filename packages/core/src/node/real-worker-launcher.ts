/** Starts the worker program as processes of its own. */
import { fileURLToPath } from "node:url";
import type { DeathCause as WireCause } from "../messages/common.ts";
import type { DeathCause } from "./death-cause.ts";
import type { LaunchedWorker, LaunchEvents, LaunchSpec, WorkerLauncher } from "./worker-launcher.ts";
import type { WorkerSpawner } from "./worker-process.ts";

/** A worker's program lies beside ours, with the same ending: `.ts` in a checkout, `.js` in a package. */
const here = import.meta.url;
const workerMain = fileURLToPath(new URL(`../bin/worker-main${here.slice(here.lastIndexOf("."))}`, here));

export class RealWorkerLauncher implements WorkerLauncher {
  readonly #spawner: WorkerSpawner;
  readonly #env: Readonly<Record<string, string>>;
  readonly #sessionPath: string;

  /** @param env what every worker inherits */
  constructor(spawner: WorkerSpawner, env: Readonly<Record<string, string>>, sessionPath: string) {
    this.#spawner = spawner;
    this.#env = env;
    this.#sessionPath = sessionPath;
  }

  launch(spec: LaunchSpec, events: LaunchEvents): LaunchedWorker {
    return this.#spawner.spawn(
      {
        command: process.execPath,
        args: [...spec.execArgv, workerMain],
        cwd: spec.cwd,
        env: {
          ...this.#env,
          ...spec.envVars,
          RAIA_SESSION: this.#sessionPath,
          RAIA_WORKER_ID: spec.workerId,
          RAIA_PARENT_PID: String(process.pid),
          ...(spec.setupHook !== undefined && { RAIA_SETUP_HOOK: spec.setupHook }),
        },
      },
      { onOutput: (stream, chunk) => events.output(stream, chunk), onDeath: (cause) => events.died(toWire(cause)) },
    );
  }
}

export function toWire({ kind, pid, signal, exitCode, stderrTail, ...rest }: DeathCause): WireCause {
  const facts = { ...(rest.errorCode !== undefined && { errorCode: rest.errorCode }), ...(rest.memory !== undefined && { memory: rest.memory }) };
  return {
    kind,
    ...(pid !== undefined && { pid }),
    ...(signal !== undefined && { signal }),
    ...(exitCode !== undefined && { exitCode }),
    ...(Object.keys(facts).length > 0 && { facts }),
    stderrTail: [...stderrTail],
  };
}
