/**
 * A process's place in its cluster: its connections to node and control, what they told it that it is, and whether it
 * has come and gone. Until it has joined, what it wants of the cluster waits here, in the order in which it was wanted.
 */
import { RaiaError } from "../base/errors.ts";
import type { ActorView } from "../messages/control.ts";
import { controlEvents, controlService } from "../messages/control.ts";
import type { DeathCause } from "../messages/common.ts";
import { storeEvents, storeService } from "../messages/objects.ts";
import { leaseEvents, leaseService, outputEvents, type ProcessRegistered, processService } from "../messages/leases.ts";
import { hostService } from "../messages/tasks.ts";
import type { Clock } from "../base/clock.ts";
import type { Connection } from "../wire/connection.ts";
import { LastingLink } from "../wire/lasting-link.ts";
import type { Identity } from "../wire/greeting.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import type { Infer } from "../wire/schema.ts";
import type { Client, Handlers, ServiceSource } from "../wire/service.ts";
import type { EndCode } from "./objects/object-entry.ts";
import { currentContext } from "./task-context.ts";

export type Registered = Infer<typeof ProcessRegistered>;

export interface ClusterAddresses {
  readonly nodeAddress: string;
  readonly controlAddress: string;
}

export interface JobIdentity {
  readonly jobId: string;
  readonly namespace: string;
}

/** What a driver says of its job when it joins. */
export interface NewJob {
  readonly entrypoint: string;
  readonly namespace: string | undefined;
}

export interface ClusterLinkDependencies {
  readonly kind: "driver" | "worker";
  readonly identity: Identity;
  /** Where node and control can be dialled, once they answer. */
  readonly cluster: Promise<ClusterAddresses>;
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  /** Something waits for control to come back, for which the program must go on. */
  waits(until: Promise<unknown>): void;
  /** The job that this process will get, where that is known before it has joined: the first of a cluster of its own. */
  readonly expectedJobId: string | undefined;
}

/** What node and control tell this process, and who hears it. */
export interface ClusterListener {
  leaseRecalled(leaseId: string): void;
  leaseEnded(leaseId: string, cause: Infer<typeof DeathCause>, strangers: number): void;
  actorChanged(view: Infer<typeof ActorView>): void;
  /** Control is another process than before, or was out of reach: what it told meanwhile did not come. */
  controlReturned(): void;
  /** Lines that workers of this job printed. */
  outputLines(stream: "stdout" | "stderr", lines: readonly string[]): void;
  /** An owner is gone. Settles when the node knows which of its objects this process holds. */
  ownerGone(ownerId: string): Promise<void>;
  /** The node is short of memory. */
  roomWanted(): void;
  /** The node is gone: nothing can go on. */
  nodeLost(reason: string): void;
  /** What a worker does for its node: it hosts actors. */
  readonly host: Handlers<typeof hostService, Connection>;
  /** Node and control know this process: it may report, and serve. */
  registered(registered: Registered): void;
}

const NO_JOB = "00000000";
/** More than actors may take to dispose of themselves. */
const LEAVING_MS = 35_000;

export class ClusterLink {
  readonly kind: "driver" | "worker";
  readonly self: { readonly workerId: string; address: string };
  readonly #deps: ClusterLinkDependencies;
  readonly #joined = Promise.withResolvers<void>();
  /** What waits until this process has joined. Bounded by the calls that may be pending. */
  readonly #early: ((error: unknown) => void)[] = [];
  isJoined = false;
  /** Nothing more can be submitted. */
  isLeaving = false;
  /** Why, once it is leaving. */
  #endCode: EndCode = "SHUTTING_DOWN";
  job: JobIdentity = { jobId: "", namespace: "" };
  registered: Registered = undefined as never;
  node: Connection = undefined as never;
  #controlLink: LastingLink | undefined;
  lease: Client<typeof leaseService> = undefined as never;
  control: Client<typeof controlService> = undefined as never;
  process: Client<typeof processService> = undefined as never;
  store: Client<typeof storeService> = undefined as never;

  constructor(deps: ClusterLinkDependencies) {
    this.#deps = deps;
    this.kind = deps.kind;
    this.self = { workerId: deps.identity.peerId, address: deps.identity.address };
  }

  /** Settles when this process belongs to the cluster. */
  get joined(): Promise<void> {
    return this.#joined.promise;
  }

  /** For ids that are made before this process has joined. */
  get expectedJobId(): string {
    return this.#deps.expectedJobId ?? NO_JOB;
  }

  /** The job for which the running code works. */
  get jobId(): string {
    return currentContext()?.jobId ?? this.job.jobId;
  }

  get namespace(): string {
    return currentContext()?.namespace ?? this.job.namespace;
  }

  get nodeId(): string {
    return this.registered?.nodeId ?? "";
  }

  /** Runs `start` when this process has joined: at once, as a rule. Else `failed` hears why it could not join. */
  whenJoined(start: () => void, failed: (error: unknown) => void): void {
    if (this.isJoined) start();
    else this.#early.push((error) => (error === undefined ? start() : failed(error)));
  }

  /** Connects to node and control, and makes this process known. What was submitted meanwhile goes then. */
  join(job: NewJob | undefined, listener: ClusterListener): Promise<void> {
    const joining = this.#join(job, listener).then(
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

  async #join(job: NewJob | undefined, listener: ClusterListener): Promise<void> {
    const { identity, endpoint } = this.#deps;
    const { nodeAddress, controlAddress } = await this.#deps.cluster;
    // Of a cluster that was still to be found, the session's directory, and so our own address, is known now.
    this.self.address = identity.address;
    // A lease on this worker may be granted, and its owner dial, before the node's answer is here.
    if (this.kind === "worker") endpoint.holdBack();
    const listening = endpoint.listen();
    this.node = await endpoint.dial(nodeAddress);
    this.#connected(listener);
    if (controlAddress === nodeAddress) this.#haveControl(this.node, listener);
    else await this.#openControl(controlAddress, listener);
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
    if (this.kind === "worker") this.node.serve(hostService, listener.host);
    this.registered = await this.process.registerProcess({
      kind: this.kind,
      workerId: identity.peerId,
      pid: identity.pid,
      address: identity.address,
      jobId: this.job.jobId,
    });
    listener.registered(this.registered);
  }

