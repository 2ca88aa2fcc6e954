/**
 * Builds the parts of a driver or a worker: the same in both, but that a worker also runs what others send it. Nothing else
 * constructs them.
 */
import type { Infer } from "../wire/schema.ts";
import type { Clock } from "../base/clock.ts";
import { type Random, realRandom } from "../base/random.ts";
import { RaiaError } from "../base/errors.ts";
import type { Finalizers } from "../base/finalizers.ts";
import { shapeKey } from "../base/resources.ts";
import type { OwnerAddress, WorkerDemand } from "../messages/common.ts";
import { type ActorSpec as ActorSpecType, controlEvents, controlService } from "../messages/control.ts";
import { leaseEvents, leaseService, outputEvents, type ProcessRegistered, processService } from "../messages/leases.ts";
import { storeService } from "../messages/objects.ts";
import { ownerService } from "../messages/owners.ts";
import { type CreateActor, hostService } from "../messages/tasks.ts";
import type { Arena } from "../store/arena.ts";
import type { Disk } from "../store/disk.ts";
import { StoreClient } from "../store/store-client.ts";
import { reviveError } from "../values/error-codec.ts";
import { type EncodedValue, encodeValue, packValue, tryEncodeSmall } from "../values/value-codec.ts";
import type { Connection, Identity } from "../wire/connection.ts";
import { Endpoint } from "../wire/endpoint.ts";
import type { Client, Handlers } from "../wire/service.ts";
import type { Transport } from "../wire/transport.ts";
import { ActorClient } from "./actor-client.ts";
import { type ActorClass, ActorHost, ConstructionContext } from "./actor-host.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { Call, type CallTemplate } from "./call.ts";
import { ArgumentWriter, type EncodedArguments, MAX_INLINE_BYTES } from "./call-arguments.ts";
import { CallResults } from "./call-results.ts";
import { ClusterState } from "./cluster-state.ts";
import { EventReporter } from "./event-reporter.ts";
import { EventRing, eventKind } from "./event-ring.ts";
import { Executor } from "./executor.ts";
import { type FunctionCodec, FunctionTable } from "./functions.ts";
import type { ObjectEntry } from "./object-entry.ts";
import { objectState } from "./object-entry.ts";
import { ObjectExplainer } from "./object-explainer.ts";
import { ObjectReader } from "./object-reader.ts";
import { ObjectRefStream } from "./object-stream.ts";
import type { ObjectRef } from "./object-ref.ts";
import { OwnerServer } from "./owner-server.ts";
import { ReferenceTable } from "./references.ts";
import { StoreAdapter } from "./store-adapter.ts";
import { StreamState } from "./stream-state.ts";
import { currentContext } from "./task-context.ts";
import { type Shape, TaskSubmitter } from "./task-submitter.ts";
import { TaskServer } from "./task-server.ts";
import { Spinner } from "../base/spinner.ts";
import { RuntimeValueHooks } from "./value-hooks.ts";
import { WorkerLink } from "./worker-link.ts";

export interface RuntimeDependencies {
  readonly kind: "driver" | "worker";
  readonly identity: Identity;
  /** Where node and control can be dialled, once they answer. */
  readonly cluster: Promise<{ readonly nodeAddress: string; readonly controlAddress: string }>;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly finalizers: Finalizers;
  /** For ids. Default: the system's. */
  readonly random?: Random;
  /** How functions travel. Default: by module or by source, see values/. */
  readonly functionCodec?: FunctionCodec;
  /** Refuses what this kind of cluster cannot give. */
  readonly checkDemand?: (demand: Omit<WorkerDemand, "jobId">) => void;
  /** The job that this process will get, where that is known before it has joined: the first of a cluster of its own. */
  readonly expectedJobId?: string;
  /** How long to look for an answer before sleeping; see Spinner. Default 0: not at all. */
  readonly spinMs?: number;
  /** Opens the node's arena; called at the first large object, and at once in a worker. */
  openArena(registered: Infer<typeof ProcessRegistered>): Arena;
  openSpillDisk(directory: string): Disk;
  /** Lines that workers of this job printed. */
  showOutput(stream: "stdout" | "stderr", lines: readonly string[]): void;
  /** Whether work is under way that the process must stay alive for. */
  keepAlive(isNeeded: boolean): void;
  /** The node is gone: nothing can go on. */
  nodeLost(reason: string): void;
}

