import type { OutputLog } from "./output-hub.ts";
import type { LogDisk } from "./output-log-disk.ts";
import { RotatingLog } from "./output-rotating-log.ts";

/**
 * All log files of one session on one node, with a cap on their bytes and their number: past it the oldest that nobody
 * writes any more is deleted. No output of a user can fill the disk or exhaust its inodes.
 */
export class OutputLogDirectory {
  readonly #disk: LogDisk;
  readonly #path: string;
  readonly #limits: LogDirectoryLimits;
  /** Closed files, oldest first, with their bytes. */
  readonly #closed = new Map<string, number>();
  readonly #open = new Set<RotatingLog>();

  constructor(disk: LogDisk, path: string, limits: LogDirectoryLimits = {}) {
    this.#disk = disk;
    this.#path = path;
    this.#limits = limits;
  }

  /** @param name without slashes, unique in the session: `worker-3f2a.out` */
  open(name: string): OutputLog {
    const log = new RotatingLog(this.#disk, `${this.#path}/${name}`, {
      fileBytes: this.#limits.fileBytes ?? FILE_BYTES,
      onRotated: () => this.#prune(),
      onClosed: (files) => {
        this.#open.delete(log);
        for (const [path, bytes] of files) this.#closed.set(path, bytes);
        this.#prune();
      },
    });
    this.#open.add(log);
    return log;
  }

  #prune(): void {
    let bytes = 0;
    for (const log of this.#open) bytes += log.bytesOnDisk;
    for (const size of this.#closed.values()) bytes += size;
    for (const [path, size] of this.#closed) {
      if (bytes <= (this.#limits.totalBytes ?? TOTAL_BYTES) && this.#closed.size <= (this.#limits.fileCount ?? FILE_COUNT)) return;
      this.#closed.delete(path);
      bytes -= size;
      this.#disk.unlink(path);
    }
  }
}

export interface LogDirectoryLimits {
  /** Of one file, before it is rotated. Default 16 MiB; three are kept. */
  readonly fileBytes?: number;
  /** Default 1 GiB. */
  readonly totalBytes?: number;
  /** Of workers that are gone. Default 1,000. */
  readonly fileCount?: number;
}

const FILE_BYTES = 16 << 20;
const TOTAL_BYTES = 1 << 30;
const FILE_COUNT = 1_000;
