/**
 * One peer: frames over a stream, calls and their answers, and the greeting that proves who is there. What is written in
 * one turn of the event loop leaves as one write. Everything that is pending when the stream ends rejects with
 * CONNECTION_LOST; a peer that breaks the protocol is cut off and changes nothing.
 */
import { AssertionError } from "../base/assert.ts";
import { RaiaError } from "../base/errors.ts";
import { readFailure } from "./failure.ts";
import { FRAME_HEADER_BYTES, FrameDecoder, frameKind, MAX_FRAME_BYTES, MAX_GREETING_BYTES } from "./frame.ts";
import { checkHello, checkWelcome, Hello, helloOf, type Identity, Welcome, welcomeOf } from "./greeting.ts";
import { packr } from "./msgpack.ts";
import type { Client, Handlers, Message, Service } from "./service.ts";
import type { ByteStream } from "./transport.ts";

export interface ConnectionCounters {
  /** Connections closed because the peer broke the protocol or failed to prove itself. */
  rejected: number;
}

type HotHandler = (bytes: Buffer, start: number, end: number) => void;
type Dispatch = (body: unknown, call: number) => void;
interface PendingCall {
  readonly reply: Message<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: RaiaError) => void;
}

const SLAB_BYTES = 64 * 1024;
/**
 * Entries past this do not wait for the turn's end: the receiver begins with some 250 calls while the rest is written, which a
 * thousand calls to an actor take a quarter less time for. Smaller pieces cost more in writes than they win.
 */
const MAX_UNSENT_BYTES = 8 * 1024;

export class Connection {
  readonly #stream: ByteStream;
  readonly #decoder: FrameDecoder;
  readonly #hot: (HotHandler | undefined)[] = [];
  readonly #dispatch = new Map<number, Dispatch>();
  readonly #calls = new Map<number, PendingCall>();
  readonly #closeListeners: ((reason: string) => void)[] = [];
  #nextCall = 1;
  #greet: ((hello: unknown, tag: number) => void) | undefined;
  #closedReason: string | undefined;
  #flushScheduled = false;
  #slabStart = 0;
  #frameStart = 0;
  #batchTag = 0;
  #isRestful = false;
  #batchChannel = 0;

  /** Output of this turn. Hot codecs write here after `openBatch`. */
  slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  position = 0;

  peerId = "";
  peerPid = 0;
  peerAddress = "";

  constructor(stream: ByteStream, maxFrameBytes: number) {
    this.#stream = stream;
    this.#decoder = new FrameDecoder(maxFrameBytes);
  }

  get isClosed(): boolean {
    return this.#closedReason !== undefined;
  }

  get bufferedBytes(): number {
    return this.#stream.bufferedBytes;
  }

