import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { Clock, Timer } from "../base/clock.ts";
import { classifyDeath, type DeathCause, type DeathFacts, type KillReason, startFailed } from "./death-cause.ts";
import type { HostProbe } from "./host-probe.ts";
import type { KernelKills } from "./kernel-kills.ts";
import { privateBytesOf } from "./memory-process.ts";
import { StderrTail } from "./stderr-tail.ts";
import type { KillSignal, WorkerEvents, WorkerProcess, WorkerSpawner, WorkerSpec } from "./worker-process.ts";

export interface RealWorkerSpawnerDeps {
  readonly clock: Clock;
  readonly probe: HostProbe;
  readonly kernelKills: KernelKills;
}

/** Starts real processes. Each leads a process group of its own, so that whatever it starts dies with it. */
export class RealWorkerSpawner implements WorkerSpawner {
  readonly #deps: RealWorkerSpawnerDeps;

  constructor(deps: RealWorkerSpawnerDeps) {
    this.#deps = deps;
  }

  spawn(spec: WorkerSpec, events: WorkerEvents): WorkerProcess {
    let child: ChildProcess;
    try {
      child = spawn(spec.command, spec.args, { env: spec.env, cwd: spec.cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    } catch (error) {
      // Most errors come as an event; some of the system's are thrown (E2BIG), and both are a start that failed.
      this.#deps.clock.soon(() => events.onDeath(startFailed(errorCodeOf(error))));
      return new StillbornProcess();
    }
    if (child.pid !== undefined) prepare(child.pid, spec);
    return new RealWorkerProcess(this.#deps, child, events);
  }

  /** Takes over a process that was started in the same way, moments ago. */
  adopt(child: ChildProcess, events: WorkerEvents): WorkerProcess {
    return new RealWorkerProcess(this.#deps, child, events);
  }
}

/** After the process is gone, output that is still in its pipes; a descendant that left the group could hold them open for ever. */
const DRAIN_MS = 100;

class RealWorkerProcess implements WorkerProcess {
  readonly pid: number | undefined;
  readonly #deps: RealWorkerSpawnerDeps;
  readonly #child: ChildProcess;
  readonly #events: WorkerEvents;
  readonly #tail = new StderrTail();
  #requested: DeathFacts["requested"];
  #lastBytes: number | undefined;
  #drain: Timer | undefined;
  #phase: "alive" | "draining" | "dead" = "alive";

  constructor(deps: RealWorkerSpawnerDeps, child: ChildProcess, events: WorkerEvents) {
    this.#deps = deps;
    this.#child = child;
    this.#events = events;
    this.pid = child.pid;
    child.stdout?.on("data", (chunk: Buffer) => events.onOutput("stdout", chunk));
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#tail.push(chunk);
      events.onOutput("stderr", chunk);
    });
    // A pipe that breaks says nothing that the death does not say.
    child.stdout?.on("error", () => {});
    child.stderr?.on("error", () => {});
    child.on("error", (error) => {
      // With a pid it is a signal that could not be sent, and the death will come by itself.
      if (this.pid === undefined) this.#end(startFailed(errorCodeOf(error)));
    });
    child.on("exit", (exitCode, signal) => this.#exited(exitCode, signal));
  }

  get isAlive(): boolean {
    return this.pid !== undefined && this.#phase === "alive";
  }

  kill(signal: KillSignal, reason: KillReason): void {
    if (!this.isAlive) return;
    this.#note(signal, reason);
    this.#child.kill(signal);
  }

  killGroup(signal: KillSignal, reason: KillReason): void {
    if (!this.isAlive) return;
    this.#note(signal, reason);
    signalGroup(this.pid!, signal);
  }

  sampleMemory(): number | undefined {
    const bytes = this.isAlive ? privateBytesOf(this.#deps.probe, this.pid!) : undefined;
    this.#lastBytes = bytes ?? this.#lastBytes;
    return bytes;
  }

  #note(signal: KillSignal, reason: KillReason): void {
    if (signal !== "SIGSTOP" && signal !== "SIGCONT") this.#requested = { reason, signal };
  }

  #exited(exitCode: number | null, signal: string | null): void {
    if (this.pid === undefined || this.#phase !== "alive") return;
    this.#phase = "draining";
    // While a member of the group lives its number is not given to another process, so this hits nobody else.
    signalGroup(this.pid, "SIGKILL");
    const kernelKilled = signal === "SIGKILL" && this.#requested?.signal !== "SIGKILL" && this.#deps.kernelKills.claim();
    const finish = (): void => {
      const { pid } = this;
      const stderrTail = this.#tail.lines();
      this.#end(classifyDeath({ pid, exitCode, signal, kernelKilled, lastBytes: this.#lastBytes, requested: this.#requested, stderrTail }));
    };
    this.#drain = this.#deps.clock.after(DRAIN_MS, finish);
    this.#child.once("close", finish);
  }

  #end(cause: DeathCause): void {
    if (this.#phase === "dead") return;
    this.#phase = "dead";
    this.#drain?.cancel();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#events.onDeath(cause);
  }
}

class StillbornProcess implements WorkerProcess {
  readonly pid = undefined;
  readonly isAlive = false;
  kill(): void {}
  killGroup(): void {}
  sampleMemory(): undefined {}
}

/** Lets the kernel take workers first, so that the daemon outlives a shortage, and the daemon run first. */
function prepare(pid: number, { nice }: WorkerSpec): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "1000");
  } catch {
    // Not Linux, or already gone: then there is nobody to protect from.
  }
  if (nice === undefined || nice === 0) return;
  try {
    setPriority(pid, nice);
  } catch {
    // Already gone, or the machine forbids it: a worker at normal priority works as well.
  }
}

function signalGroup(pid: number, signal: KillSignal): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: the group is empty, which is what was wanted.
  }
}

function errorCodeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "UNKNOWN";
}
