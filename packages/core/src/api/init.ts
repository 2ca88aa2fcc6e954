/** Starting, joining and leaving. The first `.remote()` or `put` starts a local cluster when nothing has. */
import { RaiaError } from "../base/errors.ts";
import { currentRuntime, setProcessRuntime } from "../worker/task-context.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";
import { type Driver, type DriverOptions, startDriver } from "./driver.ts";

let driver: Driver | undefined;

export interface InitOptions extends DriverOptions {
  /** Do nothing, instead of failing, when Raia runs already. */
  readonly ignoreReinitError?: boolean;
}

export interface InitInfo {
  readonly nodeId: string;
  readonly jobId: string;
  readonly namespace: string;
  readonly sessionDirectory: string;
}

/**
 * Makes this process a driver: joins the cluster at `address` (or `RAIA_ADDRESS`), or starts one on this machine that ends
 * with the process.
 *
 * @throws {RaiaError} ALREADY_INITIALIZED, CLUSTER_START_FAILED, CLUSTER_NOT_FOUND
 */
export async function init(options: InitOptions = {}): Promise<InitInfo> {
  if (driver !== undefined && options.ignoreReinitError !== true) throw new RaiaError("ALREADY_INITIALIZED", {});
  const { ignoreReinitError: _ignored, ...driverOptions } = options;
  const started = driver ?? start(driverOptions);
  try {
    await started.joined;
  } catch (error) {
    if (driver === started) {
      driver = undefined;
      setProcessRuntime(undefined);
    }
    await started.stop();
    throw error;
  }
  const { registered, job } = started.runtime;
  return { nodeId: registered.nodeId, jobId: job.jobId, namespace: job.namespace, sessionDirectory: registered.sessionDirectory };
}

function start(options: DriverOptions): Driver {
  const started = startDriver(options, () => {
    if (driver === started) {
      driver = undefined;
      setProcessRuntime(undefined);
    }
    void started.stop();
  });
  driver = started;
  setProcessRuntime(started.runtime);
  // Who does not await init() hears of a failure from what was submitted.
  started.joined.catch(() => {});
  return started;
}

/** Ends the driver, and the cluster that it started. What has not finished fails with SHUTTING_DOWN. Safe to repeat. */
export async function shutdown(): Promise<void> {
  const ending = driver;
  if (ending === undefined) return;
  driver = undefined;
  setProcessRuntime(undefined);
  await ending.stop();
}

export function isInitialized(): boolean {
  return currentRuntime() !== undefined;
}

/** The runtime of the caller; starts a local cluster when there is none. */
export function needRuntime(): WorkerRuntime {
  return currentRuntime() ?? start({}).runtime;
}

/** The runtime of the caller, when there is one. @throws {RaiaError} NOT_INITIALIZED */
export function existingRuntime(): WorkerRuntime {
  const runtime = currentRuntime();
  if (runtime === undefined) throw new RaiaError("NOT_INITIALIZED", {});
  return runtime;
}
