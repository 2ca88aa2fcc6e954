/** A disk in memory that fills up, breaks and waits when told. */
import type { Disk, DiskFile } from "./disk.ts";

export class FakeDisk implements Disk {
  readonly files = new Map<string, Uint8Array>();
  /** Bytes that fit, all files together. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** The code that every read fails with, as a broken disk does. */
  failReadsWith: string | undefined;
  failWritesWith: string | undefined;
  #gate: Promise<void> = Promise.resolve();

  /** Makes reads and writes wait until the function it returns is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  get usedBytes(): number {
    return [...this.files.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  async create(name: string): Promise<DiskFile> {
    if (this.files.has(name)) throw diskError("EEXIST");
    this.files.set(name, new Uint8Array(0));
    return this.#file(name);
  }

  async open(name: string): Promise<DiskFile> {
    if (!this.files.has(name)) throw diskError("ENOENT");
    return this.#file(name);
  }

  async unlink(name: string): Promise<void> {
    this.files.delete(name);
  }

  async rename(from: string, to: string): Promise<void> {
    const bytes = this.files.get(from);
    if (bytes === undefined) throw diskError("ENOENT");
    this.files.delete(from);
    this.files.set(to, bytes);
  }

  async list(): Promise<readonly string[]> {
    return [...this.files.keys()];
  }

  writeWholeSync(name: string, parts: readonly Uint8Array[]): void {
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    this.#admit(bytes);
    this.files.set(name, Buffer.concat(parts, bytes));
  }

  #admit(addedBytes: number): void {
    if (this.failWritesWith !== undefined) throw diskError(this.failWritesWith);
    if (this.usedBytes + addedBytes > this.capacityBytes) throw diskError("ENOSPC");
  }

  #file(name: string): DiskFile {
    return {
      write: async (bytes, position) => {
        await this.#gate;
        const old = this.files.get(name) ?? new Uint8Array(0);
        const grown = new Uint8Array(Math.max(old.byteLength, position + bytes.byteLength));
        this.#admit(grown.byteLength - old.byteLength);
        grown.set(old);
        grown.set(bytes, position);
        // An unlinked file takes writes and is nowhere to be seen.
        if (this.files.has(name)) this.files.set(name, grown);
      },
      read: async (into, position) => {
        await this.#gate;
        if (this.failReadsWith !== undefined) throw diskError(this.failReadsWith);
        const part = (this.files.get(name) ?? new Uint8Array(0)).subarray(position, position + into.byteLength);
        into.set(part);
        return part.byteLength;
      },
      close: async () => {},
    };
  }
}

function diskError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: fake disk`), { code });
}
