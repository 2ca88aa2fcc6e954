/** Workers that live in the process of their node: each is a runtime of its own, and dies by being dropped. */
import type { Clock } from "../base/clock.ts";
import { classifyDeath, type KillReason } from "../node/death-cause.ts";
import { toWire } from "../node/real-worker-launcher.ts";
import type { LaunchedWorker, LaunchEvents, LaunchSpec, WorkerLauncher } from "../node/worker-launcher.ts";
import type { KillSignal } from "../node/worker-process.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";
import type { ProcessShell } from "./in-process-shell.ts";

export interface StartedRuntime {
  readonly runtime: WorkerRuntime;
  readonly shell: ProcessShell;
  readonly pid: number;
}

export class InProcessWorker implements LaunchedWorker {
  readonly workerId: string;
  readonly #started: StartedRuntime;
  readonly #events: LaunchEvents;
  readonly #clock: Clock;
  readonly #gone: (worker: InProcessWorker) => void;

  constructor(workerId: string, started: StartedRuntime, events: LaunchEvents, clock: Clock, gone: (worker: InProcessWorker) => void) {
    this.workerId = workerId;
    this.#started = started;
    this.#events = events;
    this.#clock = clock;
    this.#gone = gone;
  }

  get pid(): number {
    return this.#started.pid;
  }

  get runtime(): WorkerRuntime {
    return this.#started.runtime;
  }

  get shell(): ProcessShell {
    return this.#started.shell;
  }

  kill(signal: KillSignal, reason: KillReason): void {
    if (signal === "SIGSTOP") this.shell.pause();
    else if (signal === "SIGCONT") this.shell.resume();
    else this.#die({ signal, exitCode: null, requested: { reason, signal } });
  }

  /** As when it is killed by nobody whom its node knows. */
  die(signal: KillSignal = "SIGKILL"): void {
    this.#die({ signal, exitCode: null, requested: undefined });
  }

  /** It left by itself. */
  exit(exitCode: number): void {
    this.#die({ signal: null, exitCode, requested: undefined });
  }

  #die(facts: {
    signal: KillSignal | null;
    exitCode: number | null;
    requested: { reason: KillReason; signal: KillSignal } | undefined;
  }): void {
    if (this.shell.isEnded) return;
    this.shell.end();
    this.runtime.drop();
    this.#gone(this);
    const cause = classifyDeath({ pid: this.pid, kernelKilled: false, lastBytes: undefined, stderrTail: [], ...facts });
    // A later turn, as a process's death is told.
    this.#clock.soon(() => this.#events.died(toWire(cause)));
  }

  sampleMemory(): undefined {
    return undefined;
  }
}

export class InProcessLauncher implements WorkerLauncher {
  readonly #clock: Clock;
  readonly #startRuntime: (workerId: string, lost: () => void) => StartedRuntime;
  readonly #workers = new Map<string, InProcessWorker>();

  /** @param startRuntime makes a worker's runtime; it calls `lost` when its node is gone, later than it returns */
  constructor(clock: Clock, startRuntime: (workerId: string, lost: () => void) => StartedRuntime) {
    this.#clock = clock;
    this.#startRuntime = startRuntime;
  }

  /** Those that live. */
  get workers(): Iterable<InProcessWorker> {
    return this.#workers.values();
  }

  launch({ workerId }: LaunchSpec, events: LaunchEvents): LaunchedWorker {
    const started = this.#startRuntime(workerId, () => worker.exit(0));
    const worker = new InProcessWorker(workerId, started, events, this.#clock, () => this.#workers.delete(workerId));
    this.#workers.set(workerId, worker);
    // Nobody waits for it: a worker that cannot join is ended by its node.
    started.runtime.join(undefined).catch(() => worker.exit(1));
    return worker;
  }
}