export interface JobIdentity {
  readonly jobId: string;
  readonly namespace: string;
}

export interface RuntimeInspection {
  /** Objects that somebody still needs. */
  readonly owned: number;
  readonly borrowed: number;
  /** Owned ones that other processes know. */
  readonly exported: number;
  readonly pendingCalls: number;
  /** Results whose refs the caller has not taken yet. */
  readonly handovers: number;
  readonly actorIds: readonly string[];
  readonly waiting: readonly {
    readonly shape: string;
    readonly queued: number;
    readonly inFlight: readonly number[];
    readonly requests: number;
  }[];
}

/** What the calls of one handle ask of a worker; their shape is found at the first call. */
export interface TaskDemand {
  readonly demand: Omit<WorkerDemand, "jobId">;
  shape: Shape | undefined;
}

/** How actor methods are called, sent with a handle. */
export type ActorSpec = Infer<typeof ActorSpecType>;

const NO_JOB = "00000000";
const STREAM_SEQUENCES = 100_000_000;
/** Past this `.remote()` throws PENDING_CALLS_LIMIT: memory must stay bounded. */
const DEFAULT_MAX_PENDING_CALLS = 2_000_000;

export class WorkerRuntime {
  readonly kind: "driver" | "worker";
  readonly self: { readonly workerId: string; address: string };
  readonly pid: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly endpoint: Endpoint;
  readonly table: ReferenceTable;
  readonly hooks: RuntimeValueHooks;
  readonly functions: FunctionTable;
  readonly reader: ObjectReader;
  readonly results: CallResults;
  readonly submitter: TaskSubmitter;
  readonly events = new EventRing();
  readonly #reporter: EventReporter;
  readonly spinner: Spinner;
  readonly executor: Executor;
  readonly explainer: ObjectExplainer;
  readonly #deps: RuntimeDependencies;
  readonly #arguments: ArgumentWriter;
  readonly #store: StoreAdapter;
  readonly #links = new Map<Connection, WorkerLink>();
  readonly #actors = new Map<string, ActorClient>();
  readonly #hosts = new Map<string, ActorHost>();
  /** Of functions with `maxCalls`; each entry stands for code that is loaded here, so there are few. */
  readonly #callCounts = new Map<string, number>();
  readonly #scratch = new ByteWriter(256);
  #tasks: TaskServer | undefined;
  #nextTemplate = 1;
  #pendingCalls = 0;
  #isShutDown = false;
  isJoined = false;
  readonly #joined = Promise.withResolvers<void>();
  readonly #early: ((error: unknown) => void)[] = [];
  maxPendingCalls = DEFAULT_MAX_PENDING_CALLS;
  job: JobIdentity = { jobId: "", namespace: "" };
  registered: Infer<typeof ProcessRegistered> = undefined as never;
  #arena: Arena | undefined;
  #node: Connection = undefined as never;
  #control: Connection = undefined as never;
  lease: Client<typeof leaseService> = undefined as never;
  control: Client<typeof controlService> = undefined as never;
  process: Client<typeof processService> = undefined as never;

