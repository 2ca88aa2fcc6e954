/**
 * What happened to tasks, for timelines and lists: a ring of fixed size, so recording costs a few stores and memory is
 * bounded; what is overwritten before it was collected is counted.
 */
import { taskEventKind } from "../../messages/task-event-block.ts";

export const eventKind = taskEventKind;

export interface RecordedEvent {
  readonly kind: number;
  /** The number that the task's owner gave its first result. */
  readonly sequence: number;
  readonly ownerId: string;
  /** Monotonic milliseconds of this process. */
  readonly startMs: number;
  /** As `startMs`; the same for what takes no time. */
  readonly endMs: number;
  readonly name: string;
  readonly attempt: number;
  readonly jobId: string;
  /** Why it failed; "" of all that did not. */
  readonly error: string;
}

/** Of the busiest second this much is kept: what can be packed and sent in a hundredth of it. */
const CAPACITY = 4096;

export class EventRing {
  readonly #kinds = new Uint8Array(CAPACITY);
  readonly #sequences = new Float64Array(CAPACITY);
  readonly #starts = new Float64Array(CAPACITY);
  readonly #ends = new Float64Array(CAPACITY);
  readonly #attempts = new Uint32Array(CAPACITY);
  readonly #names = new Array<string>(CAPACITY).fill("");
  readonly #owners = new Array<string>(CAPACITY).fill("");
  readonly #jobs = new Array<string>(CAPACITY).fill("");
  readonly #errors = new Array<string>(CAPACITY).fill("");
  #written = 0;
  #collected = 0;
  #dropped = 0;
  /** Called when there is something to collect after there was nothing. */
  onFirst: () => void = () => {};

  add(
    kind: number,
    sequence: number,
    ownerId: string,
    startMs: number,
    endMs: number,
    name: string,
    attempt: number,
    jobId: string,
    error = "",
  ): void {
    const at = this.#written % CAPACITY;
    this.#kinds[at] = kind;
    this.#sequences[at] = sequence;
    this.#starts[at] = startMs;
    this.#ends[at] = endMs;
    this.#attempts[at] = attempt;
    this.#names[at] = name;
    this.#owners[at] = ownerId;
    this.#jobs[at] = jobId;
    this.#errors[at] = error;
    const isFirst = this.#written === this.#collected;
    this.#written++;
    if (isFirst) this.onFirst();
    else if (this.#written - this.#collected > CAPACITY) {
      this.#collected++;
      this.#dropped++;
    }
  }

  /** Takes what has been recorded since the last time, oldest first, and how much was lost meanwhile. */
  collect(): { readonly events: RecordedEvent[]; readonly dropped: number } {
    const events: RecordedEvent[] = [];
    for (; this.#collected < this.#written; this.#collected++) {
      const at = this.#collected % CAPACITY;
      events.push({
        kind: this.#kinds[at] as number,
        sequence: this.#sequences[at] as number,
        ownerId: this.#owners[at] as string,
        startMs: this.#starts[at] as number,
        endMs: this.#ends[at] as number,
        name: this.#names[at] as string,
        attempt: this.#attempts[at] as number,
        jobId: this.#jobs[at] as string,
        error: this.#errors[at] as string,
      });
    }
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { events, dropped };
  }
}
