/**
 * All actors that control knows: the living by id, name, owner, job and process; the dead as a short history, and after
 * that as a mere id, so that a handle to one is never taken for a handle to one that is still to come.
 */
import { Machine } from "../base/machine.ts";
import type { ActorSpec, ActorView } from "../messages/control.ts";
import type { Connection } from "../wire/connection.ts";
import { type ActorEffect, type ActorEnd, type ActorEvent, type ActorState, actorTable, type Life } from "./actor-machine.ts";

export interface ActorEntry {
  readonly spec: ActorSpec;
  readonly machine: Machine<ActorState, ActorEvent, ActorEffect>;
  /** It belongs to a detached actor's family, so the end of its job does not end it. */
  readonly outlivesJob: boolean;
  readonly watchers: Set<Connection>;
}

/** What is kept of a dead actor. */
export interface DeadActor {
  readonly spec: Omit<ActorSpec, "args" | "methods" | "demand">;
  readonly life: Life;
  readonly end: ActorEnd;
}

interface Place {
  readonly nodeId?: string | undefined;
  readonly workerId?: string | undefined;
}

const nowhere: Place = {};

export interface ActorTableLimits {
  readonly maxDeadActors: number;
  readonly maxDeadActorBytes: number;
  readonly maxBuriedActors: number;
}

/** Of a dead actor beside its error and last lines. */
const DEAD_ACTOR_BYTES = 1024;

export class ActorTable {
  readonly #limits: ActorTableLimits;
  readonly #live = new Map<string, ActorEntry>();
  readonly #byName = new Map<string, ActorEntry>();
  readonly #byOwner = new Index();
  readonly #byJob = new Index();
  readonly #byGroup = new Index();
  readonly #byWorker = new Index();
  readonly #byNode = new Index();
  readonly #places = new Map<ActorEntry, Place>();
  readonly #dead = new Map<string, DeadActor>();
  /** Ids by job; with the job they go. */
  readonly #buried = new Map<string, Set<string>>();
  #buriedCount = 0;
  #deadBytes = 0;
  #forgotten = 0;

  constructor(limits: ActorTableLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#live.size;
  }

  get deadCount(): number {
    return this.#dead.size;
  }

  /** Dead actors that are not listed any more. */
  get forgotten(): number {
    return this.#forgotten;
  }

  get(actorId: string): ActorEntry | undefined {
    return this.#live.get(actorId);
  }

  named(namespace: string, name: string): ActorEntry | undefined {
    return this.#byName.get(nameKey(namespace, name));
  }

  dead(actorId: string): DeadActor | undefined {
    return this.#dead.get(actorId);
  }

  isBuried(actorId: string): boolean {
    return this.#buried.get(jobOfActor(actorId))?.has(actorId) ?? false;
  }

  add(spec: ActorSpec, state: ActorState, outlivesJob: boolean): ActorEntry {
    const entry: ActorEntry = { spec, machine: new Machine("actor", actorTable, state), outlivesJob, watchers: new Set() };
    this.#live.set(spec.actorId, entry);
    if (spec.name !== undefined) this.#byName.set(nameKey(spec.namespace, spec.name), entry);
    this.#byOwner.add(spec.ownerId, entry);
    this.#byJob.add(spec.jobId, entry);
    const { placementGroupId } = spec.demand.strategy;
    if (placementGroupId !== undefined) this.#byGroup.add(placementGroupId, entry);
    this.moved(entry);
    return entry;
  }

  /** Files it under where its state says that it is. */
  moved(entry: ActorEntry): void {
    const old = this.#places.get(entry) ?? nowhere;
    const { nodeId, workerId } = placeOf(entry.machine.state);
    if (old.nodeId !== nodeId) {
      if (old.nodeId !== undefined) this.#byNode.delete(old.nodeId, entry);
      if (nodeId !== undefined) this.#byNode.add(nodeId, entry);
    }
    if (old.workerId !== workerId) {
      if (old.workerId !== undefined) this.#byWorker.delete(old.workerId, entry);
      if (workerId !== undefined) this.#byWorker.add(workerId, entry);
    }
    if (nodeId === undefined) this.#places.delete(entry);
    else this.#places.set(entry, { nodeId, workerId });
  }

