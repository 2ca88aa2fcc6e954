/**
 * Actors: created, named, watched, killed, and ended with what they depend on. An unnamed actor goes with its owner or its
 * last handle; a named one with its job; a detached one, and what it creates, with nobody but itself.
 */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import type { ResourceSet } from "../base/resources.ts";
import { DeathCause } from "../messages/common.ts";
import { ActorSpec, type ActorView, type controlService, type nodeReports, type RegisterNode } from "../messages/control.ts";
import type { GroupTarget } from "../messages/placement-groups.ts";
import type { PlacementRequest } from "../scheduling/cluster-view.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Handlers } from "../wire/service.ts";
import { type ActorEvent, type ActorState, firstLife, type Life } from "./actor-machine.ts";
import { ACTOR_GRAVES, ACTOR_LIVES, ACTORS, ActorPerformer, graveOf, lifeChanges, type PerformerDeps } from "./actor-performer.ts";
import { deadRowOf, registeredReply, rowOf } from "./actor-rows.ts";
import { disposeActors } from "./actor-disposal.ts";
import { ActorPlacement } from "./actor-placement.ts";
import { type ActorEntry, ActorTable, jobOfActor, viewOf } from "./actor-table.ts";
import { ActorWatchers } from "./actor-watchers.ts";
import { type ControlLimits, checkLimit } from "./control-limits.ts";
import { Graves } from "./graves.ts";
import type { MembershipServer } from "./membership-server.ts";
import { placementRequestOf } from "./place-actor-policy.ts";
import type { GroupChoice } from "./place-in-group.ts";
import { decodeRecord, encodeRecord, LifeRecord, ownBytes } from "./record-codec.ts";
import type { RecordStore } from "./record-store.ts";

type Served =
  | "createActor"
  | "getActorByName"
  | "watchActor"
  | "killActor"
  | "disposeActors"
  | "actorOutOfScope"
  | "listActors"
  | "explainActor";
export type ActorHandlers = Pick<Handlers<typeof controlService, Connection>, Served>;
type Reply<M extends Served> = Infer<(typeof controlService.methods)[M]["reply"]>;
type Ended = Infer<(typeof nodeReports.methods.actorEnded)["request"]>;

export interface ActorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: RecordStore;
  readonly limits: ControlLimits;
  readonly membership: MembershipServer;
  readonly infeasibleTimeoutMs: number;
  readonly isJobRunning: (jobId: string) => boolean;
  /** Where in a placement group an actor may go, and whether the group is gone. */
  readonly groups: {
    choose(target: GroupTarget, resources: ResourceSet, actors: Iterable<ActorEntry>): GroupChoice;
    isRemoved(groupId: string): boolean;
  };
  /** It is dead for good. */
  readonly onActorDied: (actorId: string) => void;
  /** A job that is over has no actor any more. */
  readonly onLastActorGone: (jobId: string) => void;
}

const NO_JOB = "00000000";

export class ActorServer {
  readonly #deps: ActorDeps;
  readonly #actors: ActorTable;
  readonly #watchers: ActorWatchers;
  readonly #performers = new Map<ActorEntry, ActorPerformer>();
  readonly #endedOwners = new Set<string>();
  readonly #graves: Graves;
  readonly #performerDeps: PerformerDeps;
  readonly placement: ActorPlacement;
  #storeFailures = 0;

  constructor(deps: ActorDeps) {
    const { clock, random, store, limits, membership, infeasibleTimeoutMs, groups } = deps;
    this.#deps = deps;
    this.#actors = new ActorTable(limits);
    this.#watchers = new ActorWatchers(limits);
    this.#graves = new Graves(store, ACTOR_GRAVES, () => this.#storeFailures++);
    this.placement = new ActorPlacement({
      clock,
      random,
      view: () => membership.view,
      reserve: (nodeId, resources) => membership.reserve(nodeId, resources),
      placeInGroup: (target, { resources, resourcesToPlace = resources }) =>
        groups.choose(target, resourcesToPlace, this.#actors.inGroup(target.groupId)),
      infeasibleTimeoutMs,
    });
    this.#performerDeps = {
      clock,
      store,
      membership,
      actors: this.#actors,
      watchers: this.#watchers,
      placement: this.placement,
      isGroupRemoved: (groupId) => groups.isRemoved(groupId),
      onBuried: (entry) => this.#buried(entry),
      onStoreFailure: () => this.#storeFailures++,
    };
  }

