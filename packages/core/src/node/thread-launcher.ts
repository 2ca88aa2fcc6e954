/**
 * Workers that are threads (`isolation: "thread"`). A host process holds several of one environment; it runs no user code in
 * its own thread, so it can always end one of the others. What ends a thread touches only that thread.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { classifyDeath, type DeathCause, type DeathFacts, type KillReason } from "./death-cause.ts";
import type { RealWorkerSpawner } from "./real-worker-spawner.ts";
import { StderrTail } from "./stderr-tail.ts";
import { type ThreadFrameKind, ThreadFrameReader } from "./thread-frames.ts";
import { threadHostCommand, type WorkerPlace } from "./worker-command.ts";
import type { LaunchedWorker, LaunchSpec } from "./worker-launcher.ts";
import type { KillSignal, WorkerProcess } from "./worker-process.ts";

/** A crash of native code takes all threads of its process along. */
const MAX_THREADS = 16;

/** To the host. */
export type ThreadCommand = { readonly kind: "start" | "stop"; readonly workerId: string };
/** From the host, in a frame: how a thread ended. */
export interface ThreadEnd {
  readonly exitCode: number;
  readonly isOutOfMemory: boolean;
}

export interface ThreadEvents {
  output(stream: "stdout" | "stderr", chunk: Buffer): void;
  died(cause: DeathCause): void;
}

export class ThreadLauncher {
  readonly #spawner: RealWorkerSpawner;
  readonly #env: Readonly<Record<string, string>>;
  readonly #place: WorkerPlace;
  readonly #hosts = new Map<string, ThreadHost>();

  constructor(spawner: RealWorkerSpawner, env: Readonly<Record<string, string>>, place: WorkerPlace) {
    this.#spawner = spawner;
    this.#env = env;
    this.#place = place;
  }

  launch(spec: LaunchSpec, events: ThreadEvents): LaunchedWorker {
    const key = JSON.stringify([spec.execArgv, spec.cwd, spec.envVars, spec.setupHook, spec.workingDir]);
    let host = this.#hosts.get(key);
    if (host === undefined || !host.hasRoom) {
      host = new ThreadHost(this.#spawner, this.#start(spec), (closed) => {
        if (this.#hosts.get(key) === closed) this.#hosts.delete(key);
      });
      this.#hosts.set(key, host);
    }
    return host.start(spec.workerId, events);
  }

  #start(spec: LaunchSpec): ChildProcess {
    const { command, args, env, cwd } = threadHostCommand(spec, this.#env, this.#place);
    return spawn(command, args, { env, cwd, detached: true, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  }
}

class ThreadHost {
  readonly #child: ChildProcess;
  readonly #process: WorkerProcess;
  readonly #threads = new Map<string, HostedThread>();
  readonly #closed: (host: ThreadHost) => void;
  #isClosing = false;

  constructor(spawner: RealWorkerSpawner, child: ChildProcess, closed: (host: ThreadHost) => void) {
    this.#child = child;
    this.#closed = closed;
    const frames = new ThreadFrameReader({
      frame: (kind, workerId, payload) => this.#heard(kind, workerId, payload),
      raw: (bytes) => this.#nobodys("stdout", bytes),
    });
    this.#process = spawner.adopt(child, {
      onOutput: (stream, chunk) => (stream === "stdout" ? frames.push(chunk) : this.#nobodys(stream, chunk)),
      onDeath: (cause) => {
        frames.end();
        this.#died(cause);
      },
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get hasRoom(): boolean {
    return !this.#isClosing && this.#threads.size < MAX_THREADS;
  }

  start(workerId: string, events: ThreadEvents): LaunchedWorker {
    const thread = new HostedThread(this, workerId, events);
    this.#threads.set(workerId, thread);
    this.#tell({ kind: "start", workerId });
    return thread;
  }

  stop(workerId: string): void {
    this.#tell({ kind: "stop", workerId });
  }

  /** For a thread that does not end, because native code holds it. */
  kill(reason: KillReason): void {
    this.#process.kill("SIGKILL", reason);
  }

  /** Its share of the process: the system does not count threads apart. */
  sampleMemory(): number | undefined {
    const bytes = this.#process.sampleMemory();
    return bytes === undefined ? undefined : Math.round(bytes / Math.max(1, this.#threads.size));
  }

  #tell(command: ThreadCommand): void {
    // A host that is gone says so itself, and ends its threads with it.
    if (this.#child.connected) this.#child.send(command, () => {});
  }

  /** Of native code, or of Node itself: it is nobody's in particular. */
  #nobodys(stream: "stdout" | "stderr", bytes: Buffer): void {
    this.#threads.values().next().value?.events.output(stream, bytes);
  }

  #heard(kind: ThreadFrameKind, workerId: string, payload: Buffer): void {
    const thread = this.#threads.get(workerId);
    if (thread === undefined) return;
    if (kind !== "x") {
      thread.heard(kind === "o" ? "stdout" : "stderr", payload);
      return;
    }
    const { exitCode, isOutOfMemory } = JSON.parse(payload.toString()) as ThreadEnd;
    this.#threads.delete(workerId);
    thread.ended(exitCode, isOutOfMemory);
    if (this.#threads.size > 0) return;
    this.#isClosing = true;
    this.#closed(this);
    if (this.#child.connected) this.#child.disconnect();
  }

  #died(cause: DeathCause): void {
    this.#isClosing = true;
    this.#closed(this);
    for (const thread of this.#threads.values()) thread.events.died(cause);
    this.#threads.clear();
  }
}

class HostedThread implements LaunchedWorker {
  readonly events: ThreadEvents;
  readonly #host: ThreadHost;
  readonly #workerId: string;
  readonly #tail = new StderrTail();
  #requested: DeathFacts["requested"];

  constructor(host: ThreadHost, workerId: string, events: ThreadEvents) {
    this.#host = host;
    this.#workerId = workerId;
    this.events = events;
  }

  get pid(): number | undefined {
    return this.#host.pid;
  }

  kill(signal: KillSignal, reason: KillReason): void {
    // A thread knows no signals: it is ended, or it is not.
    if (signal === "SIGSTOP" || signal === "SIGCONT") return;
    const isStuck = this.#requested !== undefined && signal === "SIGKILL";
    this.#requested = { signal, reason };
    if (isStuck) this.#host.kill(reason);
    else this.#host.stop(this.#workerId);
  }

  sampleMemory(): number | undefined {
    return this.#host.sampleMemory();
  }

  heard(stream: "stdout" | "stderr", chunk: Buffer): void {
    if (stream === "stderr") this.#tail.push(chunk);
    this.events.output(stream, chunk);
  }

  ended(exitCode: number, isOutOfMemory: boolean): void {
    const { pid } = this;
    const stderrTail = this.#tail.lines();
    if (isOutOfMemory) this.events.died({ kind: "oom-heap", exitCode, stderrTail, ...(pid !== undefined && { pid }) });
    else this.events.died(classifyDeath({ pid, exitCode, signal: null, requested: this.#requested, kernelKilled: false, stderrTail }));
  }
}
