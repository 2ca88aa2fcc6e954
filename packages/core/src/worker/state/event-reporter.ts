/**
 * Tells control what happened to tasks, at most once a second and only while something happens. A report may be lost: what
 * is shown of the past must never hold up the present.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import { type TaskEventBlock, TaskEventWriter } from "../../messages/task-event-block.ts";
import type { EventRing } from "./event-ring.ts";

export const REPORT_EVERY_MS = 1000;

export class EventReporter {
  readonly #ring: EventRing;
  readonly #clock: Clock;
  readonly #self: { readonly workerId: string; readonly pid: number };
  #jobId = "";
  #send: ((block: TaskEventBlock) => void) | undefined;
  #timer: Timer | undefined;

  constructor(ring: EventRing, clock: Clock, self: { readonly workerId: string; readonly pid: number }) {
    this.#ring = ring;
    this.#clock = clock;
    this.#self = self;
    ring.onFirst = () => this.#arm();
  }

  /** From now on there is somebody to tell; what happened before, when the job was not known yet, goes with the first report. */
  begin(jobId: string, send: (block: TaskEventBlock) => void): void {
    this.#jobId = jobId;
    this.#send = send;
    this.#arm();
  }

  #arm(): void {
    if (this.#send === undefined || this.#timer !== undefined) return;
    this.#timer = this.#clock.after(REPORT_EVERY_MS, () => this.flush());
  }

  /** Reports now; before a process ends. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#send === undefined) return;
    const { events, dropped } = this.#ring.collect();
    if (events.length === 0) return;
    const wallOffsetMs = this.#clock.wallMs() - this.#clock.nowMs();
    const writers = new Map<string, TaskEventWriter>();
    for (const { kind, ownerId, name, attempt, sequence, startMs, endMs, jobId, error } of events) {
      const job = jobId || this.#jobId;
      let writer = writers.get(job);
      if (writer === undefined) writers.set(job, (writer = new TaskEventWriter(events.length)));
      writer.add({ kind, ownerId, name, attempt, sequence, atMs: startMs + wallOffsetMs, durationMs: endMs - startMs, error });
    }
    let untold = dropped;
    for (const [jobId, writer] of writers) {
      this.#send({ jobId, ...this.#self, ...writer.take(), dropped: untold });
      untold = 0;
    }
  }
}