  constructor(deps: RuntimeDependencies) {
    this.#deps = deps;
    this.kind = deps.kind;
    this.clock = deps.clock;
    this.random = deps.random ?? realRandom;
    this.spinner = new Spinner(deps.clock, deps.spinMs ?? 0);
    this.pid = deps.identity.pid;
    this.self = { workerId: deps.identity.peerId, address: deps.identity.address };
    this.#reporter = new EventReporter(this.events, deps.clock, { workerId: this.self.workerId, pid: this.pid });
    this.table = new ReferenceTable(this.self, deps.finalizers, deps.clock);
    this.hooks = new RuntimeValueHooks(this.table);
    this.functions = new FunctionTable(
      {
        put: async (hash, code) => {
          await this.joined;
          await this.control.putFunction({ hash, jobId: this.jobId, code });
        },
        get: async (hash) => (await this.control.getFunction({ hash })).code,
      },
      this.hooks,
      this.table,
      deps.functionCodec,
    );
    this.#store = new StoreAdapter(this.self, () => this.#openStore(), deps.clock, deps.finalizers);
    const owners = {
      getObject: async (owner: OwnerAddress, sequence: number) => (await this.#dialOwner(owner)).getObject({ sequence }),
    };
    this.reader = new ObjectReader(
      this.table,
      this.#store,
      owners,
      this.hooks,
      (bytes, callSite) => reviveError(bytes, this.hooks, callSite),
      deps.clock,
      (entry, startMs, endMs) => {
        const ownerId = entry.owner?.workerId ?? this.self.workerId;
        this.events.add(eventKind.got, entry.sequence, ownerId, startMs, endMs, entry.site, 0, this.jobId);
      },
    );
    this.results = new CallResults(
      this.table,
      this.hooks,
      (objectId) => this.#store.free(objectId),
      () => this.#callSettled(),
    );
    this.#arguments = new ArgumentWriter(this.table, this.hooks, (value) => this.#putEntry(value, "argument"));
    this.submitter = new TaskSubmitter(this.self.workerId, this.#leaseCalls(), this.results, this.#arguments, deps.clock);
    this.executor = new Executor(this, this.functions, this.hooks, this.#store, deps.clock, this.events);
    this.table.connect(
      {
        freeStored: (objectId) => this.#store.free(objectId),
        addBorrows: async (owner, sequences) =>
          (await (await this.#dialOwner(owner)).addBorrower({ borrowerId: this.self.workerId, sequences })).unknown,
        removeBorrows: (owner, sequences) => {
          void this.#dialOwner(owner).then(
            (client) => client.removeBorrower({ borrowerId: this.self.workerId, sequences }),
            () => {
              // The owner is gone, and what we borrowed with it.
            },
          );
        },
        sharedChanged: (owns) => {
          if (this.kind !== "worker" || !this.isJoined || this.#isShutDown) return;
          this.process.ownsShared({ owns });
          // Before the result that tells others of the object: its reader may be quicker than this turn.
          if (owns) this.#node.flush();
        },
        abandoned: () => {},
      },
      this.reader,
    );
    this.explainer = new ObjectExplainer(
      this.submitter,
      {
        isJoined: () => this.isJoined,
        explainLease: (leaseId) => this.lease.explainLease({ leaseId }),
        explainActor: (actorId) => this.control.explainActor({ actorId }),
        explainAtOwner: async (owner, sequence) => {
          const connection = await this.endpoint.dial(owner.address);
          return { ...(await (await this.#dialOwner(owner)).explainOwned({ sequence })), pid: connection.peerPid };
        },
      },
      deps.clock,
    );
    const ownerServer = new OwnerServer(this.table, this.submitter, (entry) => this.explainer.explain(entry));
    const events = {
      connected: (connection: Connection) => {
        connection.serve(ownerService, ownerServer.handlers());
        connection.onClosed(() => this.table.borrowerDied(connection.peerId));
        this.#tasks?.attach(connection);
      },
    };
    this.endpoint = new Endpoint(deps.transport, deps.identity, events, deps.kind === "driver");
  }

  /** What the cluster is doing. */
  get state(): ClusterState {
    return new ClusterState({ clock: this.clock, control: this.#control, dial: (address) => this.endpoint.dial(address) });
  }

  /** For ids that are made before this process has joined. */
  get expectedJobId(): string {
    return this.#deps.expectedJobId ?? NO_JOB;
  }

  /** Settles when this process belongs to the cluster. */
  get joined(): Promise<void> {
    return this.#joined.promise;
  }

  /** Runs `start` when this process has joined: at once, as a rule. */
  #whenJoined(call: Call, start: () => void): void {
    if (this.isJoined) {
      start();
      return;
    }
    this.#early.push((error) => {
      if (error === undefined) start();
      else
        this.results.fail(call, {
          code: RaiaError.is(error) ? error.code : "CLUSTER_START_FAILED",
          facts: RaiaError.is(error) ? error.facts : {},
          cause: error,
        });
    });
  }

  get jobId(): string {
    return currentContext()?.jobId ?? this.job.jobId;
  }

  get namespace(): string {
    return currentContext()?.namespace ?? this.job.namespace;
  }

  get nodeId(): string {
    return this.registered?.nodeId ?? "";
  }

  // -- joining and leaving ----------------------------------------------------------------------------------------

  /** Connects to node and control, and makes this process known. What was submitted meanwhile goes then. */
  join(job: { entrypoint: string; namespace: string | undefined } | undefined): Promise<void> {
    const joining = this.#join(job).then(
      () => {
        this.isJoined = true;
        for (const start of this.#early.splice(0)) start(undefined);
      },
      (error: unknown) => {
        for (const start of this.#early.splice(0)) start(error);
        throw error;
      },
    );
    joining.then(this.#joined.resolve, this.#joined.reject);
    // Whoever asked to join hears of a failure; nobody need be waiting here.
    this.#joined.promise.catch(() => {});
    return joining;
  }

  async #join(job: { entrypoint: string; namespace: string | undefined } | undefined): Promise<void> {
    const { identity, kind } = this.#deps;
    const { nodeAddress, controlAddress } = await this.#deps.cluster;
    // Of a cluster that was still to be found, the session's directory, and so our own address, is known now.
    this.self.address = identity.address;
    // A lease on this worker may be granted, and its owner dial, before the node's answer is here.
    if (kind === "worker") this.endpoint.holdBack();
    const listening = this.endpoint.listen();
    this.#node = await this.endpoint.dial(nodeAddress);
    this.#control = controlAddress === nodeAddress ? this.#node : await this.endpoint.dial(controlAddress);
    this.lease = this.#node.client(leaseService);
    this.process = this.#node.client(processService);
    this.control = this.#control.client(controlService);
    this.#node.serve(leaseEvents, {
      recallLease: ({ leaseId }) => this.submitter.recallLease(leaseId),
      leaseEnded: ({ leaseId, cause }) => this.submitter.leaseEnded(leaseId, cause),
    });
    this.#node.serve(outputEvents, { outputLines: ({ stream, lines }) => this.#deps.showOutput(stream, lines) });
    this.#control.serve(controlEvents, { actorState: ({ view }) => this.#actors.get(view.actorId)?.update(view) });
    this.#node.onClosed((reason) => {
      if (!this.#isShutDown) this.#deps.nodeLost(reason);
    });
    const registering =
      job &&
      this.control.registerJob({
        driverId: identity.peerId,
        driverPid: identity.pid,
        entrypoint: job.entrypoint,
        namespace: job.namespace,
        metadata: {},
      });
    await listening;
    if (registering !== undefined) this.job = await registering;
    if (kind === "worker") this.#node.serve(hostService, this.#hostHandlers());
    this.registered = await this.process.registerProcess({
      kind,
      workerId: identity.peerId,
      pid: identity.pid,
      address: identity.address,
      jobId: this.job.jobId,
    });
    this.#reporter.begin(this.job.jobId, (report) => {
      if (!this.#control.isClosed) this.control.reportTaskEvents(report);
    });
    if (kind === "worker") this.#startServing();
  }

  #startServing(): void {
    const { claimOffset, claimCount } = this.registered;
    const claims = this.arena.words(claimOffset, claimCount);
    this.#tasks = new TaskServer(
      this.executor,
      {
        blocked: (leaseIds) => this.lease.taskBlocked({ leaseIds }),
        unblocked: (leaseIds) => this.lease.taskUnblocked({ leaseIds }).then(() => {}),
        actorHost: (actorId) => this.#hosts.get(actorId),
        countCall: (functionHash) => {
          const count = (this.#callCounts.get(functionHash) ?? 0) + 1;
          this.#callCounts.set(functionHash, count);
          return count;
        },
      },
      this.clock,
      claims,
      this.spinner,
    );
    this.endpoint.open();
  }

  get arena(): Arena {
    this.#arena ??= this.#deps.openArena(this.registered);
    return this.#arena;
  }

  #openStore(): StoreClient {
    return new StoreClient({
      arena: this.arena,
      gateway: this.#storeGateway(),
      disk: this.#deps.openSpillDisk(this.registered.spillDirectory),
      clock: this.clock,
      finalizers: this.#deps.finalizers,
    });
  }

  #storeGateway(): Client<typeof storeService> {
    const client = this.#node.client(storeService);
    if (this.kind === "driver") return client;
    const node = this.#node;
    return {
      ...client,
      // Ahead of the result that names it, which leaves over another connection.
      sealObject: (request) => {
        client.sealObject(request);
        node.flush();
      },
    };
  }

  /** What was not finished fails with SHUTTING_DOWN; a driver's job ends. */
  async shutdown(): Promise<void> {
    if (this.#isShutDown) return;
    this.#isShutDown = true;
    this.submitter.shutdown();
    for (const client of this.#actors.values()) client.shutdown();
    if (this.kind === "driver" && this.isJoined && !this.#control.isClosed) {
      await this.process.flushOutput({ jobId: this.job.jobId }).catch(() => {
        // The node is going down as well; its log files have the lines.
      });
      // Control keeps nothing new of a job that is over.
      this.#reporter.flush();
      await this.control.finishJob({ jobId: this.job.jobId }).catch(() => {
        // Control is going down as well: it will see that the driver is gone.
      });
    }
    await this.endpoint.close();
  }

  /**
   * Ends this process where it cannot be killed, because others share it: what runs hears it from its signal, what has not
   * begun never will, and nothing more can be submitted. Its clock and its streams are stopped by whoever made them.
   */
  drop(): void {
    this.#isShutDown = true;
    this.#tasks?.drop();
  }

  /** @throws {RaiaError} NOT_IN_PROCESS when this kind of cluster cannot give that */
  checkDemand(demand: Omit<WorkerDemand, "jobId">): void {
    this.#deps.checkDemand?.(demand);
  }

  /** Actors that live here. */
  get hostedActorIds(): Iterable<string> {
    return this.#hosts.keys();
  }

  /** What it holds now: for listings, tests and the simulator. */
  inspect(): RuntimeInspection {
    return {
      owned: this.table.ownedCount,
      borrowed: [...this.table.borrowed()].length,
      exported: this.table.exportedCount,
      pendingCalls: this.#pendingCalls,
      handovers: this.executor.handoverCount,
      actorIds: [...this.hostedActorIds],
      waiting: [...this.submitter.shapes()].map(({ key, queue, leases, requests }) => ({
        shape: key,
        queued: queue.length,
        inFlight: leases.map((lease) => lease.inFlight),
        requests: requests.size,
      })),
    };
  }

  // -- values -----------------------------------------------------------------------------------------------------

  put<T>(value: T, site: string): ObjectRef<T> {
    return this.table.refFor(this.#putEntry(value, site));
  }

  #putEntry(value: unknown, site: string): ObjectEntry {
    const entry = this.table.own(this.table.takeSequences(1), site);
    if (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol" && !isLong(value)) {
      entry.settle(objectState.value, value);
      return entry;
    }
    const writer = this.#scratch;
    writer.position = 0;
    if (tryEncodeSmall(writer, value) && writer.position <= MAX_INLINE_BYTES) {
      entry.settle(objectState.bytes, Buffer.from(writer.buffer.subarray(0, writer.position)));
      return entry;
    }
    const scope = this.hooks.beginEncode();
    let encoded: EncodedValue;
    try {
      encoded = encodeValue(value, this.hooks);
    } finally {
      scope.end();
    }
    if (scope.entries.length > 0) {
      for (const inner of scope.entries) this.table.hold(inner);
      entry.nested = scope.entries;
    }
    // Before this process has joined there is no shared memory to put it: it stays here, and travels inside calls.
    if (encoded.byteLength > MAX_INLINE_BYTES && this.isJoined) {
      this.#store.put(this.table.idOf(entry), encoded, site);
      entry.settle(objectState.stored, { nodeId: this.nodeId, sizeBytes: encoded.byteLength });
    } else {
      const bytes = Buffer.allocUnsafeSlow(encoded.byteLength);
      packValue(encoded, bytes);
      entry.settle(objectState.bytes, bytes);
    }
    return entry;
  }

  // -- tasks ------------------------------------------------------------------------------------------------------

  /** A template gets the number under which workers know it. */
  newTemplate(template: Omit<CallTemplate, "id" | "wire"> & { readonly wire: Omit<CallTemplate["wire"], "template"> }): CallTemplate {
    const id = this.#nextTemplate++;
    const wire = { ...template.wire, template: id, jobId: this.jobId, namespace: this.namespace };
    if (!this.isJoined) this.#early.push(() => Object.assign(wire, { jobId: this.job.jobId, namespace: this.job.namespace }));
    return { ...template, id, wire };
  }

  submitTask(template: CallTemplate, demand: TaskDemand, args: readonly unknown[]): unknown {
    this.#checkRoom(template);
    const encoded = this.#arguments.encode(args);
    const { exports } = encoded;
    const call = this.#newCall(template, undefined, encoded);
    if (this.isJoined) this.submitter.submit(call, this.#shapeOf(demand), exports);
    else this.#whenJoined(call, () => this.submitter.submit(call, this.#shapeOf(demand), exports));
    return this.#handlesOf(call);
  }

  /** The job is known only once this process has joined; from then on the shape is remembered. */
  #shapeOf(demand: TaskDemand): Shape {
    demand.shape ??= this.shapeFor({ ...demand.demand, jobId: this.jobId });
    return demand.shape;
  }

  #checkRoom(template: CallTemplate): void {
    if (this.#isShutDown) throw new RaiaError("SHUTTING_DOWN", { call: template.name });
    if (this.#pendingCalls >= this.maxPendingCalls)
      throw new RaiaError("PENDING_CALLS_LIMIT", { pending: this.#pendingCalls, limit: this.maxPendingCalls });
  }

  /** Nothing fails any more: what was refused (room, arguments) left no call behind that would be waited for. */
  #newCall(template: CallTemplate, target: ActorClient | undefined, encoded: EncodedArguments): Call {
    const { numReturns, name } = template;
    const count = numReturns === "streaming" ? STREAM_SEQUENCES : Math.max(1, numReturns);
    const sequence = this.table.takeSequences(count);
    const entry = this.table.own(sequence, name);
    this.#pendingCalls++;
    if (this.#pendingCalls === 1) this.#deps.keepAlive(true);
    const call = new Call(template, sequence, entry, target);
    call.args = encoded.args;
    call.argsStart = encoded.argsStart;
    call.argsEnd = encoded.argsEnd;
    call.dependencies = encoded.dependencies;
    call.held = encoded.held;
    if (numReturns === "streaming") call.stream = new StreamState();
    else if (numReturns !== 1)
      call.returns =
        numReturns === 0
          ? []
          : [entry, ...Array.from({ length: numReturns - 1 }, (_, index) => this.table.own(sequence + 1 + index, name))];
    const childEnded = currentContext()?.childSubmitted({ cancel: (force) => this.submitter.cancel(call, force, true) });
    if (childEnded !== undefined) call.cleanup = [childEnded];
    const nowMs = this.clock.nowMs();
    this.events.add(eventKind.submitted, sequence, this.self.workerId, nowMs, nowMs, name, 0, template.wire.jobId);
    return call;
  }

  #callSettled(): void {
    this.#pendingCalls--;
    if (this.#pendingCalls === 0) this.#deps.keepAlive(false);
  }

  /** What `.remote()` returns: a ref, an array of refs, or a stream. */
  #handlesOf(call: Call): unknown {
    if (call.stream !== undefined) return new ObjectRefStream(this.table, call);
    if (call.returns === undefined) return this.table.refFor(call.entry);
    return call.returns.map((entry) => this.table.refFor(entry));
  }

  cancel(entry: ObjectEntry, force: boolean, recursive: boolean): void {
    if (entry.task instanceof Call) {
      if (force && entry.task.actorId !== undefined)
        throw new RaiaError("INVALID_OPTION", {
          option: "force",
          value: true,
          reason: "an actor's call cannot be forced to stop; kill the actor",
        });
      this.submitter.cancel(entry.task, force, recursive);
    } else if (entry.owner !== undefined && !entry.isSettled) {
      void this.#dialOwner(entry.owner).then(
        (owner) => owner.cancelOwned({ sequence: entry.sequence, force, recursive }),
        () => {
          // The owner is gone: whoever waits for the ref hears that.
        },
      );
    }
  }

  free(entries: readonly ObjectEntry[]): void {
    for (const entry of entries) {
      if (entry.owner === undefined) this.table.free(entry);
      else {
        const owner = entry.owner;
        entry.settle(objectState.failure, { code: "OBJECT_FREED", facts: { object: this.table.idOf(entry) } });
        void this.#dialOwner(owner).then(
          (client) => client.freeOwned({ sequences: [entry.sequence] }),
          () => {
            // The owner is gone, and the object with it.
          },
        );
      }
    }
  }

  shapeFor(demand: WorkerDemand): Shape {
    const { resources, runtimeEnv, isolation, strategy, labelSelector, fallbackSelectors, jobId, mayRerun } = demand;
    const key = JSON.stringify([
      shapeKey(resources),
      runtimeEnv.hash,
      isolation,
      strategy,
      labelSelector,
      fallbackSelectors,
      jobId,
      mayRerun,
    ]);
    const needed = resources["CPU"] ?? 0;
    const total = this.registered.resources["CPU"] ?? 10_000;
    return this.submitter.shape(key, demand, needed === 0 ? 64 : Math.ceil(total / needed));
  }

  // -- actors -----------------------------------------------------------------------------------------------------

  /** Creates an actor; its handle's entry is what counts the handles. */
  createActor(
    spec: Omit<ActorSpec, "args">,
    args: readonly unknown[],
    exported: Promise<void> | undefined,
    getIfExists: boolean,
  ): { client: ActorClient; scope: ObjectEntry; registered: Promise<string> } {
    const encoded = this.#arguments.encode(args);
    // Arguments were read: from here on nothing the caller does to them matters.
    const scope = this.table.own(this.table.takeSequences(1), `handle of ${spec.className}`);
    scope.settle(objectState.value, undefined);
    const client = this.actorClient(spec.actorId, spec.jobId);
    const dependencies = encoded.dependencies ?? [];
    const ready = Promise.all([
      this.joined,
      exported,
      ...(encoded.exports ?? []),
      ...dependencies.map(({ entry }) => this.reader.settled([entry])),
    ]);
    const registered = ready.then(async () => {
      const failed = dependencies.find(({ entry }) => entry.state >= objectState.error);
      if (failed !== undefined) await this.reader.get(failed.entry);
      const args =
        dependencies.length > 0 ? this.#arguments.withDependencies(encoded) : encoded.args.subarray(encoded.argsStart, encoded.argsEnd);
      const job = { jobId: this.jobId, namespace: spec.namespace || this.namespace };
      const reply = await this.control.createActor({
        spec: { ...spec, ...job, demand: { ...spec.demand, jobId: this.jobId }, args, ownerNodeId: this.nodeId },
        getIfExists,
      });
      return reply.actorId;
    });
    registered.then(
      (actorId) => {
        if (actorId !== spec.actorId) this.#joinActor(client, actorId);
        this.watchActor(client);
      },
      (error: unknown) => {
        const failure = RaiaError.is(error) ? error : new RaiaError("ACTOR_DIED", { actor: spec.className, reason: String(error) });
        client.update({
          actorId: spec.actorId,
          state: "dead",
          incarnation: 1,
          cause: {
            kind: failure.code === "ACTOR_NAME_TAKEN" ? "name-taken" : "not-created",
            facts: { ...failure.facts, code: failure.code },
          },
        });
      },
    );
    if (spec.name === undefined && !spec.detached) {
      scope.onOutOfScope = [
        () => {
          void registered.then(
            (actorId) => this.control.actorOutOfScope({ actorId }),
            () => {
              // It was never created.
            },
          );
        },
      ];
    }
    // Arguments of the constructor are needed until the actor can start no more.
    const held = encoded.held;
    if (held !== undefined) (scope.onOutOfScope ??= []).push(() => held.forEach((entry) => this.table.dropHold(entry)));
    return { client, scope, registered };
  }

  /** The actor was there before this client asked for one of its name. */
  #joinActor(client: ActorClient, actorId: string): void {
    const elder = this.#actors.get(actorId);
    this.#actors.delete(client.actorId);
    if (elder === undefined) this.#actors.set(actorId, client);
    client.becomes(actorId, elder);
  }

  actorClient(actorId: string, jobId: string): ActorClient {
    let client = this.#actors.get(actorId);
    if (client === undefined) {
      client = new ActorClient(actorId, jobId, {
        link: (address) => this.#link(address),
        results: this.results,
        writer: this.#arguments,
        busyChanged: (scope, isBusy) => (isBusy ? this.table.hold(scope) : this.table.dropHold(scope)),
      });
      this.#actors.set(actorId, client);
    }
    return client;
  }

  /** Learns how an actor stands, now and whenever it changes. */
  watchActor(client: ActorClient): void {
    if (client.view !== undefined) return;
    this.control.watchActor({ actorId: client.actorId }).then(
      ({ view }) => {
        // A change that arrived in the same turn was told already, since changes need no promise; it is the newer word.
        if (client.view === undefined) client.update(view);
      },
      (error: unknown) => {
        if (this.#isShutDown) return;
        const facts = RaiaError.is(error) ? error.facts : {};
        client.update({ actorId: client.actorId, state: "dead", incarnation: 1, cause: { kind: "unknown-actor", facts } });
      },
    );
  }

  submitActorCall(
    client: ActorClient,
    template: CallTemplate,
    scope: ObjectEntry | undefined,
    maxPendingCalls: number,
    args: readonly unknown[],
  ): unknown {
    if (maxPendingCalls >= 0 && client.pending >= maxPendingCalls) {
      throw new RaiaError("PENDING_CALLS_LIMIT", {
        actor: client.actorId.slice(0, 8),
        method: template.name,
        pending: client.pending,
        limit: maxPendingCalls,
      });
    }
    this.#checkRoom(template);
    const encoded = this.#arguments.encode(args);
    const call = this.#newCall(template, client, encoded);
    // The actor outlives its last handle while a call is under way.
    client.scope ??= scope;
    client.submit(call, encoded.exports);
    return this.#handlesOf(call);
  }

  /** Ends the actor whose code is running, once the running call is done. */
  exitCurrentActor(): void {
    const host = this.#hosts.get(currentContext()?.actor?.actorId ?? "");
    if (host === undefined) throw new RaiaError("INVALID_ARGUMENT", { call: "exitActor", reason: "no actor's method is running" });
    host.exitRequested = () => {
      this.lease.actorExited({ actorId: host.actorId });
    };
  }

  /** @internal hosts of actors in this process */
  hostOf(actorId: string): ActorHost | undefined {
    return this.#hosts.get(actorId);
  }

  #hostHandlers(): Handlers<typeof hostService, Connection> {
    return {
      createActor: async (request) => {
        try {
          this.job = { jobId: request.jobId, namespace: request.namespace };
          this.#hosts.set(request.actorId, await this.#construct(request));
          return { ok: true };
        } catch (error) {
          return { ok: false, error: this.executor.encodeThrown(error, request.name) };
        }
      },
      askOwned: () => ({ owns: this.table.exportedCount > 0 }),
      stopActor: async ({ actorId, graceMs }) => {
        const host = this.#hosts.get(actorId);
        if (host !== undefined) {
          await Promise.race([host.end(), new Promise<void>((resolve) => this.clock.after(graceMs, resolve))]);
          this.#hosts.delete(actorId);
        }
        return {};
      },
    };
  }

  async #construct(request: Infer<typeof CreateActor>): Promise<ActorHost> {
    const Class = (await this.functions.load(request.functionHash)) as unknown as ActorClass;
    const args = await this.executor.decodeArguments(Buffer.from(request.args), undefined);
    const host = new ActorHost(
      {
        actorId: request.actorId,
        name: request.name,
        maxConcurrency: request.maxConcurrency,
        concurrencyGroups: request.concurrencyGroups,
        restarts: request.incarnation - 1,
        accelerators: request.accelerators ?? {},
        resources: request.resources,
      },
      this.executor,
    );
    await host.construct(Class, args, new ConstructionContext(this, host, request));
    return host;
  }

  // -- peers ------------------------------------------------------------------------------------------------------

  async #dialOwner(owner: OwnerAddress): Promise<Client<typeof ownerService>> {
    const connection = await this.endpoint.dial(owner.address);
    const known = this.#owners.get(connection);
    if (known !== undefined) return known;
    const client = connection.client(ownerService);
    this.#owners.set(connection, client);
    connection.onClosed(() => {
      this.#owners.delete(connection);
      this.table.ownerDied(owner.workerId);
    });
    return client;
  }

  readonly #owners = new Map<Connection, Client<typeof ownerService>>();

  async #link(address: string): Promise<WorkerLink> {
    const connection = await this.endpoint.dial(address);
    let link = this.#links.get(connection);
    if (link === undefined) {
      link = new WorkerLink(connection, this.spinner);
      this.#links.set(connection, link);
      connection.onClosed(() => this.#links.delete(connection));
    }
    return link;
  }

  #leaseCalls(): ConstructorParameters<typeof TaskSubmitter>[1] {
    return {
      request: (leaseId, demand, backlog) => this.lease.requestLease({ leaseId, ownerId: this.self.workerId, demand, backlog }),
      cancel: (leaseId) => this.lease.cancelLease({ leaseId }),
      return: (leaseId, discard) => {
        if (!this.#isShutDown) this.lease.returnLease({ leaseId, discard });
      },
      kill: (leaseId, graceMs, reason) => this.lease.killLeasedWorker({ leaseId, graceMs, reason }),
      link: (address) => this.#link(address),
      claims: (offset, count) => this.arena.words(offset, count),
    };
  }
}

function isLong(value: unknown): boolean {
  return typeof value === "string" && value.length > MAX_INLINE_BYTES / 4;
}
