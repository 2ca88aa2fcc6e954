/** Wires the head from its parts: arena, store, node and control, on one socket of the session. */
import { closeSync, existsSync, mkdirSync, writeSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type Clock, realClock } from "../base/clock.ts";
import { ROOT_DIRECTORY } from "../base/current-directory.ts";
import { RaiaError } from "../base/errors.ts";
import { newNodeId, newWorkerId } from "../base/ids.ts";
import { removeDirectory } from "../base/private-directory.ts";
import { realRandom } from "../base/random.ts";
import { unitsOf } from "../base/resources.ts";
import { adoptSessionDirectory, isSessionThere, removeSessionDirectory } from "../base/session-directory.ts";
import { readSecret } from "../base/session-secret.ts";
import { ControlServer } from "../control/control-server.ts";
import { MemoryRecordStore } from "../control/memory-record-store.ts";
import { deviceVariablesOf } from "../node/accelerators/device-variables.ts";
import { detectAccelerators } from "../node/accelerators/detect-accelerators.ts";
import { readCapacity } from "../node/capacity.ts";
import { KernelKills } from "../node/kernel-kills.ts";
import type { Victim } from "../node/kill-policy.ts";
import { oomKillCounter } from "../node/memory-cgroup.ts";
import { memoryLoop } from "../node/memory-loop.ts";
import { MemoryReader, type NodeMemory } from "../node/memory-reader.ts";
import { nodeResources } from "../node/node-resources.ts";
import { NodeServer } from "../node/node-server.ts";
import { OutputLogDirectory } from "../node/output-log-directory.ts";
import { realLogDisk } from "../node/output-log-disk.ts";
import { realHostProbe } from "../node/real-host-probe.ts";
import { inheritedEnvironment } from "../node/worker-command.ts";
import { RealWorkerLauncher } from "../node/real-worker-launcher.ts";
import { RealWorkerSpawner } from "../node/real-worker-spawner.ts";
import { DirectoryDisk } from "../store/disk.ts";
import { dieWithParent } from "../store/posix.ts";
import { PretouchLoop } from "../store/pretouch-loop.ts";
import { SharedArena } from "../store/shared-arena.ts";
import { StoreServer } from "../store/store-server.ts";
import { Endpoint } from "../wire/endpoint.ts";
import { ipcTransport } from "../wire/ipc-transport.ts";
import { controlAddressFor, NODE_SOCKET } from "./control-address.ts";
import { ControlProcess } from "./control-process.ts";
import type { EarlyWorker } from "./early-worker.ts";
import type { HeadOptions } from "./head-options.ts";
import { watchSession } from "./session-watch.ts";

const SIGTERM = 15;

