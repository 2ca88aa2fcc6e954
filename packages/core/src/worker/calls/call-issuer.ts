/**
 * What `.remote()` does: makes the call and the object that it will produce, which this process owns, and hands the call to
 * those who bring it to a worker. Nothing is waited for.
 */
import type { Clock } from "../../base/clock.ts";
import { RaiaError } from "../../base/errors.ts";
import { shapeKey } from "../../base/resources.ts";
import type { OwnerAddress, WorkerDemand } from "../../messages/common.ts";
import type { CancelOwned } from "../../messages/owners.ts";
import type { Infer } from "../../wire/schema.ts";
import type { ActorClient } from "./actor-client.ts";
import { ambientOfCall } from "../ambient-context.ts";
import type { ArgumentWriter, EncodedArguments } from "./call-arguments.ts";
import type { CallResults } from "./call-results.ts";
import { Call, type CallTemplate } from "./call.ts";
import { type ClusterLink, joinFailure } from "../cluster-link.ts";
import { type EventRing, eventKind } from "../state/event-ring.ts";
import type { ObjectEntry } from "../objects/object-entry.ts";
import { ObjectRefStream } from "./object-stream.ts";
import type { ReferenceTable } from "../objects/references.ts";
import type { Shape } from "./shape.ts";
import { StreamState } from "../objects/stream-state.ts";
import { currentContext, type TaskContext } from "../task-context.ts";
import { encodeReason } from "../thrown.ts";
import type { RuntimeValueHooks } from "../objects/value-hooks.ts";
import type { TaskSubmitter } from "./task-submitter.ts";

/** What the calls of one handle ask of a worker; their shape is found at the first call. */
export interface TaskDemand {
  readonly demand: Omit<WorkerDemand, "jobId">;
  shape: Shape | undefined;
}

export interface CallIssuerDependencies {
  readonly cluster: ClusterLink;
  readonly table: ReferenceTable;
  readonly hooks: RuntimeValueHooks;
  readonly writer: ArgumentWriter;
  readonly results: CallResults;
  readonly submitter: TaskSubmitter;
  readonly events: EventRing;
  readonly clock: Clock;
  /** Asks an owner to cancel what makes an object of its. */
  cancelAtOwner(owner: OwnerAddress, request: Infer<typeof CancelOwned>): void;
  /** Whether work is under way that the process must stay alive for. */
  keepAlive(isNeeded: boolean): void;
}

/** Numbers that a stream's items may take. */
const STREAM_SEQUENCES = 100_000_000;
const MAX_PENDING_CALLS = 2_000_000;
/** Leases that calls without a CPU may hold at once. */
const MAX_LEASES_WITHOUT_CPU = 64;

export class CallIssuer {
  /** Past this `.remote()` throws PENDING_CALLS_LIMIT: memory must stay bounded. */
  maxPendingCalls = MAX_PENDING_CALLS;
  readonly #deps: CallIssuerDependencies;
  readonly #cluster: ClusterLink;
  readonly #table: ReferenceTable;
  readonly #writer: ArgumentWriter;
  readonly #submitter: TaskSubmitter;
  #nextTemplate = 1;
  #pending = 0;

  constructor(deps: CallIssuerDependencies) {
    this.#deps = deps;
    this.#cluster = deps.cluster;
    this.#table = deps.table;
    this.#writer = deps.writer;
    this.#submitter = deps.submitter;
  }

  /** Calls whose results have not come. */
  get pendingCount(): number {
    return this.#pending;
  }

  /** A template gets the number under which workers know it. */
  newTemplate(template: Omit<CallTemplate, "id" | "wire"> & { readonly wire: Omit<CallTemplate["wire"], "template"> }): CallTemplate {
    const cluster = this.#cluster;
    const id = this.#nextTemplate++;
    const wire = { ...template.wire, template: id, jobId: cluster.jobId, namespace: cluster.namespace };
    if (!cluster.isJoined) {
      const complete = (): void => void Object.assign(wire, { jobId: cluster.job.jobId, namespace: cluster.job.namespace });
      cluster.whenJoined(complete, complete);
    }
    const made: CallTemplate = { ...template, id, wire };
    // From then on calls have nothing to wait for; a failure stays, for each call to report.
    made.exported?.then(
      () => void (made.exported = undefined),
      () => {},
    );
    return made;
  }

  submitTask(template: CallTemplate, demand: TaskDemand, args: readonly unknown[]): unknown {
    this.#checkRoom(template);
    const encoded = this.#writer.encode(args, ambientOfCall());
    const { exports } = encoded;
    const call = this.#newCall(template, undefined, encoded);
    if (this.#cluster.isJoined) this.#submitter.submit(call, this.#shapeOf(demand), exports);
    else
      this.#cluster.whenJoined(
        () => {
          // Cancelled meanwhile, it never runs.
          if (!call.isSettled) this.#submitter.submit(call, this.#shapeOf(demand), exports);
        },
        (error) => this.#deps.results.fail(call, joinFailure(error)),
      );
    return this.#handlesOf(call);
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
    const encoded = this.#writer.encode(args, ambientOfCall());
    const call = this.#newCall(template, client, encoded);
    // The actor outlives its last handle while a call is under way.
    client.scope ??= scope;
    client.submit(call, encoded.exports);
    return this.#handlesOf(call);
  }

