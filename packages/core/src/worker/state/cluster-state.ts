/**
 * What a cluster is doing, put together from what its processes say: control knows jobs, nodes, actors and what happened,
 * each node its workers and its store, each process the tasks and objects that it owns. A process that does not answer in
 * time is named as missing; the rest is shown.
 */
import type { Clock } from "../../base/clock.ts";
import { RaiaError } from "../../base/errors.ts";
import { toCounts } from "../../base/resources.ts";
import { controlService } from "../../messages/control.ts";
import { processService, type WorkerRow } from "../../messages/leases.ts";
import { type StoredList, type StoreUsage as StoreUsageType, storeService } from "../../messages/objects.ts";
import { ownerService, type OwnedList } from "../../messages/owners.ts";
import { type PlacementGroupRow, placementGroupService } from "../../messages/placement-groups.ts";
import type { Connection } from "../../wire/connection.ts";
import type { Infer } from "../../wire/schema.ts";
import type { ServiceSource } from "../../wire/service.ts";
import { chromeTrace, type TraceEvent } from "./chrome-trace.ts";
import { type Explanation, innerAnswerMs, OWNER_ANSWER_MS } from "./explanation.ts";
import { mergeObjects, mergeTasks, type ObjectState, type TaskState } from "./state-rows.ts";

export type StoreUsage = Infer<typeof StoreUsageType>;

/** How the one who asks reaches the cluster: a runtime, or a guest that is no member. */
export interface ClusterPeers {
  readonly clock: Clock;
  readonly control: ServiceSource;
  /** The connection to an address; the same one each time. */
  dial(address: string): Promise<Connection>;
}

export interface Limited {
  /** At most so many rows, the newest (of tasks and actors) or largest (of objects). Default 1,000. */
  readonly limit?: number | undefined;
}

export interface Listing<Row> {
  readonly rows: readonly Row[];
  /** How many there are; at least, where processes are missing. */
  readonly total: number;
  /** Who did not answer in time. */
  readonly missing: readonly MissingProcess[];
}

export interface MissingProcess {
  readonly pid: number;
  readonly kind: string;
  readonly reason: string;
}

export interface WorkerState {
  readonly workerId: string;
  readonly nodeId: string;
  readonly pid: number;
  /** `task`, `actor` or `driver`. */
  readonly kind: string;
  readonly state: string;
  readonly jobId: string;
  /** Names of the tasks or actors that it has. */
  readonly running: readonly string[];
  /** Private memory in bytes; absent where it cannot be told. */
  readonly residentBytes?: number | undefined;
}

export interface ActorState {
  readonly actorId: string;
  readonly className: string;
  readonly name?: string | undefined;
  readonly namespace: string;
  readonly jobId: string;
  readonly state: string;
  readonly restarts: number;
  readonly pid?: number | undefined;
  readonly detached: boolean;
  /** Why it is dead: a word that programs can read, with facts. */
  readonly deathCause?: { readonly kind: string } | undefined;
}

/** One placement group; removed ones are listed as long as they are remembered. */
export interface PlacementGroupState {
  readonly placementGroupId: string;
  readonly name?: string | undefined;
  readonly namespace: string;
  readonly jobId: string;
  /** `pending`, `prepared`, `created`, `rescheduling` or `removed`. */
  readonly state: string;
  readonly strategy: string;
  readonly detached: boolean;
  readonly bundles: readonly {
    /** In whole units: `{ CPU: 2 }`. */
    readonly resources: Readonly<Record<string, number>>;
    /** Absent while it has no place. */
    readonly nodeId?: string | undefined;
  }[];
}

export interface JobState {
  readonly jobId: string;
  readonly state: "running" | "finished";
  readonly namespace: string;
  readonly driverPid: number;
  readonly entrypoint: string;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly endedAtMs?: number | undefined;
}

export interface NodeState {
  readonly nodeId: string;
  readonly state: string;
  /** In whole units: `{ CPU: 2 }`. */
  readonly total: Readonly<Record<string, number>>;
  readonly available: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
}

const DEFAULT_LIMIT = 1_000;
/** More than control keeps of one job. */
const ALL_EVENTS = 1_000_000;

export class ClusterState {
  readonly #peers: ClusterPeers;

  constructor(peers: ClusterPeers) {
    this.#peers = peers;
  }

