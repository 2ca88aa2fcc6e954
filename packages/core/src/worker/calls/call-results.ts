/** Settles a call's objects from what the worker reported, or from why it could not. Pure of transport. */
import { packedFrom, unpackPlain } from "../../wire/plain-codec.ts";
import { decodeImmediate, isImmediate } from "../../values/value-codec.ts";
import { callState } from "./call-life.ts";
import type { Call, CallFailure } from "./call.ts";
import { type ObjectEntry, objectState, type StoredAt } from "../objects/object-entry.ts";
import { isWithNode, type ReferenceTable } from "../objects/references.ts";
import { HAS_REFS, handoversIn, resultStatus } from "./task-frames.ts";
import { reviveEntry, type RuntimeValueHooks } from "../objects/value-hooks.ts";

/** Where a result came from. */
export interface ResultOrigin {
  readonly nodeId: string;
  /** Tells the worker that the refs inside a result are held here now. */
  refsTaken(handover: number): void;
}

/** Items of a stream that may be in the store while the word of them is lost: those that fit the wire at a time. */
const MAX_UNREPORTED_ITEMS = 32;

/** What a large result ends with for which there was no place: the store says so to whoever asks, until its owner frees it. */
const NOT_STORED: ReadonlySet<string> = new Set<CallFailure["code"]>(["STORE_FULL", "OUT_OF_DISK", "OBJECT_LOST"]);

export class CallResults {
  readonly #table: ReferenceTable;
  readonly #hooks: RuntimeValueHooks;
  readonly #freeStored: (objectId: string) => void;
  readonly #onSettled: (call: Call, unfinished: string | undefined) => void;

  /** @param onSettled told once for each call that has ended; `unfinished`: why its code was not run, or not to its end */
  constructor(
    table: ReferenceTable,
    hooks: RuntimeValueHooks,
    freeStored: (objectId: string) => void,
    onSettled: (call: Call, unfinished: string | undefined) => void,
  ) {
    this.#table = table;
    this.#hooks = hooks;
    this.#freeStored = freeStored;
    this.#onSettled = onSettled;
  }

  /** The call ended with what its code returned or threw. */
  complete(call: Call, status: number, bytes: Buffer, start: number, end: number, origin: ResultOrigin): void {
    if (call.isSettled) {
      this.#discard(call, status, bytes, start, end, origin);
      return;
    }
    call.moveTo(callState.settled);
    const kind = status & ~HAS_REFS;
    const isAwaited = call.entry.waiters !== undefined;
    if (call.stream !== undefined) this.#endStream(call, status, bytes, start, end);
    else if (kind === resultStatus.returns) this.#settleReturns(call, bytes, start, end, origin);
    else if (call.returns !== undefined) for (const entry of call.returns) this.#settleEntry(entry, status, bytes, start, end, origin);
    else this.#settleEntry(call.entry, status, bytes, start, end, origin);
    if (call.attempt > 0 || isPartial(call, status)) this.freeUnreported(call);
    if (call.entry.state >= objectState.error && !isAwaited) this.#failedUnseen(call);
    this.#release(call, undefined);
  }

  /** What was stored for a call that needs it no more, and not told us of, would stay: by an attempt that was lost, say. */
  freeUnreported(call: Call): void {
    if (call.stream !== undefined) this.#freeUnreportedItems(call, Math.max(call.stream.received, call.stream.reported));
    else for (const entry of call.returns ?? [call.entry]) if (!isWithNode(entry)) this.#freeStored(this.#table.idOf(entry));
  }

