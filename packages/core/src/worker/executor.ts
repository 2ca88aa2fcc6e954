/**
 * Runs the user's code: decodes the arguments, calls the function in its context, encodes what it returns or throws.
 * Whatever can be answered without waiting is answered without waiting.
 */
import { ByteWriter } from "../base/byte-writer.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { type ErrorCode, type Facts, RaiaError } from "../base/errors.ts";
import { objectIdOf, taskIdOf } from "../base/ids.ts";
import type { Accelerators } from "../messages/common.ts";
import { RESULT_TAG, STREAM_ITEM_TAG } from "../messages/tasks.ts";
import { encodeError } from "../values/error-codec.ts";
import { decodeValue, type EncodedValue, encodeValue, mayHoldRefs, packValue, tryEncodeSmall } from "../values/value-codec.ts";
import type { Connection } from "../wire/connection.ts";
import { packPlain, unpackPlain } from "../wire/plain-codec.ts";
import type { ActorHost } from "./actor-host.ts";
import { type Ambient, runWithAmbient } from "./ambient-context.ts";
import { argumentForm, dependencyForm, MAX_INLINE_BYTES, WITH_AMBIENT } from "./call-arguments.ts";
import { type EventRing, eventKind } from "./event-ring.ts";
import type { AnyFunction, FunctionTable } from "./functions.ts";
import type { ObjectEntry } from "./object-entry.ts";
import type { LargeObjects } from "./object-reader.ts";
import { runInContext, type TaskContext, type WaitScope } from "./task-context.ts";
import { HAS_REFS, resultStatus, writeResult } from "./task-frames.ts";
import type { IncomingCall } from "./task-server.ts";
import { addressToPlain, type RuntimeValueHooks } from "./value-hooks.ts";
import type { WorkerRuntime } from "./worker-runtime.ts";

/** Puts a large result where readers of this node find it. */
export interface ResultStore extends LargeObjects {
  /** @returns settles when the node has it; undefined when it has it now */
  putForOwner(objectId: string, ownerId: string, encoded: EncodedValue, site: string): Promise<void> | undefined;
  endScope(task: object): void;
}

/** In a long run of short calls results leave at least this often. */
const FLUSH_EVERY_MS = 1;
/** A stream whose consumer is this many items behind waits. */
const DEFAULT_BACKPRESSURE_ITEMS = 1000;

const noWaits: WaitScope = { waitBegan: () => {}, waitEnded: () => undefined };

/** One call while it runs here: the context of its code, and what may still happen to it. */
export class CallExecution implements TaskContext {
  readonly call: IncomingCall;
  readonly connection: Connection;
  readonly channel: number;
  readonly accelerators: Accelerators;
  readonly waits: WaitScope;
  readonly host: ActorHost | undefined;
  runtime: WorkerRuntime = undefined as never;
  /** Called when the call has ended later than its start. */
  whenDone: (() => void) | undefined = undefined;
  startedAtMs = 0;
  isDone = false;
  /** The caller has its answer already: the call ran too long. */
  isAnswered = false;
  ambient: Ambient | undefined = undefined;
  timer: Timer | undefined = undefined;
  #controller: AbortController | undefined;
  #isCancelled = false;
  #children: Set<{ cancel(force: boolean): void }> | undefined;
  #consumed = 0;
  #isStopped = false;
  #wake: (() => void) | undefined;

  constructor(
    call: IncomingCall,
    connection: Connection,
    channel: number,
    accelerators: Accelerators,
    waits: WaitScope | undefined,
    host: ActorHost | undefined,
  ) {
    this.call = call;
    this.connection = connection;
    this.channel = channel;
    this.accelerators = host?.accelerators ?? accelerators;
    this.waits = waits ?? noWaits;
    this.host = host;
  }

  get taskId(): string {
    return taskIdOf(this.connection.peerId, this.call.sequence);
  }

  get name(): string {
    return this.call.template.wire.name;
  }

  get attempt(): number {
    return this.call.attempt;
  }

  get jobId(): string {
    return this.call.template.wire.jobId;
  }

  get namespace(): string {
    return this.call.template.wire.namespace;
  }

  get resources(): Readonly<Record<string, number>> {
    return this.host?.resources ?? this.call.template.wire.resources ?? {};
  }

