/** A control server with fake time and memory for wires, and the peers that tests let speak to it. */
import { FakeClock } from "../base/fake-clock.ts";
import { seededRandom } from "../base/random.ts";
import {
  type ActorSpec,
  type ActorStarted,
  type ActorView,
  controlEvents,
  controlService,
  type HostedActor,
  nodeControlService,
  nodeReports,
} from "../messages/control.ts";
import { bundleService, placementGroupService, type PlacementGroupSpec } from "../messages/placement-groups.ts";
import type { Connection } from "../wire/connection.ts";
import type { Identity } from "../wire/greeting.ts";
import { Endpoint } from "../wire/endpoint.ts";
import { MemoryTransport } from "../wire/memory-transport.ts";
import type { Infer } from "../wire/schema.ts";
import type { Client } from "../wire/service.ts";
import { type ControlOptions, ControlServer } from "./control-server.ts";
import { FakeBundles } from "./fake-bundles.ts";
import { MemoryRecordStore } from "./memory-record-store.ts";
import type { RecordStore } from "./record-store.ts";

const ADDRESS = "control";
/** Turns after which everything that could happen without time passing has happened. */
const MAX_TURNS = 200;

export class ControlFixture {
  readonly clock = new FakeClock();
  readonly store: RecordStore;
  readonly server: ControlServer;
  readonly #transport: MemoryTransport;
  #peers = 0;

  private constructor(options: Partial<ControlOptions>) {
    this.store = options.store ?? new MemoryRecordStore();
    this.#transport = MemoryTransport.immediate(this.clock);
    this.server = new ControlServer({ clock: this.clock, random: seededRandom(1), ...options, store: this.store });
  }

  static async start(options: Partial<ControlOptions> = {}): Promise<ControlFixture> {
    const fixture = new ControlFixture(options);
    await fixture.server.load();
    const endpoint = new Endpoint(fixture.#transport, identity(ADDRESS, ADDRESS), fixture.clock, {
      connected: (peer) => fixture.server.attach(peer),
    });
    await endpoint.listen();
    return fixture;
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      this.clock.advance(0);
      await Promise.resolve();
    }
  }

  async pass(ms: number): Promise<void> {
    await this.settle();
    this.clock.advance(ms);
    await this.settle();
  }

  /** What `asked` comes to, without time passing. */
  async answer<T>(asked: Promise<T>): Promise<T> {
    let isOver = false;
    const done = asked.finally(() => (isOver = true));
    done.catch(() => {});
    await this.settle();
    if (!isOver) throw new Error("there is no answer yet");
    return done;
  }

  async peer(id = `peer-${this.#peers++}`): Promise<Peer> {
    const peer = new Peer(this);
    const endpoint = new Endpoint(this.#transport, identity(id, ""), this.clock, { connected: (connection) => peer.serve(connection) });
    peer.connection = await this.answer(endpoint.dial(ADDRESS));
    return peer;
  }

  async node(nodeId = "n1", options: NodeOptions = {}): Promise<FakeNode> {
    const node = new FakeNode(this, nodeId, options);
    await node.join();
    return node;
  }

  /** Registers a driver; its peer and job. */
  async driver(driverId = "driver", nodeId?: string): Promise<{ peer: Peer; jobId: string; namespace: string }> {
    const peer = await this.peer(driverId);
    const request = { driverId, driverPid: 1, entrypoint: "main.ts", metadata: {}, nodeId };
    const { jobId, namespace } = await this.answer(peer.control.registerJob(request));
    return { peer, jobId, namespace };
  }
}

function identity(peerId: string, address: string): Identity {
  return { peerId, address, pid: 1, secret: "secret" };
}

/** A driver or worker. */
export class Peer {
  readonly #fixture: ControlFixture;
  readonly views: ActorView[] = [];
  connection!: Connection;

  constructor(fixture: ControlFixture) {
    this.#fixture = fixture;
  }

  serve(connection: Connection): void {
    connection.serve(controlEvents, { actorState: ({ view }) => void this.views.push(view) });
  }

  get groups(): Client<typeof placementGroupService> {
    return this.connection.client(placementGroupService);
  }

  get control(): Client<typeof controlService> {
    return this.connection.client(controlService);
  }

  /** Creates an actor and watches it; what is heard of it goes to `views`. */
  async createActor(spec: ActorSpec): Promise<void> {
    await this.#fixture.answer(this.control.watchActor({ actorId: spec.actorId }));
    await this.#fixture.answer(this.control.createActor({ spec, getIfExists: false }));
  }

  /** State and incarnation of what was heard, in order. */
  get heard(): string[] {
    return this.views.map(({ state, incarnation }) => `${state} ${incarnation}`);
  }

  async leave(): Promise<void> {
    this.connection.close("left");
    await this.#fixture.settle();
  }
}

const DEFAULT_CPUS = 8;

export interface NodeOptions {
  readonly cpus?: number;
  readonly labels?: Record<string, string>;
  /** What it says that it hosts. */
  readonly hosted?: readonly Infer<typeof HostedActor>[];
  readonly onStart?: FakeNode["onStart"];
  readonly onStop?: FakeNode["onStop"];
}

