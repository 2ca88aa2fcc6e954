/** Carries objects to disk and back, one file each. What became of the object meanwhile is looked up after every wait. */
import { RaiaError } from "../base/errors.ts";
import type { Arena } from "./arena.ts";
import type { Disk } from "./disk.ts";
import type { Extent, Failure, SpillFile } from "./object-machine.ts";
import type { ObjectRecord } from "./object-table.ts";
import { readSpillFile, writeSpillFile } from "./spill-file.ts";

export type WriteOutcome =
  | { readonly kind: "written"; readonly file: SpillFile }
  /** Somebody reads it, or it was freed. */
  | { readonly kind: "unwanted" }
  | { readonly kind: "failed"; readonly errno: string };

export class Spiller {
  readonly #arena: Arena;
  readonly #disk: Disk;
  #files = 0;

  constructor(arena: Arena, disk: Disk) {
    this.#arena = arena;
    this.#disk = disk;
  }

  newFileName(): string {
    return `object-${this.#files++}`;
  }

  /** Writes an object that is being spilled. Leaves no file but a whole one. */
  async write(record: ObjectRecord, extent: Extent): Promise<WriteOutcome> {
    const name = this.newFileName();
    try {
      const file = await this.#disk.create(name);
      try {
        const bytes = this.#arena.writable(extent.offset, extent.bytes);
        const isWhole = await writeSpillFile(file, record.id, bytes, () => record.state.kind === "spilling");
        if (isWhole) return { kind: "written", file: { name, bytes: extent.bytes } };
      } finally {
        await file.close();
      }
      await this.unlink(name);
      return { kind: "unwanted" };
    } catch (error) {
      await this.unlink(name);
      return { kind: "failed", errno: errnoOf(error) };
    }
  }

  /** Reads an object into blocks that belong to the node. @returns why it could not, or undefined */
  async read(record: ObjectRecord, { name, bytes }: SpillFile, offset: number): Promise<Failure | undefined> {
    try {
      const file = await this.#disk.open(name);
      try {
        await readSpillFile(file, record.id, this.#arena.writable(offset, bytes));
        return undefined;
      } finally {
        await file.close();
      }
    } catch (error) {
      if (RaiaError.is(error)) return { code: error.code, facts: error.facts };
      return { code: "OBJECT_LOST", facts: { reason: "its spill file cannot be read", errno: errnoOf(error) } };
    }
  }

  /** Takes over a file that a process wrote itself. */
  async adopt(file: string): Promise<string> {
    const name = this.newFileName();
    await this.#disk.rename(file, name);
    return name;
  }

  async unlink(name: string): Promise<void> {
    try {
      await this.#disk.unlink(name);
    } catch {
      // Nobody asks for this file any more; it goes with the session's directory.
    }
  }

  /** Removes what a dead process wrote and had not handed over. */
  async sweep(slot: number): Promise<void> {
    const prefix = overflowPrefix(slot);
    const names = await this.#disk.list().catch(() => []);
    for (const name of names.filter((each) => each.startsWith(prefix))) await this.unlink(name);
  }
}

/** Files that a process writes itself are named after its slot, so that they can be found when it dies. */
export function overflowPrefix(slot: number): string {
  return `overflow-${slot}-`;
}

function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