  onClosed(listener: (reason: string) => void): void {
    if (this.#closedReason !== undefined) listener(this.#closedReason);
    else this.#closeListeners.push(listener);
  }

  /** Answers a service. A second service may be added; tags are disjoint. */
  serve<S extends Service>(service: S, handlers: Handlers<S, Connection>): void {
    for (const [name, method] of Object.entries(service.methods)) {
      const request = method.request;
      const handler = handlers[name] as (request: unknown, peer: Connection) => unknown;
      this.#dispatch.set(request.tag, (body, call) => {
        const checked = request.check(body, request.name);
        if (method.kind === "oneWay") {
          handler(checked, this);
          return;
        }
        const reply = method.reply;
        let answer: unknown;
        try {
          answer = handler(checked, this);
        } catch (error) {
          this.#fail(call, error);
          return;
        }
        if (answer instanceof Promise) {
          answer.then(
            (value: unknown) => this.#send(frameKind.reply, reply.tag, call, reply.toWire(value as never)),
            (error: unknown) => this.#fail(call, error),
          );
        } else {
          this.#send(frameKind.reply, reply.tag, call, reply.toWire(answer));
        }
      });
    }
  }

  client<S extends Service>(service: S): Client<S> {
    const methods = Object.entries(service.methods).map(([name, method]) => {
      const request = method.request;
      if (method.kind === "oneWay") {
        return [name, (value: unknown) => this.#send(frameKind.oneWay, request.tag, 0, request.toWire(value))];
      }
      return [name, (value: unknown) => this.#call(request, method.reply, value)];
    });
    return Object.fromEntries(methods) as Client<S>;
  }

  /** Frames of this tag go to a codec of their own instead of msgpack. */
  onHot(tag: number, handler: HotHandler): void {
    this.#hot[tag] = handler;
  }

  /**
   * Opens a hot frame for entries of one tag and channel, or goes on with the one that is open: entries of one turn share
   * a frame. Write entries through `reserve`, `slab` and `position`; any other frame, much that is unsent, or the turn's
   * end closes it.
   */
  openBatch(tag: number, channel: number): void {
    if (this.position - this.#slabStart >= MAX_UNSENT_BYTES) this.flush();
    else if (this.#batchTag === tag && this.#batchChannel === channel) return;
    this.#begin(frameKind.hot, tag, 0);
    this.#batchTag = tag;
    this.#batchChannel = channel;
    this.reserve(4);
    this.slab.writeUInt32LE(channel, this.position);
    this.position += 4;
    this.#scheduleFlush();
  }

  /** Makes room for `count` more bytes of the open frame at `position`; `slab` may be another one afterwards. */
  reserve(count: number): void {
    if (this.position + count <= this.slab.length) return;
    const written = this.position - this.#frameStart;
    const larger = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * (written + count)));
    this.slab.copy(larger, 0, this.#frameStart, this.position);
    this.#writeOut(this.#frameStart);
    this.slab = larger;
    this.#slabStart = 0;
    this.#frameStart = 0;
    this.position = written;
  }

  #endFrame(): void {
    this.slab.writeUInt32LE(this.position - this.#frameStart - 4, this.#frameStart);
    this.#batchTag = 0;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flushLater);
  }

  readonly #flushLater = (): void => this.flush();

  /** Hands what is written to the stream now; a worker in a long synchronous loop cannot wait for the turn's end. */
  flush(): void {
    this.#flushScheduled = false;
    if (this.#batchTag !== 0) this.#endFrame();
    this.#writeOut(this.position);
    if (this.position > SLAB_BYTES - 1024) {
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.position = 0;
      this.#slabStart = 0;
    }
  }

  /** From now on the process stays alive for this connection only while a call is pending. For drivers. */
  restIdle(): void {
    this.#isRestful = true;
    if (this.#calls.size === 0) this.#restKeepsAlive();
  }

  #restKeepsAlive(): void {
    if (this.#isRestful) this.#stream.keepAlive(false);
  }

  close(reason: string): void {
    if (this.#closedReason !== undefined) return;
    this.flush();
    this.#stream.close();
    this.#ended(reason);
  }

  // -- greeting ---------------------------------------------------------------------------------------------------

  /** Begins reading as the side that dialled. Frames may be written at once, behind the greeting. */
  startAsDialler(identity: Identity): Promise<void> {
    this.#sendMessage(Hello, helloOf(identity));
    return new Promise((resolve, reject) => {
      this.#greet = (body, tag) => {
        const welcome = checkWelcome(body, tag);
        this.peerId = welcome.peerId;
        this.peerPid = welcome.pid;
        this.#greet = undefined;
        resolve();
      };
      this.onClosed((reason) => reject(new RaiaError("CONNECTION_LOST", { reason, during: "greeting" })));
      this.#start();
    });
  }

  /** Begins reading as the side that was dialled: nothing is served before the greeting holds. */
  startAsListener(identity: Identity, counters: ConnectionCounters, onGreeted: () => void): void {
    this.#decoder.allow(MAX_GREETING_BYTES);
    this.#greet = (body, tag) => {
      const hello = checkHello(body, tag, identity);
      this.peerId = hello.peerId;
      this.peerPid = hello.pid;
      this.peerAddress = hello.address;
      this.#greet = undefined;
      this.#decoder.allow(MAX_FRAME_BYTES);
      this.#sendMessage(Welcome, welcomeOf(identity));
      onGreeted();
    };
    this.#start(counters);
  }

  #start(counters?: ConnectionCounters): void {
    const sink = { frame: this.#onFrame.bind(this) };
    this.#stream.start({
      data: (bytes) => {
        try {
          this.#decoder.push(bytes, sink);
        } catch (error) {
          this.#breach(error, counters);
        }
      },
      closed: (reason) => this.#ended(reason),
    });
  }

  /** The peer is not speaking the protocol: tell it why in one frame, cut it off, count it. Bugs of ours are thrown on. */
  #breach(error: unknown, counters: ConnectionCounters | undefined): void {
    if (!RaiaError.is(error) && !(error instanceof RangeError)) throw error;
    const failure = RaiaError.is(error) ? error : new RaiaError("PROTOCOL", { reason: "unreadable message" }, { cause: error });
    if (counters !== undefined) counters.rejected++;
    this.#fail(0, failure);
    this.close(reasonOf(failure));
  }

  #onFrame(kind: number, tag: number, call: number, bytes: Buffer, start: number, end: number): void {
    if (this.#closedReason !== undefined) return;
    if (this.#greet !== undefined) {
      if (kind === frameKind.failure) this.#refused(unpack(bytes, start, end));
      else this.#greet(unpack(bytes, start, end), tag);
      return;
    }
    if (kind === frameKind.hot) {
      const handler = this.#hot[tag];
      if (handler === undefined) throw new RaiaError("PROTOCOL", { reason: "unknown tag", tag });
      handler(bytes, start, end);
      return;
    }
    if (kind === frameKind.reply || kind === frameKind.failure) {
      this.#settle(kind, call, unpack(bytes, start, end));
      return;
    }
    const dispatch = this.#dispatch.get(tag);
    if (dispatch === undefined) throw new RaiaError("PROTOCOL", { reason: "unknown tag", tag });
    dispatch(unpack(bytes, start, end), call);
  }

  #refused(body: unknown): void {
    const failure = readFailure(body);
    this.close(reasonOf(failure));
  }

  #settle(kind: number, call: number, body: unknown): void {
    if (call === 0) {
      this.#refused(body);
      return;
    }
    const pending = this.#calls.get(call);
    if (pending === undefined) throw new RaiaError("PROTOCOL", { reason: "reply to no call", call });
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#restKeepsAlive();
    if (kind === frameKind.failure) {
      pending.reject(readFailure(body));
      return;
    }
    try {
      pending.resolve(pending.reply.check(body, pending.reply.name));
    } catch (error) {
      // It is out of the table of calls by now, so the end of the connection would not reach it.
      pending.reject(
        new RaiaError("CONNECTION_LOST", { peer: this.peerId, reason: "its answer is not of the protocol" }, { cause: error }),
      );
      throw error;
    }
  }

  #ended(reason: string): void {
    if (this.#closedReason !== undefined) return;
    this.#closedReason = reason;
    for (const pending of this.#calls.values()) pending.reject(new RaiaError("CONNECTION_LOST", { peer: this.peerId, reason }));
    this.#calls.clear();
    for (const listener of this.#closeListeners.splice(0)) listener(reason);
  }

  // -- writing ----------------------------------------------------------------------------------------------------

  #call(request: Message<unknown>, reply: Message<unknown>, value: unknown): Promise<unknown> {
    if (this.#closedReason !== undefined) {
      return Promise.reject(new RaiaError("CONNECTION_LOST", { peer: this.peerId, reason: this.#closedReason, call: request.name }));
    }
    const call = this.#nextCall;
    this.#nextCall = call === 0xffff_ffff ? 1 : call + 1;
    return new Promise((resolve, reject) => {
      if (this.#calls.size === 0) this.#stream.keepAlive(true);
      this.#calls.set(call, { reply, resolve, reject });
      this.#send(frameKind.request, request.tag, call, request.toWire(value));
    });
  }

  #sendMessage<T>(type: Message<T>, value: T): void {
    this.#send(frameKind.oneWay, type.tag, 0, type.toWire(value));
  }

  #send(kind: number, tag: number, call: number, wire: unknown): void {
    if (this.#closedReason !== undefined) return;
    const body = packr.pack(wire);
    this.#begin(kind, tag, call);
    this.reserve(body.length);
    this.slab.set(body, this.position);
    this.position += body.length;
    this.#endFrame();
    this.#scheduleFlush();
  }

  #fail(call: number, error: unknown): void {
    const failure = RaiaError.is(error) ? error : undefined;
    if (failure === undefined && error instanceof AssertionError) throw error;
    const [code, facts] = failure ? [failure.code, failure.facts] : ["PROTOCOL", { reason: String(error) }];
    this.#send(frameKind.failure, 0, call, [code, facts]);
  }

  #begin(kind: number, tag: number, call: number): void {
    if (this.#batchTag !== 0) this.#endFrame();
    this.#frameStart = this.position;
    this.reserve(FRAME_HEADER_BYTES);
    const { slab, position } = this;
    slab[position + 4] = kind;
    slab.writeUInt16LE(tag, position + 5);
    slab.writeUInt32LE(call, position + 7);
    this.position = position + FRAME_HEADER_BYTES;
  }

  /** Sends [slabStart, end) and leaves the rest of the slab for what comes next: sent bytes are never written again. */
  #writeOut(end: number): void {
    if (end > this.#slabStart) {
      if (this.#closedReason === undefined) this.#stream.write(this.slab.subarray(this.#slabStart, end));
      this.#slabStart = end;
    }
  }
}

function unpack(bytes: Buffer, start: number, end: number): unknown {
  try {
    return packr.unpack(bytes.subarray(start, end));
  } catch (error) {
    throw new RaiaError("PROTOCOL", { reason: "unreadable message" }, { cause: error });
  }
}

function reasonOf({ code, facts }: RaiaError): string {
  const { reason } = facts;
  return typeof reason === "string" ? `${code}: ${reason}` : code;
}
