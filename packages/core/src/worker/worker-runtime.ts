/**
 * The runtime of a driver or a worker, wired from its parts: the same in both, but that a worker also runs what others send
 * it. Nothing else constructs them, and nothing is decided here.
 */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { type Random, realRandom } from "../base/random.ts";
import { Spinner } from "../base/spinner.ts";
import type { WorkerDemand } from "../messages/common.ts";
import { ownerService } from "../messages/owners.ts";
import { readError, reviveError } from "../values/error-codec.ts";
import type { Connection } from "../wire/connection.ts";
import { Endpoint } from "../wire/endpoint.ts";
import { ActorDirectory } from "./calls/actor-directory.ts";
import { ArgumentReader } from "./execution/argument-reader.ts";
import { ArgumentWriter } from "./calls/call-arguments.ts";
import { CallIssuer } from "./calls/call-issuer.ts";
import { CallResults } from "./calls/call-results.ts";
import { ClusterLink, type NewJob, type Registered } from "./cluster-link.ts";
import { ClusterState } from "./state/cluster-state.ts";
import { EventReporter } from "./state/event-reporter.ts";
import { UnhandledErrors } from "./state/unhandled-errors.ts";
import { EventRing, eventKind } from "./state/event-ring.ts";
import { Executor } from "./execution/executor.ts";
import { FunctionTable } from "./functions.ts";
import { HostServer } from "./execution/host-server.ts";
import { Bequests } from "./ownership/bequests.ts";
import { ObjectExplainer } from "./ownership/object-explainer.ts";
import { type Failure, ObjectReader } from "./objects/object-reader.ts";
import { type EndCode, objectState } from "./objects/object-entry.ts";
import { ObjectWriter } from "./objects/object-writer.ts";
import { OwnerClient } from "./ownership/owner-client.ts";
import { OwnerServer } from "./ownership/owner-server.ts";
import { ReferenceTable } from "./objects/references.ts";
import { ResultWriter } from "./execution/result-writer.ts";
import { StoreAdapter } from "./objects/store-adapter.ts";
import { StoreOpener } from "./objects/store-opener.ts";
import { TaskServer, type TaskServerEffects } from "./execution/task-server.ts";
import type { LeaseCalls } from "./calls/lease-requests.ts";
import { PlacementGroupClient } from "./calls/placement-group-client.ts";
import { TaskSubmitter } from "./calls/task-submitter.ts";
import { RuntimeValueHooks } from "./objects/value-hooks.ts";
import type { RuntimeDependencies } from "./runtime-dependencies.ts";
import { WorkerLinks } from "./calls/worker-links.ts";

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

export class WorkerRuntime {
  readonly kind: "driver" | "worker";
  readonly pid: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly cluster: ClusterLink;
  readonly table: ReferenceTable;
  readonly hooks: RuntimeValueHooks;
  readonly functions: FunctionTable;
  readonly reader: ObjectReader;
  readonly objects: ObjectWriter;
  readonly calls: CallIssuer;
  readonly actors: ActorDirectory;
  readonly groups: PlacementGroupClient;
  readonly hosts: HostServer;
  readonly explainer: ObjectExplainer;
  readonly events = new EventRing();
  readonly #deps: RuntimeDependencies;
  readonly #endpoint: Endpoint;
  readonly #reporter: EventReporter;
  readonly #spinner: Spinner;
  readonly #opener: StoreOpener;
  readonly #store: StoreAdapter;
  readonly #owners: OwnerClient;
  readonly #links: WorkerLinks;
  readonly #submitter: TaskSubmitter;
  readonly #executor: Executor;
  readonly #ownerServer: OwnerServer;
  readonly #unhandled: UnhandledErrors | undefined;
  /** Of functions with `maxCalls`; each entry stands for code that is loaded here, so there are few. */
  readonly #callCounts = new Map<string, number>();
  #tasks: TaskServer | undefined;