  /** @param reason why, for who waits for the value and for the code that makes it; undefined for no reason of its own */
  cancel(entry: ObjectEntry, { force, recursive }: { readonly force: boolean; readonly recursive: boolean }, reason?: unknown): void {
    const { owner, sequence, task } = entry;
    const encoded = reason === undefined ? undefined : { value: reason, bytes: encodeReason(reason, this.#deps.hooks) };
    if (task instanceof Call) {
      if (force && task.actorId !== undefined)
        throw new RaiaError("INVALID_OPTION", {
          option: "force",
          value: true,
          reason: "an actor's call cannot be forced to stop; kill the actor",
        });
      this.#submitter.cancel(task, { force, recursive, reason: encoded });
    } else if (owner !== undefined && !entry.isSettled) {
      this.#deps.cancelAtOwner(owner, { sequence, force, recursive, reason: encoded?.bytes });
    }
  }

  /** The job is known only once this process has joined; from then on the shape is remembered. */
  #shapeOf(demand: TaskDemand): Shape {
    demand.shape ??= this.#findShape({ ...demand.demand, jobId: this.#cluster.jobId });
    return demand.shape;
  }

  #findShape(demand: WorkerDemand): Shape {
    const { resources, runtimeEnv, isolation, strategy, labelSelector, fallbackSelectors, jobId, mayRerun, launch } = demand;
    const key = JSON.stringify([
      shapeKey(resources),
      runtimeEnv.hash,
      isolation,
      strategy,
      labelSelector,
      fallbackSelectors,
      jobId,
      mayRerun,
      launch,
    ]);
    const needed = resources["CPU"] ?? 0;
    const total = this.#cluster.registered.resources["CPU"] ?? 10_000;
    return this.#submitter.shape(key, demand, needed === 0 ? MAX_LEASES_WITHOUT_CPU : Math.ceil(total / needed));
  }

  #checkRoom(template: CallTemplate): void {
    this.#cluster.checkStays(template.name);
    if (this.#pending >= this.maxPendingCalls)
      throw new RaiaError("PENDING_CALLS_LIMIT", { pending: this.#pending, limit: this.maxPendingCalls });
  }

  /** Nothing fails any more: what was refused (room, arguments) left no call behind that would be waited for. */
  #newCall(template: CallTemplate, target: ActorClient | undefined, encoded: EncodedArguments): Call {
    const { numReturns, name } = template;
    const count = numReturns === "streaming" ? STREAM_SEQUENCES : Math.max(1, numReturns);
    const sequence = this.#table.takeSequences(count);
    const entry = this.#table.own(sequence, name);
    this.#pending++;
    if (this.#pending === 1) this.#deps.keepAlive(true);
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
          : [entry, ...Array.from({ length: numReturns - 1 }, (_, index) => this.#table.own(sequence + 1 + index, name))];
    const parent = currentContext();
    if (parent !== undefined) this.#addChild(parent, call);
    const nowMs = this.#deps.clock.nowMs();
    this.#deps.events.add(eventKind.submitted, sequence, this.#cluster.self.workerId, nowMs, nowMs, name, 0, template.wire.jobId);
    return call;
  }

  #addChild(parent: TaskContext, call: Call): void {
    const childEnded = parent.childSubmitted({ cancel: (cancellation) => this.#submitter.cancel(call, cancellation) });
    if (childEnded !== undefined) call.cleanup = [childEnded];
  }

  /** The program goes on for as long as the promise is open, as it does for a call. */
  async during(promise: Promise<unknown>): Promise<void> {
    this.#pending++;
    if (this.#pending === 1) this.#deps.keepAlive(true);
    try {
      await promise;
    } finally {
      this.#pending--;
      if (this.#pending === 0) this.#deps.keepAlive(false);
    }
  }

  /** One call fewer is pending. Of one that nobody ran to its end nobody else tells. */
  callSettled({ sequence, attempt, template: { name, wire } }: Call, unfinished: string | undefined): void {
    this.#pending--;
    if (unfinished !== undefined) {
      const nowMs = this.#deps.clock.nowMs();
      const { workerId } = this.#cluster.self;
      this.#deps.events.add(eventKind.unfinished, sequence, workerId, nowMs, nowMs, name, attempt, wire.jobId, unfinished);
    }
    if (this.#pending === 0) this.#deps.keepAlive(false);
  }

  /** What `.remote()` returns: a ref, an array of refs, or a stream. */
  #handlesOf(call: Call): unknown {
    if (call.stream !== undefined) return new ObjectRefStream(this.#table, call);
    if (call.returns === undefined) return this.#table.refFor(call.entry);
    return call.returns.map((entry) => this.#table.refFor(entry));
  }
}
