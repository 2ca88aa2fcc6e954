/**
 * The worker processes of one node: started ahead of need, kept warm while they may be used again, ended when idle. A
 * process serves one job, and only work of the same flags, directory and environment.
 */
import type { Clock } from "../base/clock.ts";
import { newWorkerId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import type { DeathCause, WorkerDemand } from "../messages/common.ts";
import { hostService } from "../messages/tasks.ts";
import type { WordRegion } from "../store/word-region.ts";
import type { Connection } from "../wire/connection.ts";
import type { KillReason } from "./death-cause.ts";
import { CLAIMS_PER_WORKER, PoolWorker } from "./pool-worker.ts";
import type { LaunchSpec, WorkerLauncher } from "./worker-launcher.ts";
import type { WorkerEffect, WorkerEvent } from "./worker-machine.ts";

export interface PoolEvents {
  /** A worker can take work. */
  ready(worker: PoolWorker): void;
  /** A worker is gone. It is no longer in the pool. */
  died(worker: PoolWorker, cause: DeathCause): void;
  output(worker: PoolWorker, stream: "stdout" | "stderr", chunk: Buffer): void;
  started(worker: PoolWorker): void;
}

export interface PoolOptions {
  /** Idle workers that are kept however long. */
  readonly keepIdle: number;
  /** Others end after so long without work. */
  readonly idleMs: number;
  /** Starts at a time: more would only slow each other down. */
  readonly maxStarting: number;
  /** A worker that has not registered by then is taken for hung. */
  readonly registerTimeoutMs: number;
}

/** SIGTERM lets user code end in its own way; after this, SIGKILL. */
const STOP_GRACE_MS = 5000;
/** A dead process's connection ends at once, unless a child of its own holds it open. */
const LAST_WORDS_MS = 1000;
/** A loop that runs answers in a fraction of this. */
const SILENCE_MS = 1_000;
/** A process that is to end has so long for its last report: a loop that computes would be waited for in vain. */
const LAST_REPORT_MS = 100;

export class WorkerPool {
  readonly #launcher: WorkerLauncher;
  readonly #words: WordRegion;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #events: PoolEvents;
  readonly #options: PoolOptions;
  readonly #workers = new Map<string, PoolWorker>();
  readonly #slots = new Set<number>();
  #nextSlot = 2;
  #isStopping = false;
  #reaping = false;

  constructor(launcher: WorkerLauncher, words: WordRegion, clock: Clock, random: Random, events: PoolEvents, options: PoolOptions) {
    this.#launcher = launcher;
    this.#words = words;
    this.#clock = clock;
    this.#random = random;
    this.#events = events;
    this.#options = options;
  }

  get(workerId: string): PoolWorker | undefined {
    return this.#workers.get(workerId);
  }

  all(): Iterable<PoolWorker> {
    return this.#workers.values();
  }

  get size(): number {
    return this.#workers.size;
  }

  countStarting(launchKey?: string): number {
    let count = 0;
    for (const worker of this.#workers.values()) {
      if (worker.state.kind === "starting" && (launchKey === undefined || worker.launchKey === launchKey)) count++;
    }
    return count;
  }

  /** A number that marks arena blocks of one process, unique while it lives. */
  takeSlot(): number {
    while (this.#slots.has(this.#nextSlot)) this.#nextSlot = this.#nextSlot === 65_535 ? 2 : this.#nextSlot + 1;
    const slot = this.#nextSlot;
    this.#slots.add(slot);
    this.#nextSlot = slot === 65_535 ? 2 : slot + 1;
    return slot;
  }

  returnSlot(slot: number): void {
    this.#slots.delete(slot);
  }

  /** Starts a process, unless as many are starting as may. */
  start(spec: Omit<LaunchSpec, "workerId">, launchKey: string, workerId = newWorkerId(this.#random)): PoolWorker | undefined {
    if (this.#isStopping || this.countStarting() >= this.#options.maxStarting) return undefined;
    const claimOffset = this.#words.claim(CLAIMS_PER_WORKER);
    if (claimOffset === undefined) return undefined;
    const worker = new PoolWorker(workerId, launchKey, claimOffset, this.takeSlot(), spec.isThread);
    this.#workers.set(worker.workerId, worker);
    worker.process = this.#launcher.launch(
      { ...spec, workerId: worker.workerId },
      {
        output: (stream, chunk) => this.#events.output(worker, stream, chunk),
        died: (cause) => this.#handle(worker, { kind: "died", cause, isConnected: worker.connection?.isClosed === false }),
      },
    );
    worker.pid = worker.process.pid ?? 0;
    this.#events.started(worker);
    worker.registration = this.#clock.after(this.#options.registerTimeoutMs, () => this.#handle(worker, { kind: "registrationTimedOut" }));
    return worker;
  }

  /** The process has connected. */
  registered(workerId: string, connection: Connection, address: string, pid: number): PoolWorker | undefined {
    const worker = this.#workers.get(workerId);
    if (worker === undefined || worker.state.kind !== "starting") return undefined;
    worker.registration?.cancel();
    worker.connection = connection;
    worker.address = address;
    worker.pid = pid;
    this.#handle(worker, { kind: "registered" });
    return worker;
  }

  announceReady(worker: PoolWorker): void {
    this.#events.ready(worker);
    this.#reapLater();
  }

  /**
   * An idle process for this work: of its job, or of none yet.
   *
   * @param mayOwn false for actors and placement groups: with one its process ends, and whatever the process owned before
   */
  findIdle(launchKey: string, jobId: string, mayOwn: boolean): PoolWorker | undefined {
    let fresh: PoolWorker | undefined;
    for (const worker of this.#workers.values()) {
      if (worker.state.kind !== "idle" || worker.launchKey !== launchKey) continue;
      if (worker.ownsShared && !mayOwn) continue;
      if (worker.jobId === jobId) return worker;
      if (worker.jobId === undefined) fresh ??= worker;
    }
    return fresh;
  }

  /** It has work. */
  gave(worker: PoolWorker): void {
    this.#handle(worker, { kind: "given" });
  }

  /** Work ended on it. */
  tookBack(worker: PoolWorker): void {
    if (hasWork(worker)) return;
    this.#handle(worker, { kind: "emptied" });
    if (worker.state.kind === "idle") worker.sharedUnits = undefined;
  }

  /**
   * Ends a process that is needed no more, once nobody needs what it owns and what others have given it to do is done.
   *
   * @returns settles when it is known whether it goes now or in its own time
   */
  async leave(worker: PoolWorker, reason: KillReason, graceMs = STOP_GRACE_MS): Promise<void> {
    this.#handle(worker, { kind: "dismissed", reason, graceMs });
    if (worker.state.kind === "leaving") await worker.answer;
  }

  /** Who gave it work is gone. A loop that stands still in that work cannot answer, and what it computes is for nobody. */
  abandon(worker: PoolWorker): void {
    void this.leave(worker, { by: "node" }, 0);
    this.#clock.after(SILENCE_MS, () => {
      if (worker.state.kind === "leaving" && !hasWork(worker) && !worker.ownsShared) this.stop(worker, { by: "node" }, 0);
    });
  }

  /** A process says whether others use what it owns. */
  ownsShared(worker: PoolWorker, owns: boolean): void {
    worker.ownsShared = owns;
    if (!owns && !hasWork(worker)) this.#handle(worker, { kind: "ownsNothing" });
  }

  /** Ends a process: SIGTERM now, SIGKILL after the grace period. */
  stop(worker: PoolWorker, reason: KillReason, graceMs = STOP_GRACE_MS): void {
    this.#handle(worker, { kind: "stopped", reason, graceMs });
  }

  // -- the lives of the processes ---------------------------------------------------------------------------------

  #handle(worker: PoolWorker, event: WorkerEvent): void {
    for (const effect of worker.handle(event, this.#clock.nowMs())) this.#perform(worker, effect);
  }

  #perform(worker: PoolWorker, effect: WorkerEffect): void {
    switch (effect.kind) {
      case "ask":
        worker.answer = this.#ask(worker);
        break;
      case "end":
        this.#end(worker, effect);
        break;
      case "kill":
        worker.process?.kill("SIGKILL", effect.reason);
        break;
      case "reapLater":
        this.#reapLater();
        break;
      case "readOn":
        this.#readOn(worker);
        break;
      case "bury":
        this.#bury(worker, effect.cause);
        break;
    }
  }

  /** Its own word of what it owns may still be unread when the lease that made the difference comes back, over another connection. */
  async #ask(worker: PoolWorker): Promise<void> {
    try {
      const { owns } = await (worker.connection as Connection).client(hostService).askOwned({});
      this.ownsShared(worker, owns);
    } catch {
      // It has died; its death comes by itself.
    }
  }

  #end(worker: PoolWorker, { reason, graceMs }: { readonly reason: KillReason; readonly graceMs: number }): void {
    worker.process?.kill(graceMs === 0 ? "SIGKILL" : "SIGTERM", reason);
    if (graceMs > 0) this.#clock.after(graceMs, () => this.#handle(worker, { kind: "graceOver", reason }));
  }

  /** What it had written comes before its death: an object that it sealed must not be swept. */
  #readOn(worker: PoolWorker): void {
    const wasRead = (): void => {
      timer.cancel();
      this.#handle(worker, { kind: "wasRead" });
    };
    const timer = this.#clock.after(LAST_WORDS_MS, wasRead);
    worker.connection?.onClosed(wasRead);
  }

  #bury(worker: PoolWorker, cause: DeathCause): void {
    worker.registration?.cancel();
    this.#workers.delete(worker.workerId);
    this.#events.died(worker, cause);
    void Promise.all(worker.told).then(() => this.#words.release(worker.claimOffset, CLAIMS_PER_WORKER));
    this.returnSlot(worker.arenaSlot);
    worker.markGone();
  }

  /** Looks once, a while after something became idle; nothing runs while nothing is idle too long. */
  #reapLater(): void {
    if (this.#reaping) return;
    this.#reaping = true;
    this.#clock.after(this.#options.idleMs, () => {
      this.#reaping = false;
      this.#reap();
    });
  }

  #reap(): void {
    const nowMs = this.#clock.nowMs();
    const idle = [...this.#workers.values()].filter((worker) => worker.state.kind === "idle" && !worker.ownsShared);
    const since = (worker: PoolWorker): number => (worker.state.kind === "idle" ? worker.state.sinceMs : nowMs);
    idle.sort((a, b) => since(a) - since(b));
    let surplus = idle.length - this.#options.keepIdle;
    for (const worker of idle) {
      if (surplus <= 0) return;
      if (nowMs - since(worker) < this.#options.idleMs) {
        this.#reapLater();
        return;
      }
      this.stop(worker, { by: "node" });
      surplus--;
    }
  }

  /** Settles when the processes of a job have reported what happened to its tasks. */
  async collectEvents(jobId: string): Promise<void> {
    const workers = [...this.#workers.values()].filter((worker) => worker.jobId === jobId);
    await Promise.all(workers.map((worker) => this.lastReport(worker)));
  }

  /** Settles when a process that is to end has reported what happened to tasks; a loop that stands still is not waited for. */
  async lastReport({ connection }: PoolWorker): Promise<void> {
    if (connection === undefined || connection.isClosed) return;
    const late = Promise.withResolvers<void>();
    const timer = this.#clock.after(LAST_REPORT_MS, late.resolve);
    const reported = connection
      .client(hostService)
      .reportEvents({})
      .catch(() => {
        // It died first.
      });
    await Promise.race([reported, late.promise]);
    timer.cancel();
  }

  /** A job is over: its processes end, their memory with them. What they know of its tasks would be lost for ever: that first. */
  async endJob(jobId: string): Promise<void> {
    await this.collectEvents(jobId);
    for (const worker of [...this.#workers.values()])
      if (worker.jobId === jobId && worker.actorIds.size === 0) this.stop(worker, { by: "node" }, 0);
  }

  stopAll(): void {
    this.#isStopping = true;
    for (const worker of [...this.#workers.values()]) this.stop(worker, { by: "node" }, 0);
  }
}

/** Work with equal keys can use the same process. */
export function launchKeyOf(demand: WorkerDemand): string {
  return JSON.stringify([demand.launch.execArgv, demand.launch.cwd, demand.runtimeEnv.hash, demand.isolation === "thread" ? "thread" : ""]);
}

function hasWork({ leaseIds, actorIds }: PoolWorker): boolean {
  return leaseIds.size > 0 || actorIds.size > 0;
}
