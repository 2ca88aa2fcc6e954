/**
 * What a call gave, on its way to the caller: small values ride in the answer, large ones go to the store first, refs are
 * held until the caller holds them.
 */
import type { Clock } from "../../base/clock.ts";
import { ByteWriter } from "../../base/byte-writer.ts";
import { type ErrorCode, RaiaError } from "../../base/errors.ts";
import { objectIdOf } from "../../base/ids.ts";
import { RESULT_TAG, type STREAM_ITEM_TAG } from "../../messages/tasks.ts";
import { type EncodedValue, encodeValue, packValue, tryEncodeSmall } from "../../values/value-codec.ts";
import type { Connection } from "../../wire/connection.ts";
import { packPlain } from "../../wire/plain-codec.ts";
import type { CallExecution } from "./call-execution.ts";
import { MAX_INLINE_BYTES, type ObjectEntry } from "../objects/object-entry.ts";
import { HANDOVER_GRACE_MS } from "../objects/references.ts";
import { runInContext } from "../task-context.ts";
import { HAS_REFS, resultStatus, writeResult } from "../calls/task-frames.ts";
import type { Bequests } from "../ownership/bequests.ts";
import { encodeThrown } from "../thrown.ts";
import { addressToPlain, type RuntimeValueHooks } from "../objects/value-hooks.ts";

/** Puts a large result where readers of this node find it. */
export interface LargeResults {
  /** @returns settles when the node has it; undefined when it has it now */
  putForOwner(objectId: string, ownerId: string, encoded: EncodedValue, site: string): Promise<void> | undefined;
}

/** Where things are thrown, for the lines under an error's stack. */
export interface ErrorPlace {
  readonly pid: number;
  /** Known once this process has joined. */
  nodeId(): string;
}

type AnswerTag = typeof RESULT_TAG | typeof STREAM_ITEM_TAG;

interface Handover {
  readonly connection: Connection;
  readonly entries: readonly ObjectEntry[];
}

export class ResultWriter {
  readonly #place: ErrorPlace;
  readonly #hooks: RuntimeValueHooks;
  readonly #large: LargeResults;
  readonly #bequests: Bequests;
  readonly #writer = new ByteWriter(4096);
  readonly #clock: Clock;
  readonly #handovers = new Map<number, Handover>();
  readonly #watched = new WeakSet<Connection>();
  #nextHandover = 1;
  /** What the result that is being written still waits for: room for its large parts, control's word that it has code in it. */
  readonly #unstored: Promise<void>[] = [];

  constructor(place: ErrorPlace, hooks: RuntimeValueHooks, large: LargeResults, bequests: Bequests, clock: Clock) {
    this.#clock = clock;
    this.#place = place;
    this.#hooks = hooks;
    this.#large = large;
    this.#bequests = bequests;
  }

  /**
   * Writes a value.
   *
   * @param extra microseconds of a result, index of an item
   * @param sequence the owner's number for the object
   * @returns settles when it has left, which is once its caller can read all of it; undefined when it has left now
   */
  value(execution: CallExecution, tag: AnswerTag, extra: number, value: unknown, sequence: number): Promise<void> | undefined {
    const writer = this.#writer;
    writer.position = 0;
    if (tryEncodeSmall(writer, value) && writer.position <= MAX_INLINE_BYTES) {
      const { connection, channel } = execution.origin;
      writeResult(connection, tag, channel, execution.slot, extra, resultStatus.value, writer.buffer, 0, writer.position);
      return undefined;
    }
    try {
      const { status, payload } = this.#encode(execution, value, sequence);
      return this.#send(execution, tag, extra, status, payload);
    } catch (error) {
      this.#unstored.length = 0;
      this.failure(execution, tag, extra, error, "UNSERIALIZABLE");
      return undefined;
    }
  }

