/** Jobs: a driver registers one and gets its id and namespace; when the driver ends, what the job leaves behind is ended. */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { controlService } from "../messages/control.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Handlers } from "../wire/service.ts";
import { type ControlLimits, checkLimit } from "./control-limits.ts";
import type { JobEvent } from "./job-machine.ts";
import { type JobEntry, JobTable } from "./job-table.ts";
import { decodeRecord, encodeRecord, JobRecord } from "./record-codec.ts";
import type { RecordChange, RecordStore } from "./record-store.ts";

type Served = "registerJob" | "finishJob" | "listJobs";
export type JobHandlers = Pick<Handlers<typeof controlService, Connection>, Served>;
type Registration = Infer<(typeof controlService.methods.registerJob)["request"]>;
type Registered = Infer<(typeof controlService.methods.registerJob)["reply"]>;

export interface JobDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: RecordStore;
  readonly limits: ControlLimits;
  /** Called once a job, when it is over: ends its actors, frees its functions, tells the nodes. */
  readonly onFinished: (jobId: string) => void;
}

/** A driver whose process died is reported by its node at once; this is for one that cannot reach control for a while. */
const DRIVER_GRACE_MS = 10_000;
const NAMESPACE_BYTES = 16;
const JOBS = "jobs";
const COUNTERS = "counters";
const LAST_JOB = "lastJob";

export class JobServer {
  readonly #deps: JobDeps;
  readonly #jobs: JobTable;
  #storeFailures = 0;

  constructor(deps: JobDeps) {
    this.#deps = deps;
    this.#jobs = new JobTable(deps.limits.maxFinishedJobs);
  }

