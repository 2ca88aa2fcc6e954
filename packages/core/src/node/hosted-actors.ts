/**
 * The actors that live on this node, as control asked for them: each gets a lease, is made in its worker, and ends with a
 * word to control, whichever way.
 */
import { RaiaError } from "../base/errors.ts";
import { LruMap } from "../base/lru-map.ts";
import type { DeathCause } from "../messages/common.ts";
import type { ActorSpec, ActorStarted, nodeControlService } from "../messages/control.ts";
import { hostService } from "../messages/tasks.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Handlers } from "../wire/service.ts";
import type { DeviceVariables } from "./accelerators/device-variables.ts";
import { shownDevices } from "./accelerators/shown-devices.ts";
import type { ControlLink } from "./control-link.ts";
import type { Holding } from "./lease-machine.ts";
import type { LeaseQueue } from "./lease-queue.ts";
import type { OutputHub } from "./output-hub.ts";
import type { PoolWorker } from "./pool-worker.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface HostedActor {
  readonly actorId: string;
  readonly spec: Infer<typeof ActorSpec>;
  readonly incarnation: number;
  readonly leaseId: string;
  /** Absent while it waits for one. */
  worker: PoolWorker | undefined;
  isEnding: boolean;
  /** Settles when its calls are done and it has disposed of itself, or its time for that is over. */
  disposal: Promise<unknown> | undefined;
  /** Why it ended: whoever is still making it hears only that the connection to its worker is gone. */
  readonly ended: PromiseWithResolvers<DeathCause>;
}

export interface HostedActorsDependencies {
  readonly queue: LeaseQueue;
  readonly explainLease: (leaseId: string) => Promise<{ state: string; reasons: string[] }>;
  readonly pool: WorkerPool;
  readonly output: OutputHub;
  readonly control: ControlLink;
  readonly deviceVariables: DeviceVariables | undefined;
}

type Started = Infer<typeof ActorStarted>;

/** For calls that an ending actor has accepted, and its disposal. */
const EXIT_GRACE_MS = 30_000;
/** Answers kept for repeated requests: far more than can be under way. */
const MAX_STARTED_ACTORS = 20_000;

export class HostedActors {
  readonly #deps: HostedActorsDependencies;
  readonly #actors = new Map<string, HostedActor>();
  /** Control asks again when it does not know whether its request arrived: the same incarnation gets the same answer. */
  readonly #started = new LruMap<string, Promise<Started>>(MAX_STARTED_ACTORS);

  constructor(deps: HostedActorsDependencies) {
    this.#deps = deps;
  }

  get(actorId: string): HostedActor | undefined {
    return this.#actors.get(actorId);
  }

  all(): Iterable<HostedActor> {
    return this.#actors.values();
  }

  /** What control asks for. */
  handlers(): Pick<Handlers<typeof nodeControlService, Connection>, "startActor" | "stopActor" | "explainActor"> {
    return {
      startActor: ({ spec, incarnation }) => this.#start(spec, incarnation),
      stopActor: async ({ actorId, incarnation, graceMs, kind = "killed-by-user" }) => {
        const actor = this.#actors.get(actorId);
        if (actor?.incarnation === incarnation) await this.#stop(actor, graceMs, kind);
        return {};
      },
      explainActor: ({ actorId }) => {
        const actor = this.#actors.get(actorId);
        return actor === undefined ? { state: "unknown", reasons: [] } : this.#deps.explainLease(actor.leaseId);
      },
    };
  }

  // -- beginning --------------------------------------------------------------------------------------------------

