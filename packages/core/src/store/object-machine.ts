/**
 * The life of one object on one node: waited for, in the arena, on disk, and back. Blocks are released by exactly one
 * effect, whatever happens in between.
 */
import { assert } from "../base/assert.ts";
import type { ErrorCode, Facts } from "../base/errors.ts";
import type { Step, Table } from "../base/machine.ts";

/** Where an object is in the arena, in bytes. */
export interface Extent {
  readonly offset: number;
  readonly bytes: number;
}

/** A file in the spill directory that holds one object. */
export interface SpillFile {
  readonly name: string;
  /** Of the object, without the header. */
  readonly bytes: number;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly facts: Facts;
}

export type ObjectState =
  /** Somebody waits for it, and nobody has finished it yet. */
  | { readonly kind: "creating" }
  /** In the arena. `pins` counts the readers of all processes. */
  | { readonly kind: "sealed"; readonly extent: Extent; readonly pins: number }
  /** In the arena, without readers, while its bytes are written to disk. */
  | { readonly kind: "spilling"; readonly extent: Extent }
  | { readonly kind: "spilled"; readonly file: SpillFile }
  /** On disk, on its way back. */
  | { readonly kind: "restoring"; readonly file: SpillFile }
  /** Freed by its owner, and still read by somebody. */
  | { readonly kind: "leaving"; readonly extent: Extent; readonly pins: number }
  /** It cannot be had any more; who asks is told why, until its owner frees it or makes it again. */
  | { readonly kind: "lost"; readonly failure: Failure }
  | { readonly kind: "freed" };

export type ObjectEvent =
  /** A process finished writing it. A task that ran twice finishes twice. */
  | { readonly kind: "sealed"; readonly extent: Extent }
  /** A process wrote it to disk, since memory was full. */
  | { readonly kind: "adopted"; readonly file: SpillFile }
  /** Its maker gave up. */
  | { readonly kind: "abandoned"; readonly failure: Failure }
  | { readonly kind: "pinned" }
  | { readonly kind: "unpinned"; readonly pins: number }
  /** The policy chose it to leave memory. */
  | { readonly kind: "chosen" }
  | { readonly kind: "written"; readonly file: SpillFile }
  | { readonly kind: "writeFailed" }
  /** Somebody wants to read it. */
  | { readonly kind: "wanted" }
  | { readonly kind: "restored"; readonly extent: Extent }
  /** There was no room for it, for as long as one may wait. */
  | { readonly kind: "noRoom"; readonly failure: Failure }
  | { readonly kind: "readFailed"; readonly failure: Failure }
  /** Nobody waits for it any more. */
  | { readonly kind: "unwanted" }
  | { readonly kind: "freed" };

export type ObjectEffect =
  /** Those who wait look again. */
  | { readonly kind: "wake" }
  | { readonly kind: "fail"; readonly failure: Failure }
  | { readonly kind: "release"; readonly extent: Extent }
  | { readonly kind: "write"; readonly extent: Extent }
  | { readonly kind: "read"; readonly file: SpillFile }
  | { readonly kind: "unlink"; readonly file: SpillFile }
  /** The store knows it no more. */
  | { readonly kind: "forget" };

type Next = Step<ObjectState, ObjectEffect>;

const freedByOwner: Failure = { code: "OBJECT_FREED", facts: {} };

function to(next: ObjectState, ...effects: ObjectEffect[]): Next {
  return { next, effects };
}

/** A second copy of what is there already goes at once; the first stays, since somebody may be reading it. */
function refuseCopy(state: ObjectState, { extent }: { readonly extent: Extent }): Next {
  return to(state, { kind: "release", extent });
}

function refuseFile(state: ObjectState, { file }: { readonly file: SpillFile }): Next {
  return to(state, { kind: "unlink", file });
}

