/** How a node gets processes that run user code: real ones, or workers inside this process for tests and `inProcess` mode. */
import type { DeathCause } from "../messages/common.ts";
import type { KillReason } from "./death-cause.ts";
import type { KillSignal } from "./worker-process.ts";

export interface LaunchSpec {
  readonly workerId: string;
  readonly execArgv: readonly string[];
  readonly cwd: string;
  readonly envVars: Readonly<Record<string, string>>;
  readonly setupHook: string | undefined;
  /** Present when it was asked for, and not just where the driver stands. */
  readonly workingDir?: string | undefined;
  /** A thread of a process that holds several. */
  readonly isThread?: boolean;
}

export interface LaunchEvents {
  output(stream: "stdout" | "stderr", chunk: Buffer): void;
  died(cause: DeathCause): void;
}

export interface LaunchedWorker {
  readonly pid: number | undefined;
  kill(signal: KillSignal, reason: KillReason): void;
  /** Private memory in bytes, when it can be told. */
  sampleMemory(): number | undefined;
}

export interface WorkerLauncher {
  launch(spec: LaunchSpec, events: LaunchEvents): LaunchedWorker;
}
