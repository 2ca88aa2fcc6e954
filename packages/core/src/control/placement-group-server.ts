/**
 * Placement groups: created, named, awaited, removed, and ended with what they depend on. One that is not detached goes with
 * its job, or with the actor whose code made it.
 */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { parseLabelSelector } from "../base/labels.ts";
import type { ResourceSet } from "../base/resources.ts";
import type { HeldBundles } from "../messages/control.ts";
import {
  bundleService,
  type GroupTarget,
  type placementGroupService,
  type PlacementGroupReady,
  PlacementGroupSpec,
} from "../messages/placement-groups.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Client, Handlers } from "../wire/service.ts";
import type { ActorEntry } from "./actor-table.ts";
import { type ControlLimits, checkLimit } from "./control-limits.ts";
import { GroupPlacement } from "./group-placement.ts";
import { GroupWaiters } from "./group-waiters.ts";
import { Graves } from "./graves.ts";
import type { MembershipServer } from "./membership-server.ts";
import { firstGroupLife, type GroupEnd, type GroupLife, type GroupState, nodesIn } from "./placement-group-machine.ts";
import {
  groupChanges,
  type GroupPerformerDeps,
  PLACEMENT_GROUP_GRAVES,
  PLACEMENT_GROUP_LIVES,
  PLACEMENT_GROUPS,
  PlacementGroupPerformer,
} from "./placement-group-performer.ts";
import { type GroupEntry, jobOfGroup, PlacementGroupTable } from "./placement-group-table.ts";
import { chooseInGroup, type GroupChoice, heldByNode } from "./place-in-group.ts";
import { decodeRecord, encodeRecord, GroupLifeRecord } from "./record-codec.ts";
import type { RecordStore } from "./record-store.ts";

type Row = Infer<(typeof placementGroupService.methods.listPlacementGroups)["reply"]>["groups"][number];

export interface PlacementGroupDeps {
  readonly clock: Clock;
  readonly store: RecordStore;
  readonly limits: ControlLimits;
  readonly membership: MembershipServer;
  readonly infeasibleTimeoutMs: number;
  readonly isJobRunning: (jobId: string) => boolean;
  /** Of a living actor, whether it outlives its job; undefined when it does not live. */
  readonly actorOutlivesJob: (actorId: string) => boolean | undefined;
  /** What waits for a place in the group may have one now, or never. */
  readonly changed: (groupId: string) => void;
}

const NO_JOB = "00000000";
const nothing: Record<string, never> = {};

export class PlacementGroupServer {
  readonly #deps: PlacementGroupDeps;
  readonly #groups: PlacementGroupTable;
  readonly #waiters: GroupWaiters;
  readonly #performers = new Map<GroupEntry, PlacementGroupPerformer>();
  readonly #performerDeps: GroupPerformerDeps;
  readonly placement: GroupPlacement;
  readonly #graves: Graves;
  #storeFailures = 0;