  forgetName(entry: ActorEntry): void {
    const { name, namespace } = entry.spec;
    if (name !== undefined && this.#byName.get(nameKey(namespace, name)) === entry) this.#byName.delete(nameKey(namespace, name));
  }

  /** Takes it out of the living; what history forgets for it is counted. */
  bury(entry: ActorEntry, life: Life, end: ActorEnd): void {
    const { spec } = entry;
    this.forgetName(entry);
    this.#live.delete(spec.actorId);
    this.#byOwner.delete(spec.ownerId, entry);
    this.#byJob.delete(spec.jobId, entry);
    this.#byGroup.delete(spec.demand.strategy.placementGroupId ?? "", entry);
    const { args: _args, methods: _methods, demand: _demand, ...kept } = spec;
    const dead: DeadActor = { spec: kept, life, end };
    this.#dead.set(spec.actorId, dead);
    this.#deadBytes += bytesOf(dead);
    while (this.#dead.size > this.#limits.maxDeadActors || this.#deadBytes > this.#limits.maxDeadActorBytes) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const oldest = this.#dead.entries().next();
    if (oldest.done) return;
    const [actorId, dead] = oldest.value;
    this.#dead.delete(actorId);
    this.#deadBytes -= bytesOf(dead);
    this.#forgotten++;
    this.buryId(actorId);
  }

  /** Remembers that there is no such actor any more, or will not be. */
  buryId(actorId: string): void {
    const jobId = jobOfActor(actorId);
    const buried = this.#buried.get(jobId) ?? new Set();
    this.#buried.set(jobId, buried);
    if (!buried.has(actorId)) this.#buriedCount++;
    buried.add(actorId);
    if (this.#buriedCount <= this.#limits.maxBuriedActors) return;
    // The oldest of the job that has the most, so that one busy job does not cost the others theirs.
    const [largestJob, largest] = [...this.#buried].reduce((a, b) => (b[1].size > a[1].size ? b : a));
    const oldest = largest.values().next();
    if (!oldest.done) largest.delete(oldest.value);
    if (largest.size === 0) this.#buried.delete(largestJob);
    this.#buriedCount--;
  }

  /** Of a finished job no actor is still to come, so nobody needs to know which are dead. */
  forgetBuried(jobId: string): void {
    this.#buriedCount -= this.#buried.get(jobId)?.size ?? 0;
    this.#buried.delete(jobId);
  }

  live(): Iterable<ActorEntry> {
    return this.#live.values();
  }

  /** Newest first. */
  recentlyDead(): DeadActor[] {
    return [...this.#dead.values()].reverse();
  }

  ofOwner(ownerId: string): readonly ActorEntry[] {
    return this.#byOwner.get(ownerId);
  }

  ofJob(jobId: string): readonly ActorEntry[] {
    return this.#byJob.get(jobId);
  }

  /** Those that want, or have, their place in this placement group. */
  inGroup(groupId: string): readonly ActorEntry[] {
    return this.#byGroup.get(groupId);
  }

  /** Alive in this process; several, when they share it. */
  inWorker(workerId: string): readonly ActorEntry[] {
    return this.#byWorker.get(workerId);
  }

  onNode(nodeId: string): readonly ActorEntry[] {
    return this.#byNode.get(nodeId);
  }
}

/** What others are told of it. */
export function viewOf({ spec, machine }: ActorEntry): ActorView {
  const { actorId } = spec;
  const { state } = machine;
  const { incarnation, restarts } = state.life;
  switch (state.kind) {
    case "registering":
    case "pending":
    case "creating":
      return { actorId, state: restarts > 0 ? "restarting" : "pending", incarnation };
    case "replacing":
      return { actorId, state: "restarting", incarnation };
    case "alive":
    case "leaving":
      return { actorId, state: "alive", incarnation, ...state.home };
    case "dead":
      return { actorId, state: "dead", incarnation, ...state.end };
  }
}

/** Where a process of it is, or may be. */
export function placeOf(state: ActorState): Place {
  switch (state.kind) {
    case "creating":
      return { nodeId: state.nodeId };
    case "alive":
    case "leaving":
      return state.home;
    case "replacing":
      return { nodeId: state.old.nodeId };
    case "registering":
    case "pending":
    case "dead":
      return nowhere;
  }
}

/** The last four bytes of an actor's id. */
export function jobOfActor(actorId: string): string {
  return actorId.slice(-8);
}

function nameKey(namespace: string, name: string): string {
  return `${namespace.length}:${namespace}${name}`;
}

function bytesOf({ end }: DeadActor): number {
  const lines = end.cause.stderrTail?.reduce((sum, line) => sum + line.length, 0) ?? 0;
  return DEAD_ACTOR_BYTES + (end.error?.byteLength ?? 0) + lines;
}

/** Actors by one of their facts. */
class Index {
  readonly #entries = new Map<string, Set<ActorEntry>>();

  get(key: string): readonly ActorEntry[] {
    return [...(this.#entries.get(key) ?? [])];
  }

  add(key: string, entry: ActorEntry): void {
    const entries = this.#entries.get(key) ?? new Set();
    this.#entries.set(key, entries.add(entry));
  }

  delete(key: string, entry: ActorEntry): void {
    const entries = this.#entries.get(key);
    if (entries?.delete(entry) && entries.size === 0) this.#entries.delete(key);
  }
}
