/** Makes this process a driver: joins a cluster or starts one that goes with it. */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readFileSync, closeSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { realClock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { realFinalizers } from "../base/finalizers.ts";
import { jobIdOf, newWorkerId } from "../base/ids.ts";
import { realRandom } from "../base/random.ts";
import { joinSessionDirectory, makeSessionDirectory, type SessionDirectory } from "../base/session-directory.ts";
import { makeSecret, readSecret } from "../base/session-secret.ts";
import { SPIN_MS } from "../base/spinner.ts";
import { DirectoryDisk } from "../store/disk.ts";
import { SharedArena } from "../store/shared-arena.ts";
import { warmCapture } from "../values/function-capture.ts";
import { receiverLaunchFlags } from "../values/module-launch.ts";
import type { Identity } from "../wire/connection.ts";
import { ipcTransport } from "../wire/ipc-transport.ts";
import { WorkerRuntime } from "../worker/worker-runtime.ts";
import type { Driver, DriverOptions } from "../api/init.ts";
import { headEnvironment } from "./head-options.ts";
import { startInProcess } from "./in-process-driver.ts";
import { findStanding } from "./standing.ts";
import { installRemoteValues } from "../api/remote-value-codecs.ts";

const here = import.meta.url;
const headMain = fileURLToPath(new URL(`../bin/head-main${here.slice(here.lastIndexOf("."))}`, here));
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;

export function startDriver(options: DriverOptions, lost: (error: RaiaError) => void): Driver {
  if ((options.mode ?? process.env["RAIA_MODE"]) === "inProcess") return startInProcess(options);
  const address = options.address ?? process.env["RAIA_ADDRESS"];
  if (address !== undefined && address !== "local" && address !== "") return joinCluster(options, address, lost);
  return startLocal(options, lost);
}

function startLocal(options: DriverOptions, lost: (error: RaiaError) => void): Driver {
  // What is loaded from now on (the parsers, for one) is compiled once a machine, not once a start.
  enableCompileCache?.();
  const session = makeSessionDirectory({ env: process.env });
  const secret = makeSecret(session.path, realRandom);
  const logPath = join(session.path, "head.log");
  const log = openSync(logPath, "a", 0o600);
  const {
    address: _address,
    namespace: _namespace,
    objectStoreMemory,
    spillDirectory,
    logToDriver: _log,
    mode: _mode,
    ...resources
  } = options;
  const head = spawn(process.execPath, [headMain], {
    stdio: ["ignore", log, log, "pipe"],
    env: {
      ...process.env,
      ...headEnvironment({
        sessionPath: session.path,
        parentPid: process.pid,
        readyDescriptor: 3,
        objectStoreMemory,
        spillDirectory,
        prestart: undefined,
        resources,
        launch: receiverLaunchFlags(),
      }),
    },
    // A group of its own: Ctrl-C in a terminal is for the driver, which then ends the head in order.
    detached: true,
  });
  closeSync(log);
  head.unref();
  const started = whenReady(head, logPath);
  // While the head starts, this process has nothing to do: the first capture of a function will find its tools ready.
  setImmediate(warmCapture);
  const removeOnExit = (): void => session.remove();
  process.once("exit", removeOnExit);
  const headAddress = session.socketPath("head");
  const peerId = newWorkerId(realRandom);
  const identity = { peerId, pid: process.pid, address: ownSocket(session, peerId), secret };
  const runtime = newRuntime(
    identity,
    started.then(() => ({ nodeAddress: headAddress, controlAddress: headAddress })),
    options,
    lost,
    jobIdOf(1),
  );
  return {
    runtime,
    joined: runtime.join({ entrypoint: process.argv[1] ?? "", namespace: options.namespace }),
    stop: async () => {
      await runtime.shutdown();
      await endHead(head);
      process.removeListener("exit", removeOnExit);
      session.remove();
    },
  };
}

function whenReady(head: ChildProcess, logPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => reject(new RaiaError("CLUSTER_START_FAILED", { reason, log: tailOf(logPath) }));
    const timer = setTimeout(() => fail(`no answer in ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    const pipe = head.stdio[3] as NodeJS.ReadableStream & { unref?(): void };
    pipe.once("data", () => {
      clearTimeout(timer);
      pipe.unref?.();
      resolve();
    });
    head.once("error", (error) => {
      clearTimeout(timer);
      fail(error.message);
    });
    head.once("exit", (code, signal) => {
      clearTimeout(timer);
      fail(`the head ended: ${signal ?? `exit code ${code}`}`);
    });
  });
}

const MAX_TAIL_CHARS = 2000;

function tailOf(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(-MAX_TAIL_CHARS);
  } catch {
    return "";
  }
}

/** The head ends by itself when its driver has gone; it is killed when it does not. */
function endHead(head: ChildProcess): Promise<void> {
  if (head.exitCode !== null || head.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => head.kill("SIGKILL"), STOP_TIMEOUT_MS);
    head.ref();
    head.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    head.kill("SIGTERM");
  });
}

function joinCluster(options: DriverOptions, address: string, lost: (error: RaiaError) => void): Driver {
  // The runtime is made at once; where the cluster is, and so the address of this process, is known later.
  const identity = { peerId: newWorkerId(realRandom), pid: process.pid, address: "", secret: "" };
  const cluster = (address === "auto" ? newestSession() : Promise.resolve(address)).then((path) => {
    const session = joinSessionDirectory({ env: process.env }, path);
    identity.address = ownSocket(session, identity.peerId);
    identity.secret = readSecret(session.path);
    return { nodeAddress: session.socketPath("head"), controlAddress: session.socketPath("head") };
  });
  const runtime = newRuntime(identity, cluster, options, lost);
  return {
    runtime,
    joined: runtime.join({ entrypoint: process.argv[1] ?? "", namespace: options.namespace }),
    stop: () => runtime.shutdown(),
  };
}

async function newestSession(): Promise<string> {
  const session = (await findStanding()).find(({ state }) => state === "running");
  if (session === undefined)
    throw new RaiaError("CLUSTER_NOT_FOUND", { address: "auto", reason: "no running local cluster of this user answers" });
  return session.path;
}

function ownSocket(session: Pick<SessionDirectory, "socketPath">, workerId: string): string {
  return session.socketPath(`d-${workerId.slice(0, 16)}`);
}

function newRuntime(
  identity: Identity,
  cluster: Promise<{ nodeAddress: string; controlAddress: string }>,
  options: DriverOptions,
  lost: (error: RaiaError) => void,
  expectedJobId?: string,
): WorkerRuntime {
  const runtime = new WorkerRuntime({
    kind: "driver",
    identity,
    cluster,
    transport: ipcTransport,
    clock: realClock,
    spinMs: SPIN_MS,
    ...(expectedJobId !== undefined && { expectedJobId }),
    finalizers: realFinalizers(),
    openArena: ({ arenaPath, arenaSlot }) => SharedArena.open({ path: arenaPath, slot: arenaSlot }),
    openSpillDisk: (directory) => new DirectoryDisk(directory),
    showOutput: (stream, lines) => {
      if (options.logToDriver === false) return;
      (stream === "stdout" ? process.stdout : process.stderr).write(`${lines.join("\n")}\n`);
    },
    keepAlive: keepProcessAlive(),
    nodeLost: (reason) => lost(new RaiaError("NODE_DIED", { reason })),
  });
  installRemoteValues(runtime);
  return runtime;
}

/** A process without work ends with its program; one with calls under way waits for them. */
function keepProcessAlive(): (isNeeded: boolean) => void {
  let handle: NodeJS.Timeout | undefined;
  return (isNeeded) => {
    if (isNeeded) {
      handle ??= setInterval(() => {}, 2 ** 30);
      handle.ref();
    } else {
      handle?.unref();
    }
  };
}