  readonly handlers: JobHandlers = {
    registerJob: (request, peer) => this.#register(request, peer),
    finishJob: ({ jobId }) => this.#finish(jobId),
    listJobs: () => ({ jobs: [...this.#jobs.running(), ...this.#jobs.finished()].filter(isRegistered).map(rowOf) }),
  };

  get counters(): { readonly running: number; readonly forgotten: number; readonly storeFailures: number } {
    return { running: this.#jobs.size, forgotten: this.#jobs.forgotten, storeFailures: this.#storeFailures };
  }

  isRunning(jobId: string): boolean {
    return this.#jobs.isRunning(jobId);
  }

  /** Ids of the jobs that ended since then. */
  finishedSince(sinceMs: number): string[] {
    return [...this.#jobs.finished()].filter(({ finishedAtMs }) => finishedAtMs >= sinceMs).map(({ record }) => record.jobId);
  }

  async load(): Promise<void> {
    const counters = await this.#deps.store.load(COUNTERS);
    for (const { key, value } of counters) if (key === LAST_JOB) this.#jobs.startAfter(Number(Buffer.from(value).toString()));
    for (const { value } of await this.#deps.store.load(JOBS)) {
      const record = decodeRecord(JobRecord, value);
      const entry = this.#jobs.add(record, { kind: record.endedAtMs === undefined ? "running" : "finished" }, undefined);
      // Its driver lost the connection to the control process that died.
      this.#feed(entry, { kind: "connectionLost" });
    }
  }

  /** A connection greeted: it may be that of a driver that comes back. */
  greeted(peer: Connection): void {
    const entry = this.#jobs.ofDriver(peer.peerId);
    if (entry !== undefined) this.#connect(entry, peer);
  }

  /** A process is gone for good. Settles when the end of its job, if it had one, is durable. */
  async processEnded(workerId: string): Promise<void> {
    const entry = this.#jobs.ofDriver(workerId);
    if (entry === undefined) return;
    this.#feed(entry, { kind: "ended" });
    await entry.registered;
  }

  nodeDied(nodeId: string): void {
    for (const entry of [...this.#jobs.running()]) if (entry.record.nodeId === nodeId) this.#feed(entry, { kind: "ended" });
  }

  async #register(request: Registration, peer: Connection): Promise<Registered> {
    const known = this.#jobs.ofDriver(request.driverId);
    if (known !== undefined) {
      // The same driver asks again, since it did not see the answer.
      await known.registered;
      this.#connect(known, peer);
      return { jobId: known.record.jobId, namespace: known.record.namespace };
    }
    checkLimit("maxJobs", this.#jobs.size + 1, this.#deps.limits);
    const { clock, random } = this.#deps;
    const { driverId, driverPid, entrypoint, nodeId } = request;
    const namespace = request.namespace ?? Buffer.from(random.bytes(NAMESPACE_BYTES)).toString("hex");
    const jobId = this.#jobs.nextId();
    const record: JobRecord = { jobId, namespace, driverId, driverPid, entrypoint, startedAtMs: clock.wallMs(), nodeId };
    const entry = this.#jobs.add(record, { kind: "registering" }, undefined);
    const lastJob = Buffer.from(String(this.#jobs.lastNumber));
    entry.registered = this.#deps.store.write([
      { table: JOBS, key: jobId, value: encodeRecord(JobRecord, record) },
      { table: COUNTERS, key: LAST_JOB, value: lastJob },
    ]);
    try {
      await entry.registered;
    } catch (error) {
      this.#jobs.remove(entry);
      throw error;
    }
    this.#feed(entry, { kind: "registered" });
    this.#connect(entry, peer);
    return { jobId, namespace };
  }

  #connect(entry: JobEntry, peer: Connection): void {
    if (entry.connection === peer) return;
    entry.connection = peer;
    this.#feed(entry, { kind: "driverReturned" });
    peer.onClosed(() => {
      if (entry.connection === peer) this.#feed(entry, { kind: "connectionLost" });
    });
  }

  /** Acknowledged when its end is durable. */
  async #finish(jobId: string): Promise<Record<string, never>> {
    const entry = this.#jobs.get(jobId);
    if (entry !== undefined) {
      this.#feed(entry, { kind: "ended" });
      await entry.registered;
    }
    return {};
  }

  #feed(entry: JobEntry, event: JobEvent): void {
    const { clock } = this.#deps;
    for (const effect of entry.machine.handle(event, clock.nowMs())) {
      switch (effect.kind) {
        case "startGrace":
          entry.grace = clock.after(DRIVER_GRACE_MS, () => this.#feed(entry, { kind: "graceOver" }));
          break;
        case "stopGrace":
          entry.grace?.cancel();
          break;
        case "finish":
          this.#finished(entry);
          break;
      }
    }
  }

  #finished(entry: JobEntry): void {
    const { clock, onFinished, store } = this.#deps;
    const { jobId } = entry.record;
    entry.record = { ...entry.record, endedAtMs: clock.wallMs() };
    entry.finishedAtMs = clock.nowMs();
    entry.connection = undefined;
    const changes: RecordChange[] = [{ table: JOBS, key: jobId, value: encodeRecord(JobRecord, entry.record) }];
    const forgotten = this.#jobs.finish(entry);
    if (forgotten !== undefined) changes.push({ table: JOBS, key: forgotten, value: undefined });
    entry.registered = store.write(changes);
    // Read as running by the next control process, it ends there once its driver does not come back.
    entry.registered.catch(() => this.#storeFailures++);
    onFinished(jobId);
  }

  close(): void {
    for (const entry of this.#jobs.running()) entry.grace?.cancel();
  }
}

function isRegistered({ machine }: JobEntry): boolean {
  return machine.state.kind !== "registering";
}

function rowOf({ record, machine }: JobEntry): Infer<(typeof controlService.methods.listJobs)["reply"]>["jobs"][number] {
  const { jobId, namespace, driverPid, entrypoint, startedAtMs, endedAtMs } = record;
  const state = machine.state.kind === "finished" ? "finished" : "running";
  return { jobId, namespace, driverPid, entrypoint, state, startedAtMs, endedAtMs };
}