  constructor(deps: RuntimeDependencies) {
    const { kind, identity, clock, finalizers, showUnhandled } = deps;
    this.#deps = deps;
    this.#unhandled = showUnhandled === undefined ? undefined : new UnhandledErrors(clock, showUnhandled);
    this.kind = kind;
    this.pid = identity.pid;
    this.clock = clock;
    this.random = deps.random ?? realRandom;
    this.#spinner = new Spinner(clock, deps.spinMs ?? 0);
    this.#endpoint = new Endpoint(
      deps.transport,
      identity,
      clock,
      { connected: (connection) => this.#connected(connection) },
      kind === "driver",
    );
    this.cluster = new ClusterLink({
      kind,
      identity,
      cluster: deps.cluster,
      endpoint: this.#endpoint,
      clock,
      waits: (until) => void this.calls.during(until),
      expectedJobId: deps.expectedJobId,
    });
    const { self } = this.cluster;
    this.#reporter = new EventReporter(this.events, clock, { workerId: self.workerId, pid: this.pid });

    this.table = new ReferenceTable(self, finalizers, clock);
    this.hooks = new RuntimeValueHooks(this.table);
    this.#owners = new OwnerClient(this.#endpoint, this.table);
    this.#links = new WorkerLinks(this.#endpoint, this.#spinner);
    this.functions = new FunctionTable(this.#functionCalls(), this.hooks, this.table, deps.functionCodec);

    this.#opener = new StoreOpener(deps, this.cluster);
    const store = new StoreAdapter(self, () => this.#opener.open(), clock, finalizers);
    this.#store = store;
    this.objects = new ObjectWriter(this.table, this.hooks, store, this.cluster, (owner, sequence) =>
      this.#owners.tell(owner, (client) => client.freeOwned({ sequences: [sequence] })),
    );
    this.reader = this.#newReader(store);
    this.hooks.useCaptureStore({
      put: (bytes) => this.objects.putEntry(bytes, "captured bytes"),
      read: (entry) => this.reader.get(entry),
    });
    this.table.connect(this.#referenceEffects(store), this.reader);

    const freeStored = (objectId: string): void => store.free(objectId);
    const results = new CallResults(this.table, this.hooks, freeStored, (...settled) => this.calls.callSettled(...settled));
    const writer = new ArgumentWriter(this.table, this.hooks, (value) => this.objects.putEntry(value, "argument"));
    this.#submitter = new TaskSubmitter(self.workerId, this.#leaseCalls(), results, writer, clock);
    const { cluster, table, reader, events } = this;
    const keepAlive = (isNeeded: boolean): void => deps.keepAlive(isNeeded);
    const submitter = this.#submitter;
    this.calls = new CallIssuer({
      cluster,
      table,
      hooks: this.hooks,
      writer,
      results,
      submitter,
      events,
      clock,
      cancelAtOwner: (owner, request) => this.#owners.tell(owner, (client) => client.cancelOwned(request)),
      keepAlive,
    });
    this.actors = new ActorDirectory({ cluster, table, reader, writer, results, links: this.#links, clock });
    this.groups = new PlacementGroupClient(cluster);
    this.explainer = this.#newExplainer();
    this.#ownerServer = new OwnerServer(table, this.hooks, submitter, (...asked) => this.explainer.explain(...asked));

    this.#executor = new Executor({
      functions: this.functions,
      args: new ArgumentReader(this.hooks, store),
      results: new ResultWriter({ pid: this.pid, nodeId: () => cluster.nodeId }, this.hooks, store, this.#newBequests(store), clock),
      clock,
      events,
      endScope: (task) => store.endScope(task),
    });
    this.hosts = new HostServer(this, this.#executor, clock);
  }

  // -- joining and leaving ----------------------------------------------------------------------------------------

  /** Connects to node and control, and makes this process known. What was submitted meanwhile goes then. */
  join(job: NewJob | undefined): Promise<void> {
    return this.cluster.join(job, {
      leaseRecalled: (leaseId) => this.#submitter.recallLease(leaseId),
      leaseEnded: (leaseId, cause, strangers) => this.#submitter.leaseEnded(leaseId, cause, strangers),
      actorChanged: (view) => this.actors.update(view),
      controlReturned: () => this.actors.watchAgain(),
      outputLines: (stream, lines) => this.#deps.showOutput(stream, lines),
      nodeLost: (reason) => this.#deps.nodeLost(reason),
      roomWanted: () => this.#store.roomWanted(),
      ownerGone: async (ownerId) => {
        // What it has sent before it died may have refs in it.
        await this.#endpoint.lost(ownerId);
        await this.table.borrows.ownerDied(ownerId);
      },
      host: this.hosts.handlers(),
      registered: (registered) => this.#begin(registered),
    });
  }

  #begin(registered: Registered): void {
    const { job, control } = this.cluster;
    this.#reporter.begin(job.jobId, (report) => {
      if (this.cluster.isControlThere) control.reportTaskEvents(report);
    });
    if (this.kind === "driver") return;
    const claims = this.#opener.words(registered.claimOffset, registered.claimCount) ?? new Int32Array(0);
    this.#tasks = new TaskServer({
      runtime: this,
      executor: this.#executor,
      effects: this.#taskEffects(),
      clock: this.clock,
      claims,
      spinner: this.#spinner,
    });
    this.#endpoint.open();
  }

