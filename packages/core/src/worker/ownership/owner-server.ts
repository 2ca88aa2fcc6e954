/** Answers for the objects that this process owns. */
import type { Handlers } from "../../wire/service.ts";
import type { Infer } from "../../wire/schema.ts";
import { RaiaError } from "../../base/errors.ts";
import { ByteWriter } from "../../base/byte-writer.ts";
import type { ObjectReply, OwnedList, ownerService } from "../../messages/owners.ts";
import { tryEncodeSmall } from "../../values/value-codec.ts";
import type { Connection } from "../../wire/connection.ts";
import { Call } from "../calls/call.ts";
import { type ObjectEntry, objectState, type StoredAt } from "../objects/object-entry.ts";
import type { Explanation } from "../state/explanation.ts";
import type { Failure } from "../objects/object-reader.ts";
import { objectRow, taskRow } from "./owned-rows.ts";
import type { ReferenceTable } from "../objects/references.ts";
import type { RuntimeValueHooks } from "../objects/value-hooks.ts";
import { decodeReason } from "../thrown.ts";
import type { TaskSubmitter } from "../calls/task-submitter.ts";

type Reply = Infer<typeof ObjectReply>;

type ExplainEntry = (entry: ObjectEntry, path: readonly string[], withinMs: number | undefined) => Promise<Explanation>;

/** How many objects and tasks one listing may ask for: what an owner can pack without being missed elsewhere. */
const MAX_LISTED = 10_000;

export class OwnerServer {
  readonly #table: ReferenceTable;
  readonly #hooks: RuntimeValueHooks;
  readonly #submitter: TaskSubmitter;
  readonly #explain: ExplainEntry;

  constructor(table: ReferenceTable, hooks: RuntimeValueHooks, submitter: TaskSubmitter, explain: ExplainEntry) {
    this.#table = table;
    this.#hooks = hooks;
    this.#submitter = submitter;
    this.#explain = explain;
  }

  handlers(): Handlers<typeof ownerService, Connection> {
    return {
      getObject: ({ sequence }) => {
        const entry = this.#table.exportedEntry(sequence);
        if (entry === undefined) return { status: "unknown" };
        if (entry.isSettled) return this.#replyOf(entry);
        return new Promise<Reply>((resolve, reject) =>
          entry.addWaiter({
            settled: () => {
              try {
                resolve(this.#replyOf(entry));
              } catch (error) {
                reject(error);
              }
            },
          }),
        );
      },
      addBorrower: ({ borrowerId, sequences }) => ({ unknown: this.#table.addBorrower(borrowerId, sequences) }),
      borrowsHeld: ({ borrowerId, sequences }) => ({ unknown: this.#table.setBorrows(borrowerId, sequences) }),
      removeBorrower: ({ borrowerId, sequences }) => this.#table.removeBorrower(borrowerId, sequences),
      freeOwned: ({ sequences }) => {
        for (const sequence of sequences) {
          const entry = this.#table.exportedEntry(sequence);
          if (entry !== undefined) this.#table.free(entry);
        }
      },
      cancelOwned: ({ sequence, force, recursive, reason: bytes }) => {
        const task = this.#table.exportedEntry(sequence)?.task;
        if (!(task instanceof Call)) return;
        const reason = bytes === undefined ? undefined : { value: decodeReason(bytes, this.#hooks), bytes };
        this.#submitter.cancel(task, { force, recursive, reason });
      },
      listOwned: ({ limit }) => this.#list(Math.min(limit, MAX_LISTED)),
      explainOwned: async ({ sequence, path = [], withinMs }) => {
        for (const entry of this.#table.owned()) if (entry.sequence === sequence) return this.#explain(entry, path, withinMs);
        return { state: "unknown", reasons: ["its owner does not know it (any more)"] };
      },
      ping: () => ({}),
    };
  }

  #replyOf(entry: ObjectEntry): Reply {
    switch (entry.state) {
      case objectState.value: {
        const writer = new ByteWriter(64);
        tryEncodeSmall(writer, entry.payload);
        return { status: "inline", value: writer.buffer.subarray(0, writer.position) };
      }
      case objectState.bytes:
        return { status: "inline", value: entry.payload as Uint8Array };
      case objectState.stored: {
        const stored = entry.payload as StoredAt;
        return { status: "stored", nodeId: stored.nodeId, sizeBytes: stored.sizeBytes };
      }
      case objectState.error:
        return { status: "error", value: entry.payload as Uint8Array };
      default: {
        const failure = entry.payload as Failure;
        throw new RaiaError(failure.code, failure.facts);
      }
    }
  }

  #list(limit: number): Infer<typeof OwnedList> {
    const objects: ReturnType<typeof objectRow>[] = [];
    const tasks: NonNullable<ReturnType<typeof taskRow>>[] = [];
    for (const entry of this.#table.owned()) {
      if (objects.length < limit) objects.push(objectRow(entry));
      const task = tasks.length < limit ? taskRow(entry) : undefined;
      if (task !== undefined) tasks.push(task);
      if (objects.length >= limit && tasks.length >= limit) break;
    }
    return { objects, tasks, total: this.#table.ownedCount };
  }
}