  get actor(): TaskContext["actor"] {
    return this.host;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isCancelled) this.#controller.abort(new RaiaError("TASK_CANCELLED", { task: this.name }));
    }
    return this.#controller.signal;
  }

  childSubmitted(child: { cancel(force: boolean): void }): () => void {
    const children = (this.#children ??= new Set());
    children.add(child);
    return () => void children.delete(child);
  }

  cancel(recursive: boolean): void {
    this.#isCancelled = true;
    this.#controller?.abort(new RaiaError("TASK_CANCELLED", { task: this.name }));
    this.stopStream();
    if (recursive) for (const child of [...(this.#children ?? [])]) child.cancel(false);
  }

  // -- streams ----------------------------------------------------------------------------------------------------

  credit(consumed: number): void {
    this.#consumed = Math.max(this.#consumed, consumed);
    this.#wake?.();
  }

  stopStream(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Resolves when the consumer is less than `limit` items behind, or wants no more. */
  async roomForItem(sent: number, limit: number): Promise<void> {
    while (!this.#isStopped && sent - this.#consumed >= limit) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  done(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.whenDone?.();
  }
}

interface Handover {
  readonly connection: Connection;
  readonly entries: readonly ObjectEntry[];
}

export class Executor {
  readonly #runtime: WorkerRuntime;
  readonly #functions: FunctionTable;
  readonly #hooks: RuntimeValueHooks;
  readonly #store: ResultStore;
  readonly #clock: Clock;
  readonly #events: EventRing;
  readonly #writer = new ByteWriter(4096);
  readonly #handovers = new Map<number, Handover>();
  #nextHandover = 1;
  /** Parts of the result that is being written, which have no room yet. */
  readonly #unstored: Promise<void>[] = [];
  #flushedAtMs = 0;

  constructor(
    runtime: WorkerRuntime,
    functions: FunctionTable,
    hooks: RuntimeValueHooks,
    store: ResultStore,
    clock: Clock,
    events: EventRing,
  ) {
    this.#runtime = runtime;
    this.#functions = functions;
    this.#hooks = hooks;
    this.#store = store;
    this.#clock = clock;
    this.#events = events;
  }

  /** @returns true when the call has ended already; else its `whenDone` is called later */
  run(execution: CallExecution): boolean {
    execution.runtime = this.#runtime;
    const { template } = execution.call;
    if (template.fn !== undefined) return this.#begin(execution, template.fn);
    const fn = execution.host?.method(template.wire.method) ?? this.#functions.load(template.wire.functionHash);
    if (fn instanceof Promise) {
      fn.then(
        (loaded) => {
          template.fn = loaded;
          this.#settleLater(execution, () => this.#begin(execution, loaded));
        },
        (error: unknown) => this.#failed(execution, error, "FUNCTION_LOAD_FAILED"),
      );
      return false;
    }
    // Methods belong to one actor; a template may serve several.
    if (execution.host === undefined) template.fn = fn;
    return this.#begin(execution, fn);
  }

  #settleLater(execution: CallExecution, step: () => boolean): void {
    if (step()) execution.done();
  }

  #begin(execution: CallExecution, fn: AnyFunction): boolean {
    let args: unknown[] | Promise<unknown[]>;
    try {
      args = this.decodeArguments(execution.call.args, execution);
    } catch (error) {
      this.#failed(execution, error, "PROTOCOL");
      return true;
    }
    if (args instanceof Promise) {
      args.then(
        (ready) => this.#settleLater(execution, () => this.#invoke(execution, fn, ready)),
        (error: unknown) => this.#failed(execution, error, "OBJECT_LOST"),
      );
      return false;
    }
    return this.#invoke(execution, fn, args);
  }

  #invoke(execution: CallExecution, fn: AnyFunction, args: unknown[]): boolean {
    execution.startedAtMs = this.#clock.nowMs();
    if (execution.host !== undefined) this.#startTimeLimit(execution);
    if (((execution.call.args[0] as number) & WITH_AMBIENT) !== 0) execution.ambient = args.pop() as Ambient;
    let result: unknown;
    try {
      result = runCall(execution, () => fn.apply(execution.host?.instance, args as never[]));
    } catch (error) {
      this.#threw(execution, error);
      return true;
    }
    if (execution.call.template.wire.numReturns === -1) {
      void runCall(execution, () => this.#stream(execution, result)).then(() => execution.done());
      return false;
    }
    if (isThenable(result)) {
      result.then(
        (value) => {
          const stored = this.#returned(execution, value);
          if (stored === undefined) execution.done();
          else void stored.then(() => execution.done());
        },
        (error: unknown) => {
          this.#threw(execution, error);
          execution.done();
        },
      );
      return false;
    }
    const stored = this.#returned(execution, result);
    if (stored === undefined) return true;
    void stored.then(() => execution.done());
    return false;
  }

  // -- arguments --------------------------------------------------------------------------------------------------

  decodeArguments(bytes: Buffer, scope: object | undefined): unknown[] | Promise<unknown[]> {
    const form = (bytes[0] as number) & ~WITH_AMBIENT;
    if (form === argumentForm.none) return [];
    const start = form === argumentForm.plain ? 1 : 5 + bytes.readUInt32LE(1);
    if (form === argumentForm.plain && !mayHoldRefs(bytes, start))
      return decodeValue(bytes, start, bytes.length, this.#hooks, false) as unknown[];
    const decode = this.#hooks.beginDecode();
    let args: unknown[];
    try {
      args = decodeValue(bytes, start, bytes.length, this.#hooks, false) as unknown[];
    } finally {
      decode.end();
    }
    if (form === argumentForm.plain && decode.fresh.length === 0) return args;
    const header = form === argumentForm.withDependencies ? (unpackPlain(bytes, 5, start) as unknown[][]) : [];
    return this.#fillDependencies(args, header, decode.fresh, scope);
  }

  async #fillDependencies(args: unknown[], header: unknown[][], fresh: ObjectEntry[], scope: object | undefined): Promise<unknown[]> {
    // The caller holds what the arguments mention until the result is back; by then their owners must know of us.
    await this.#hooks.table.registerBorrows(fresh);
    await Promise.all(
      header.map(async ([index, form, first, _address, sequence, nodeId, sizeBytes]) => {
        let bytes: Uint8Array;
        if (form === dependencyForm.stored) {
          const objectId = objectIdOf(first as string, sequence as number);
          bytes = await this.#store.read(objectId, { nodeId: nodeId as string, sizeBytes: sizeBytes as number }, scope);
        } else {
          bytes = first as Uint8Array;
        }
        const decode = this.#hooks.beginDecode();
        try {
          args[index as number] = decodeValue(bytes, 0, bytes.byteLength, this.#hooks, form === dependencyForm.stored);
        } finally {
          decode.end();
        }
        if (decode.fresh.length > 0) await this.#hooks.table.registerBorrows(decode.fresh);
      }),
    );
    return args;
  }

  // -- results ----------------------------------------------------------------------------------------------------

  /** Of an actor's call: its signal aborts, and its caller has an answer; what it still gives goes nowhere. The actor lives on. */
  #startTimeLimit(execution: CallExecution): void {
    const { timeoutMs } = execution.call.template.wire;
    if (timeoutMs === undefined) return;
    execution.timer = this.#clock.after(timeoutMs, () => {
      if (execution.isAnswered) return;
      execution.cancel(true);
      this.refuse(execution, "TASK_TIMEOUT", { timeoutMs, attempt: execution.attempt });
      execution.isAnswered = true;
      execution.connection.flush();
    });
  }

  /** @returns settles when the result has left, which is once the node has all of it; undefined when it has left now */
  #returned(execution: CallExecution, value: unknown): Promise<void> | undefined {
    if (execution.isAnswered) {
      this.#ended(execution, false);
      return undefined;
    }
    // It has ended in time, though a large result may take a while to leave.
    execution.timer?.cancel();
    const { numReturns } = execution.call.template.wire;
    const left =
      numReturns === 1
        ? this.#answer(execution, RESULT_TAG, this.#microseconds(execution), value, execution.call.sequence)
        : this.#returnedMany(execution, value, numReturns);
    if (left === undefined) this.#ended(execution, true);
    return left?.then(() => this.#ended(execution, true));
  }

  #answer(
    execution: CallExecution,
    tag: typeof RESULT_TAG | typeof STREAM_ITEM_TAG,
    extra: number,
    value: unknown,
    sequence: number,
  ): Promise<void> | undefined {
    const { connection, channel, call } = execution;
    const writer = this.#writer;
    writer.position = 0;
    if (tryEncodeSmall(writer, value) && writer.position <= MAX_INLINE_BYTES) {
      writeResult(connection, tag, channel, call.slot, extra, resultStatus.value, writer.buffer, 0, writer.position);
      return undefined;
    }
    try {
      const { status, payload } = this.#encodeLarge(execution, value, sequence);
      return this.#send(execution, tag, extra, status, payload);
    } catch (error) {
      this.#writeFailure(execution, tag, extra, error, "UNSERIALIZABLE");
      return undefined;
    }
  }

  /** A result must not be told before the node has it: if this process died in between, readers would wait for ever. */
  #send(
    execution: CallExecution,
    tag: typeof RESULT_TAG | typeof STREAM_ITEM_TAG,
    extra: number,
    status: number,
    payload: Uint8Array,
  ): Promise<void> | undefined {
    const { connection, channel, call } = execution;
    const write = (): void => writeResult(connection, tag, channel, call.slot, extra, status, payload, 0, payload.length);
    if (this.#unstored.length === 0) {
      write();
      return undefined;
    }
    return Promise.all(this.#unstored.splice(0)).then(write, (error: unknown) =>
      this.#writeFailure(execution, tag, extra, error, "OBJECT_LOST"),
    );
  }

  #encodeLarge(execution: CallExecution, value: unknown, sequence: number): { status: number; payload: Uint8Array } {
    const scope = this.#hooks.beginEncode();
    let encoded: EncodedValue;
    try {
      encoded = encodeValue(value, this.#hooks);
    } finally {
      scope.end();
    }
    const refs = scope.entries.length > 0 ? this.#handOver(execution.connection, scope.entries) : undefined;
    let status: number;
    let payload: Uint8Array;
    if (encoded.byteLength > MAX_INLINE_BYTES) {
      const ownerId = execution.connection.peerId;
      const stored = this.#store.putForOwner(objectIdOf(ownerId, sequence), ownerId, encoded, execution.name);
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

  /** Refs in a result are held here until the caller says that it holds them. */
  #handOver(connection: Connection, entries: readonly ObjectEntry[]): Buffer {
    const number = this.#nextHandover++;
    for (const entry of entries) this.#hooks.table.hold(entry);
    this.#handovers.set(number, { connection, entries });
    connection.onClosed(() => this.refsTaken(number));
    const packed = packPlain([number, entries.map((entry) => addressToPlain(this.#hooks.table.addressOf(entry)))]);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32LE(packed.length, 0);
    return Buffer.concat([length, packed]);
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

  #returnedMany(execution: CallExecution, value: unknown, numReturns: number): Promise<void> | undefined {
    const { call } = execution;
    const values = numReturns === 0 ? [] : value;
    if (!Array.isArray(values) || values.length !== numReturns) {
      const got = Array.isArray(values) ? `an array of ${values.length}` : typeof values;
      const error = new RaiaError("NUM_RETURNS_MISMATCH", { task: execution.name, numReturns, got });
      this.#writeFailure(execution, RESULT_TAG, this.#microseconds(execution), error, "NUM_RETURNS_MISMATCH");
      return undefined;
    }
    try {
      const parts = values.map((part, index) => this.#part(execution, part, call.sequence + index));
      return this.#send(execution, RESULT_TAG, this.#microseconds(execution), resultStatus.returns, Buffer.concat(parts));
    } catch (error) {
      // What was stored of it is the owner's to free; nobody will ask for it.
      this.#unstored.length = 0;
      this.#writeFailure(execution, RESULT_TAG, this.#microseconds(execution), error, "UNSERIALIZABLE");
      return undefined;
    }
  }

  #part(execution: CallExecution, value: unknown, sequence: number): Buffer {
    const { status, payload } = this.#encodeLarge(execution, value, sequence);
    const header = Buffer.allocUnsafe(8);
    header.writeUInt32LE(status, 0);
    header.writeUInt32LE(payload.length, 4);
    return Buffer.concat([header, payload]);
  }

  #threw(execution: CallExecution, error: unknown): void {
    if (execution.isAnswered) {
      this.#ended(execution, false);
      return;
    }
    const { connection, channel, call } = execution;
    const bytes = this.encodeThrown(error, execution.name);
    writeResult(connection, RESULT_TAG, channel, call.slot, this.#microseconds(execution), resultStatus.error, bytes, 0, bytes.length);
    this.#ended(execution, false);
  }

  /** What user code threw, with the place where it did. */
  encodeThrown(error: unknown, task: string): Uint8Array {
    const place = { task, pid: this.#runtime.pid, node: this.#runtime.cluster.nodeId.slice(0, 8) };
    const scope = this.#hooks.beginEncode();
    try {
      return encodeError(error, this.#hooks, place);
    } catch (cause) {
      // What was thrown cannot be sent: its text can.
      return encodeError(
        new RaiaError("UNSERIALIZABLE", { reason: "the thrown value cannot be sent", value: String(cause) }),
        this.#hooks,
        place,
      );
    } finally {
      scope.end();
    }
  }

  /** The work could not be run, for a reason of ours. */
  refuse(execution: CallExecution, code: ErrorCode, facts: Facts): void {
    this.#writeFailure(execution, RESULT_TAG, 0, new RaiaError(code, facts), code);
  }

  #failed(execution: CallExecution, error: unknown, code: ErrorCode): void {
    this.#writeFailure(execution, RESULT_TAG, 0, error, code);
    this.#ended(execution, false);
    execution.done();
  }

  #writeFailure(
    execution: CallExecution,
    tag: typeof RESULT_TAG | typeof STREAM_ITEM_TAG,
    extra: number,
    error: unknown,
    code: ErrorCode,
  ): void {
    const { connection, channel, call } = execution;
    const failure = RaiaError.is(error)
      ? error
      : new RaiaError(code, { task: execution.name, reason: String((error as Error)?.message ?? error) });
    const payload = packPlain([failure.code, { task: execution.name, ...failure.facts }]);
    writeResult(connection, tag, channel, call.slot, extra, resultStatus.failure, payload, 0, payload.length);
  }

  #microseconds(execution: CallExecution): number {
    return Math.max(0, Math.round((this.#clock.nowMs() - execution.startedAtMs) * 1000));
  }

  #ended(execution: CallExecution, ok: boolean): void {
    const nowMs = this.#clock.nowMs();
    execution.timer?.cancel();
    execution.isAnswered = true;
    if (execution.host === undefined) this.#store.endScope(execution);
    const { call, connection, startedAtMs, name, attempt, jobId } = execution;
    const kind = ok ? eventKind.finished : eventKind.failed;
    this.#events.add(kind, call.sequence, connection.peerId, startedAtMs, nowMs, name, attempt, jobId);
    if (nowMs - this.#flushedAtMs > FLUSH_EVERY_MS) {
      this.#flushedAtMs = nowMs;
      execution.connection.flush();
    }
  }

  // -- streams ----------------------------------------------------------------------------------------------------

  async #stream(execution: CallExecution, produced: unknown): Promise<void> {
    const { call, connection, channel } = execution;
    const limit = call.template.wire.generatorBackpressure ?? DEFAULT_BACKPRESSURE_ITEMS;
    let count = 0;
    try {
      const iterator = iteratorOf(await produced);
      for (;;) {
        if (execution.isStopped) {
          await iterator.return?.(undefined);
          break;
        }
        const step = iterator.next();
        const { done, value } = (isThenable(step) ? await step : step) as IteratorResult<unknown, undefined>;
        if (done || execution.isAnswered) break;
        const item: unknown = isThenable(value) ? await value : value;
        const left = this.#answer(execution, STREAM_ITEM_TAG, count, item, call.sequence + 1 + count);
        if (left !== undefined) await left;
        count++;
        connection.flush();
        await execution.roomForItem(count, limit);
      }
      if (execution.isAnswered) {
        this.#ended(execution, false);
        return;
      }
      const total = Buffer.allocUnsafe(8);
      total.writeDoubleLE(count, 0);
      writeResult(connection, RESULT_TAG, channel, call.slot, this.#microseconds(execution), resultStatus.streamEnd, total, 0, 8);
      this.#ended(execution, true);
    } catch (error) {
      this.#threw(execution, error);
    }
  }
}

function runCall<R>(execution: CallExecution, fn: () => R): R {
  return runInContext(execution, () => runWithAmbient(execution.ambient, fn));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

function iteratorOf(produced: unknown): Iterator<unknown> | AsyncIterator<unknown> {
  const source = produced as { [Symbol.asyncIterator]?: () => AsyncIterator<unknown>; [Symbol.iterator]?: () => Iterator<unknown> };
  const iterator = source?.[Symbol.asyncIterator]?.() ?? source?.[Symbol.iterator]?.();
  if (iterator === undefined)
    throw new RaiaError("INVALID_OPTION", { option: "numReturns", value: "streaming", reason: "the function did not return an iterator" });
  return iterator;
}
