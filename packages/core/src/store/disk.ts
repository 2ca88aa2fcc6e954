/**
 * The directory that objects spill to, behind an interface that can fail on purpose in tests. Errors are Node's own,
 * with `code` (ENOSPC, EIO, ...). Nothing is flushed: a spilled object need not outlive its machine.
 */
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import { filePromises } from "../base/late-modules.ts";

export interface Disk {
  create(name: string): Promise<DiskFile>;
  open(name: string): Promise<DiskFile>;
  /** Removes a file; one that is gone already is fine. */
  unlink(name: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  list(): Promise<readonly string[]>;
  /** Writes a whole file before it returns, for callers that cannot wait; leaves nothing behind when it fails. */
  writeWholeSync(name: string, parts: readonly Uint8Array[]): void;
}

export interface DiskFile {
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills `into`, or as much as the file has. @returns bytes read */
  read(into: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

export class DirectoryDisk implements Disk {
  readonly #directory: string;

  /** @param directory exists, and belongs to this session alone */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async create(name: string): Promise<DiskFile> {
    return new OpenFile(await filePromises().open(this.#path(name), "wx", 0o600));
  }

  async open(name: string): Promise<DiskFile> {
    return new OpenFile(await filePromises().open(this.#path(name), "r"));
  }

  async unlink(name: string): Promise<void> {
    await filePromises()
      .unlink(this.#path(name))
      .catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      });
  }

  rename(from: string, to: string): Promise<void> {
    return filePromises().rename(this.#path(from), this.#path(to));
  }

  list(): Promise<readonly string[]> {
    return filePromises().readdir(this.#directory);
  }

  writeWholeSync(name: string, parts: readonly Uint8Array[]): void {
    const path = this.#path(name);
    const descriptor = openSync(path, "wx", 0o600);
    try {
      for (const part of parts) {
        for (let done = 0; done < part.byteLength; ) done += writeSync(descriptor, part, done);
      }
    } catch (error) {
      unlinkSync(path);
      throw error;
    } finally {
      closeSync(descriptor);
    }
  }

  #path(name: string): string {
    // Names come from other processes too: nothing that could leave the directory.
    assert(/^[a-z0-9-]{1,64}$/.test(name), "a plain file name");
    return join(this.#directory, name);
  }
}

class OpenFile implements DiskFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.byteLength - done, position + done);
      done += bytesWritten;
    }
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.byteLength) {
      const { bytesRead } = await this.#handle.read(into, done, into.byteLength - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