  constructor(deps: PlacementGroupDeps) {
    const { clock, store, limits, membership, infeasibleTimeoutMs } = deps;
    this.#deps = deps;
    this.#groups = new PlacementGroupTable(limits);
    this.#waiters = new GroupWaiters(limits);
    this.#graves = new Graves(store, PLACEMENT_GROUP_GRAVES, () => this.#storeFailures++);
    this.placement = new GroupPlacement({
      clock,
      view: () => membership.view,
      reserve: (nodeId, resources) => membership.reserve(nodeId, resources),
      roomWanted: () => membership.tellAllOver((connection) => connection.client(bundleService).roomForGroupsWanted({})),
      infeasibleTimeoutMs,
    });
    this.#performerDeps = {
      clock,
      store,
      membership,
      placement: this.placement,
      forgetName: (entry) => this.#groups.forgetName(entry),
      settled: (entry) => this.#settled(entry),
      infeasible: (entry) => this.#tell(entry),
      onStoreFailure: () => this.#storeFailures++,
    };
  }

  readonly handlers: Handlers<typeof placementGroupService, Connection> = {
    createPlacementGroup: ({ spec }) => this.#create(spec),
    removePlacementGroup: ({ groupId }) => this.#remove(groupId),
    awaitPlacementGroup: ({ groupId }, peer) => this.#answerOf(groupId) ?? this.#waiters.wait(groupId, peer),
    getPlacementGroupByName: ({ name, namespace }) => this.#byName(name, namespace),
    listPlacementGroups: ({ limit, groupId }) => this.#list(limit, groupId),
    explainPlacementGroup: ({ groupId }) => this.#explain(groupId),
  };

  get counters(): Readonly<Record<"live" | "pending" | "waiters" | "storeFailures", number>> {
    return { live: this.#groups.size, pending: this.placement.size, waiters: this.#waiters.size, storeFailures: this.#storeFailures };
  }

  /** Where in a group an actor may go. @param actors the group's, those without a place included */
  choose(target: GroupTarget, resources: ResourceSet, actors: Iterable<ActorEntry>): GroupChoice {
    const failure = this.failureOf(target.groupId);
    if (failure !== undefined) return { kind: "never", reasons: failure.reasons };
    const entry = this.#groups.get(target.groupId);
    if (entry?.machine.state.kind !== "created")
      return { kind: "wait", reasons: [`its placement group is ${this.#explain(target.groupId).state}`] };
    return chooseInGroup(entry.spec, entry.machine.state.life.standing, target, resources, heldByNode(actors));
  }

  /** Why there is no such group, or why it has no places; undefined as long as it may get some. */
  failureOf(
    groupId: string,
  ): { readonly code: "PLACEMENT_GROUP_REMOVED" | "PLACEMENT_INFEASIBLE"; readonly reasons: readonly string[] } | undefined {
    const answer = this.#answerOf(groupId);
    if (answer?.status === "removed") return { code: "PLACEMENT_GROUP_REMOVED", reasons: answer.reasons };
    return answer?.status === "infeasible" ? { code: "PLACEMENT_INFEASIBLE", reasons: answer.reasons } : undefined;
  }

  /** What an earlier control process knew. What it had begun to place counts for nothing; what stood is opened, if it was not. */
  async load(): Promise<void> {
    const { isJobRunning, membership, store } = this.#deps;
    for (const { id, end } of await this.#graves.load(jobOfGroup, isJobRunning))
      this.#groups.buryId(id, Buffer.from(end).toString() as GroupEnd);
    const lives = new Map((await store.load(PLACEMENT_GROUP_LIVES)).map(({ key, value }) => [key, decodeRecord(GroupLifeRecord, value)]));
    for (const { key, value } of await store.load(PLACEMENT_GROUPS)) {
      const record = lives.get(key);
      if (record === undefined) continue;
      const spec = decodeRecord(PlacementGroupSpec, value);
      const { epoch, nodeIds, wasWhole, outlivesJob } = record;
      const standing = nodeIds.map((nodeId) => (nodeId === "" ? undefined : nodeId));
      const nodes = nodesIn(standing);
      const isWhole = !standing.includes(undefined);
      const life: GroupLife = { epoch: isWhole ? epoch : epoch + 1, standing, wasWhole, failures: 0 };
      const state: GroupState = isWhole ? { kind: "committing", life, waiting: nodes } : { kind: "pending", life };
      const performer = this.#performerOf(this.#add(spec, state, outlivesJob));
      for (const nodeId of nodes) membership.expect(nodeId);
      performer.begin(isWhole ? nodes : undefined);
      if (!outlivesJob && !isJobRunning(spec.jobId)) performer.handle({ kind: "removeRequested", end: "job-ended" });
    }
  }

  // -- asked by drivers and workers ---------------------------------------------------------------------------------

  async #create(spec: PlacementGroupSpec): Promise<Record<string, never>> {
    const known = this.#groups.get(spec.groupId);
    if (known !== undefined) {
      // The same request again, as after a lost connection.
      await this.#performerOf(known).registered;
      return nothing;
    }
    let outlivesJob: boolean;
    try {
      await this.#nameFree(spec);
      // From here on in one turn: another may ask for the same name.
      outlivesJob = this.#checkNew(spec);
    } catch (error) {
      // Those who wait for it, and those who will, need not wait for ever.
      this.#endBefore(spec.groupId, "not-registered").catch(() => {
        // Whoever asks a later control process waits, as for one that is still to come.
      });
      throw error;
    }
    const entry = this.#add(spec, { kind: "registering", life: firstGroupLife(spec.bundles.length) }, outlivesJob);
    const performer = this.#performerOf(entry);
    try {
      await performer.register([
        { table: PLACEMENT_GROUPS, key: spec.groupId, value: encodeRecord(PlacementGroupSpec, spec) },
        ...groupChanges(entry),
      ]);
    } catch (error) {
      this.#storeFailures++;
      performer.handle({ kind: "removeRequested", end: "not-registered" });
      throw error;
    }
    performer.handle({ kind: "registered" });
    return nothing;
  }

  /** The name of one that is being removed is free as soon as its end is durable. */
  async #nameFree({ name, namespace }: PlacementGroupSpec): Promise<void> {
    if (name === undefined) return;
    for (let holder = this.#groups.named(namespace, name); holder?.machine.state.kind === "removed"; ) {
      await this.#performerOf(holder).settled();
      holder = this.#groups.named(namespace, name);
    }
  }

  /** Whether it outlives its job. @throws {RaiaError} why it cannot be */
  #checkNew({ groupId, jobId, name, namespace, bundles, detached, creatorActorId }: PlacementGroupSpec): boolean {
    const { actorOutlivesJob, isJobRunning, limits } = this.#deps;
    const invalid = (argument: string, reason: string): RaiaError =>
      new RaiaError("INVALID_ARGUMENT", { argument, group: groupId, reason });
    // A group that was made while its driver was still joining has an id without a job.
    if (jobOfGroup(groupId) !== jobId && jobOfGroup(groupId) !== NO_JOB) throw invalid("groupId", "the id is of another job");
    if (bundles.length === 0) throw invalid("bundles", "there must be one at least");
    checkLimit("maxBundlesPerGroup", bundles.length, limits);
    checkLimit("maxPlacementGroups", this.#groups.size + 1, limits);
    for (const { labelSelector } of bundles) parseLabelSelector(labelSelector ?? {}, "bundleLabelSelector");
    const end = this.#groups.endOf(groupId);
    if (end !== undefined) throw new RaiaError("PLACEMENT_GROUP_REMOVED", { group: groupId, cause: end });
    const holder = name === undefined ? undefined : this.#groups.named(namespace, name);
    if (holder !== undefined) throw new RaiaError("PLACEMENT_GROUP_NAME_TAKEN", { name, namespace, group: holder.spec.groupId });
    const creatorOutlives = creatorActorId === undefined ? false : actorOutlivesJob(creatorActorId);
    if (creatorOutlives === undefined && !detached)
      throw new RaiaError("OWNER_DIED", { group: groupId, actor: creatorActorId, reason: "the actor that created it is gone" });
    const outlivesJob = detached || creatorOutlives === true;
    if (!outlivesJob && !isJobRunning(jobId)) throw new RaiaError("OWNER_DIED", { group: groupId, jobId, reason: "the job is over" });
    return outlivesJob;
  }

  #add(spec: PlacementGroupSpec, state: GroupState, outlivesJob: boolean): GroupEntry {
    const entry = this.#groups.add(spec, state, outlivesJob);
    this.#performers.set(entry, new PlacementGroupPerformer(this.#performerDeps, entry));
    return entry;
  }

  /** Acknowledged when durable: a removed group is not brought back by a crash. */
  async #remove(groupId: string): Promise<Record<string, never>> {
    const entry = this.#groups.get(groupId);
    if (entry !== undefined) {
      const performer = this.#performerOf(entry);
      performer.handle({ kind: "removeRequested", end: "removed-by-user" });
      await performer.settled();
    } else if (this.#groups.endOf(groupId) === undefined) {
      await this.#endBefore(groupId, "removed-by-user");
    }
    return nothing;
  }

  /** It ends before it was registered; when it comes, it is refused. */
  async #endBefore(groupId: string, end: GroupEnd): Promise<void> {
    const isNew = this.#groups.endOf(groupId) === undefined;
    if (isNew) this.#groups.buryId(groupId, end);
    this.#waiters.answer(groupId, { status: "removed", places: [], reasons: [end] });
    this.#deps.changed(groupId);
    if (isNew) await this.#graves.dig(groupId, Buffer.from(end));
  }

  #byName(name: string, namespace: string): { spec: PlacementGroupSpec } {
    const entry = this.#groups.named(namespace, name);
    const kind = entry?.machine.state.kind;
    if (entry === undefined || kind === "registering" || kind === "removed")
      throw new RaiaError("PLACEMENT_GROUP_NOT_FOUND", { name, namespace });
    return { spec: entry.spec };
  }

  #list(limit: number, groupId: string | undefined): { groups: Row[]; total: number } {
    const rows: Row[] = [];
    for (const entry of this.#groups.all())
      if (rows.length < limit && (groupId ?? entry.spec.groupId) === entry.spec.groupId) rows.push(rowOf(entry));
    const removed = [...this.#groups.removed()].reverse();
    for (const { spec } of removed)
      if (rows.length < limit && (groupId ?? spec.groupId) === spec.groupId)
        rows.push({ spec, state: "removed", nodeIds: spec.bundles.map(() => "") });
    return { groups: rows, total: this.#groups.size + removed.length };
  }

  #explain(groupId: string): { state: string; reasons: readonly string[] } {
    const entry = this.#groups.get(groupId);
    if (entry === undefined) {
      const end = this.#groups.endOf(groupId);
      return end === undefined
        ? { state: "unregistered", reasons: ["its creator has not sent it yet"] }
        : { state: "removed", reasons: [`cause: ${end}`] };
    }
    const { state } = entry.machine;
    const reasons = state.kind === "preparing" || state.kind === "committing" ? [`waits for node ${state.waiting.join(", ")}`] : [];
    return { state: statusOf(state), reasons: [...reasons, ...this.#performerOf(entry).explain()] };
  }

  // -- told by nodes and by other parts of control ------------------------------------------------------------------

  jobFinished(jobId: string): void {
    for (const entry of [...this.#groups.all()])
      if (entry.spec.jobId === jobId && !entry.outlivesJob) this.#performerOf(entry).handle({ kind: "removeRequested", end: "job-ended" });
    for (const groupId of [...this.#waiters.groupIds()])
      if (jobOfGroup(groupId) === jobId && this.#groups.get(groupId) === undefined) {
        this.#groups.buryId(groupId, "job-ended");
        this.#waiters.answer(groupId, { status: "removed", places: [], reasons: ["job-ended"] });
        this.#deps.changed(groupId);
      }
    this.#graves.forget((groupId) => jobOfGroup(groupId) === jobId);
  }

  /** An actor is dead for good, and the groups that it made go with it. */
  actorDied(actorId: string): void {
    for (const entry of [...this.#groups.all()]) {
      const { creatorActorId, detached } = entry.spec;
      if (creatorActorId === actorId && !detached) this.#performerOf(entry).handle({ kind: "removeRequested", end: "creator-died" });
    }
  }

  nodeDied(nodeId: string): void {
    for (const entry of [...this.#groups.all()]) this.#performerOf(entry).handle({ kind: "nodeDied", nodeId });
  }

  /** What a node holds, and what control believes that it holds, are made the same. */
  nodeRegistered(nodeId: string, held: readonly HeldBundles[] | undefined): void {
    if (held === undefined) return;
    for (const bundles of held) {
      const { groupId, epoch, isCommitted } = bundles;
      const entry = this.#groups.get(groupId);
      if (entry === undefined || entry.machine.state.kind === "removed") this.#giveBack(nodeId, (node) => node.removeBundles({ groupId }));
      else if (hasStrayed(entry.machine.state, nodeId, bundles))
        this.#giveBack(nodeId, (node) => node.cancelBundles({ groupId, epoch, openToo: isCommitted }));
    }
    for (const entry of [...this.#groups.all()]) {
      const { standing } = entry.machine.state.life;
      const lost = standing.some((there, index) => there === nodeId && !holds(held, entry.spec.groupId, index));
      if (lost) this.#performerOf(entry).handle({ kind: "bundlesLost", nodeId });
    }
  }

  #giveBack(nodeId: string, ask: (node: Client<typeof bundleService>) => Promise<unknown>): void {
    this.#deps.membership
      .askOver(nodeId, (connection) => ask(connection.client(bundleService)))
      .catch((error: unknown) => {
        // What the node cannot give back, it does not have.
        if (!RaiaError.is(error)) throw error;
      });
  }

  #settled(entry: GroupEntry): void {
    const { state } = entry.machine;
    if (state.kind === "removed") {
      this.#groups.bury(entry, state.end);
      this.#graves.note(entry.spec.groupId, Buffer.from(state.end));
      if (!this.#deps.isJobRunning(entry.spec.jobId)) this.#graves.remove(entry.spec.groupId);
      this.#performers.delete(entry);
    }
    this.#tell(entry);
  }

  #tell({ spec: { groupId } }: GroupEntry): void {
    const answer = this.#answerOf(groupId);
    if (answer !== undefined) this.#waiters.answer(groupId, answer);
    this.#deps.changed(groupId);
  }

  /** What is said to those who wait for it; undefined as long as they wait. */
  #answerOf(groupId: string): PlacementGroupReady | undefined {
    const entry = this.#groups.get(groupId);
    if (entry === undefined) {
      const end = this.#groups.endOf(groupId);
      if (end !== undefined) return { status: "removed", places: [], reasons: [end] };
      const jobId = jobOfGroup(groupId);
      // Nobody is there any more who could still register it.
      return jobId === NO_JOB || this.#deps.isJobRunning(jobId) ? undefined : { status: "removed", places: [], reasons: ["job-ended"] };
    }
    const { state } = entry.machine;
    if (state.kind === "removed") return { status: "removed", places: [], reasons: [state.end] };
    const { infeasible } = this.#performerOf(entry);
    if (state.kind === "pending" && infeasible !== undefined) return { status: "infeasible", places: [], reasons: infeasible };
    if (state.kind !== "created") return undefined;
    const places = state.life.standing.map((nodeId = "", index) => ({
      nodeId,
      address: this.#deps.membership.addressOf(nodeId),
      resources: entry.spec.bundles[index]?.resources ?? {},
    }));
    return { status: "created", places, reasons: [] };
  }

  #performerOf(entry: GroupEntry): PlacementGroupPerformer {
    const performer = this.#performers.get(entry);
    if (performer === undefined) throw new Error(`placement group ${entry.spec.groupId} has no performer`);
    return performer;
  }

  close(): void {
    this.placement.close();
  }
}

/** Bundles that are neither of those that stand nor of those that are being set aside now: of an attempt that is over. */
function hasStrayed(state: GroupState, nodeId: string, { epoch, indices }: HeldBundles): boolean {
  const { life } = state;
  return indices.some((index) => {
    const isBeingPrepared = state.kind === "preparing" && epoch === life.epoch && state.plan[index] === nodeId;
    return life.standing[index] !== nodeId && !isBeingPrepared;
  });
}

function holds(held: readonly HeldBundles[], groupId: string, index: number): boolean {
  return held.some((bundles) => bundles.groupId === groupId && bundles.indices.includes(index));
}

function rowOf({ spec, machine }: GroupEntry): Row {
  const { state } = machine;
  return { spec, state: statusOf(state), nodeIds: state.life.standing.map((nodeId) => nodeId ?? "") };
}

function statusOf({ kind, life }: GroupState): Row["state"] {
  switch (kind) {
    case "registering":
    case "pending":
    case "preparing":
      return life.wasWhole ? "rescheduling" : "pending";
    case "committing":
      return "prepared";
    case "created":
    case "removed":
      return kind;
  }
}
