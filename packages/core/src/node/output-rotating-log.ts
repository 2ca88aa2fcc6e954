import type { OutputLog } from "./output-hub.ts";
import type { LogDisk, LogHandle } from "./output-log-disk.ts";

export interface RotatingLogOptions {
  readonly fileBytes: number;
  onRotated(): void;
  /** After the last write, with the files that exist and their bytes. */
  onClosed(files: ReadonlyMap<string, number>): void;
}

/**
 * One log in at most three files: `name`, `name.1`, `name.2`, newest first. Writes one batch at a time in the background;
 * what comes meanwhile waits in a bounded queue, and what does not fit is dropped with a line that says how many bytes. The
 * writer never waits for the disk, and a full disk costs the log, not the node.
 */
export class RotatingLog implements OutputLog {
  readonly #disk: LogDisk;
  readonly #path: string;
  readonly #options: RotatingLogOptions;
  #handle: LogHandle | undefined;
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #droppedBytes = 0;
  #isWriting = false;
  #isClosed = false;
  /** Bytes of the files, newest first. */
  readonly #fileBytes: number[] = [];

  constructor(disk: LogDisk, path: string, options: RotatingLogOptions) {
    this.#disk = disk;
    this.#path = path;
    this.#options = options;
  }

  get bytesOnDisk(): number {
    return this.#fileBytes.reduce((sum, bytes) => sum + bytes, 0);
  }

  append(chunk: Buffer): void {
    if (this.#queuedBytes + chunk.byteLength > MAX_QUEUE_BYTES) {
      this.#droppedBytes += chunk.byteLength;
      return;
    }
    this.#noteDropped();
    this.#enqueue({ chunk, lossBytes: chunk.byteLength });
  }

  close(): void {
    this.#noteDropped();
    this.#isClosed = true;
    if (!this.#isWriting) this.#finish();
  }

  /** What was dropped is told where it is missing: after what was queued before, before what comes next. */
  #noteDropped(): void {
    const lossBytes = this.#droppedBytes;
    if (lossBytes === 0) return;
    this.#droppedBytes = 0;
    const chunk = Buffer.from(`\n[${lossBytes} bytes dropped: the disk was full or slower than the output]\n`);
    this.#enqueue({ chunk, lossBytes });
  }

  #enqueue(entry: Entry): void {
    this.#queue.push(entry);
    this.#queuedBytes += entry.chunk.byteLength;
    if (!this.#isWriting) void this.#writeQueue();
  }

  /** Never rejects: errors of the disk become dropped bytes. */
  async #writeQueue(): Promise<void> {
    this.#isWriting = true;
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      const bytes = this.#queuedBytes;
      this.#queue = [];
      try {
        this.#handle ??= await this.#openFile();
        await this.#handle.write(batch.map((entry) => entry.chunk));
        this.#fileBytes[0] = (this.#fileBytes[0] ?? 0) + bytes;
        if (this.#fileBytes[0] >= this.#options.fileBytes) this.#rotate();
      } catch {
        this.#droppedBytes += batch.reduce((sum, entry) => sum + entry.lossBytes, 0);
      }
      // Only now: what is being written is still in memory.
      this.#queuedBytes -= bytes;
    }
    this.#isWriting = false;
    if (this.#isClosed) this.#finish();
  }

  #openFile(): Promise<LogHandle> {
    if (this.#fileBytes.length === 0) this.#fileBytes.push(0);
    return this.#disk.open(this.#path);
  }

  #rotate(): void {
    this.#handle?.close();
    this.#handle = undefined;
    for (let index = Math.min(this.#fileBytes.length, KEPT_FILES - 1); index > 0; index--)
      this.#disk.rename(this.#fileName(index - 1), this.#fileName(index));
    this.#fileBytes.unshift(0);
    this.#fileBytes.length = Math.min(this.#fileBytes.length, KEPT_FILES);
    this.#options.onRotated();
  }

  #finish(): void {
    this.#handle?.close();
    this.#handle = undefined;
    this.#options.onClosed(
      new Map(this.#fileBytes.flatMap((bytes, index) => (bytes > 0 ? [[this.#fileName(index), bytes] as const] : []))),
    );
  }

  #fileName(index: number): string {
    return index === 0 ? this.#path : `${this.#path}.${index}`;
  }
}

interface Entry {
  readonly chunk: Buffer;
  /** Bytes of output that are lost if this cannot be written: its own, or those that it tells of. */
  readonly lossBytes: number;
}

const KEPT_FILES = 3;
/** A disk that stalls for a moment loses nothing; one that stalls for long costs 4 MiB a stream, not the node. */
const MAX_QUEUE_BYTES = 4 << 20;