  readonly handlers: ActorHandlers = {
    createActor: ({ spec, getIfExists }) => this.#create(spec, getIfExists),
    getActorByName: ({ name, namespace }) => this.#byName(name, namespace),
    watchActor: ({ actorId }, peer) => ({ view: this.#watch(actorId, peer) }),
    killActor: ({ actorId, noRestart }) => this.#kill(actorId, noRestart),
    disposeActors: ({ jobId }) => disposeActors(this.#deps, this.#actors.ofJob(jobId)),
    actorOutOfScope: ({ actorId }) => this.#outOfScope(actorId),
    listActors: ({ limit }) => this.#list(limit),
    explainActor: ({ actorId }) => this.#explain(actorId),
  };

  get counters(): Readonly<Record<"live" | "dead" | "forgotten" | "pending" | "watches" | "awaited" | "cutOff" | "storeFailures", number>> {
    return {
      live: this.#actors.size,
      dead: this.#actors.deadCount,
      forgotten: this.#actors.forgotten,
      pending: this.placement.size,
      watches: this.#watchers.watches,
      awaited: this.#watchers.awaited,
      cutOff: this.#watchers.cutOff,
      storeFailures: this.#storeFailures,
    };
  }

  /** Of a living actor, whether it outlives its job. */
  outlivesJob(actorId: string): boolean | undefined {
    return this.#actors.get(actorId)?.outlivesJob;
  }

  hasActors(jobId: string): boolean {
    return this.#actors.ofJob(jobId).length > 0;
  }

  /** What an earlier control process knew; the nodes say what of it is still there. */
  async load(): Promise<void> {
    const { clock, isJobRunning, membership, store } = this.#deps;
    for (const { id } of await this.#graves.load(jobOfActor, isJobRunning)) this.#actors.buryId(id);
    const lives = new Map((await store.load(ACTOR_LIVES)).map(({ key, value }) => [key, decodeRecord(LifeRecord, value)]));
    for (const { key, value } of await store.load(ACTORS)) {
      const record = lives.get(key);
      if (record === undefined) continue;
      const spec = decodeRecord(ActorSpec, value);
      const { home, incarnation, leaving, outlivesJob, restarts } = record;
      const life: Life = { ...firstLife(spec.maxRestarts), incarnation, restarts };
      const state: ActorState =
        home === undefined ? { kind: "creating", life, nodeId: "" } : { kind: "alive", life, home, sinceMs: clock.nowMs() };
      const performer = this.#performerOf(this.#add(spec, state, outlivesJob, placementRequestOf(spec)));
      if (home !== undefined) membership.expect(home.nodeId);
      if (!outlivesJob && !isJobRunning(spec.jobId)) performer.handle({ kind: "jobEnded" });
      // Whether and where it was being started is not known: the next number makes an older start count for nothing.
      else if (home === undefined) performer.handle({ kind: "refused", incarnation });
      else if (leaving === true) performer.handle({ kind: "outOfScope" });
    }
  }

  // -- asked by drivers and workers ---------------------------------------------------------------------------------

  async #create(spec: ActorSpec, getIfExists: boolean): Promise<Reply<"createActor">> {
    for (;;) {
      const known = this.#actors.get(spec.actorId);
      const holder = known ?? (spec.name === undefined ? undefined : this.#actors.named(spec.namespace, spec.name));
      if (holder === undefined) break;
      const { kind } = holder.machine.state;
      if (known === undefined && kind === "dead") {
        // Its name is free as soon as its death is durable.
        await this.#performerOf(holder).settled();
        continue;
      }
      // The same request again, as after a lost connection, is answered as the first one was.
      if (known === undefined && !getIfExists)
        throw new RaiaError("ACTOR_NAME_TAKEN", { name: spec.name, namespace: spec.namespace, actor: holder.spec.actorId });
      if (kind !== "registering") return registeredReply(holder, known === undefined);
      await this.#performerOf(holder).registered;
    }
    const outlivesJob = this.#checkNew(spec);
    const request = placementRequestOf(spec);
    const entry = this.#add(
      { ...spec, args: ownBytes(spec.args), methods: ownBytes(spec.methods) },
      { kind: "registering", life: firstLife(spec.maxRestarts) },
      outlivesJob,
      request,
    );
    this.#watchers.adopt(entry);
    await this.#register(entry);
    return registeredReply(entry, false);
  }

  /** Whether it outlives its job. @throws {RaiaError} why it cannot be */
  #checkNew(spec: ActorSpec): boolean {
    const { actorId, detached, jobId, ownerId } = spec;
    const { isJobRunning, limits } = this.#deps;
    // An actor that was made while its driver was still joining has an id without a job.
    if (jobOfActor(actorId) !== jobId && jobOfActor(actorId) !== NO_JOB)
      throw new RaiaError("INVALID_ARGUMENT", { argument: "actorId", actorId, jobId, reason: "the id is of another job" });
    if (this.#actors.dead(actorId) !== undefined || this.#actors.isBuried(actorId))
      throw new RaiaError("ACTOR_DIED", { actor: actorId, cause: this.#deadView(actorId).cause?.kind });
    const outlivesJob = detached || this.#actors.inWorker(ownerId).some((owner) => owner.outlivesJob);
    if (this.#endedOwners.has(ownerId))
      throw new RaiaError("OWNER_DIED", { owner: ownerId, reason: "the process that created it is gone" });
    if (!outlivesJob && !isJobRunning(jobId)) throw new RaiaError("OWNER_DIED", { jobId, reason: "the job is over" });
    if (detached) checkLimit("maxDetachedArgsBytes", spec.args.byteLength, limits);
    checkLimit("maxActors", this.#actors.size + 1, limits);
    return outlivesJob;
  }

  #add(spec: ActorSpec, state: ActorState, outlivesJob: boolean, request: PlacementRequest): ActorEntry {
    const entry = this.#actors.add(spec, state, outlivesJob);
    this.#performers.set(entry, new ActorPerformer(this.#performerDeps, entry, request));
    return entry;
  }

  /** Acknowledged when durable: an actor that its creator was told of is not forgotten by a crash. */
  async #register(entry: ActorEntry): Promise<void> {
    const performer = this.#performerOf(entry);
    const { spec } = entry;
    try {
      await performer.register([{ table: ACTORS, key: spec.actorId, value: encodeRecord(ActorSpec, spec) }, ...lifeChanges(entry)]);
    } catch (error) {
      this.#storeFailures++;
      performer.handle({ kind: "unplaceable", end: { cause: { kind: "not-registered" } } });
      throw error;
    }
    performer.handle({ kind: "registered" });
  }

  #byName(name: string, namespace: string): Reply<"getActorByName"> {
    const entry = this.#actors.named(namespace, name);
    if (entry === undefined || !isRegistered(entry)) throw new RaiaError("ACTOR_NOT_FOUND", { name, namespace });
    return registeredReply(entry, true);
  }

  #watch(actorId: string, peer: Connection): ActorView {
    const entry = this.#actors.get(actorId);
    if (entry !== undefined) {
      this.#watchers.watch(peer, entry);
      return viewOf(entry);
    }
    if (!this.#mayStillCome(actorId)) return this.#deadView(actorId);
    this.#watchers.awaitActor(peer, actorId);
    return { actorId, state: "pending", incarnation: 0 };
  }

  /** Acknowledged when durable: a killed actor is not brought back by a crash. */
  async #kill(actorId: string, noRestart: boolean): Promise<Record<string, never>> {
    const entry = this.#actors.get(actorId);
    if (entry !== undefined) {
      await this.#feed(entry, { kind: "killRequested", noRestart });
    } else if (this.#mayStillCome(actorId)) {
      if (noRestart) await this.#endBefore(actorId, "killed-by-user");
    } else if (this.#actors.dead(actorId) === undefined && !this.#actors.isBuried(actorId)) {
      throw new RaiaError("ACTOR_NOT_FOUND", { actor: actorId });
    }
    return {};
  }

  /** Acknowledged when durable: nobody says it again to the next control process. */
  async #outOfScope(actorId: string): Promise<Record<string, never>> {
    const entry = this.#actors.get(actorId);
    if (entry !== undefined) {
      if (goesWithItsHandles(entry)) await this.#feed(entry, { kind: "outOfScope" });
    } else if (this.#mayStillCome(actorId)) {
      await this.#endBefore(actorId, "out-of-scope");
    }
    return {};
  }

  /** Nothing is known of it, and there are those who could create it: it may have to wait for an argument. */
  #mayStillCome(actorId: string): boolean {
    const jobId = jobOfActor(actorId);
    if (this.#actors.dead(actorId) !== undefined || this.#actors.isBuried(actorId)) return false;
    return this.#deps.isJobRunning(jobId) || this.hasActors(jobId);
  }

  /** It ends before it was registered; when it comes, it is refused. */
  async #endBefore(actorId: string, kind: "killed-by-user" | "out-of-scope"): Promise<void> {
    this.#actors.buryId(actorId);
    this.#watchers.endAwaited({ actorId, state: "dead", incarnation: 0, cause: { kind } });
    await this.#graves.dig(actorId, graveOf({ kind }));
  }

  #deadView(actorId: string): ActorView {
    const dead = this.#actors.dead(actorId);
    if (dead === undefined) {
      const grave = this.#graves.endOf(actorId);
      return {
        actorId,
        state: "dead",
        incarnation: 0,
        cause: grave === undefined ? { kind: "forgotten" } : decodeRecord(DeathCause, grave),
      };
    }
    return { actorId, state: "dead", incarnation: dead.life.incarnation, ...dead.end };
  }

