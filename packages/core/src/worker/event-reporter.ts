/**
 * Tells control what happened to tasks, at most once a second and only while something happens. A report may be lost: what
 * is shown of the past must never hold up the present.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { taskIdOf } from "../base/ids.ts";
import type { ReportTaskEvents } from "../messages/control.ts";
import type { Infer } from "../wire/schema.ts";
import { type EventRing, eventKind, type RecordedEvent } from "./event-ring.ts";

export type TaskReport = Infer<typeof ReportTaskEvents>;

export const REPORT_EVERY_MS = 1000;

const stateOf: { readonly [kind: number]: string } = {
  [eventKind.submitted]: "submitted",
  [eventKind.finished]: "finished",
  [eventKind.failed]: "failed",
  [eventKind.got]: "got",
};

export class EventReporter {
  readonly #ring: EventRing;
  readonly #clock: Clock;
  readonly #self: { readonly workerId: string; readonly pid: number };
  #jobId = "";
  #send: ((report: TaskReport) => void) | undefined;
  #timer: Timer | undefined;

  constructor(ring: EventRing, clock: Clock, self: { readonly workerId: string; readonly pid: number }) {
    this.#ring = ring;
    this.#clock = clock;
    this.#self = self;
    ring.onFirst = () => this.#arm();
  }

  /** From now on there is somebody to tell; what happened before, when the job was not known yet, goes with the first report. */
  begin(jobId: string, send: (report: TaskReport) => void): void {
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
    if (events.length === 0 && dropped === 0) return;
    const wallOffsetMs = this.#clock.wallMs() - this.#clock.nowMs();
    this.#send({ events: events.map((event) => this.#toWire(event, wallOffsetMs)), dropped });
  }

  #toWire(
    { kind, sequence, ownerId, startMs, endMs, name, attempt, jobId }: RecordedEvent,
    wallOffsetMs: number,
  ): TaskReport["events"][number] {
    return {
      taskId: taskIdOf(ownerId, sequence),
      name,
      jobId: jobId || this.#jobId,
      state: stateOf[kind] ?? "",
      atMs: startMs + wallOffsetMs,
      ...(endMs > startMs && { durationMs: endMs - startMs }),
      workerId: this.#self.workerId,
      pid: this.#self.pid,
      attempt,
    };
  }
}
