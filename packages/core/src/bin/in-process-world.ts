/**
 * A whole cluster in one thread: control, node, workers and drivers as they are between processes, over streams and an
 * arena in ordinary memory. `inProcess` mode runs it on the real clock, the simulator on its own.
 */
import type { Clock } from "../base/clock.ts";
import type { Finalizers } from "../base/finalizers.ts";
import { newNodeId, newWorkerId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import type { Labels } from "../base/labels.ts";
import type { ResourceSet } from "../base/resources.ts";
import { ControlServer } from "../control/control-server.ts";
import { MemoryRecordStore } from "../control/memory-record-store.ts";
import { NodeServer } from "../node/node-server.ts";
import type { Arena } from "../store/arena.ts";
import type { Disk } from "../store/disk.ts";
import { FakeArena } from "../store/fake-arena.ts";
import { StoreServer } from "../store/store-server.ts";
import { Endpoint } from "../wire/endpoint.ts";
import type { Transport } from "../wire/transport.ts";
import type { ClusterAddresses } from "../worker/cluster-link.ts";
import type { RuntimeDependencies } from "../worker/runtime-dependencies.ts";
import { WorkerRuntime } from "../worker/worker-runtime.ts";
import { InProcessControl } from "./in-process-control.ts";
import { InProcessLauncher, type StartedRuntime } from "./in-process-launcher.ts";
import { ProcessShell } from "./in-process-shell.ts";

export interface WorldOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly finalizers: Finalizers;
  readonly disk: Disk;
  readonly resources: ResourceSet;
  readonly labels?: Labels;
  readonly capacityBytes: number;
  /** Of the n-th process, the head being the first. */
  pidOf(process: number): number;
  /** How functions travel; the runtime's own way unless a simulation gives another. */
  readonly functionCodec?: RuntimeDependencies["functionCodec"];
  readonly checkDemand?: RuntimeDependencies["checkDemand"];
  /** Control is a process of its own, as under `raia start`. */
  readonly isControlApart?: boolean;
  /** Ties the API to a runtime: what handles are inside values. */
  install(runtime: WorkerRuntime): void;
  /** Puts itself between a process and its arena, to make it fail. */
  readonly wrapArena?: (arena: Arena) => Arena;
}

const HEAD_ADDRESS = "head";
const CONTROL_ADDRESS = "control";
const SECRET = "in-process";
/** An arena knows its processes by slots; this one is the node's. */
const NODE_SLOT = 1;

