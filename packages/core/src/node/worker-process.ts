import type { DeathCause, KillReason } from "./death-cause.ts";

/**
 * One operating-system process that runs user code, as its node sees it. The real one is in `real-worker-spawner.ts`, the
 * one for tests and the simulator in `fake-worker-spawner.ts`.
 */
export interface WorkerSpawner {
  /** Starts a process. Never throws: what cannot be started dies with `start-failed`. */
  spawn(spec: WorkerSpec, events: WorkerEvents): WorkerProcess;
}

export interface WorkerSpec {
  readonly command: string;
  /** Node's own flags come first. */
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: { readonly [name: string]: string };
  readonly cwd?: string;
  /** 0 (as the daemon) to 19 (last in the queue for the CPU). Default 0. */
  readonly nice?: number;
}

export interface WorkerEvents {
  /** Bytes as they came, not lines. The buffer is the receiver's to keep. */
  onOutput(stream: "stdout" | "stderr", chunk: Buffer): void;
  /** Once, last, never inside `spawn`. When it is called the process and its whole group are gone. */
  onDeath(cause: DeathCause): void;
}

export interface WorkerProcess {
  /** `undefined` when it could not be started. */
  readonly pid: number | undefined;
  readonly isAlive: boolean;
  /** Sends a signal to the process alone, noting why. Nothing happens when it is dead already. */
  kill(signal: KillSignal, reason: KillReason): void;
  /** The same to the process and everything that it started. */
  killGroup(signal: KillSignal, reason: KillReason): void;
  /** Reads and remembers its private memory, in bytes, for the cause of its death. */
  sampleMemory(): number | undefined;
}

export type KillSignal = "SIGTERM" | "SIGINT" | "SIGKILL" | "SIGSTOP" | "SIGCONT";
