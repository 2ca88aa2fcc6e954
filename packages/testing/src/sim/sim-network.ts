/**
 * Connections between the processes of a simulation. Each direction of a stream keeps its order, different ones overtake
 * each other; delays are the seed's, mostly short, now and then long. A message that is safe to repeat may arrive twice.
 * Everything delivered goes into the hash of the run.
 */
import {
  type ByteStream,
  type Clock,
  frameKind,
  type Listener,
  MemoryTransport,
  type Random,
  type StreamEvents,
  type Transport,
} from "@raia/core/internal";
import type { SimCounts } from "./sim-counts.ts";
import { type FrameSlice, framesOf, nameOfFrame } from "./sim-frames.ts";
import type { SimTrace } from "./sim-trace.ts";

export interface NetworkFaults {
  /** Usual delay, at most. */
  readonly delayMs: number;
  /** Share of deliveries that take up to `slowMs`. */
  readonly slowShare: number;
  readonly slowMs: number;
  /** Share of the repeatable messages that arrive twice. */
  readonly repeatShare: number;
  /** Drops a message of that name once in a while; for bugs that are planted. */
  readonly loses?: string | undefined;
}

/**
 * Messages whose second arrival changes nothing, as their protocol promises. The others count something, or name what may
 * be another's by then; streams deliver them once.
 */
const repeatable: ReadonlySet<string> = new Set([
  "RequestLease",
  "CancelLease",
  "ReturnLease",
  "KillLeasedWorker",
  "RecallLease",
  "LeaseEnded",
  "TaskBlocked",
  "OwnsShared",
  "FreeObjects",
  "AddBorrower",
  "RemoveBorrower",
  "GetObject",
  "FreeOwned",
  "CancelOwned",
  "CancelTask",
  "StreamCredit",
  "StreamStop",
  "ResultRefsTaken",
  "WatchActor",
  "KillActor",
  "ActorOutOfScope",
  "ActorState",
  "ActorEnded",
  "OwnerEnded",
  "ReportNode",
  "StartActor",
  "StopActorOnNode",
  "JobEnded",
]);

/** A power of two: sums of such times are exact, so rounding never swaps two deliveries. */
const TICKS_PER_MS = 1024;
/** Calls of repeated requests are numbered from here, so that their answers are known and dropped. */
const REPEATED_CALL = 0x8000_0000;
const CALL_OFFSET = 7;
/** Of those that are lost when a bug is planted, this share. */
const LOST_SHARE = 0.3;

export interface NetworkDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: NetworkFaults;
  readonly trace: SimTrace;
  readonly counts: SimCounts;
}

export class SimTransport implements Transport {
  readonly #deps: NetworkDependencies;
  readonly #inner: MemoryTransport;
  readonly #lastMs = new Map<string, number>();
  #dials = 0;

  constructor(deps: NetworkDependencies) {
    this.#deps = deps;
    this.#inner = new MemoryTransport((link, deliver) => this.#deliver(link, deliver));
  }

  listen(address: string, onStream: (stream: ByteStream) => void): Promise<Listener> {
    return this.#inner.listen(address, (stream) => onStream(new SimStream(stream, `${address}#${this.#dials}<`, this.#deps)));
  }

  async dial(address: string): Promise<ByteStream> {
    const name = `${address}#${++this.#dials}>`;
    return new SimStream(await this.#inner.dial(address), name, this.#deps);
  }

  #deliver(link: string, deliver: () => void): void {
    const { clock, random, faults, trace, counts } = this.#deps;
    const isSlow = random.next() < faults.slowShare;
    if (isSlow) counts.add("fault: slow delivery");
    const drawnMs = Math.round(random.next() * (isSlow ? faults.slowMs : faults.delayMs) * TICKS_PER_MS) / TICKS_PER_MS;
    const nowMs = clock.nowMs();
    const delayMs = Math.max(drawnMs, (this.#lastMs.get(link) ?? 0) - nowMs);
    this.#lastMs.set(link, nowMs + delayMs);
    clock.after(delayMs, () => {
      trace.delivered(link, clock.nowMs());
      deliver();
    });
  }
}

/** One end of a connection. */
class SimStream implements ByteStream {
  readonly #inner: ByteStream;
  readonly #name: string;
  readonly #deps: NetworkDependencies;
  #repeated = 0;

  constructor(inner: ByteStream, name: string, deps: NetworkDependencies) {
    this.#inner = inner;
    this.#name = name;
    this.#deps = deps;
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  write(bytes: Uint8Array): void {
    const { trace, faults } = this.#deps;
    if (trace.isWatched) trace.sent(this.#name, [...framesOf(bytes)].map(nameOfFrame), this.#deps.clock.nowMs());
    if (faults.loses === undefined) this.#inner.write(bytes);
    else this.#writeWithout(bytes, faults.loses);
    if (faults.repeatShare > 0) this.#repeat(bytes);
  }

  #writeWithout(bytes: Uint8Array, lost: string): void {
    for (const frame of framesOf(bytes)) {
      const isLost = frame.kind !== frameKind.reply && nameOfFrame(frame) === lost && this.#deps.random.next() < LOST_SHARE;
      if (!isLost) this.#inner.write(bytes.subarray(frame.start, frame.end));
      else if (frame.kind === frameKind.request) throw new Error(`${lost} has an answer: it cannot be lost without its connection`);
    }
  }

  #repeat(bytes: Uint8Array): void {
    const { random, faults, counts } = this.#deps;
    for (const frame of framesOf(bytes)) {
      const isAsking = frame.kind === frameKind.oneWay || frame.kind === frameKind.request;
      if (!isAsking || !repeatable.has(nameOfFrame(frame)) || random.next() >= faults.repeatShare) continue;
      counts.add("fault: repeated message");
      counts.add(`repeated ${nameOfFrame(frame)}`);
      this.#inner.write(this.#again(bytes, frame));
    }
  }

  #again(bytes: Uint8Array, { kind, start, end }: FrameSlice): Uint8Array {
    const copy = Buffer.from(bytes.subarray(start, end));
    if (kind === frameKind.request) copy.writeUInt32LE(REPEATED_CALL + this.#repeated++, CALL_OFFSET);
    return copy;
  }

  keepAlive(isNeeded: boolean): void {
    this.#inner.keepAlive(isNeeded);
  }

  close(): void {
    this.#inner.close();
  }

  start(events: StreamEvents): void {
    this.#inner.start({
      data: (bytes) => {
        if (this.#repeated === 0) events.data(bytes);
        else this.#withoutRepeated(bytes, events);
      },
      closed: (reason) => events.closed(reason),
    });
  }

  #withoutRepeated(bytes: Uint8Array, events: StreamEvents): void {
    for (const { kind, call, start, end } of framesOf(bytes)) {
      const isAnswer = kind === frameKind.reply || kind === frameKind.failure;
      if (!isAnswer || call < REPEATED_CALL) events.data(bytes.subarray(start, end));
    }
  }
}