  #list(limit: number): Reply<"listActors"> {
    const rows: Reply<"listActors">["actors"][number][] = [];
    for (const entry of this.#actors.live()) if (rows.length < limit) rows.push(rowOf(entry));
    for (const dead of this.#actors.recentlyDead()) if (rows.length < limit) rows.push(deadRowOf(dead));
    return { actors: rows, total: this.#actors.size + this.#actors.deadCount };
  }

  async #explain(actorId: string): Promise<Reply<"explainActor">> {
    const entry = this.#actors.get(actorId);
    if (entry === undefined) {
      if (this.#mayStillCome(actorId))
        return { state: "unregistered", reasons: ["its creator has not sent it yet: an argument may not be ready"] };
      return { state: "dead", reasons: [`cause: ${this.#deadView(actorId).cause?.kind}`] };
    }
    const { state } = entry.machine;
    if (state.kind === "creating") return this.#explainOnNode(actorId, state.nodeId);
    return { state: state.kind, reasons: this.#performerOf(entry).explain() };
  }

  async #explainOnNode(actorId: string, nodeId: string): Promise<Reply<"explainActor">> {
    const answer = await this.#deps.membership.askNow(nodeId, (node) => node.explainActor({ actorId }));
    return answer ?? { state: "creating", reasons: [`node ${nodeId} does not answer`] };
  }

  // -- told by nodes and by other parts of control ------------------------------------------------------------------

  /** Settles when what follows from it is durable. @throws {RaiaError} CONTROL_STORE_FAILED when it cannot be written now */
  async actorEnded({ actorId, incarnation, cause, intended }: Ended): Promise<void> {
    const entry = this.#actors.get(actorId);
    if (entry === undefined) return;
    await this.#feed(entry, intended ? { kind: "exited", incarnation, cause } : { kind: "workerDied", incarnation, cause });
  }

  #feed(entry: ActorEntry, event: ActorEvent): Promise<void> {
    const performer = this.#performerOf(entry);
    performer.handle(event);
    return performer.settled();
  }

  /** A driver or worker is gone, and the actors that depend on it go too. Settles, and throws, as `actorEnded`. */
  async processEnded(workerId: string): Promise<void> {
    this.#endedOwners.add(workerId);
    const oldest = this.#endedOwners.values().next();
    if (this.#endedOwners.size > this.#deps.limits.maxEndedOwners && !oldest.done) this.#endedOwners.delete(oldest.value);
    const ending = this.#actors.ofOwner(workerId).filter((entry) => goesWithItsHandles(entry));
    await Promise.all(ending.map((entry) => this.#feed(entry, { kind: "ownerEnded" })));
  }

  jobFinished(jobId: string): void {
    for (const entry of this.#actors.ofJob(jobId)) {
      if (!entry.outlivesJob) this.#performerOf(entry).handle({ kind: "jobEnded" });
    }
    this.#jobMayBeOver(jobId);
  }

  /** With its last actor nothing of a finished job is left: none is still to come, and nobody needs to know which are dead. */
  #jobMayBeOver(jobId: string): void {
    if (this.#deps.isJobRunning(jobId) || this.hasActors(jobId)) return;
    for (const actorId of [...this.#watchers.awaitedActors()]) {
      if (jobOfActor(actorId) === jobId)
        this.#watchers.endAwaited({ actorId, state: "dead", incarnation: 0, cause: { kind: "job-ended" } });
    }
    this.#actors.forgetBuried(jobId);
    this.#graves.forget((actorId) => jobOfActor(actorId) === jobId);
    this.#deps.onLastActorGone(jobId);
  }

  nodeDied(nodeId: string): void {
    const hosted = this.#actors.onNode(nodeId);
    const processes = new Set(hosted.map(({ machine }) => (machine.state.kind === "alive" ? machine.state.home.workerId : "")));
    for (const entry of hosted) this.#performerOf(entry).handle({ kind: "nodeDied", nodeId });
    for (const { spec } of this.#actors.live()) if (spec.ownerNodeId === nodeId) processes.add(spec.ownerId);
    for (const workerId of processes) {
      if (workerId === "") continue;
      this.processEnded(workerId).catch(() => {
        // It is counted, and written again until it is durable.
      });
    }
  }

  /** What a node has, and what control believes it has, are made the same. */
  nodeReturned(nodeId: string, hosted: Infer<typeof RegisterNode>["actors"]): void {
    if (hosted === undefined) return;
    const there = new Map(hosted.map(({ actorId, incarnation }) => [actorId, incarnation]));
    for (const entry of this.#actors.onNode(nodeId)) {
      const { kind, life } = entry.machine.state;
      if (kind !== "alive" && kind !== "leaving") continue;
      if (there.get(entry.spec.actorId) === life.incarnation) continue;
      this.#performerOf(entry).handle({
        kind: "workerDied",
        incarnation: life.incarnation,
        cause: { kind: "lost-by-node", facts: { nodeId } },
      });
    }
    for (const { actorId, incarnation } of hosted) {
      const entry = this.#actors.get(actorId);
      if (entry !== undefined && entry.machine.state.life.incarnation === incarnation) continue;
      // The old one of an actor that is being replaced is among them: telling it twice does no harm.
      void this.#deps.membership.askNow(nodeId, (node) => node.stopActor({ actorId, incarnation, graceMs: 0 }));
    }
  }

  #buried(entry: ActorEntry): void {
    this.#performers.delete(entry);
    const { state } = entry.machine;
    if (state.kind === "dead") this.#graves.note(entry.spec.actorId, graveOf(state.end.cause));
    this.#deps.onActorDied(entry.spec.actorId);
    this.#jobMayBeOver(entry.spec.jobId);
  }

  #performerOf(entry: ActorEntry): ActorPerformer {
    const performer = this.#performers.get(entry);
    if (performer === undefined) throw new Error(`actor ${entry.spec.actorId} has no performer`);
    return performer;
  }

  close(): void {
    this.placement.close();
  }
}

function isRegistered({ machine }: ActorEntry): boolean {
  return machine.state.kind !== "registering" && machine.state.kind !== "dead";
}

function goesWithItsHandles({ spec }: ActorEntry): boolean {
  return spec.name === undefined && !spec.detached;
}
