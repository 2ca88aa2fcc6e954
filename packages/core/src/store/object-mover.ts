/**
 * Moves objects between memory and disk. What became of one meanwhile is looked up after every wait, and each step of the way is
 * an event of the object: nothing rejects.
 */
import { RaiaError } from "../base/errors.ts";
import type { Arena } from "./arena.ts";
import type { Extent, ObjectEvent, SpillFile } from "./object-machine.ts";
import type { ObjectRecord } from "./object-table.ts";
import type { Spiller } from "./spiller.ts";

export interface MoverDependencies {
  readonly arena: Arena;
  readonly spiller: Spiller;
  readonly step: (record: ObjectRecord, event: ObjectEvent) => void;
  /** @returns the offset of blocks that belong to the node */
  readonly requestRoom: (bytes: number) => Promise<number>;
  readonly release: (extent: Extent) => void;
  /** An object can be spilled again: whoever waits for room may get it. */
  readonly kickSpace: () => void;
}

export class ObjectMover {
  readonly #deps: MoverDependencies;

  constructor(deps: MoverDependencies) {
    this.#deps = deps;
  }

  /** Writes an object to disk. @returns the error number when the disk refused */
  async spill(record: ObjectRecord): Promise<string | undefined> {
    const { spiller, step } = this.#deps;
    step(record, { kind: "chosen" });
    if (record.state.kind !== "spilling") return undefined;
    const outcome = await spiller.write(record, record.state.extent);
    if (outcome.kind === "written") {
      if (isForgotten(record)) await spiller.unlink(outcome.file.name);
      else step(record, { kind: "written", file: outcome.file });
    } else if (!isForgotten(record)) {
      step(record, { kind: "writeFailed" });
    }
    return outcome.kind === "failed" ? outcome.errno : undefined;
  }

  /** Brings an object back from disk. */
  async restore(record: ObjectRecord, file: SpillFile): Promise<void> {
    const { arena, spiller, step, requestRoom, release, kickSpace } = this.#deps;
    let offset: number;
    try {
      offset = await requestRoom(file.bytes);
    } catch (error) {
      const failure = RaiaError.is(error) ? { code: error.code, facts: error.facts } : { code: "STORE_FULL" as const, facts: {} };
      if (isForgotten(record)) return spiller.unlink(file.name);
      return step(record, { kind: "noRoom", failure });
    }
    const extent = { offset, bytes: file.bytes };
    const failure = isForgotten(record) ? undefined : await spiller.read(record, file, offset);
    if (isForgotten(record)) {
      release(extent);
      return spiller.unlink(file.name);
    }
    if (failure !== undefined) {
      release(extent);
      return step(record, { kind: "readFailed", failure });
    }
    arena.adopt(offset, file.bytes, arena.slot);
    step(record, { kind: "restored", extent });
    kickSpace();
  }
}

function isForgotten(record: ObjectRecord): boolean {
  return record.state.kind === "freed";
}