  /** A driver's job ends. @param code with which fails what was not finished */
  async shutdown(code: EndCode = "SHUTTING_DOWN"): Promise<void> {
    if (this.cluster.isLeaving) return;
    this.cluster.leave(code);
    this.table.ended = code;
    this.#submitter.shutdown(code);
    this.actors.shutdown(code);
    await this.cluster.finishJob(() => this.reportEvents());
    await this.#endpoint.close();
  }

  /** Tells what happened to tasks now and not within a second: there may be no later. */
  reportEvents(): void {
    this.#reporter.flush();
  }

  /**
   * Ends this process where it cannot be killed, because others share it: what runs hears it from its signal, what has not
   * begun never will, and nothing more can be submitted. Its clock and its streams are stopped by whoever made them.
   */
  drop(): void {
    this.cluster.leave("SHUTTING_DOWN");
    this.#tasks?.drop();
  }

  // -- looking at it ----------------------------------------------------------------------------------------------

  /** What the cluster is doing. */
  get state(): ClusterState {
    const { controlServices: control } = this.cluster;
    return new ClusterState({ clock: this.clock, control, dial: (address) => this.#endpoint.dial(address) });
  }

  /** @throws {RaiaError} NOT_IN_PROCESS when this kind of cluster cannot give that */
  checkDemand(demand: Omit<WorkerDemand, "jobId">): void {
    this.#deps.checkDemand?.(demand);
  }

  /** What it holds now: for listings, tests and the simulator. */
  inspect(): RuntimeInspection {
    return {
      owned: this.table.ownedCount,
      borrowed: this.table.borrows.size,
      exported: this.table.exportedCount,
      pendingCalls: this.calls.pendingCount,
      handovers: this.#executor.results.handoverCount,
      actorIds: [...this.hosts.actorIds],
      waiting: [...this.#submitter.shapes()].map(({ key, queue, leases, requests }) => ({
        shape: key,
        queued: queue.length,
        inFlight: leases.map((lease) => lease.inFlight),
        requests: requests.size,
      })),
    };
  }

  // -- what the parts ask of one another --------------------------------------------------------------------------

  #connected(connection: Connection): void {
    connection.serve(ownerService, this.#ownerServer.handlers());
    connection.onClosed(() => this.clock.soon(() => void this.#peerLost(connection)));
    this.#tasks?.attach(connection);
  }

  /** It may have died, or lost this one connection only: then it says what it holds of us when it has dialled again. */
  async #peerLost({ peerId, peerAddress }: Connection): Promise<void> {
    if (!this.table.isBorrower(peerId)) return;
    try {
      await this.#endpoint.reach(peerAddress);
    } catch {
      this.table.borrowerDied(peerId);
    }
  }

  #functionCalls(): ConstructorParameters<typeof FunctionTable>[0] {
    return {
      put: async (hash, code) => {
        await this.cluster.joined;
        await this.cluster.asked(this.cluster.control.putFunction({ hash, jobId: this.cluster.jobId, code }));
      },
      get: async (hash) => (await this.cluster.control.getFunction({ hash })).code,
    };
  }

