/** Starting, joining and leaving. The first `.remote()` or `put` starts a local cluster when nothing has. */
import { RaiaError } from "../base/errors.ts";
import type { Labels } from "../base/labels.ts";
import type { ResourceOptions } from "../base/resources.ts";
import { currentRuntime, setProcessRuntime } from "../worker/current-runtime.ts";
import type { EndCode } from "../worker/objects/object-entry.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";
import { checkEnvironment } from "./environment.ts";
import type { RuntimeEnvOptions } from "./option-types.ts";
import { checkInitOptions } from "./options.ts";
import { mergeRuntimeEnv, ownRuntimeEnv, setOwnRuntimeEnv } from "./runtime-env.ts";

export interface DriverOptions extends ResourceOptions {
  /** Session directory of a running cluster, `auto` for this user's, `local` for a new one. Default: RAIA_ADDRESS, else a new one. */
  readonly address?: string | undefined;
  /** Of named actors. Default: one of the job's own. */
  readonly namespace?: string | undefined;
  /** What this machine is, for `labelSelector`: `{ region: "eu" }`. Of a new cluster. */
  readonly labels?: Labels | undefined;
  /** Bytes of shared memory for objects. Default: 30 % of memory. */
  readonly objectStoreMemory?: number | undefined;
  /** Where objects go when memory is full. Default: in the session's directory. */
  readonly spillDirectory?: string | undefined;
  /**
   * `inProcess` runs everything in this process with the same semantics, for tests and breakpoints. Default: RAIA_MODE, else
   * processes.
   */
  readonly mode?: "processes" | "inProcess" | undefined;
  /** Whether what workers print is shown here. Default true. */
  readonly logToDriver?: boolean | undefined;
  /** Whether a line on standard error tells of a call that failed when nobody can look at its error any more. Default true. */
  readonly warnUnhandledErrors?: boolean | undefined;
}

/** This process as a member of a cluster. */
export interface Driver {
  readonly runtime: WorkerRuntime;
  /** Settles when the cluster answers. */
  readonly joined: Promise<void>;
  /** @param code with which fails what was not finished */
  stop(code?: EndCode): Promise<void>;
}

type StartDriver = (options: DriverOptions, lost: (error: RaiaError) => void) => Driver;

let startDriver: StartDriver | undefined;

/** The package's door says how a driver is made: starting processes is not for this layer. */
export function useDriver(start: StartDriver): void {
  startDriver = start;
}

let driver: Driver | undefined;
/** The cluster of this program went away by itself: nothing starts another in silence, without what this one held. */
let lostCluster: RaiaError | undefined;

export interface InitOptions extends DriverOptions {
  /** Do nothing, instead of failing, when Raia runs already. */
  readonly ignoreReinitError?: boolean | undefined;
  /** What all tasks and actors of the job have, with their own on top. */
  readonly runtimeEnv?: RuntimeEnvOptions | undefined;
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
 * @throws {RaiaError} INVALID_OPTION, ALREADY_INITIALIZED, CLUSTER_START_FAILED, CLUSTER_NOT_FOUND
 */
export async function init(options: InitOptions = {}): Promise<InitInfo> {
  const { ignoreReinitError, runtimeEnv, ...driverOptions }: InitOptions = checkInitOptions(options);
  if (driver !== undefined && ignoreReinitError !== true) throw new RaiaError("ALREADY_INITIALIZED", {});
  const ownEnv = driver === undefined && runtimeEnv !== undefined ? mergeRuntimeEnv(ownRuntimeEnv(), runtimeEnv, process.env) : undefined;
  const started = driver ?? start(driverOptions);
  lostCluster = undefined;
  if (ownEnv !== undefined) setOwnRuntimeEnv(ownEnv);
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
  const { registered, job } = started.runtime.cluster;
  return { nodeId: registered.nodeId, jobId: job.jobId, namespace: job.namespace, sessionDirectory: registered.sessionDirectory };
}

function start(options: DriverOptions): Driver {
  checkEnvironment(process.env);
  if (startDriver === undefined) throw new RaiaError("NOT_INITIALIZED", { reason: "import the package by its name, not by its parts" });
  const started = startDriver(options, (error) => {
    if (driver === started) {
      driver = undefined;
      lostCluster = error;
      setProcessRuntime(undefined);
    }
    void started.stop("CLUSTER_LOST");
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
  lostCluster = undefined;
  if (ending === undefined) return;
  driver = undefined;
  setProcessRuntime(undefined);
  setOwnRuntimeEnv(undefined);
  await ending.stop();
}

export function isInitialized(): boolean {
  return currentRuntime() !== undefined;
}

/**
 * The runtime of the caller; starts a local cluster when there has been none.
 *
 * @throws {RaiaError} CLUSTER_LOST when there was one, and it went away by itself
 */
export function needRuntime(): WorkerRuntime {
  if (lostCluster !== undefined && currentRuntime() === undefined) throw lostCluster;
  return currentRuntime() ?? start({}).runtime;
}

/** The runtime of the caller, when there is one. @throws {RaiaError} NOT_INITIALIZED, CLUSTER_LOST */
export function existingRuntime(): WorkerRuntime {
  const runtime = currentRuntime();
  if (runtime === undefined) throw lostCluster ?? new RaiaError("NOT_INITIALIZED", {});
  return runtime;
}
