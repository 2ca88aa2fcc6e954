/**
 * How several threads share the standard output of their process: each piece says whose it is. A frame is small enough that
 * the system writes it in one piece, so frames of threads that print at the same time do not mix, and they arrive in the
 * order in which they were written: what a thread printed comes before its end. What is no frame is native code's own.
 *
 *   0x1e | kind o, e or x | worker id | blank | bytes, decimal | 0x1f | payload
 */

/** Output, error output, the end. */
export type ThreadFrameKind = "o" | "e" | "x";

/** What Linux and POSIX (PIPE_BUF) promise to write in one piece. */
const MAX_FRAME_BYTES = 4096;
const MAX_HEADER_BYTES = 64;
const MAX_PAYLOAD_BYTES = MAX_FRAME_BYTES - MAX_HEADER_BYTES;
const BEGIN = 0x1e;
const END_OF_HEADER = 0x1f;

export function* framesOf(kind: ThreadFrameKind, workerId: string, bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += MAX_PAYLOAD_BYTES) {
    const payload = bytes.subarray(at, at + MAX_PAYLOAD_BYTES);
    yield Buffer.concat([Buffer.from(`\x1e${kind}${workerId} ${payload.byteLength}\x1f`), payload]);
  }
}

export interface ThreadFrameEvents {
  frame(kind: ThreadFrameKind, workerId: string, payload: Buffer): void;
  raw(bytes: Buffer): void;
}

export class ThreadFrameReader {
  readonly #events: ThreadFrameEvents;
  /** The beginning of a frame whose rest has not come; less than one frame. */
  #kept: Buffer = Buffer.alloc(0);

  constructor(events: ThreadFrameEvents) {
    this.#events = events;
  }

  push(chunk: Buffer): void {
    const bytes = this.#kept.byteLength === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
    let at = 0;
    while (at < bytes.byteLength) {
      const begin = bytes.indexOf(BEGIN, at);
      if (begin !== at) this.#raw(bytes.subarray(at, begin < 0 ? bytes.byteLength : begin));
      if (begin < 0) break;
      const header = headerAt(bytes, begin);
      if (header === "partial" || (header !== undefined && header.end > bytes.byteLength)) {
        // A copy: a few bytes would otherwise hold the whole chunk.
        this.#kept = Buffer.from(bytes.subarray(begin));
        return;
      }
      if (header === undefined) this.#raw(bytes.subarray(begin, begin + 1));
      else this.#events.frame(header.kind, header.workerId, bytes.subarray(header.start, header.end));
      at = header === undefined ? begin + 1 : header.end;
    }
    this.#kept = Buffer.alloc(0);
  }

  /** The pipe is at its end: what was begun is all that there is. */
  end(): void {
    const kept = this.#kept;
    this.#kept = Buffer.alloc(0);
    this.#raw(kept);
  }

  #raw(bytes: Buffer): void {
    if (bytes.byteLength > 0) this.#events.raw(bytes);
  }
}

interface Header {
  readonly kind: ThreadFrameKind;
  readonly workerId: string;
  /** Of the payload. */
  readonly start: number;
  readonly end: number;
}

function headerAt(bytes: Buffer, begin: number): Header | "partial" | undefined {
  const window = bytes.subarray(begin, begin + MAX_HEADER_BYTES);
  const length = window.indexOf(END_OF_HEADER);
  if (length < 0) return window.byteLength < MAX_HEADER_BYTES ? "partial" : undefined;
  const [, kind, workerId, count] = /^([oex])([0-9a-f]+) ([0-9]{1,4})$/.exec(window.toString("latin1", 1, length)) ?? [];
  if (kind === undefined || workerId === undefined) return undefined;
  const start = begin + length + 1;
  return { kind: kind as ThreadFrameKind, workerId, start, end: start + Number(count) };
}