  #newBequests(store: StoreAdapter): Bequests {
    const { table } = this;
    return new Bequests({
      storeOwn: (entry, bytes) => store.putBytes(table.idOf(entry), bytes, entry.site, table.ownIds(entry.nested ?? [])),
      whenStored: (entry) => store.whenStored(table.idOf(entry)),
    });
  }

  #newReader(store: StoreAdapter): ObjectReader {
    return new ObjectReader(
      this.table,
      store,
      { getObject: (owner, sequence) => this.#owners.ask(owner, (client) => client.getObject({ sequence })) },
      this.hooks,
      (bytes, callerStack) => reviveError(bytes, this.hooks, callerStack),
      this.clock,
      (entry, startMs, endMs) => {
        const ownerId = entry.owner?.workerId ?? this.cluster.self.workerId;
        this.events.add(eventKind.got, entry.sequence, ownerId, startMs, endMs, entry.site, 0, this.cluster.jobId);
      },
    );
  }

  #referenceEffects(store: StoreAdapter): Parameters<ReferenceTable["connect"]>[0] {
    const borrowerId = this.cluster.self.workerId;
    return {
      freeStored: (objectId) => store.free(objectId),
      addBorrows: async (owner, held) =>
        (await this.#owners.ask(owner, (client) => client.addBorrower({ borrowerId, sequences: held() }))).unknown,
      keepOrphans: async (ownerId, ids) =>
        new Map((await this.cluster.store.keepOrphans({ ownerId, ids })).kept.map(({ id, bytes }) => [id, bytes])),
      dropOrphans: (ids) => {
        if (!this.cluster.isLeaving) this.cluster.store.dropOrphans({ ids });
      },
      removeBorrows: (owner, sequences) => this.#owners.tell(owner, (client) => client.removeBorrower({ borrowerId, sequences })),
      sharedChanged: (owns) => {
        const { isJoined, isLeaving, process, node } = this.cluster;
        if (this.kind !== "worker" || !isJoined || isLeaving) return;
        process.ownsShared({ owns });
        // Before the result that tells others of the object: its reader may be quicker than this turn.
        if (owns) node.flush();
      },
      abandoned: () => {},
      unhandled: ({ site, state, payload }) => {
        if (this.#unhandled === undefined || this.cluster.isLeaving) return;
        const failure = payload as Failure;
        const error =
          state === objectState.error ? readError(payload as Uint8Array, this.hooks).value : new RaiaError(failure.code, failure.facts);
        this.#unhandled.add(site, error);
      },
    };
  }

  #leaseCalls(): LeaseCalls {
    const { cluster } = this;
    const ownerId = cluster.self.workerId;
    return {
      request: (leaseId, demand, backlog) => cluster.lease.requestLease({ leaseId, ownerId, demand, backlog }),
      cancel: (leaseId) => cluster.lease.cancelLease({ leaseId }),
      return: (leaseId, discard) => {
        if (!cluster.isLeaving) cluster.lease.returnLease({ leaseId, discard });
      },
      kill: (leaseId, graceMs, reason) => cluster.lease.killLeasedWorker({ leaseId, graceMs, reason }),
      link: (address) => this.#links.dial(address),
      claims: (offset, count) => this.#opener.words(offset, count),
    };
  }

  #newExplainer(): ObjectExplainer {
    const { cluster } = this;
    return new ObjectExplainer(
      this.#submitter,
      {
        isJoined: () => cluster.isJoined,
        explainLease: (leaseId) => cluster.lease.explainLease({ leaseId }),
        explainActor: (actorId) => cluster.control.explainActor({ actorId }),
        explainAtOwner: (...asked) => this.#owners.explain(...asked),
        pidOf: async (workerId) => (await cluster.process.listWorkers({})).workers.find((row) => row.workerId === workerId)?.pid,
      },
      this.clock,
    );
  }

  /** @internal see TaskServer */
  yieldLease(leaseId: string): { yielded: boolean; discard: boolean } {
    return this.#tasks?.yieldLease(leaseId) ?? { yielded: true, discard: false };
  }

  #taskEffects(): TaskServerEffects {
    return {
      blocked: (leaseIds) => this.cluster.lease.taskBlocked({ leaseIds }),
      unblocked: (leaseIds) => this.cluster.lease.taskUnblocked({ leaseIds }).then(() => {}),
      actorHost: (actorId) => this.hosts.hostOf(actorId),
      countCall: (functionHash) => {
        const count = (this.#callCounts.get(functionHash) ?? 0) + 1;
        this.#callCounts.set(functionHash, count);
        return count;
      },
    };
  }
}
