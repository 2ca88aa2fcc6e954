import { close, open, renameSync, unlink, writev } from "node:fs";

/** The little of a file system that log files need. Nothing here blocks the loop on a slow disk but `rename`, which writes no data. */
export interface LogDisk {
  /** Opens for appending; creates it with mode 0600. */
  open(path: string): Promise<LogHandle>;
  /** Errors are ignored, as of `unlink`: the file was deleted by somebody, and the next is opened anew. */
  rename(from: string, to: string): void;
  unlink(path: string): void;
}

export interface LogHandle {
  /** Writes all of them, or rejects with the operating system's code. */
  write(chunks: readonly Buffer[]): Promise<void>;
  close(): void;
}

export const realLogDisk: LogDisk = {
  open: (path) =>
    new Promise((resolve, reject) => {
      open(path, "a", 0o600, (error, fd) => (error === null ? resolve(handleOf(fd)) : reject(error)));
    }),
  rename(from, to) {
    try {
      renameSync(from, to);
    } catch {
      // As the interface says.
    }
  },
  unlink: (path) => unlink(path, () => {}),
};

function handleOf(fd: number): LogHandle {
  return {
    write: (chunks) => writeAll(fd, chunks),
    close: () => close(fd, () => {}),
  };
}

function writeAll(fd: number, chunks: readonly Buffer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    writev(fd, chunks, (error, written) => {
      if (error !== null) return reject(error);
      const rest = dropBytes(chunks, written);
      return rest.length === 0 ? resolve() : resolve(writeAll(fd, rest)); // A disk that is nearly full takes a part.
    });
  });
}

function dropBytes(chunks: readonly Buffer[], bytes: number): Buffer[] {
  let left = bytes;
  return chunks.flatMap((chunk) => {
    const skip = Math.min(left, chunk.byteLength);
    left -= skip;
    return skip === chunk.byteLength ? [] : [chunk.subarray(skip)];
  });
}
