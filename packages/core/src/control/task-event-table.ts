import type { TaskEvent as TaskEventType } from "../messages/control.ts";
import type { Infer } from "../wire/schema.ts";

export type TaskEvent = Infer<typeof TaskEventType>;

export interface TaskEventLimits {
  readonly maxTaskEventsPerJob: number;
  readonly maxFinishedJobsWithEvents: number;
}

/** What tasks went through, for lists and timelines: the last events of each job, and the exact number of those dropped. */
export class TaskEventTable {
  readonly #limits: TaskEventLimits;
  readonly #isRunning: (jobId: string) => boolean;
  readonly #rings = new Map<string, Ring>();
  /** Finished jobs that still have events, oldest first. */
  readonly #finished: string[] = [];
  /** By reporters, and of jobs that are forgotten. */
  #droppedBefore = 0;

  constructor(limits: TaskEventLimits, isRunning: (jobId: string) => boolean) {
    this.#limits = limits;
    this.#isRunning = isRunning;
  }

  get size(): number {
    return [...this.#rings.values()].reduce((sum, ring) => sum + ring.size, 0);
  }

  /** Events that were reported, or dropped before they could be, and are not here. */
  get dropped(): number {
    return [...this.#rings.values()].reduce((sum, ring) => sum + ring.dropped, this.#droppedBefore);
  }

  /** @param dropped how many the reporter had to drop since its last report */
  add(events: readonly TaskEvent[], dropped: number): void {
    this.#droppedBefore += dropped;
    for (const event of events) {
      const ring = this.#rings.get(event.jobId) ?? this.#begin(event.jobId);
      if (ring === undefined) this.#droppedBefore++;
      else ring.push(event);
    }
  }

  /** Nothing is begun for a job that is over: it would stay for ever. */
  #begin(jobId: string): Ring | undefined {
    if (!this.#isRunning(jobId)) return undefined;
    const ring = new Ring(this.#limits.maxTaskEventsPerJob);
    this.#rings.set(jobId, ring);
    return ring;
  }

  finishJob(jobId: string): void {
    this.#finished.push(jobId);
    if (this.#finished.length <= this.#limits.maxFinishedJobsWithEvents) return;
    const oldest = this.#finished.shift();
    const ring = oldest === undefined ? undefined : this.#rings.get(oldest);
    if (oldest === undefined || ring === undefined) return;
    this.#droppedBefore += ring.size + ring.dropped;
    this.#rings.delete(oldest);
  }

  /** The last `limit` events in order of time, of one job or of all. */
  list(limit: number, jobId?: string): TaskEvent[] {
    const rings = jobId === undefined ? [...this.#rings.values()] : [this.#rings.get(jobId)].filter((ring) => ring !== undefined);
    const events = rings.flatMap((ring) => ring.items());
    return events.sort((a, b) => a.atMs - b.atMs).slice(Math.max(0, events.length - limit));
  }
}

/** The last `limit` items; the oldest makes room for the next. */
class Ring {
  readonly #items: TaskEvent[] = [];
  readonly #limit: number;
  #oldest = 0;
  dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#items.length;
  }

  push(event: TaskEvent): void {
    if (this.#items.length < this.#limit) {
      this.#items.push(event);
      return;
    }
    this.#items[this.#oldest] = event;
    this.#oldest = (this.#oldest + 1) % this.#limit;
    this.dropped++;
  }

  items(): TaskEvent[] {
    return [...this.#items.slice(this.#oldest), ...this.#items.slice(0, this.#oldest)];
  }
}
