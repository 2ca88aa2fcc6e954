/**
 * What happened to tasks, for timelines and lists: a ring of fixed size, so recording costs a few stores and memory is
 * bounded; what is overwritten before it was collected is counted.
 */
export const eventKind = { submitted: 1, finished: 2, failed: 3 } as const;

export interface EventSource {
  readonly name: string;
  readonly attempt: number;
  readonly taskId: string;
  readonly jobId: string;
}

export interface RecordedEvent {
  readonly kind: number;
  readonly sequence: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly name: string;
  readonly attempt: number;
  readonly taskId: string;
}

const CAPACITY = 8192;

export class EventRing {
  readonly #kinds = new Uint8Array(CAPACITY);
  readonly #sequences = new Float64Array(CAPACITY);
  readonly #starts = new Float64Array(CAPACITY);
  readonly #ends = new Float64Array(CAPACITY);
  readonly #names: string[] = new Array<string>(CAPACITY).fill("");
  readonly #owners: string[] = new Array<string>(CAPACITY).fill("");
  readonly #attempts = new Uint8Array(CAPACITY);
  #written = 0;
  #collected = 0;
  dropped = 0;

  add(
    kind: number,
    sequence: number,
    startMs: number,
    endMs: number,
    source: EventSource & { readonly connection?: { readonly peerId: string } },
  ): void {
    const at = this.#written % CAPACITY;
    this.#kinds[at] = kind;
    this.#sequences[at] = sequence;
    this.#starts[at] = startMs;
    this.#ends[at] = endMs;
    this.#names[at] = source.name;
    this.#owners[at] = source.connection?.peerId ?? "";
    this.#attempts[at] = source.attempt;
    this.#written++;
    if (this.#written - this.#collected > CAPACITY) {
      this.#collected++;
      this.dropped++;
    }
  }

  /** Takes what has been recorded since the last time. */
  collect(taskIdOf: (ownerId: string, sequence: number) => string): RecordedEvent[] {
    const events: RecordedEvent[] = [];
    for (; this.#collected < this.#written; this.#collected++) {
      const at = this.#collected % CAPACITY;
      events.push({
        kind: this.#kinds[at] as number,
        sequence: this.#sequences[at] as number,
        startMs: this.#starts[at] as number,
        endMs: this.#ends[at] as number,
        name: this.#names[at] as string,
        attempt: this.#attempts[at] as number,
        taskId: taskIdOf(this.#owners[at] as string, this.#sequences[at] as number),
      });
    }
    return events;
  }
}
