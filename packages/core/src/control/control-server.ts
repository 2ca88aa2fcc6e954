/**
 * The control plane: jobs, nodes, actors, functions, key-value pairs and task events, each in a part of its own, wired
 * together here and nowhere else. Attached to a connection, it answers whatever the peer is; who may connect is for the
 * listener to decide.
 */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { controlService, nodeReports } from "../messages/control.ts";
import { placementGroupService } from "../messages/placement-groups.ts";
import type { Connection } from "../wire/connection.ts";
import { ActorServer } from "./actor-server.ts";
import { type ControlLimits, defaultLimits } from "./control-limits.ts";
import { FunctionServer } from "./function-server.ts";
import { JobServer } from "./job-server.ts";
import { KvServer } from "./kv-server.ts";
import { MembershipServer } from "./membership-server.ts";
import { PlacementGroupServer } from "./placement-group-server.ts";
import type { RecordStore } from "./record-store.ts";
import { TaskEventTable } from "./task-event-table.ts";

export interface ControlOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Memory, for a head that goes with its driver; SQLite, for one whose tables must outlive a crash. */
  readonly store: RecordStore;
  /**
   * How long what no node can run waits for a node that can. Default: 5,000, for a single node that started by itself; a
   * cluster that nodes join gives 60,000.
   */
  readonly infeasibleTimeoutMs?: number;
  readonly limits?: Partial<ControlLimits>;
}

const DEFAULT_INFEASIBLE_TIMEOUT_MS = 5_000;

export class ControlServer {
  readonly #membership: MembershipServer;
  readonly #jobs: JobServer;
  readonly #actors: ActorServer;
  readonly #groups: PlacementGroupServer;
  readonly #functions: FunctionServer;
  readonly #kv: KvServer;
  readonly #taskEvents: TaskEventTable;
  readonly #store: RecordStore;

  constructor({ clock, random, store, infeasibleTimeoutMs = DEFAULT_INFEASIBLE_TIMEOUT_MS, ...options }: ControlOptions) {
    const limits: ControlLimits = { ...defaultLimits, ...options.limits };
    this.#store = store;
    this.#membership = new MembershipServer({
      clock,
      limits,
      events: {
        // Groups first: they need more at a time, and actors would take it from them piece by piece.
        roomChanged: () => {
          this.#groups.placement.roomChanged();
          this.#actors.placement.roomChanged();
        },
        membershipChanged: () => {
          this.#groups.placement.membershipChanged();
          this.#actors.placement.membershipChanged();
        },
        nodeReturned: (nodeId, lostAtMs, hosted) => {
          for (const jobId of this.#jobs.finishedSince(lostAtMs)) this.#membership.tell(nodeId, (node) => node.jobEnded({ jobId }));
          this.#actors.nodeReturned(nodeId, hosted);
        },
        nodeDied: (nodeId) => {
          this.#jobs.nodeDied(nodeId);
          this.#groups.nodeDied(nodeId);
          this.#actors.nodeDied(nodeId);
        },
      },
    });
    this.#jobs = new JobServer({ clock, random, store, limits, onFinished: (jobId) => this.#jobFinished(jobId) });
    this.#functions = new FunctionServer({ clock, store, limits, isNeeded: (jobId) => this.#isNeeded(jobId) });
    this.#actors = new ActorServer({
      clock,
      random,
      store,
      limits,
      infeasibleTimeoutMs,
      membership: this.#membership,
      isJobRunning: (jobId) => this.#jobs.isRunning(jobId),
      groups: {
        choose: (target, resources, actors) => this.#groups.choose(target, resources, actors),
        isRemoved: (groupId) => this.#groups.failureOf(groupId)?.code === "PLACEMENT_GROUP_REMOVED",
      },
      onActorDied: (actorId) => this.#groups.actorDied(actorId),
      onLastActorGone: (jobId) => this.#functions.releaseJob(jobId),
    });
    this.#groups = new PlacementGroupServer({
      clock,
      store,
      limits,
      infeasibleTimeoutMs,
      membership: this.#membership,
      isJobRunning: (jobId) => this.#jobs.isRunning(jobId),
      actorOutlivesJob: (actorId) => this.#actors.outlivesJob(actorId),
      changed: (groupId) => this.#actors.placement.groupChanged(groupId),
    });
    this.#kv = new KvServer({ store, limits });
    this.#taskEvents = new TaskEventTable(limits, (jobId) => this.#jobs.isRunning(jobId));
  }

  /** Reads what an earlier control process wrote. Before the first `attach`; a store that is known to be empty needs none. */
  async load(): Promise<void> {
    await this.#kv.load();
    await this.#functions.load();
    await this.#jobs.load();
    await this.#actors.load();
    // After the actors that made them, which say whether they outlive their jobs.
    await this.#groups.load();
  }

  /** Serves a peer that has proved who it is. */
  attach(connection: Connection): void {
    connection.serve(controlService, {
      ...this.#jobs.handlers,
      ...this.#membership.handlers,
      registerNode: (request, peer) => {
        const registered = this.#membership.handlers.registerNode(request, peer);
        this.#groups.nodeRegistered(request.nodeId, request.bundles);
        return registered;
      },
      ...this.#actors.handlers,
      ...this.#functions.handlers,
      ...this.#kv.handlers,
      reportTaskEvents: (block) => this.#taskEvents.add(block),
      listTaskEvents: ({ limit, jobId }) => ({ events: this.#taskEvents.list(limit, jobId), dropped: this.#taskEvents.dropped }),
    });
    connection.serve(placementGroupService, this.#groups.handlers);
    connection.serve(nodeReports, {
      actorEnded: async (report) => {
        await this.#actors.actorEnded(report);
        return {};
      },
      ownerEnded: async ({ workerId }) => {
        // The job first: its actors end with it, and so with its cause.
        await Promise.all([this.#jobs.processEnded(workerId), this.#actors.processEnded(workerId)]);
        return {};
      },
    });
    this.#jobs.greeted(connection);
  }

  /** What the tables hold and what they had to let go, for status pages and tests. */
  get counters() {
    return {
      jobs: this.#jobs.counters,
      actors: this.#actors.counters,
      groups: this.#groups.counters,
      functions: this.#functions.counters,
      kv: this.#kv.counters,
      taskEvents: { kept: this.#taskEvents.size, dropped: this.#taskEvents.dropped },
    };
  }

  /** Stops its timers and waits for what was written. Connections are their endpoint's to close, before this. */
  async close(): Promise<void> {
    this.#actors.close();
    this.#groups.close();
    this.#jobs.close();
    this.#membership.close();
    await this.#store.close();
  }

  #jobFinished(jobId: string): void {
    this.#taskEvents.finishJob(jobId);
    this.#actors.jobFinished(jobId);
    this.#groups.jobFinished(jobId);
    this.#membership.tellAll((node) => node.jobEnded({ jobId }));
  }

  #isNeeded(jobId: string): boolean {
    return this.#jobs.isRunning(jobId) || this.#actors.hasActors(jobId);
  }
}
