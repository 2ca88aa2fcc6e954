/**
 * What a streaming task or method returns: refs of its items as they come. Taking one tells the producer that there is
 * room; leaving the loop early stops it.
 */
import type { FinalizerKind } from "../../base/finalizers.ts";
import { shortId } from "../../base/ids.ts";
import { whyUnsendable } from "../../values/value-tags.ts";
import type { Call } from "./call.ts";
import type { ObjectEntry } from "../objects/object-entry.ts";
import type { ObjectRef } from "../objects/object-ref.ts";
import type { ReferenceTable } from "../objects/references.ts";
import type { StreamState } from "../objects/stream-state.ts";

/** Credits are told in steps, so that a fast consumer does not answer every item with a message. */
const CREDIT_STEP_ITEMS = 16;

export class ObjectRefStream<T = unknown> implements AsyncIterableIterator<ObjectRef<T>> {
  readonly #table: ReferenceTable;
  readonly #call: Call;
  readonly #stream: StreamState;
  readonly #step: number;
  #toldConsumed = 0;
  #completed: ObjectRef<number> | undefined;

  /** @internal made by the runtime only */
  constructor(table: ReferenceTable, call: Call) {
    // The stream counts as a handle of the entry that tells its end, for `completed`.
    table.hold(call.entry);
    table.finalizers.watch(collected, this, { table, call });
    this.#table = table;
    this.#call = call;
    this.#stream = call.stream as StreamState;
    this.#step = Math.min(CREDIT_STEP_ITEMS, Math.max(1, Math.floor((call.template.wire.generatorBackpressure ?? CREDIT_STEP_ITEMS) / 2)));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  get [whyUnsendable](): { readonly reason: string; readonly wayOut: string } {
    return { reason: "it is a stream, which one process reads", wayOut: "pass the refs that it gives, or collect them into an array" };
  }

  toString(): string {
    const { template, entry } = this.#call;
    return `ObjectRefStream(${template.name}, ${shortId(entry.table.idOf(entry))}-${entry.sequence.toString(16)})`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** A ref that is ready when the stream has ended: its value is the number of items. */
  completed(): ObjectRef<number> {
    this.#completed ??= this.#table.refFor<number>(this.#call.entry);
    return this.#completed;
  }

  async next(): Promise<IteratorResult<ObjectRef<T>>> {
    const stream = this.#stream;
    for (;;) {
      const entry = stream.items.shift();
      if (entry !== undefined) return { done: false, value: this.#give(entry) };
      const { failure } = stream;
      if (failure !== undefined) {
        stream.failure = undefined;
        return { done: false, value: this.#give(failure) };
      }
      if (stream.ended || stream.stopped) return { done: true, value: undefined };
      const changed = new Promise<void>((resolve) => void stream.waiting.push(resolve));
      await this.#table.reader.waitFor(this.#call.entry, changed);
    }
  }

  #give(entry: ObjectEntry): ObjectRef<T> {
    const ref = this.#table.refFor<T>(entry);
    this.#table.dropHold(entry);
    const stream = this.#stream;
    stream.consumed++;
    if (!stream.ended && stream.consumed - this.#toldConsumed >= this.#step) {
      this.#toldConsumed = stream.consumed;
      this.#call.holder?.streamCredit?.(this.#call, stream.consumed);
    }
    return ref;
  }

  /** `break` in a loop over the stream comes here: the producer stops, what it sent already is dropped. */
  async return(): Promise<IteratorResult<ObjectRef<T>>> {
    stop(this.#table, this.#call);
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/** A stream that nobody can read any more: its producer stops, and what came is dropped. */
const collected: FinalizerKind<{ readonly table: ReferenceTable; readonly call: Call }> = {
  dispose: ({ table, call }) => {
    stop(table, call);
    table.dropHold(call.entry);
  },
};

function stop(table: ReferenceTable, call: Call): void {
  const stream = call.stream as StreamState;
  if (stream.stopped) return;
  stream.stopped = true;
  for (const entry of stream.items.splice(0)) table.dropHold(entry);
  if (stream.failure !== undefined) table.dropHold(stream.failure);
  stream.failure = undefined;
  if (!stream.ended) call.holder?.streamStop?.(call);
  stream.notify();
}