type Answer = Infer<typeof ActorStarted>;

/** A node daemon that answers as the test says, by default that all is well. */
export class FakeNode {
  #fixture: ControlFixture;
  readonly #options: NodeOptions;
  readonly id: string;
  readonly started: string[] = [];
  readonly stopped: string[] = [];
  readonly endedJobs: string[] = [];
  readonly bundles: FakeBundles;
  connection!: Connection;
  /** What the next start is answered with. */
  onStart: (spec: ActorSpec, incarnation: number) => Answer | Promise<Answer>;
  onStop: (actorId: string, incarnation: number) => Promise<void>;
  hosted: readonly Infer<typeof HostedActor>[] | undefined;
  #workers = 0;

  constructor(fixture: ControlFixture, id: string, options: NodeOptions) {
    this.#fixture = fixture;
    this.#options = options;
    this.id = id;
    this.bundles = new FakeBundles((options.cpus ?? DEFAULT_CPUS) * 10_000);
    this.hosted = options.hosted;
    this.onStart = options.onStart ?? (() => this.alive());
    this.onStop = options.onStop ?? (() => Promise.resolve());
  }

  alive(): Answer {
    const number = ++this.#workers;
    return { status: "alive", address: `${this.id}/${number}`, workerId: `${this.id}-w${number}`, pid: 100 + number };
  }

  /** Connects and registers; again after a loss. */
  async join(): Promise<void> {
    const peer = await this.#fixture.peer(this.id);
    this.connection = peer.connection;
    this.connection.serve(nodeControlService, {
      startActor: ({ spec, incarnation }) => {
        this.started.push(`${spec.className} ${incarnation}`);
        return this.onStart(spec, incarnation);
      },
      stopActor: async ({ actorId, incarnation, graceMs }) => {
        this.stopped.push(`${actorId.slice(0, 2)} ${incarnation} ${graceMs}`);
        await this.onStop(actorId, incarnation);
        return {};
      },
      jobEnded: ({ jobId }) => void this.endedJobs.push(jobId),
      explainActor: () => ({ state: "queued", reasons: ["needs CPU 1, node has 1 in total, 0 free"] }),
    });
    this.connection.serve(bundleService, this.bundles.handlers());
    const { cpus = DEFAULT_CPUS, labels = {} } = this.#options;
    const total = { CPU: cpus * 10_000 };
    const holds = { actors: this.hosted, bundles: this.bundles.rows };
    await this.#fixture.answer(peer.control.registerNode({ nodeId: this.id, address: this.id, total, labels, ...holds }));
    await this.#fixture.settle();
    // What it has set aside is not free, which its first word leaves out.
    if (this.bundles.held.length > 0) await this.report(this.bundles.freeCpuUnits / 10_000);
  }

  /** The same node, with what it has, finds the next control process. */
  async moveTo(fixture: ControlFixture): Promise<void> {
    this.#fixture = fixture;
    await this.join();
  }

  get reports(): Client<typeof nodeReports> {
    return this.connection.client(nodeReports);
  }

  async report(cpusFree: number): Promise<void> {
    this.connection.client(controlService).reportNode({ nodeId: this.id, available: { CPU: cpusFree * 10_000 } });
    await this.#fixture.settle();
  }

  async lose(): Promise<void> {
    this.connection.close("lost");
    await this.#fixture.settle();
  }
}

let actors = 0;

/** A plain actor of the job: one CPU to be placed, none to run. */
export function actorSpec(jobId: string, ownerId: string, more: Partial<ActorSpec> = {}): ActorSpec {
  return {
    actorId: (++actors).toString(16).padStart(2, "0").padEnd(24, "0") + jobId,
    jobId,
    className: "Counter",
    functionHash: "hash",
    args: new Uint8Array([1, 2]),
    demand: {
      jobId,
      resources: { CPU: 10_000 },
      runtimeEnv: { hash: "", envVars: {} },
      isolation: "process",
      strategy: { kind: "DEFAULT" },
      launch: { execArgv: [], cwd: "/" },
      name: "Counter",
      mayRerun: false,
    },
    runResources: {},
    maxRestarts: 0,
    maxConcurrency: 1,
    concurrencyGroups: {},
    maxPendingCalls: -1,
    namespace: "space",
    detached: false,
    ownerId,
    methods: new Uint8Array([3]),
    ...more,
  };
}

let groups = 0;

/** A group of the job. @param cpus of each bundle */
export function groupSpec(jobId: string, cpus: readonly number[], more: Partial<PlacementGroupSpec> = {}): PlacementGroupSpec {
  return {
    groupId: (++groups).toString(16).padStart(4, "0").padEnd(28, "0") + jobId,
    jobId,
    namespace: "space",
    strategy: "PACK",
    bundles: cpus.map((count) => ({ resources: { CPU: count * 10_000 } })),
    sameLabels: [],
    detached: false,
    ...more,
  };
}