  #start(spec: Infer<typeof ActorSpec>, incarnation: number): Promise<Started> {
    const leaseId = `actor-${spec.actorId}-${incarnation}`;
    const known = this.#started.get(leaseId);
    if (known !== undefined) return known;
    const starting = this.#startAfterOlder(spec, incarnation, leaseId);
    this.#started.set(leaseId, starting);
    return starting;
  }

  /** A control that was started again knows nothing of a start that it had under way, and asks for the next: one lives. */
  async #startAfterOlder(spec: Infer<typeof ActorSpec>, incarnation: number, leaseId: string): Promise<Started> {
    const { actorId } = spec;
    for (let older = this.#actors.get(actorId); older !== undefined; older = this.#actors.get(actorId)) {
      if (older.incarnation > incarnation) return { status: "refused" };
      await this.#replace(older);
    }
    const ended = Promise.withResolvers<DeathCause>();
    return this.#startNew({
      actorId,
      spec,
      incarnation,
      leaseId,
      worker: undefined,
      isEnding: false,
      disposal: undefined,
      ended,
    });
  }

  /** Settles when it is gone from its process. */
  async #replace(older: HostedActor): Promise<void> {
    await this.#stop(older, 0, "replaced");
    // Its worker may still be making it.
    if (this.#actors.get(older.actorId) === older) await older.ended.promise;
  }

  #startNew(actor: HostedActor): Promise<Started> {
    const { actorId, spec, leaseId } = actor;
    this.#actors.set(actorId, actor);
    return new Promise((resolve) => {
      this.#deps.queue.add({
        leaseId,
        ownerId: spec.ownerId,
        demand: spec.demand,
        isActor: true,
        runResources: spec.runResources,
        granted: (holding) => void this.#construct(actor, holding).then(resolve),
        refused: (error) => {
          this.#actors.delete(actorId);
          const kind = error.code === "PLACEMENT_GROUP_REMOVED" ? "placement-group-removed" : "unschedulable";
          resolve({ status: "refused", cause: { kind, facts: { code: error.code, ...error.facts } } });
        },
        spilled: () => {
          this.#actors.delete(actorId);
          resolve({ status: "refused" });
        },
      });
    });
  }

  async #construct(actor: HostedActor, { worker, grant }: Holding): Promise<Started> {
    const { actorId, spec, incarnation } = actor;
    actor.worker = worker;
    worker.actorIds.add(actorId);
    this.#deps.output.setSource(worker.workerId, { pid: worker.pid, name: spec.className, jobId: spec.jobId });
    const host = (worker.connection as Connection).client(hostService);
    try {
      const created = await host.createActor({
        actorId,
        incarnation,
        jobId: spec.jobId,
        namespace: spec.namespace,
        name: spec.className,
        functionHash: spec.functionHash,
        args: spec.args,
        ownerId: spec.ownerId,
        maxConcurrency: spec.maxConcurrency,
        concurrencyGroups: spec.concurrencyGroups,
        maxPendingCalls: spec.maxPendingCalls,
        ...shownDevices(grant, this.#deps.deviceVariables),
        resources: spec.runResources,
        placementGroupId: spec.demand.strategy.placementGroupId,
        captureChildTasks: spec.demand.strategy.captureChildTasks,
      });
      if (!created.ok) {
        this.#forget(actor);
        if (worker.actorIds.size === 0) this.#deps.pool.stop(worker, { by: "node" });
        const cause = { kind: "constructor-failed", facts: { reason: created.reason } };
        return { status: "failed", ...(created.error && { error: created.error }), cause };
      }
      this.#deps.queue.shrink(actor.leaseId, spec.runResources);
      const { address, workerId, pid } = worker;
      return { status: "alive", address, workerId, pid, ...(created.disposes === true && { disposes: true }) };
    } catch (error) {
      // The worker died while it made the actor; why is told in its own time, before this or after it.
      if (!RaiaError.is(error, "CONNECTION_LOST")) throw error;
      return { status: "workerDied", cause: await actor.ended.promise };
    }
  }

  // -- end --------------------------------------------------------------------------------------------------------

  /** Its own code asked for its end. */
  exited(actorId: string, workerId: string): void {
    const actor = this.#actors.get(actorId);
    if (actor?.worker?.workerId === workerId) void this.#stop(actor, EXIT_GRACE_MS, "exited");
  }

  /** The placement group that it was in is removed. */
  groupRemoved(leaseId: string): void {
    for (const actor of this.#actors.values()) if (actor.leaseId === leaseId) void this.#stop(actor, 0, "placement-group-removed");
  }

  workerDied(worker: PoolWorker, cause: DeathCause): void {
    for (const actorId of [...worker.actorIds]) {
      const actor = this.#actors.get(actorId);
      if (actor === undefined) continue;
      this.#forget(actor);
      this.#tellEnded(actor, cause, false);
    }
  }

  /** Ends an actor: gracefully when there is time for it; its process goes with it unless others live there. */
  async #stop(actor: HostedActor, graceMs: number, kind: string): Promise<void> {
    const { actorId, worker } = actor;
    if (worker === undefined) {
      this.#forget(actor);
      return;
    }
    if (actor.isEnding && graceMs > 0) {
      // Whoever asks again waits for the same end.
      await actor.disposal;
      return;
    }
    actor.isEnding = true;
    const isAlone = worker.actorIds.size === 1 && worker.leaseIds.size === 0;
    if ((graceMs > 0 || !isAlone) && worker.connection !== undefined && !worker.connection.isClosed) {
      const stopping = worker.connection
        .client(hostService)
        .stopActor({ actorId, graceMs })
        .catch(() => {
          // It died first: `workerDied` cleans up.
        });
      actor.disposal ??= stopping;
      await stopping;
    } else {
      await this.#deps.pool.lastReport(worker);
    }
    if (this.#actors.get(actorId) !== actor) return;
    this.#forget(actor);
    this.#tellEnded(actor, { kind, pid: worker.pid }, true);
    if (worker.actorIds.size > 0 || worker.leaseIds.size > 0) return;
    if (graceMs > 0) await this.#deps.pool.leave(worker, { by: "node" });
    else this.#deps.pool.stop(worker, { by: "node" }, isAlone ? 0 : undefined);
    // A process that leaves in its own time, because others use what it owns, is no longer this actor.
    if (worker.state.kind === "stopping") await worker.gone;
  }

  #tellEnded(actor: HostedActor, cause: DeathCause, intended: boolean): void {
    actor.ended.resolve(cause);
    this.#deps.control.actorEnded(actor, cause, intended);
  }

  #forget(actor: HostedActor): void {
    if (this.#actors.get(actor.actorId) === actor) this.#actors.delete(actor.actorId);
    actor.worker?.actorIds.delete(actor.actorId);
    this.#deps.queue.drop(actor.leaseId, "ACTOR_DIED", { actor: actor.spec.className });
    this.#deps.control.reportSoon();
  }
}
