/** Makes this process a driver: joins a cluster or starts one that goes with it. */
import { unhandledPrinter } from "./unhandled-printer.ts";
import { enableCompileCache } from "node:module";
import { realClock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { realFinalizers } from "../base/finalizers.ts";
import { jobIdOf, newWorkerId } from "../base/ids.ts";
import { checkProgramsAreHere } from "../base/own-place.ts";
import { realRandom } from "../base/random.ts";
import { joinSessionDirectory, makeSessionDirectory, type SessionDirectory } from "../base/session-directory.ts";
import { makeSecret, readSecret } from "../base/session-secret.ts";
import { SPIN_MS } from "../base/spinner.ts";
import { DirectoryDisk } from "../store/disk.ts";
import { warmPosix } from "../store/posix.ts";
import { SharedArena } from "../store/shared-arena.ts";
import { warmCapture } from "../values/function-capture.ts";
import { receiverLaunchFlags } from "../values/module-launch.ts";
import type { Identity } from "../wire/greeting.ts";
import { ipcTransport } from "../wire/ipc-transport.ts";
import { WorkerRuntime } from "../worker/worker-runtime.ts";
import { memoryThresholdOf, modeOf } from "../api/environment.ts";
import type { Driver, DriverOptions } from "../api/init.ts";
import { clusterOptionsOf } from "./cluster-options.ts";
import { type ClusterAddress, clusterAddress } from "./cluster-address.ts";
import { checkPermission } from "./node-permission.ts";
import { endHead, startHead } from "./head-process.ts";
import { startInProcess } from "./in-process-driver.ts";
import { cleanUpSessions, controlAddressOf, findCluster, mayStand } from "./standing.ts";
import { ProgramEnd } from "./program-end.ts";
import { enableCollection } from "./collection.ts";
import { installRemoteValues } from "../api/remote-value-codecs.ts";

export function startDriver(options: DriverOptions, lost: (error: RaiaError) => void): Driver {
  enableCollection();
  if ((options.mode ?? modeOf(process.env)) === "inProcess") return startInProcess(options);
  checkProgramsAreHere();
  checkPermission();
  const address = clusterAddress(options.address, process.env);
  // Without a session that stands there is nothing to ask: the cluster starts in this very turn.
  if (address.kind === "local" || (address.kind === "any" && !mayStand())) return drive(options, lost, startLocal(options));
  return drive(options, lost, joinOrStart(options, address));
}

/** A cluster as its driver has it. */
interface Place {
  readonly session: Pick<SessionDirectory, "path" | "socketPath">;
  /** Settles when its head answers. */
  readonly ready: Promise<void>;
  /** Ends what was started for this driver. */
  end(): Promise<void>;
}

function drive(options: DriverOptions, lost: (error: RaiaError) => void, place: Place | Promise<Place>): Driver {
  // The runtime is made at once; where the cluster is, and so the address of this process, may be known later.
  const identity = { peerId: newWorkerId(realRandom), pid: process.pid, address: "", secret: "" };
  const enter = async (found: Place): Promise<{ nodeAddress: string; controlAddress: string }> => {
    const head = found.session.socketPath("head");
    identity.address = found.session.socketPath(`d-${identity.peerId.slice(0, 16)}`);
    identity.secret = readSecret(found.session.path);
    await found.ready;
    return { nodeAddress: head, controlAddress: controlAddressOf(found.session.path) };
  };
  const cluster = place instanceof Promise ? place.then(enter) : enter(place);
  // The first job of a cluster of its own; of another it is not known yet.
  const expectedJobId = place instanceof Promise ? undefined : jobIdOf(1);
  let arena: SharedArena | undefined;
  const openArena: OpenArena = ({ arenaPath, arenaSlot }) => (arena = SharedArena.open({ path: arenaPath, slot: arenaSlot }));
  const alive = new WorkKeepsAlive();
  const runtime = newRuntime(identity, cluster, options, lost, openArena, alive, expectedJobId);
  const end = new ProgramEnd(runtime);
  alive.onWork = () => end.worked();
  return {
    runtime,
    joined: runtime.join({ entrypoint: process.argv[1] ?? "", namespace: options.namespace }),
    stop: async (code) => {
      end.cancel();
      await runtime.shutdown(code);
      // The mappings stay for views that the program still has.
      arena?.close();
      const found = await Promise.resolve(place).catch(() => undefined); // Nothing was found or started: nothing to end.
      await found?.end();
    },
  };
}

async function joinOrStart(options: DriverOptions, address: Exclude<ClusterAddress, { kind: "local" }>): Promise<Place> {
  const path = await findCluster(address);
  if (path === undefined) return startLocal(options);
  const asked = forNewClusters.find((name) => options[name] !== undefined);
  if (asked !== undefined) {
    throw new RaiaError("INVALID_OPTION", {
      option: asked,
      value: options[asked],
      reason: 'it is for a new cluster, and one is running; leave it out, or give address: "local"',
      session: path,
    });
  }
  return { session: joinSessionDirectory({ env: process.env }, path), ready: Promise.resolve(), end: () => Promise.resolve() };
}

/** Options that say what a cluster has. */
const forNewClusters = ["numCpus", "numGpus", "memory", "resources", "labels", "objectStoreMemory", "spillDirectory"] as const;

function startLocal(options: DriverOptions): Place {
  // What is loaded from now on (the parsers, for one) is compiled once a machine, not once a start.
  enableCompileCache?.();
  // First: what it refuses must leave no session behind.
  const launch = receiverLaunchFlags();
  const session = makeSessionDirectory({ env: process.env });
  makeSecret(session.path, realRandom);
  const { labels, objectStoreMemory, spillDirectory, resources } = clusterOptionsOf(options);
  const { child, ready } = startHead(session, {
    standing: false,
    parentPid: process.pid,
    objectStoreMemory,
    spillDirectory,
    memoryKillAbove: memoryThresholdOf(process.env),
    prestart: undefined,
    resources,
    labels,
    launch,
  });
  // While the head starts, this process has nothing to do: the first call will find its tools ready.
  setImmediate(() => {
    warmCapture();
    warmPosix();
  });
  // Once there is time: what others left behind is no reason to start later.
  ready.then(cleanUpSessions).catch(() => {
    // Nor not at all: the next start tries again. That this head is not ready is told by `ready` itself.
  });
  const removeOnExit = (): void => session.remove();
  process.once("exit", removeOnExit);
  return {
    session,
    ready,
    end: async () => {
      await endHead(child);
      process.removeListener("exit", removeOnExit);
      session.remove();
    },
  };
}

type OpenArena = ConstructorParameters<typeof WorkerRuntime>[0]["openArena"];

function newRuntime(
  identity: Identity,
  cluster: Promise<{ nodeAddress: string; controlAddress: string }>,
  options: DriverOptions,
  lost: (error: RaiaError) => void,
  openArena: OpenArena,
  alive: WorkKeepsAlive,
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
    openArena,
    openSpillDisk: (directory) => new DirectoryDisk(directory),
    showOutput: (stream, lines) => {
      if (options.logToDriver === false) return;
      (stream === "stdout" ? process.stdout : process.stderr).write(`${lines.join("\n")}\n`);
    },
    showUnhandled: unhandledPrinter(options),
    keepAlive: (isNeeded) => alive.set(isNeeded),
    nodeLost: (reason) => lost(new RaiaError("CLUSTER_LOST", { reason })),
  });
  installRemoteValues(runtime);
  return runtime;
}

/** A process without work ends with its program; one with calls under way waits for them. */
class WorkKeepsAlive {
  #handle: NodeJS.Timeout | undefined;
  onWork = (): void => {};

  set(isNeeded: boolean): void {
    if (isNeeded) {
      this.onWork();
      this.#handle ??= setInterval(() => {}, 2 ** 30);
      this.#handle.ref();
    } else {
      this.#handle?.unref();
    }
  }
}
