import { Deque } from "../base/deque.ts";
import { readTaskEvents, rowCount, type TaskEvent, type TaskEventBlock } from "../messages/task-event-block.ts";

export interface TaskEventLimits {
  readonly maxTaskEventsPerJob: number;
  readonly maxFinishedJobsWithEvents: number;
}

/** What tasks went through, for lists and timelines: the last events of each job, and the exact number of those dropped. */
export class TaskEventTable {
  readonly #limits: TaskEventLimits;
  readonly #isRunning: (jobId: string) => boolean;
  readonly #rings = new Map<string, Ring>();
  /** The last finished jobs: they keep their events, and take those that come late. Oldest first. */
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

  add(block: TaskEventBlock): void {
    this.#droppedBefore += block.dropped;
    const ring = this.#rings.get(block.jobId) ?? this.#begin(block.jobId);
    if (ring === undefined) this.#droppedBefore += rowCount(block);
    // A copy, so that the frame's buffer does not stay with it.
    else ring.push({ ...block, rows: new Uint8Array(block.rows) });
  }

  /** Nothing is begun for a job that is over and forgotten: it would stay for ever. */
  #begin(jobId: string): Ring | undefined {
    if (!this.#isRunning(jobId) && !this.#finished.includes(jobId)) return undefined;
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

/** The last `limit` events, in the blocks that they came in; the oldest make room for the next. */
class Ring {
  readonly #blocks = new Deque<TaskEventBlock>();
  readonly #limit: number;
  /** Of the oldest block, so many are dropped already. */
  #skipped = 0;
  size = 0;
  dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(block: TaskEventBlock): void {
    this.#blocks.push(block);
    this.size += rowCount(block);
    while (this.size > this.#limit) this.#drop(this.#blocks.peek() as TaskEventBlock);
  }

  #drop(oldest: TaskEventBlock): void {
    const left = rowCount(oldest) - this.#skipped;
    const count = Math.min(left, this.size - this.#limit);
    this.size -= count;
    this.dropped += count;
    this.#skipped += count;
    if (count < left) return;
    this.#blocks.shift();
    this.#skipped = 0;
  }

  items(): TaskEvent[] {
    return [...this.#blocks].flatMap((block, index) => readTaskEvents(block, index === 0 ? this.#skipped : 0));
  }
}