  #connected(listener: ClusterListener): void {
    const { node } = this;
    this.lease = node.client(leaseService);
    this.process = node.client(processService);
    this.store = node.client(storeService);
    node.serve(leaseEvents, {
      recallLease: ({ leaseId }) => listener.leaseRecalled(leaseId),
      leaseEnded: ({ leaseId, cause, strangers }) => {
        listener.leaseEnded(leaseId, cause, strangers ?? 0);
        return {};
      },
    });
    node.serve(storeEvents, {
      ownerGone: ({ ownerId }) => listener.ownerGone(ownerId).then(() => ({})),
      roomWanted: () => listener.roomWanted(),
    });
    node.serve(outputEvents, { outputLines: ({ stream, lines }) => listener.outputLines(stream, lines) });
    node.onClosed((reason) => {
      if (!this.isLeaving) listener.nodeLost(reason);
    });
  }

  /** Where node and control are one process, they go together. */
  #haveControl(connection: Connection, listener: ClusterListener): void {
    this.control = connection.client(controlService);
    connection.serve(controlEvents, { actorState: ({ view }) => listener.actorChanged(view) });
  }

  async #openControl(address: string, listener: ClusterListener): Promise<void> {
    const { clock, endpoint } = this.#deps;
    let isFirst = true;
    const link = new LastingLink({
      clock,
      peer: address,
      dial: () => endpoint.dial(address),
      connected: (connection) => {
        connection.serve(controlEvents, { actorState: ({ view }) => listener.actorChanged(view) });
        if (!isFirst) listener.controlReturned();
        isFirst = false;
      },
      waits: (until) => this.#deps.waits(until),
    });
    await link.open();
    this.#controlLink = link;
    this.control = link.client(controlService);
  }

  /** Control, for other services than the one of `control`; asked again like that. */
  get controlServices(): ServiceSource {
    return this.#controlLink ?? this.node;
  }

  /** For a process that ends in this turn. */
  flushControl(): void {
    if (this.#controlLink === undefined) this.node.flush();
    else this.#controlLink.flush();
  }

  /** Whether what is told now has a chance to arrive. */
  get isControlThere(): boolean {
    return this.#controlLink === undefined ? this.node?.isClosed === false : this.#controlLink.isConnected;
  }

  /**
   * Settles when what workers of the job have printed so far has been shown, and what happened to its tasks is told.
   *
   * @param reportOwn tells what this process knows of that
   */
  async flush(reportOwn: () => void): Promise<void> {
    const { jobId } = this.job;
    reportOwn();
    // A cluster of its own ends with this driver: nobody can ask what was.
    const isOwn = this.#deps.expectedJobId !== undefined;
    await Promise.all([
      this.process.flushOutput({ jobId }).catch(() => {
        // The node is going down as well; its log files have the lines.
      }),
      isOwn ||
        this.process.collectEvents({ jobId }).catch(() => {
          // Then they are lost with it.
        }),
    ]);
  }

  /** Nothing more goes to the cluster. @param code what is said of anything that still would */
  leave(code: EndCode): void {
    this.isLeaving = true;
    this.#endCode = code;
  }

  /** @throws {RaiaError} SHUTTING_DOWN, or CLUSTER_LOST when the cluster went away by itself */
  checkStays(call: string): void {
    if (this.isLeaving) throw new RaiaError(this.#endCode, { call });
  }

  /** What was asked of node or control. @throws {RaiaError} as `checkStays`, when the connection to them is lost meanwhile */
  async asked<Reply>(reply: Promise<Reply>): Promise<Reply> {
    try {
      return await reply;
    } catch (error) {
      if (!RaiaError.is(error, "CONNECTION_LOST")) throw error;
      throw new RaiaError(this.isLeaving ? this.#endCode : "CLUSTER_LOST", { reason: error.facts["reason"] }, { cause: error });
    }
  }

  /** Settles when the actors that end with the job have disposed of themselves. */
  async disposeActors(): Promise<void> {
    if (!this.isJoined || !this.isControlThere) return;
    await this.control.disposeActors({ jobId: this.job.jobId }).catch(() => {
      // Control is going down as well, and they with it.
    });
  }

  /** Ends a driver's job. @param reportOwn tells what this process knows of its tasks */
  async finishJob(reportOwn: () => void): Promise<void> {
    if (this.kind !== "driver" || !this.isJoined || !this.isControlThere) return;
    // Who leaves does not wait for a control plane that is away.
    const patience = this.#deps.clock.after(LEAVING_MS, () => this.#controlLink?.close(new RaiaError("SHUTTING_DOWN", {})));
    await this.disposeActors();
    await this.flush(reportOwn);
    await this.control.finishJob({ jobId: this.job.jobId }).catch(() => {
      // Control is going down as well: it will see that the driver is gone.
    });
    patience.cancel();
  }
}

/** Why this process could not join, as whoever waits for a call is told. */
export function joinFailure(error: unknown): { code: RaiaError["code"]; facts: RaiaError["facts"]; cause: unknown } {
  return RaiaError.is(error)
    ? { code: error.code, facts: error.facts, cause: error }
    : { code: "CLUSTER_START_FAILED", facts: {}, cause: error };
}