  #freeUnreportedItems({ sequence }: Call, first: number): void {
    for (let index = first; index < first + MAX_UNREPORTED_ITEMS; index++) this.#freeStored(this.#table.idAt(sequence + 1 + index));
  }

  fail(call: Call, failure: CallFailure): void {
    if (call.isSettled) return;
    call.moveTo(callState.settled);
    this.#settleAll(call, objectState.failure, failure);
  }

  /** The call ends like the dependency that failed. */
  failLike(call: Call, entry: ObjectEntry): void {
    if (call.isSettled) return;
    call.moveTo(callState.settled);
    this.#table.unseen.looked(entry);
    this.#settleAll(call, entry.state, entry.payload);
  }

  #settleAll(call: Call, state: number, payload: unknown): void {
    // Now: whoever waits for it may let go of it at once, and of what it failed with.
    const unfinished = state === objectState.error ? "an argument failed" : shownFailure(payload as CallFailure);
    const isAwaited = call.entry.waiters !== undefined;
    if (call.stream !== undefined) this.#failStream(call, state, payload);
    for (const entry of call.returns ?? [call.entry]) if (!entry.isSettled) entry.settle(state, payload);
    if (call.attempt > 0) this.freeUnreported(call);
    if (!isAwaited) this.#failedUnseen(call);
    this.#release(call, unfinished);
  }

  /** Of a call with several results one says it for all: who looks at any of them has seen it, and that is not followed up. */
  #failedUnseen(call: Call): void {
    if (call.returns === undefined && call.stream === undefined) this.#table.unseen.failed(call.entry);
  }

  /** One more item of a stream. */
  item(call: Call, index: number, status: number, bytes: Buffer, start: number, end: number, origin: ResultOrigin): void {
    const { stream } = call;
    if (stream !== undefined) stream.reported = index + 1;
    if (stream === undefined || call.isSettled || stream.stopped || index < stream.received) {
      this.#discardItem(call, index, status, bytes, start, end, origin);
      // An attempt begins again at the first item and knows of no credit: what its consumer took was told to an earlier one.
      if (index === 0 && stream !== undefined && stream.consumed > 0) call.holder?.streamCredit?.(call, stream.consumed);
      return;
    }
    const entry = this.#table.own(call.sequence + 1 + index, call.template.name);
    this.#table.hold(entry);
    this.#settleEntry(entry, status, bytes, start, end, origin);
    stream.items.push(entry);
    stream.received = index + 1;
    stream.notify();
  }

  #settleReturns(call: Call, bytes: Buffer, start: number, end: number, origin: ResultOrigin): void {
    let at = start;
    for (const entry of call.returns ?? []) {
      const status = bytes.readUInt32LE(at);
      const partEnd = at + 8 + bytes.readUInt32LE(at + 4);
      this.#settleEntry(entry, status, bytes, at + 8, partEnd, origin);
      at = partEnd;
    }
    if (at !== end && call.returns === undefined) this.#settleEntry(call.entry, resultStatus.value, bytes, end, end, origin);
  }

  #settleEntry(entry: ObjectEntry, status: number, bytes: Buffer, payloadStart: number, end: number, origin: ResultOrigin): void {
    let start = payloadStart;
    if ((status & HAS_REFS) !== 0) start = this.#takeRefs(entry, bytes, start, origin);
    switch (status & ~HAS_REFS) {
      case resultStatus.value:
        if (entry.gone || entry.isSettled) return;
        if (isImmediate(bytes, start, end)) entry.settle(objectState.value, decodeImmediate(bytes, start, end));
        else entry.settle(objectState.bytes, packedFrom(bytes, start, end));
        return;
      case resultStatus.stored:
        if (entry.gone || entry.isSettled) this.#freeStored(this.#table.idOf(entry));
        else entry.settle(objectState.stored, { nodeId: origin.nodeId, sizeBytes: bytes.readDoubleLE(start) } satisfies StoredAt);
        return;
      case resultStatus.error:
        if (!entry.isSettled) entry.settle(objectState.error, packedFrom(bytes, start, end));
        return;
      default: {
        const failure = readFailure(bytes, start, end);
        if (NOT_STORED.has(failure.code)) this.#freeStored(this.#table.idOf(entry));
        if (!entry.isSettled) entry.settle(objectState.failure, failure);
      }
    }
  }

  /** Refs inside a result: the worker holds them until we have told their owners that we do. @returns where the rest begins */
  #takeRefs(entry: ObjectEntry, bytes: Buffer, start: number, origin: ResultOrigin): number {
    if (entry.gone) return this.#discardRefs(bytes, start, origin);
    const end = start + 4 + bytes.readUInt32LE(start);
    const [handover, addresses] = unpackPlain(bytes, start + 4, end) as [number, unknown[]];
    const scope = this.#hooks.beginDecode();
    const inner = addresses.map((address) => reviveEntry(address, scope, this.#hooks));
    scope.end();
    for (const other of inner) this.#table.hold(other);
    entry.nested = inner;
    if (scope.fresh.length === 0) origin.refsTaken(handover);
    else void this.#table.borrows.register(scope.fresh).then(() => origin.refsTaken(handover));
    return end;
  }

  #endStream(call: Call, status: number, bytes: Buffer, start: number, end: number): void {
    const stream = call.stream as NonNullable<Call["stream"]>;
    const kind = status & ~HAS_REFS;
    stream.ended = true;
    if (kind === resultStatus.error) this.#failStream(call, objectState.error, packedFrom(bytes, start, end));
    else if (kind === resultStatus.failure) this.#failStream(call, objectState.failure, readFailure(bytes, start, end));
    else if (!call.entry.isSettled) call.entry.settle(objectState.value, stream.received);
    stream.notify();
  }

  #failStream(call: Call, state: number, payload: unknown): void {
    const stream = call.stream as NonNullable<Call["stream"]>;
    stream.ended = true;
    if (!stream.stopped) {
      const entry = this.#table.own(call.sequence + 1 + stream.received, call.template.name);
      this.#table.hold(entry);
      entry.settle(state, payload);
      stream.failure = entry;
    }
    if (!call.entry.isSettled) call.entry.settle(state, payload);
    stream.notify();
  }

  /** An item that was delivered before a retry began anew, or that nobody wants any more. */
  #discardItem(call: Call, index: number, status: number, bytes: Buffer, start: number, end: number, origin: ResultOrigin): void {
    if ((status & HAS_REFS) !== 0) this.#discardRefs(bytes, start, origin);
    const wasDelivered = index < (call.stream?.received ?? 0);
    if (isKnownToStore(status, bytes, start, end) && !wasDelivered) this.#freeStored(this.#table.idAt(call.sequence + 1 + index));
  }

  /** @returns where the rest begins */
  #discardRefs(bytes: Buffer, start: number, origin: ResultOrigin): number {
    const end = start + 4 + bytes.readUInt32LE(start);
    const [handover] = unpackPlain(bytes, start + 4, end) as [number];
    origin.refsTaken(handover);
    return end;
  }

  /** A result that came after the call was settled (cancelled, timed out): give back what it holds. */
  #discard(call: Call, status: number, bytes: Buffer, start: number, end: number, origin: ResultOrigin): void {
    for (const handover of handoversIn(status, bytes, start, end)) origin.refsTaken(handover);
    const kind = status & ~HAS_REFS;
    const isWithStore = isKnownToStore(status, bytes, start, end) || isPartial(call, status);
    if (isWithStore && call.stream === undefined) this.freeUnreported(call);
    if (kind !== resultStatus.returns) return;
    let at = start;
    for (const entry of call.returns ?? []) {
      const partEnd = at + 8 + bytes.readUInt32LE(at + 4);
      if ((bytes.readUInt32LE(at) & ~HAS_REFS) === resultStatus.stored) this.#freeStored(this.#table.idOf(entry));
      at = partEnd;
      if (at >= end) return;
    }
  }

  /** The arguments are needed no more. */
  #release(call: Call, unfinished: string | undefined): void {
    call.args = undefined;
    call.holder = undefined;
    const { held, cleanup } = call;
    if (held !== undefined) {
      call.held = undefined;
      call.dependencies = undefined;
      for (const entry of held) this.#table.dropHold(entry);
    }
    if (cleanup !== undefined) {
      call.cleanup = undefined;
      for (const undo of cleanup) undo();
    }
    call.target?.callSettled();
    this.#onSettled(call, unfinished);
  }
}

/** In a line, for lists. */
function shownFailure({ code, facts }: CallFailure): string {
  return typeof facts["cause"] === "string" ? `${code} cause=${facts["cause"]}` : code;
}

/** The store has the result, or says why it could not have it. */
function isKnownToStore(status: number, bytes: Buffer, start: number, end: number): boolean {
  const kind = status & ~HAS_REFS;
  return kind === resultStatus.stored || (kind === resultStatus.failure && NOT_STORED.has(readFailure(bytes, start, end).code));
}

/** Of several results, some may have been stored before another could not be sent. */
function isPartial(call: Call, status: number): boolean {
  return status === resultStatus.failure && call.returns !== undefined;
}

function readFailure(bytes: Buffer, start: number, end: number): CallFailure {
  const [code, facts] = unpackPlain(bytes, start, end) as [CallFailure["code"], CallFailure["facts"]];
  return { code, facts };
}
