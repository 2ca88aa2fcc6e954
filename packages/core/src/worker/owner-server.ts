/** Answers for the objects that this process owns. */
import { packPlain } from "../wire/plain-codec.ts";
import type { Handlers } from "../wire/service.ts";
import type { Infer } from "../wire/schema.ts";
import { RaiaError } from "../base/errors.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import type { ObjectReply, ownerService } from "../messages/owners.ts";
import { tryEncodeSmall } from "../values/value-codec.ts";
import type { Connection } from "../wire/connection.ts";
import { Call } from "./call.ts";
import { type ObjectEntry, objectState, type StoredAt } from "./object-entry.ts";
import type { Failure } from "./object-reader.ts";
import type { ReferenceTable } from "./references.ts";
import type { TaskSubmitter } from "./task-submitter.ts";

type Reply = Infer<typeof ObjectReply>;

export class OwnerServer {
  readonly #table: ReferenceTable;
  readonly #submitter: TaskSubmitter;

  constructor(table: ReferenceTable, submitter: TaskSubmitter) {
    this.#table = table;
    this.#submitter = submitter;
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
      removeBorrower: ({ borrowerId, sequences }) => this.#table.removeBorrower(borrowerId, sequences),
      freeOwned: ({ sequences }) => {
        for (const sequence of sequences) {
          const entry = this.#table.exportedEntry(sequence);
          if (entry !== undefined) this.#table.free(entry);
        }
      },
      cancelOwned: ({ sequence, force, recursive }) => {
        const task = this.#table.exportedEntry(sequence)?.task;
        if (task instanceof Call) this.#submitter.cancel(task, force, recursive);
      },
      listOwned: ({ limit }) => this.#list(limit),
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

  #list(limit: number): { objects: Uint8Array; tasks: Uint8Array; total: number } {
    const objects: unknown[] = [];
    const tasks: unknown[] = [];
    for (const entry of this.#table.owned()) {
      if (entry.task instanceof Call) {
        if (tasks.length < limit)
          tasks.push({ name: entry.task.template.name, state: entry.task.state, attempt: entry.task.attempt, id: this.#table.idOf(entry) });
      } else if (objects.length < limit) {
        const bytes =
          entry.state === objectState.stored
            ? (entry.payload as StoredAt).sizeBytes
            : entry.payload instanceof Uint8Array
              ? entry.payload.length
              : 0;
        objects.push({
          id: this.#table.idOf(entry),
          state: entry.state,
          handles: entry.handles,
          holds: entry.holds,
          borrowers: entry.borrowers?.size ?? 0,
          site: entry.site,
          bytes,
        });
      }
      if (objects.length >= limit && tasks.length >= limit) break;
    }
    return { objects: packPlain(objects), tasks: packPlain(tasks), total: this.#table.ownedCount };
  }
}