  /** Writes the parts of a result that is several objects. Returns as `value` does. */
  values(execution: CallExecution, microseconds: number, value: unknown, numReturns: number): Promise<void> | undefined {
    const values = numReturns === 0 ? [] : value;
    if (!Array.isArray(values) || values.length !== numReturns) {
      const got = Array.isArray(values) ? `an array of ${values.length}` : typeof values;
      const error = new RaiaError("NUM_RETURNS_MISMATCH", { task: execution.name, numReturns, got });
      this.failure(execution, RESULT_TAG, microseconds, error, "NUM_RETURNS_MISMATCH");
      return undefined;
    }
    const firstHandover = this.#nextHandover;
    try {
      const parts = values.map((part, index) => this.#part(execution, part, execution.sequence + index));
      return this.#send(execution, RESULT_TAG, microseconds, resultStatus.returns, Buffer.concat(parts));
    } catch (error) {
      // What was stored of it is the owner's to free; nobody will ask for it.
      this.#unstored.length = 0;
      for (let handover = firstHandover; handover < this.#nextHandover; handover++) this.refsTaken(handover);
      this.failure(execution, RESULT_TAG, microseconds, error, "UNSERIALIZABLE");
      return undefined;
    }
  }

  /** The stream has ended after `count` items. */
  streamEnd(execution: CallExecution, microseconds: number, count: number): void {
    const total = Buffer.allocUnsafe(8);
    total.writeDoubleLE(count, 0);
    this.#write(execution, RESULT_TAG, microseconds, resultStatus.streamEnd, total);
  }

  /** The code threw. */
  thrown(execution: CallExecution, microseconds: number, error: unknown): void {
    this.#write(execution, RESULT_TAG, microseconds, resultStatus.error, this.encodeThrown(error, execution.name));
  }

  /** The work could not be run, or what it gave could not be sent. */
  failure(execution: CallExecution, tag: AnswerTag, extra: number, error: unknown, code: ErrorCode): void {
    const failure = RaiaError.is(error)
      ? error
      : new RaiaError(code, { task: execution.name, reason: String((error as Error)?.message ?? error) });
    const payload = packPlain([failure.code, { task: execution.name, ...failure.facts }]);
    this.#write(execution, tag, extra, resultStatus.failure, payload);
  }

  /** What user code threw, with the place where it did. */
  encodeThrown(error: unknown, task: string): Uint8Array {
    return encodeThrown(error, this.#hooks, { task, pid: this.#place.pid, node: this.#place.nodeId() });
  }

  #write(execution: CallExecution, tag: AnswerTag, extra: number, status: number, payload: Uint8Array): void {
    const { connection, channel } = execution.origin;
    writeResult(connection, tag, channel, execution.slot, extra, status, payload, 0, payload.length);
  }

  /**
   * A result must not be told before the node has it, and control the code in it: if this process died in between, readers
   * would wait for ever.
   */
  #send(execution: CallExecution, tag: AnswerTag, extra: number, status: number, payload: Uint8Array): Promise<void> | undefined {
    if (this.#unstored.length === 0) {
      this.#write(execution, tag, extra, status, payload);
      return undefined;
    }
    return Promise.all(this.#unstored.splice(0)).then(
      () => this.#write(execution, tag, extra, status, payload),
      (error: unknown) => this.failure(execution, tag, extra, error, "OBJECT_LOST"),
    );
  }

  #part(execution: CallExecution, value: unknown, sequence: number): Buffer {
    const { status, payload } = this.#encode(execution, value, sequence);
    const header = Buffer.allocUnsafe(8);
    header.writeUInt32LE(status, 0);
    header.writeUInt32LE(payload.length, 4);
    return Buffer.concat([header, payload]);
  }

  #encode(execution: CallExecution, value: unknown, sequence: number): { status: number; payload: Uint8Array } {
    const { connection } = execution.origin;
    const scope = this.#hooks.beginEncode();
    let encoded: EncodedValue;
    try {
      // In its context: code that goes to control with it belongs to the job of the call.
      encoded = runInContext(execution, () => encodeValue(value, this.#hooks));
    } finally {
      scope.end();
    }
    this.#unstored.push(...scope.exports);
    const refs = scope.entries.length > 0 ? this.#handOver(connection, scope.entries) : undefined;
    this.#bequests.add(scope.entries, this.#unstored);
    let status: number;
    let payload: Uint8Array;
    if (encoded.byteLength > MAX_INLINE_BYTES) {
      const ownerId = connection.peerId;
      const stored = this.#large.putForOwner(objectIdOf(ownerId, sequence), ownerId, encoded, execution.name);
      if (stored !== undefined) this.#unstored.push(stored);
      const size = Buffer.allocUnsafe(8);
      size.writeDoubleLE(encoded.byteLength, 0);
      status = resultStatus.stored;
      payload = size;
    } else {
      status = resultStatus.value;
      payload = new Uint8Array(encoded.byteLength);
      packValue(encoded, payload);
    }
    if (refs === undefined) return { status, payload };
    return { status: status | HAS_REFS, payload: Buffer.concat([refs, payload]) };
  }

  // -- refs inside results ----------------------------------------------------------------------------------------

  /** Refs in a result are held here until the caller says that it holds them. */
  #handOver(connection: Connection, entries: readonly ObjectEntry[]): Buffer {
    const number = this.#nextHandover++;
    for (const entry of entries) this.#hooks.table.hold(entry);
    this.#handovers.set(number, { connection, entries });
    // A caller that has lost its connection only may have the result, and be about to tell the owners of the refs in it.
    if (connection.isClosed) this.#clock.after(HANDOVER_GRACE_MS, () => this.refsTaken(number));
    else this.#watch(connection);
    const packed = packPlain([number, entries.map((entry) => addressToPlain(this.#hooks.table.addressOf(entry)))]);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32LE(packed.length, 0);
    return Buffer.concat([length, packed]);
  }

  /** A caller that is gone takes nothing any more. One listener a connection, however many results it gets. */
  #watch(connection: Connection): void {
    if (this.#watched.has(connection)) return;
    this.#watched.add(connection);
    connection.onClosed(() =>
      this.#clock.after(HANDOVER_GRACE_MS, () => {
        for (const [number, held] of this.#handovers) if (held.connection === connection) this.refsTaken(number);
      }),
    );
  }

  /** Results whose refs are held here for their callers. */
  get handoverCount(): number {
    return this.#handovers.size;
  }

  refsTaken(handover: number): void {
    const held = this.#handovers.get(handover);
    if (held === undefined) return;
    this.#handovers.delete(handover);
    for (const entry of held.entries) this.#hooks.table.dropHold(entry);
  }
}
