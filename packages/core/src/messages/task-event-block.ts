/**
 * Task events on their way: rows of numbers beside a table of the words in them. A busy process reports thousands a second,
 * and few are ever looked at, so control keeps a block as it came and makes events of it when somebody asks.
 *
 *   row: u8 kind | u16 owner | u16 name | u32 attempt | f64 sequence | f64 milliseconds since 1970 | f64 duration in milliseconds |
 *        u16 error
 */
import { taskIdOf } from "../base/ids.ts";
import type { Infer } from "../wire/schema.ts";
import type { ReportTaskEvents, TaskEvent as TaskEventType } from "./control.ts";

export type TaskEvent = Infer<typeof TaskEventType>;
export type TaskEventBlock = Infer<typeof ReportTaskEvents>;

/** `unfinished` is the owner's word, of a call that nobody ran to its end: cancelled, out of time, refused, lost. */
export const taskEventKind = { submitted: 1, finished: 2, failed: 3, got: 4, unfinished: 5 } as const;

const stateOf = ["", "submitted", "finished", "failed", "got", "unfinished"] as const;
const ROW_BYTES = 35;
/** What a u16 can name. */
const MAX_WORDS = 0x1_0000;

/** One row, before it is written. */
export interface TaskEventRow {
  readonly kind: number;
  readonly ownerId: string;
  readonly name: string;
  readonly attempt: number;
  /** The number that the task's owner gave its first result. */
  readonly sequence: number;
  readonly atMs: number;
  readonly durationMs: number;
  /** Why it failed, in a line; "" when it did not. */
  readonly error: string;
}

/** Collects rows of one job. */
export class TaskEventWriter {
  readonly #words = new Map<string, number>();
  readonly #rows: Buffer;
  #position = 0;

  constructor(maxRows: number) {
    this.#rows = Buffer.allocUnsafe(maxRows * ROW_BYTES);
  }

  add({ kind, ownerId, name, attempt, sequence, atMs, durationMs, error }: TaskEventRow): void {
    const at = this.#position;
    const rows = this.#rows;
    rows[at] = kind;
    rows.writeUInt16LE(this.#word(ownerId), at + 1);
    rows.writeUInt16LE(this.#word(name), at + 3);
    rows.writeUInt32LE(attempt, at + 5);
    rows.writeDoubleLE(sequence, at + 9);
    rows.writeDoubleLE(atMs, at + 17);
    rows.writeDoubleLE(durationMs, at + 25);
    rows.writeUInt16LE(this.#word(error), at + 33);
    this.#position = at + ROW_BYTES;
  }

  /** A word past the table's size is told as none. */
  #word(word: string): number {
    const known = this.#words.get(word);
    if (known !== undefined) return known;
    const index = this.#words.size;
    if (index >= MAX_WORDS) return 0;
    this.#words.set(word, index);
    return index;
  }

  take(): Pick<TaskEventBlock, "words" | "rows"> {
    return { words: [...this.#words.keys()], rows: this.#rows.subarray(0, this.#position) };
  }
}

export function rowCount({ rows }: TaskEventBlock): number {
  return Math.floor(rows.byteLength / ROW_BYTES);
}

/** The events of a block, oldest first, without the first `skip`. */
export function readTaskEvents({ jobId, workerId, pid, words, rows }: TaskEventBlock, skip = 0): TaskEvent[] {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
  const events: TaskEvent[] = [];
  for (let at = skip * ROW_BYTES; at + ROW_BYTES <= rows.byteLength; at += ROW_BYTES) {
    const durationMs = view.getFloat64(at + 25, true);
    const error = words[view.getUint16(at + 33, true)] ?? "";
    events.push({
      taskId: taskIdOf(words[view.getUint16(at + 1, true)] ?? "", view.getFloat64(at + 9, true)),
      name: words[view.getUint16(at + 3, true)] ?? "",
      jobId,
      state: stateOf[view.getUint8(at)] ?? "",
      atMs: view.getFloat64(at + 17, true),
      ...(durationMs > 0 && { durationMs }),
      workerId,
      pid,
      attempt: view.getUint32(at + 5, true),
      ...(error !== "" && { error }),
    });
  }
  return events;
}