export class World {
  readonly #options: WorldOptions;
  readonly #arena: FakeArena;
  readonly #endpoint: Endpoint;
  readonly head: ProcessShell;
  readonly store: StoreServer;
  readonly node: NodeServer;
  readonly #control: ControlServer | InProcessControl;
  readonly launcher: InProcessLauncher;
  #processes = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { random, capacityBytes, disk } = options;
    this.head = new ProcessShell("head", options);
    this.#arena = FakeArena.create(capacityBytes, NODE_SLOT);
    const { clock } = this.head;
    this.store = new StoreServer({ arena: this.#arena, disk, clock }, { askToCollect: () => this.node.askForRoom() });
    this.launcher = new InProcessLauncher(options.clock, (workerId, lost) => this.#startWorker(workerId, lost));
    this.node = new NodeServer({
      nodeId: newNodeId(random),
      address: HEAD_ADDRESS,
      clock,
      random,
      arena: this.#arena,
      store: this.store,
      launcher: this.launcher,
      resources: options.resources,
      devices: undefined,
      labels: options.labels ?? {},
      spillDirectory: "",
      sessionDirectory: "",
      // What user code prints goes where this process prints.
      openLog: () => ({ append: () => {}, close: () => {} }),
      connectionsRejected: () => this.#endpoint.counters.rejected,
      driverGone: () => {},
      controlRefused: (error) => {
        throw error;
      },
    });
    const place = { secret: SECRET, address: CONTROL_ADDRESS, pid: options.pidOf(this.#processes++) };
    const control =
      options.isControlApart === true
        ? new InProcessControl({ ...options, ...place })
        : new ControlServer({ clock, random, store: new MemoryRecordStore() });
    this.#control = control;
    const identity = { peerId: newWorkerId(random), pid: options.pidOf(this.#processes++), address: HEAD_ADDRESS, secret: SECRET };
    this.#endpoint = new Endpoint(this.head.transport, identity, clock, {
      connected: (connection) => {
        const isOurs = connection.peerAddress === HEAD_ADDRESS && connection.peerId !== identity.peerId;
        if (control instanceof ControlServer && !isOurs) control.attach(connection);
        this.node.attach(connection);
      },
    });
  }

  /** Begins to listen: drivers may join. */
  async start(): Promise<void> {
    await this.controlProcess?.start();
    await this.#endpoint.listen();
    await this.node.joinControl(this.#endpoint, this.#addresses.controlAddress);
  }

  get #addresses(): ClusterAddresses {
    return { nodeAddress: HEAD_ADDRESS, controlAddress: this.controlProcess === undefined ? HEAD_ADDRESS : CONTROL_ADDRESS };
  }

  /** Where control is a process of its own. */
  get controlProcess(): InProcessControl | undefined {
    return this.#control instanceof InProcessControl ? this.#control : undefined;
  }

  get control(): ControlServer {
    return this.#control instanceof InProcessControl ? this.#control.server : this.#control;
  }

  #startWorker(workerId: string, lost: () => void): StartedRuntime {
    const shell = new ProcessShell(`worker ${workerId.slice(0, 8)}`, this.#options);
    const pid = this.#options.pidOf(this.#processes++);
    const runtime = new WorkerRuntime({
      ...this.#runtimeDependencies(shell),
      kind: "worker",
      identity: { peerId: workerId, pid, address: `w-${workerId.slice(0, 16)}`, secret: SECRET },
      cluster: Promise.resolve(this.#addresses),
      nodeLost: lost,
    });
    this.#options.install(runtime);
    return { runtime, shell, pid };
  }

  #runtimeDependencies(shell: ProcessShell): Omit<RuntimeDependencies, "kind" | "identity" | "cluster" | "nodeLost"> {
    const { disk, functionCodec, checkDemand, random, wrapArena } = this.#options;
    return {
      transport: shell.transport,
      clock: shell.clock,
      finalizers: shell.finalizers,
      random,
      openArena: ({ arenaSlot }) => {
        const arena = this.#arena.attach(arenaSlot);
        return wrapArena === undefined ? arena : wrapArena(arena);
      },
      openSpillDisk: () => disk,
      showOutput: () => {},
      keepAlive: () => {},
      ...(functionCodec !== undefined && { functionCodec }),
      ...(checkDemand !== undefined && { checkDemand }),
    };
  }

  /** A driver in a process of its own. The caller joins it. */
  newDriver(nodeLost: (reason: string) => void): { readonly runtime: WorkerRuntime; readonly shell: ProcessShell } {
    const workerId = newWorkerId(this.#options.random);
    const shell = new ProcessShell(`driver ${workerId.slice(0, 8)}`, this.#options);
    const runtime = new WorkerRuntime({
      ...this.#runtimeDependencies(shell),
      kind: "driver",
      identity: driverIdentity(workerId, this.#options.pidOf(this.#processes++)),
      cluster: Promise.resolve(this.#addresses),
      nodeLost,
    });
    this.#options.install(runtime);
    return { runtime, shell };
  }

  /** Blocks of the arena that objects, finished or not, take up. */
  get blocksInUse(): number {
    return this.#arena.blocks.usage().reduce((sum, used) => sum + used, 0);
  }

  get disk(): Disk {
    return this.#options.disk;
  }

  /** The arena as a driver that was made elsewhere sees it. */
  openArena(slot: number): Arena {
    return this.#arena.attach(slot);
  }

  /** What runs in workers is dropped; the head's timers fire no more. */
  async stop(): Promise<void> {
    this.node.shutdown();
    await this.#endpoint.close();
    await (this.controlProcess?.stop() ?? this.control.close());
    this.head.end();
  }
}

/** How a driver in this process presents itself. */
function driverIdentity(workerId: string, pid: number): RuntimeDependencies["identity"] {
  return { peerId: workerId, pid, address: `d-${workerId.slice(0, 16)}`, secret: SECRET };
}