export async function runHead(options: HeadOptions, early: EarlyWorker | undefined): Promise<void> {
  const session = adoptSessionDirectory({ env: process.env }, options.sessionPath);
  if (options.parentPid !== undefined && !dieWithParent(SIGTERM, options.parentPid)) process.exit(0);
  const clock = realClock;
  const random = realRandom;
  const probe = realHostProbe;
  const capacity = readCapacity(probe);
  const capacityBytes = options.objectStoreMemory ?? Math.floor(capacity.memoryBytes * 0.3);
  const arena = SharedArena.create({ capacityBytes, slot: 1, directory: session.path });
  const spillDirectory = makeSpillDirectory(options.spillDirectory, session.path);
  // The directory it was started in may be removed while it stands. What is relative to it was read above.
  process.chdir(ROOT_DIRECTORY);
  const askToCollect = (): void => node.askForRoom();
  const memory = new MemoryReader(probe);
  const pretouch = new PretouchLoop({ memory: arena, clock, availableBytes: () => availableBytes(memory) });
  const onStored = (): void => pretouch.noteUse();
  const store = new StoreServer({ arena, disk: new DirectoryDisk(spillDirectory), clock }, { askToCollect, onStored });
  const found = await detectAccelerators(probe);
  const { total, devices } = nodeResources({ ...options.resources, objectStoreMemory: capacityBytes }, capacity, found);
  const address = session.socketPath(NODE_SOCKET);
  const controlAddress = controlAddressFor(session.path, options.standing);
  const nodeId = newNodeId(random);
  const kernelKills = new KernelKills(clock, oomKillCounter(probe));
  const logs = new OutputLogDirectory(realLogDisk, session.logsPath);
  const started = new Map(early === undefined ? [] : [[early.workerId, early.process]]);
  let ending = false;
  let controlProcess: ControlProcess | undefined;

  const end = (exitCode: number): void => {
    if (ending) return;
    ending = true;
    node.shutdown();
    controlProcess?.stop();
    // The directory goes with the session, whoever made it: its maker may be dead.
    removeDirectory(spillDirectory);
    removeSessionDirectory(session.path);
    process.exit(exitCode);
  };

  const node: NodeServer = new NodeServer({
    nodeId,
    address,
    clock,
    random,
    arena,
    store,
    launcher: new RealWorkerLauncher(
      new RealWorkerSpawner({ clock, probe, kernelKills }),
      inheritedEnvironment(process.env),
      { sessionPath: session.path, controlAddress },
      started,
    ),
    resources: total,
    devices: undefined,
    deviceVariables: deviceVariablesOf(devices, unitsOf(total, "GPU")),
    labels: options.labels,
    spillDirectory,
    sessionDirectory: session.path,
    openLog: (workerId, stream) => logs.open(`worker-${workerId.slice(0, 12)}.${stream === "stdout" ? "out" : "err"}`),
    connectionsRejected: () => endpoint.counters.rejected,
    driverGone: () => {
      if (options.parentPid !== undefined) end(0);
    },
    controlRefused: (error) => {
      process.stderr.write(`${error.message}\n`);
      end(1);
    },
  });
  const apart = options.standing ? new ControlProcess(session, clock) : undefined;
  // What a cluster of one program knew is of no use to anybody once that is over.
  const control = apart === undefined ? new ControlServer({ clock, random, store: new MemoryRecordStore() }) : undefined;
  const identity = { peerId: newWorkerId(random), pid: process.pid, address, secret: readSecret(session.path) };
  const endpoint: Endpoint = new Endpoint(ipcTransport, identity, clock, {
    connected: (connection) => {
      if (connection.peerId === identity.peerId || connection.peerAddress !== address) control?.attach(connection);
      node.attach(connection);
      const { peerAddress } = connection;
      // A process that is shot leaves its socket behind; thousands would fill the directory.
      if (peerAddress !== address) connection.onClosed(() => session.removeSocket(peerAddress));
    },
  });
  watchMemory({ node, clock, reader: memory, kernelKills, killAbove: options.memoryKillAbove });
  node.prestart(options.prestart ?? capacity.cpus, options.launch.execArgv, options.launch.cwd, early?.workerId);
  if (apart !== undefined) {
    // Whoever finds this node finds control beside it.
    apart.start();
    await Promise.race([node.joinControl(endpoint, controlAddress), apart.failed]);
    apart.hasServed = true;
    controlProcess = apart;
    session.publish({ kind: "standing", address });
    await endpoint.listen();
  } else {
    await endpoint.listen();
    await node.joinControl(endpoint, controlAddress);
  }
  process.on("SIGTERM", () => end(0));
  process.on("SIGINT", () => {
    // Ctrl-C reaches the whole foreground group; the driver says when it is over.
    if (options.parentPid === undefined) end(0);
  });
  watchSession({
    clock,
    isThere: () => isSessionThere(session.path),
    gone: () => {
      process.stderr.write(`the session's directory was removed, so nobody can find this cluster, and it ends: ${session.path}\n`);
      end(1);
    },
  });
  tellReady(options);
}

/** Ends workers before the kernel would choose whom, and keeps its counter of such deaths fresh. */
function watchMemory({ node, clock, reader, kernelKills, killAbove }: MemoryWatch): void {
  const memory = {
    read: () => {
      kernelKills.sample();
      return reader.read();
    },
  };
  const deps = {
    clock,
    memory,
    victims: () => node.victims(),
    kill: (victim: Victim, found: NodeMemory) => node.killForMemory(victim, found),
  };
  void memoryLoop(deps, killAbove === undefined ? {} : { killAbove }, new AbortController().signal);
}

interface MemoryWatch {
  readonly node: NodeServer;
  readonly clock: Clock;
  readonly reader: MemoryReader;
  readonly kernelKills: KernelKills;
  readonly killAbove: number | undefined;
}

/** Nothing where the system does not tell: then nothing is touched ahead. */
function availableBytes(reader: MemoryReader): number {
  const memory = reader.read();
  return memory === undefined ? 0 : memory.totalBytes - memory.usedBytes;
}

/** Level by level: `recursive` never returns where the system says of a parent that is there that it is not, as under /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** Where a user chose the place, a directory of the session's own in it: two clusters must not meet there. */
function makeSpillDirectory(chosen: string | undefined, sessionPath: string): string {
  const path = chosen === undefined ? join(sessionPath, "spill") : join(resolve(chosen), `raia-spill-${basename(sessionPath)}`);
  try {
    makeDirectory(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new RaiaError("CLUSTER_START_FAILED", { reason: "the spill directory cannot be made", path, errno: code }, { cause: error });
  }
  return path;
}

function tellReady({ readyDescriptor }: HeadOptions): void {
  if (readyDescriptor === undefined) return;
  writeSync(readyDescriptor, "ready\n");
  // Whoever started this head reads one line and goes; a pipe that is left open would keep it from going.
  closeSync(readyDescriptor);
}
