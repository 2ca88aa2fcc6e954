/** Starts the worker program as processes of its own. */
import type { ChildProcess } from "node:child_process";
import type { DeathCause as WireCause } from "../messages/common.ts";
import type { DeathCause } from "./death-cause.ts";
import type { RealWorkerSpawner } from "./real-worker-spawner.ts";
import { ThreadLauncher } from "./thread-launcher.ts";
import { workerCommand, type WorkerPlace } from "./worker-command.ts";
import type { LaunchedWorker, LaunchEvents, LaunchSpec, WorkerLauncher } from "./worker-launcher.ts";

export class RealWorkerLauncher implements WorkerLauncher {
  readonly #spawner: RealWorkerSpawner;
  readonly #env: Readonly<Record<string, string>>;
  readonly #place: WorkerPlace;
  readonly #started: Map<string, ChildProcess>;
  readonly #threads: ThreadLauncher;

  /**
   * @param env what every worker inherits
   * @param started processes that were started before this launcher was made, by worker id
   */
  constructor(spawner: RealWorkerSpawner, env: Readonly<Record<string, string>>, place: WorkerPlace, started: Map<string, ChildProcess>) {
    this.#spawner = spawner;
    this.#env = env;
    this.#place = place;
    this.#started = started;
    this.#threads = new ThreadLauncher(spawner, env, place);
  }

  launch(spec: LaunchSpec, events: LaunchEvents): LaunchedWorker {
    if (spec.isThread === true) {
      return this.#threads.launch(spec, {
        output: (stream, chunk) => events.output(stream, chunk),
        died: (cause) => events.died(toWire(cause)),
      });
    }
    const processEvents = {
      onOutput: (stream: "stdout" | "stderr", chunk: Buffer) => events.output(stream, chunk),
      onDeath: (cause: DeathCause) => events.died(toWire(cause)),
    };
    const started = this.#started.get(spec.workerId);
    if (started !== undefined) {
      this.#started.delete(spec.workerId);
      return this.#spawner.adopt(started, processEvents);
    }
    return this.#spawner.spawn(workerCommand(spec, this.#env, this.#place), processEvents);
  }
}

export function toWire({ kind, pid, signal, exitCode, stderrTail, ...rest }: DeathCause): WireCause {
  const facts = {
    ...(rest.errorCode !== undefined && { errorCode: rest.errorCode }),
    ...(rest.memory !== undefined && { memory: rest.memory }),
  };
  return {
    kind,
    ...(pid !== undefined && { pid }),
    ...(signal !== undefined && { signal }),
    ...(exitCode !== undefined && { exitCode }),
    ...(Object.keys(facts).length > 0 && { facts }),
    stderrTail: [...stderrTail],
  };
}