  get #control() {
    return this.#peers.control.client(controlService);
  }

  async nodes(): Promise<NodeState[]> {
    const { nodes } = await this.#control.listNodes({});
    return nodes.map(({ nodeId, state, total, available, labels }) => ({
      nodeId,
      state,
      total: toCounts(total),
      available: toCounts(available),
      labels,
    }));
  }

  /** Requests for workers that no node has granted yet. */
  async pendingRequests(): Promise<number> {
    const nodes = await this.#nodeConnections();
    const counts = await Promise.all(
      nodes.map(async ({ connection }) => (await connection.client(processService).nodeStatus({})).pendingLeases),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async jobs(): Promise<JobState[]> {
    const { jobs } = await this.#control.listJobs({});
    return [...jobs];
  }

  async actors({ limit = DEFAULT_LIMIT }: Limited = {}): Promise<Listing<ActorState>> {
    const { actors, total } = await this.#control.listActors({ limit });
    return { rows: actors, total, missing: [] };
  }

  async placementGroups({ limit = DEFAULT_LIMIT }: Limited = {}): Promise<Listing<PlacementGroupState>> {
    const { groups, total } = await this.#peers.control.client(placementGroupService).listPlacementGroups({ limit });
    return { rows: groups.map(groupState), total, missing: [] };
  }

  async workers(): Promise<WorkerState[]> {
    return (await this.#processes()).map(({ address: _address, facts: _facts, ...row }) => row);
  }

  /** Tasks that are under way, and those that ended as long as control remembers them. */
  async tasks({ limit = DEFAULT_LIMIT }: Limited = {}): Promise<Listing<TaskState>> {
    const [owned, { events }, { actors }] = await Promise.all([
      this.#owned(limit),
      this.#control.listTaskEvents({ limit: ALL_EVENTS }),
      this.#control.listActors({ limit: ALL_EVENTS }),
    ]);
    const pidOfActor = new Map(actors.map(({ actorId, pid }) => [actorId, pid]));
    const live = owned.lists.flatMap(({ process, list }) => list.tasks.map((task) => ({ ...task, ownerPid: process.pid })));
    const isAlive = (ownerId: string): boolean => owned.processes.some(({ workerId }) => workerId.startsWith(ownerId));
    const rows = mergeTasks(live, events, pidOfActor, isAlive);
    return { rows: rows.slice(0, limit), total: rows.length, missing: owned.missing };
  }

  async objects({ limit = DEFAULT_LIMIT }: Limited = {}): Promise<Listing<ObjectState>> {
    const [owned, stored] = await Promise.all([this.#owned(limit), this.#stored(limit)]);
    const live = owned.lists.flatMap(({ process, list }) =>
      list.objects.map((object) => ({ ...object, ownerId: process.workerId, ownerPid: process.pid })),
    );
    const rows = mergeObjects(live, stored);
    const total = owned.lists.reduce((sum, { list }) => sum + list.total, 0);
    return { rows: rows.slice(0, limit), total: Math.max(total, rows.length), missing: owned.missing };
  }

  /** Use of the nodes' stores, in bytes, by node. */
  async storeUsage(): Promise<{ readonly nodeId: string; readonly usage: StoreUsage }[]> {
    const nodes = await this.#nodeConnections();
    return Promise.all(
      nodes.map(async ({ nodeId, connection }) => ({ nodeId, usage: await connection.client(storeService).askUsage({}) })),
    );
  }

  /** What happened to tasks, for a trace viewer (chrome://tracing, ui.perfetto.dev). */
  async timeline({ jobId }: { readonly jobId?: string | undefined } = {}): Promise<{ events: TraceEvent[]; dropped: number }> {
    const [{ events, dropped }, processes] = await Promise.all([
      this.#control.listTaskEvents({ limit: ALL_EVENTS, ...(jobId !== undefined && { jobId }) }),
      this.#processes(),
    ]);
    const names = new Map(processes.map(({ pid, kind }) => [pid, `${kind === "driver" ? "driver" : "worker"} ${pid}`]));
    return { events: chromeTrace(events, names), dropped };
  }

  /**
   * Why a task, an object or an actor stands as it does.
   *
   * @param id as the lists show it: an actor's id or its beginning, or `owner-number` of a task or object, or the whole id
   * @throws {RaiaError} INVALID_ARGUMENT when nothing, or more than one thing, has that id
   */
  async explain(id: string): Promise<Explanation> {
    const owned = ownedIdOf(id);
    if (owned === undefined) return this.#explainActor(id);
    const owners = (await this.#processes()).filter(({ workerId }) => workerId.startsWith(owned.owner));
    const [owner] = owners;
    if (owner === undefined) {
      const reason = "no live process has an id that begins so; what a dead process owned went with it";
      throw new RaiaError("INVALID_ARGUMENT", { call: "explain", id, owner: owned.owner, reason });
    }
    if (owners.length > 1)
      throw new RaiaError("INVALID_ARGUMENT", { call: "explain", id, reason: `${owners.length} processes have ids that begin so` });
    const answer = this.#ask(owner, (client) =>
      client.explainOwned({ sequence: owned.sequence, withinMs: innerAnswerMs(OWNER_ANSWER_MS) }),
    );
    const explained = await answer;
    return "missing" in explained
      ? { state: "unknown", reasons: [`owner pid ${owner.pid}: ${explained.missing.reason}`] }
      : { state: explained.reply.state, reasons: explained.reply.reasons };
  }

  async #explainActor(id: string): Promise<Explanation> {
    const groups = id === "" ? [] : (await this.placementGroups({ limit: ALL_EVENTS })).rows;
    const [group, ...others] = groups.filter(({ placementGroupId }) => placementGroupId.startsWith(id));
    if (group !== undefined && others.length === 0) {
      const { placementGroupId: groupId } = group;
      return this.#peers.control.client(placementGroupService).explainPlacementGroup({ groupId });
    }
    const { actors } = await this.#control.listActors({ limit: ALL_EVENTS });
    const found = id === "" ? [] : actors.filter(({ actorId }) => actorId.startsWith(id));
    const [actor] = found;
    if (actor === undefined || found.length > 1) {
      const reason = actor === undefined ? "no actor has an id that begins so" : `${found.length} actors have ids that begin so`;
      throw new RaiaError("INVALID_ARGUMENT", { call: "explain", id, reason });
    }
    const { state, reasons } = await this.#control.explainActor({ actorId: actor.actorId });
    const pid = actor.pid === undefined ? [] : [`in process ${actor.pid}`];
    const cause = actor.deathCause === undefined ? [] : [`died: ${actor.deathCause.kind}`];
    return { state, reasons: [...(state === "alive" ? pid : []), ...(state === "dead" ? cause : []), ...reasons] };
  }

  // -- asking -----------------------------------------------------------------------------------------------------

  async #nodeConnections(): Promise<{ nodeId: string; connection: Connection }[]> {
    const { nodes } = await this.#control.listNodes({});
    const alive = nodes.filter(({ state }) => state === "alive");
    return Promise.all(alive.map(async ({ nodeId, address }) => ({ nodeId, connection: await this.#peers.dial(address) })));
  }

  async #processes(): Promise<(Infer<typeof WorkerRow> & { nodeId: string })[]> {
    const nodes = await this.#nodeConnections();
    const lists = await Promise.all(
      nodes.map(async ({ nodeId, connection }) => {
        const { workers } = await connection.client(processService).listWorkers({});
        return workers.map((worker) => ({ ...worker, nodeId }));
      }),
    );
    return lists.flat();
  }

  async #stored(limit: number): Promise<Infer<typeof StoredList>["objects"]> {
    const nodes = await this.#nodeConnections();
    const lists = await Promise.all(nodes.map(({ connection }) => connection.client(storeService).listStored({ limit })));
    return lists.flatMap(({ objects }) => [...objects]);
  }

  async #owned(limit: number): Promise<{
    processes: readonly Infer<typeof WorkerRow>[];
    lists: { process: Infer<typeof WorkerRow>; list: Infer<typeof OwnedList> }[];
    missing: MissingProcess[];
  }> {
    const processes = await this.#processes();
    const answers = await Promise.all(
      processes.map(async (process) => ({ process, answer: await this.#ask(process, (client) => client.listOwned({ limit })) })),
    );
    const lists: { process: Infer<typeof WorkerRow>; list: Infer<typeof OwnedList> }[] = [];
    const missing: MissingProcess[] = [];
    for (const { process, answer } of answers) {
      if ("missing" in answer) missing.push(answer.missing);
      else lists.push({ process, list: answer.reply });
    }
    return { processes, lists, missing };
  }

  /** A process may be in a loop of its user's for minutes, or gone since it was listed. */
  #ask<Reply>(
    { address, pid, kind }: Infer<typeof WorkerRow>,
    call: (client: ReturnType<typeof Connection.prototype.client<typeof ownerService>>) => Promise<Reply>,
  ): Promise<{ reply: Reply } | { missing: MissingProcess }> {
    const missing = (reason: string): { missing: MissingProcess } => ({ missing: { pid, kind, reason } });
    if (address === undefined) return Promise.resolve(missing("it is starting"));
    const late = new Promise<{ missing: MissingProcess }>((resolve) =>
      this.#peers.clock.after(OWNER_ANSWER_MS, () => resolve(missing(`it has not run its loop for ${OWNER_ANSWER_MS} ms`))),
    );
    const asked = this.#peers
      .dial(address)
      .then((connection) => call(connection.client(ownerService)))
      .then(
        (reply) => ({ reply }),
        (error: unknown) => missing(RaiaError.is(error, "CONNECTION_LOST") ? "it has ended" : String(error)),
      );
    return Promise.race([asked, late]);
  }
}

function groupState({ spec, state, nodeIds }: PlacementGroupRow): PlacementGroupState {
  const { groupId, name, namespace, jobId, strategy, detached, bundles } = spec;
  return {
    placementGroupId: groupId,
    ...(name !== undefined && { name }),
    namespace,
    jobId,
    state,
    strategy,
    detached,
    bundles: bundles.map(({ resources }, index) => {
      const nodeId = nodeIds[index] ?? "";
      return { resources: toCounts(resources), ...(nodeId !== "" && { nodeId }) };
    }),
  };
}

/** `owner-number` as lists show it, or the whole id of an object (40 characters of the owner's) or task (32). */
function ownedIdOf(id: string): { owner: string; sequence: number } | undefined {
  const short = /^([0-9a-f]+)-([0-9a-f]+)$/.exec(id);
  if (short !== null) return { owner: short[1] as string, sequence: Number.parseInt(short[2] as string, 16) };
  const whole = /^([0-9a-f]{40}|[0-9a-f]{32})([0-9a-f]{16})$/.exec(id);
  return whole === null ? undefined : { owner: whole[1] as string, sequence: Number.parseInt(whole[2] as string, 16) };
}