export const objectTable: Table<ObjectState, ObjectEvent, ObjectEffect> = {
  creating: {
    sealed: (_state, { extent }) => to({ kind: "sealed", extent, pins: 0 }, { kind: "wake" }),
    adopted: (_state, { file }) => to({ kind: "spilled", file }, { kind: "wake" }),
    abandoned: (_state, { failure }) => to({ kind: "lost", failure }, { kind: "fail", failure }),
    wanted: "ignore", // It is on the list of those who wait.
    unwanted: () => to({ kind: "freed" }, { kind: "forget" }),
    freed: () => to({ kind: "freed" }, { kind: "fail", failure: freedByOwner }, { kind: "forget" }),
  },
  sealed: {
    sealed: refuseCopy,
    adopted: refuseFile,
    abandoned: "ignore", // A second attempt failed to store what the first one stored.
    pinned: ({ extent, pins }) => to({ kind: "sealed", extent, pins: pins + 1 }),
    unpinned: ({ extent, pins }, event) => to({ kind: "sealed", extent, pins: pins - event.pins }),
    chosen: ({ extent, pins }) => {
      assert(pins === 0, "nobody reads what leaves memory");
      return to({ kind: "spilling", extent }, { kind: "write", extent });
    },
    written: refuseFile, // A reader came while it was written.
    writeFailed: "ignore", // As above: it stays in memory.
    unwanted: "ignore", // It is kept for its owner, not for those who wait.
    freed: ({ extent, pins }) =>
      pins > 0 ? to({ kind: "leaving", extent, pins }) : to({ kind: "freed" }, { kind: "release", extent }, { kind: "forget" }),
  },
  spilling: {
    sealed: refuseCopy,
    adopted: refuseFile,
    abandoned: "ignore",
    // Reading goes before spilling: the file is dropped when its write returns.
    pinned: ({ extent }) => to({ kind: "sealed", extent, pins: 1 }),
    written: ({ extent }, { file }) => to({ kind: "spilled", file }, { kind: "release", extent }),
    writeFailed: ({ extent }) => to({ kind: "sealed", extent, pins: 0 }),
    unwanted: "ignore",
    // The write may still be reading the blocks; what it writes from now on is thrown away unread.
    freed: ({ extent }) => to({ kind: "freed" }, { kind: "release", extent }, { kind: "forget" }),
  },
  spilled: {
    sealed: refuseCopy,
    adopted: refuseFile,
    abandoned: "ignore",
    wanted: ({ file }) => to({ kind: "restoring", file }, { kind: "read", file }),
    unwanted: "ignore",
    freed: ({ file }) => to({ kind: "freed" }, { kind: "unlink", file }, { kind: "forget" }),
  },
  restoring: {
    sealed: refuseCopy,
    adopted: refuseFile,
    abandoned: "ignore",
    wanted: "ignore", // It is being read already.
    restored: ({ file }, { extent }) => to({ kind: "sealed", extent, pins: 0 }, { kind: "unlink", file }, { kind: "wake" }),
    noRoom: ({ file }, { failure }) => to({ kind: "spilled", file }, { kind: "fail", failure }),
    readFailed: ({ file }, { failure }) => to({ kind: "lost", failure }, { kind: "unlink", file }, { kind: "fail", failure }),
    unwanted: "ignore", // It will be evicted again if nobody comes.
    // The reader finds it forgotten, and drops the file and what it has read.
    freed: () => to({ kind: "freed" }, { kind: "fail", failure: freedByOwner }, { kind: "forget" }),
  },
  leaving: {
    sealed: refuseCopy,
    adopted: refuseFile,
    abandoned: "ignore",
    unpinned: ({ extent, pins }, event) =>
      pins > event.pins
        ? to({ kind: "leaving", extent, pins: pins - event.pins })
        : to({ kind: "freed" }, { kind: "release", extent }, { kind: "forget" }),
    written: refuseFile,
    writeFailed: "ignore",
    unwanted: "ignore",
    freed: "ignore", // Freed twice.
  },
  lost: {
    sealed: (_state, { extent }) => to({ kind: "sealed", extent, pins: 0 }, { kind: "wake" }),
    adopted: (_state, { file }) => to({ kind: "spilled", file }, { kind: "wake" }),
    abandoned: "ignore",
    unwanted: "ignore",
    freed: () => to({ kind: "freed" }, { kind: "forget" }),
  },
  freed: {},
};

/** Every event, in the order of the golden print. */
export const objectEvents: readonly ObjectEvent["kind"][] = [
  "sealed",
  "adopted",
  "abandoned",
  "pinned",
  "unpinned",
  "chosen",
  "written",
  "writeFailed",
  "wanted",
  "restored",
  "noRoom",
  "readFailed",
  "unwanted",
  "freed",
];
