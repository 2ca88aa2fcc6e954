/**
 * The node daemon, wired from its parts: it lends workers, hosts actors for the control plane, keeps the objects of its
 * machine. It runs no user code, so nothing a task does can keep it from answering. Nothing else constructs its parts.
 */
import type { Clock } from "../base/clock.ts";
import type { RaiaError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { type ResourceSet, UNITS_PER_ONE } from "../base/resources.ts";
import type { DeathCause } from "../messages/common.ts";
import { nodeControlService } from "../messages/control.ts";
import { bundleService } from "../messages/placement-groups.ts";
import { leaseService, outputEvents, processService } from "../messages/leases.ts";
import { storeEvents, storeService } from "../messages/objects.ts";
import type { Arena } from "../store/arena.ts";
import { storeHandlers } from "../store/store-handlers.ts";
import type { StoreServer } from "../store/store-server.ts";
import { WordRegion } from "../store/word-region.ts";
import type { Connection } from "../wire/connection.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import type { DeviceVariables } from "./accelerators/device-variables.ts";
import { BundleServer } from "./bundle-server.ts";
import { BundleTable } from "./bundle-table.ts";
import { ControlLink } from "./control-link.ts";
import { HostedActors } from "./hosted-actors.ts";
import type { Victim } from "./kill-policy.ts";
import { LeaseQueue } from "./lease-queue.ts";
import { LeaseRooms } from "./lease-rooms.ts";
import { LeaseServer } from "./lease-server.ts";
import { MemberTable } from "./member-table.ts";
import type { NodeMemory } from "./memory-reader.ts";
import { type NodeInspection, NodeInspector } from "./node-inspector.ts";
import { OutputHub, type OutputLog } from "./output-hub.ts";
import { type OutputLine, showOutputLine } from "./output-line.ts";
import type { PoolWorker } from "./pool-worker.ts";
import { ProcessServer } from "./process-server.ts";
import { type DeviceShares, ResourceLedger } from "./resource-ledger.ts";
import { WorkerFinder } from "./worker-finder.ts";
import type { WorkerLauncher } from "./worker-launcher.ts";
import { WorkerPool } from "./worker-pool.ts";

export interface NodeDependencies {
  readonly nodeId: string;
  readonly address: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly arena: Arena & { readonly path?: string };
  readonly store: StoreServer;
  readonly launcher: WorkerLauncher;
  readonly resources: ResourceSet;
  readonly devices: DeviceShares | undefined;
  /** Absent where processes are not shown devices of their own, as in one process. */
  readonly deviceVariables?: DeviceVariables;
  readonly labels: Readonly<Record<string, string>>;
  readonly spillDirectory: string;
  readonly sessionDirectory: string;
  openLog(workerId: string, stream: "stdout" | "stderr"): OutputLog;
  /** Connections that were cut off because the peer broke the protocol or did not prove itself. */
  connectionsRejected(): number;
  /** The last driver is gone: an `init()` cluster ends with it. */
  driverGone(workerId: string): void;
  /** Control has this node no more: it was declared dead, and others have its work. */
  controlRefused(error: RaiaError): void;
}

/** Waiting processes, for each CPU, before children run inside waiting ones. */
const WAITING_PER_CPU = 8;
const IDLE_WORKER_MS = 10_000;
const REGISTER_TIMEOUT_MS = 60_000;

export class NodeServer {
  readonly #deps: NodeDependencies;
  readonly #words: WordRegion;
  readonly #ledger: ResourceLedger;
  readonly #members = new MemberTable();
  readonly #output: OutputHub;
  readonly #pool: WorkerPool;
  readonly #control: ControlLink;
  readonly #bundleTable: BundleTable;
  readonly #bundles: BundleServer;
  readonly #queue: LeaseQueue;
  readonly #leases: LeaseServer;
  readonly #actors: HostedActors;
  readonly #processes: ProcessServer;
  readonly #inspector: NodeInspector;
  readonly #counters = { workersStarted: 0, workersDied: 0 };
  #prestarts: (() => void)[] = [];

  constructor(deps: NodeDependencies) {
    const { nodeId, address, clock, arena, store, resources, labels, spillDirectory, sessionDirectory, deviceVariables } = deps;
    this.#deps = deps;
    this.#words = new WordRegion(arena.blocksOffset);
    this.#ledger = new ResourceLedger(resources, deps.devices);
    const ledger = this.#ledger;
    const members = this.#members;
    this.#output = new OutputHub({ clock, deliver: (jobId, lines) => this.#show(jobId, lines), openLog: deps.openLog.bind(deps) });
    const output = this.#output;
    this.#pool = this.#newPool();
    const pool = this.#pool;
    this.#bundleTable = new BundleTable(ledger);
    const bundles = this.#bundleTable;
    this.#control = new ControlLink({
      node: { nodeId, address, resources, labels },
      clock,
      available: () => ledger.available,
      hosted: () => [...this.#actors.all()].map(({ actorId, incarnation }) => ({ actorId, incarnation })),
      bundles: () => bundles.held(),
      serve: (connection) => this.#serveControl(connection),
    });
    const control = this.#control;

    this.#leases = new LeaseServer({ nodeId, clock, members, pool, output, control, deviceVariables }, () => this.#queue);
    this.#bundles = new BundleServer(
      { nodeId, clock, ledger, bundles, pool, control, owners: this.#leases },
      () => this.#queue,
      () => this.#actors,
    );
    const rooms = new LeaseRooms(ledger, bundles);
    const finder = new WorkerFinder(rooms, pool, clock, WAITING_PER_CPU, () => this.#queue.schedule());
    this.#queue = new LeaseQueue({ nodeId, labels }, rooms, pool, finder, clock, this.#leases, this.#bundles);
    const queue = this.#queue;
    const explainLease = (leaseId: string): ReturnType<BundleServer["explain"]> => this.#bundles.explain(leaseId);
    this.#actors = new HostedActors({ queue, explainLease, pool, output, control, deviceVariables });
    const actors = this.#actors;
    const memory = { arenaPath: arena.path ?? "", arenaBytes: arena.capacityBytes, spillDirectory };
    const node = { nodeId, ...memory, sessionDirectory, resources: ledger.total, labels };
    const driverGone = (workerId: string): void => deps.driverGone(workerId);
    this.#processes = new ProcessServer({ clock, members, pool, queue, store, output, control, node, driverGone });
    this.#inspector = new NodeInspector({ ledger, bundles, pool, queue, members, actors });
  }

  #newPool(): WorkerPool {
    const { launcher, clock, random, resources } = this.#deps;
    const cpus = Math.max(1, Math.floor((resources["CPU"] ?? UNITS_PER_ONE) / UNITS_PER_ONE));
    return new WorkerPool(
      launcher,
      this.#words,
      clock,
      random,
      {
        ready: (worker) => {
          this.#queue.workerStarted(worker.launchKey);
          for (const start of this.#prestarts.splice(0)) start();
        },
        died: (worker, cause) => this.#workerDied(worker, cause),
        output: (worker, stream, chunk) => this.#output.receive(worker.workerId, stream, chunk),
        started: (worker) => {
          this.#counters.workersStarted++;
          this.#output.addWorker(worker.workerId, { pid: worker.pid, name: "worker", jobId: "" });
        },
      },
      { keepIdle: cpus, idleMs: IDLE_WORKER_MS, maxStarting: Math.max(4, 2 * cpus), registerTimeoutMs: REGISTER_TIMEOUT_MS },
    );
  }

  /**
   * Starts workers before anybody asks, so that the first task finds one. The others follow when the first is there: all at
   * once they would only slow each other down, and the first task with them.
   *
   * @param firstWorkerId a worker that is being started already
   */
  prestart(count: number, execArgv: readonly string[], cwd: string, firstWorkerId?: string): void {
    const key = JSON.stringify([execArgv, cwd, "", ""]);
    const spec = { execArgv, cwd, envVars: {}, setupHook: undefined };
    if (count > 0) this.#pool.start(spec, key, firstWorkerId);
    this.#prestarts = Array.from({ length: count - 1 }, () => () => void this.#pool.start(spec, key));
  }

  /** Joins the cluster, now and whenever control comes back: control asks this node over the same connection. */
  joinControl(endpoint: Endpoint, controlAddress: string): Promise<void> {
    return this.#control.join(
      () => endpoint.dial(controlAddress),
      controlAddress,
      (error) => this.#deps.controlRefused(error),
    );
  }

  #serveControl(connection: Connection): void {
    this.#bundles.attach(connection);
    connection.serve(bundleService, this.#bundles.handlers());
    connection.serve(nodeControlService, {
      ...this.#actors.handlers(),
      jobEnded: ({ jobId }) => {
        void this.#pool.endJob(jobId);
        this.#output.endJob(jobId);
      },
    });
  }

  /** Serves a process of this machine. */
  attach(connection: Connection): void {
    connection.serve(processService, {
      ...this.#processes.handlers(connection),
      listWorkers: () => this.#inspector.listWorkers(),
      nodeStatus: () => ({
        nodeId: this.#deps.nodeId,
        total: this.#ledger.total,
        available: this.#ledger.available,
        pendingLeases: this.#queue.pendingCount,
        workers: this.#pool.size,
        facts: {
          ...this.#counters,
          leasesGranted: this.#leases.grantedCount,
          connectionsRejected: this.#deps.connectionsRejected(),
          store: this.#deps.store.usage(),
        },
      }),
    });
    connection.serve(leaseService, this.#leases.handlers(this.#actors, this.#bundles));
    connection.serve(
      storeService,
      storeHandlers(
        this.#deps.store,
        (peer: Connection) => this.#members.of(peer).slot,
        (workerId) => whenEnded(this.#members.connectionOf(workerId)),
      ),
    );
  }

  #workerDied(worker: PoolWorker, cause: DeathCause): void {
    this.#counters.workersDied++;
    if (worker.connection === undefined) this.#queue.workerStartFailed(worker.launchKey, cause);
    this.#output.removeWorker(worker.workerId);
    this.#deps.store.processDied(worker.arenaSlot);
    this.#queue.workerDied(worker, cause);
    this.#actors.workerDied(worker, cause);
    this.#queue.schedule();
  }

  /** Shows the lines of a job to its drivers. */
  #show(jobId: string, lines: readonly OutputLine[]): void {
    for (const member of this.#members.drivers()) {
      if (member.jobId !== jobId) continue;
      const client = member.connection.client(outputEvents);
      for (const stream of ["stdout", "stderr"] as const) {
        const shown = lines.filter((line) => line.stream === stream).map(showOutputLine);
        if (shown.length > 0) client.outputLines({ stream, lines: shown });
      }
    }
  }

  /** What it holds now: for status pages, tests and the simulator. */
  inspect(): NodeInspection & { readonly lentWordBytes: number } {
    return { ...this.#inspector.inspect(), lentWordBytes: this.#words.lentBytes };
  }

  /** Memory is short: every process is asked to let go of what nobody can reach there. */
  askForRoom(): void {
    for (const { connection } of this.#members.all()) if (!connection.isClosed) connection.client(storeEvents).roomWanted({});
  }

  /** Who may be ended for want of memory, measured now. */
  victims(): Victim[] {
    return this.#inspector.victims();
  }

  /** Resolves when the process is gone. */
  async killForMemory({ workerId }: Victim, { usedBytes, totalBytes }: NodeMemory): Promise<void> {
    const worker = this.#pool.get(workerId);
    if (worker === undefined) return;
    this.#pool.stop(worker, { by: "memory-monitor", nodeUsedBytes: usedBytes, nodeTotalBytes: totalBytes }, 0);
    await worker.gone;
  }

  shutdown(): void {
    this.#control.close();
    this.#pool.stopAll();
  }
}

/** Settles when all that a process has sent was read, and its end was seen. */
function whenEnded(connection: Connection | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (connection === undefined) resolve();
    else connection.onClosed(() => resolve());
  });
}
