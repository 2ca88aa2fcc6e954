/**
 * One actor as this process calls it: where it is, calls in order, what was lost when it restarted. Calls go straight to
 * the actor's process, in the order in which they were made; a call whose arguments are not there yet holds back those
 * behind it.
 */
import { Deque } from "../../base/deque.ts";
import type { ActorView } from "../../messages/control.ts";
import { callState } from "./call-life.ts";
import type { Cancellation } from "../cancellation.ts";
import type { ActorCallLimits } from "./actor-call-limits.ts";
import { causeFacts, deadFailure } from "./actor-failure.ts";
import type { Call, CallFailure, CallSlotHolder, CallTarget } from "./call.ts";
import type { ArgumentWriter } from "./call-arguments.ts";
import type { CallResults, ResultOrigin } from "./call-results.ts";
import { type EndCode, type ObjectEntry, objectState } from "../objects/object-entry.ts";
import { shouldRetryError } from "./retry-policy.ts";
import { type Push, writePush } from "./task-frames.ts";
import type { LinkChannel, WorkerLink } from "./worker-link.ts";

export interface ActorClientDependencies {
  link(address: string): Promise<WorkerLink>;
  readonly results: CallResults;
  readonly writer: ArgumentWriter;
  readonly limits: ActorCallLimits;
  /** Calls are under way, or none any more: what counts the actor's handles is held meanwhile. */
  busyChanged(scope: ObjectEntry, isBusy: boolean): void;
}

/** Bytes that may wait in the socket before further calls stay here. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;

export class ActorClient implements CallSlotHolder, CallTarget {
  readonly jobId: string;
  #actorId: string;
  /** The client that this process had of the same actor already: what is called through this one goes there. */
  #elder: ActorClient | undefined;
  readonly #deps: ActorClientDependencies;
  readonly #queue = new Deque<Call>();
  #channel: ActorChannel | undefined;
  #view: ActorView | undefined;
  #connecting = 0;
  #pending = 0;

  constructor(actorId: string, jobId: string, deps: ActorClientDependencies) {
    this.#actorId = actorId;
    this.jobId = jobId;
    this.#deps = deps;
  }

  get actorId(): string {
    return this.#actorId;
  }

  /** The name belongs to an actor that was there before (`getIfExists`): before the first view comes, this becomes its client. */
  becomes(actorId: string, elder: ActorClient | undefined): void {
    this.#actorId = actorId;
    if (elder === undefined) return;
    this.#elder = elder;
    for (let call = this.#queue.shift(); call !== undefined; call = this.#queue.shift()) {
      // One that was cancelled meanwhile stays so.
      if (!call.isSettled) elder.#enqueue(call);
    }
    elder.#pump();
  }

  /** What counts the handles of an actor that dies with its last. */
  scope: ObjectEntry | undefined = undefined;
  #heldScope: ObjectEntry | undefined;
  /** Made by this process, to end with its last handle. */
  endsWithHandles = false;
  /** Nothing more is heard of the actor: this process is leaving its cluster. */
  isOver = false;
  readonly #listeners = new Set<() => void>();

  get pending(): number {
    return this.#pending;
  }

  get view(): ActorView | undefined {
    return this.#elder === undefined ? this.#view : this.#elder.view;
  }

  /** Hears of changes of the view, of the last pending call's end, and of the end of all. @returns what ends this */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  submit(call: Call, exports: readonly Promise<void>[] | undefined): void {
    this.#pending++;
    if (this.#heldScope === undefined && this.scope !== undefined) {
      this.#heldScope = this.scope;
      this.#deps.busyChanged(this.scope, true);
    }
    const { queueTimeoutMs } = call.template;
    if (queueTimeoutMs !== undefined) this.#deps.limits.startQueueLimit(call, queueTimeoutMs);
    (this.#elder ?? this).#send(call, exports);
  }

  #send(call: Call, exports: readonly Promise<void>[] | undefined): void {
    call.holder = this;
    if (exports === undefined && call.dependencies === undefined && this.#queue.length === 0 && this.#channel?.canPush) {
      this.#channel.push(call);
      return;
    }
    this.#enqueue(call);
    if (call.isSettled) return;
    if (exports !== undefined)
      void Promise.all(exports).then(
        () => this.#pump(),
        (error: unknown) => this.#fail(call, error),
      );
    for (const { entry } of call.dependencies ?? []) {
      if (entry.isSettled) continue;
      entry.addWaiter({ settled: () => this.#pump() });
      if (entry.owner !== undefined) entry.table.reader.fetch(entry);
    }
    this.#pump();
  }

  #enqueue(call: Call): void {
    call.holder = this;
    // An actor that is dead runs nothing any more, whoever calls.
    if (this.#view?.state === "dead") {
      this.#deps.results.fail(call, deadFailure(this.#view, call));
      return;
    }
    if (call.state !== callState.queued) call.moveTo(callState.queued);
    this.#queue.push(call);
  }

  callSettled(): void {
    this.#pending--;
    if (this.#pending > 0 || this.#heldScope === undefined) return;
    const scope = this.#heldScope;
    this.#heldScope = undefined;
    this.#deps.busyChanged(scope, false);
    this.#changed();
  }

  #fail(call: Call, error: unknown): void {
    this.#deps.results.fail(call, { code: "UNSERIALIZABLE", facts: { call: call.template.name, reason: String(error) }, cause: error });
    this.#pump();
  }

  #pump(): void {
    if (this.#elder !== undefined) {
      this.#elder.#pump();
      return;
    }
    for (;;) {
      const call = this.#queue.peek();
      if (call === undefined || (!call.isSettled && !this.#channel?.canPush)) return;
      if (!call.isSettled) {
        const failed = call.dependencies?.find(({ entry }) => entry.state >= objectState.error);
        // A stream that its consumer has left: nobody would stop what ran now.
        if (call.stream?.stopped === true) this.#deps.results.fail(call, { code: "TASK_CANCELLED", facts: { task: call.template.name } });
        else if (failed !== undefined) this.#deps.results.failLike(call, failed.entry);
        else if (call.dependencies?.some(({ entry }) => !entry.isSettled)) return;
        else this.#channel?.push(call);
      }
      this.#queue.shift();
    }
  }

  /**
   * Control says how the actor stands. Views of older incarnations are not news; that it is dead is, whatever the number:
   * control may have been started again, and know no more than that.
   */
  update(view: ActorView): void {
    if (this.#elder !== undefined) {
      this.#elder.update(view);
      return;
    }
    if (this.#view?.state === "dead") return;
    if (view.state !== "dead" && this.#view !== undefined && view.incarnation < this.#view.incarnation) return;
    this.#view = view;
    if (view.state === "alive" && view.address !== undefined) {
      if (this.#channel === undefined || this.#channel.incarnation < view.incarnation) void this.#connect(view.address, view.incarnation);
    } else if (view.state === "restarting") {
      this.#lose();
    } else if (view.state === "dead") {
      this.#lose();
      for (let call = this.#queue.shift(); call !== undefined; call = this.#queue.shift())
        this.#deps.results.fail(call, deadFailure(view, call));
    }
    this.#changed();
  }

  async #connect(address: string, incarnation: number): Promise<void> {
    if (this.#connecting === incarnation && this.#channel === undefined && incarnation > 0) return;
    this.#connecting = incarnation;
    let link: WorkerLink;
    try {
      link = await this.#deps.link(address);
    } catch {
      // The process is gone already; control will say what becomes of the actor.
      this.#connecting = 0;
      return;
    }
    this.#connecting = 0;
    if (this.#view?.incarnation !== incarnation || this.#view.state !== "alive") return;
    this.#lose();
    this.#channel = new ActorChannel(this, link, incarnation, this.#view.nodeId ?? "", this.#deps, () => this.#pump());
    this.#pump();
  }

  /** What was under way on the last incarnation: sent again if it may, else it fails when the actor's fate is known. */
  #lose(): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    this.#channel = undefined;
    const lost = channel.takeAll().sort((a, b) => a.sequence - b.sequence);
    for (const call of lost.reverse()) {
      if (call.isSettled) {
        this.#deps.results.freeUnreported(call);
        continue;
      }
      if (call.retriesLeft !== 0 && this.#view?.state !== "dead") {
        if (call.retriesLeft > 0) call.retriesLeft--;
        call.attempt++;
        call.moveTo(callState.queued);
        call.holder = this;
        this.#queue.unshift(call);
        continue;
      }
      // An actor that lives may run it all the same, and keep refs that it was given.
      if (this.#view?.state === "alive" && call.held !== undefined) call.entry.table.holdForHandover(call.held);
      this.#deps.results.fail(call, this.#view?.state === "dead" ? deadFailure(this.#view, call) : this.#unavailable(call));
      this.#deps.results.freeUnreported(call);
    }
  }

  #unavailable(call: Call): CallFailure {
    return {
      code: "ACTOR_UNAVAILABLE",
      facts: { actor: this.actorId.slice(0, 8), method: call.template.name, ...causeFacts(this.#view) },
    };
  }

  /**
   * The connection broke. As a rule the process has died, and what becomes of the calls depends on what control says next,
   * which comes as a view. If it can be dialled again the actor lives, and what was under way is lost or sent again.
   */
  channelClosed(channel: ActorChannel): void {
    if (this.#channel !== channel) return;
    const view = this.#view;
    if (view?.state !== "alive" || view.address === undefined) this.#lose();
    else if (view.incarnation === channel.incarnation) void this.#connect(view.address, view.incarnation);
  }

  retryAfterError(call: Call, bytes: Buffer, start: number, end: number): boolean {
    if (!shouldRetryError(call, bytes, start, end)) return false;
    call.attempt++;
    if (call.retriesLeft > 0) call.retriesLeft--;
    call.moveTo(callState.queued);
    this.#queue.unshift(call);
    queueMicrotask(() => this.#pump());
    return true;
  }

  /** A queued call: it leaves when its turn comes. */
  cancelCall(): void {}

  /** All that is under way fails with this code. */
  shutdown(code: EndCode): void {
    const calls = [...(this.#channel?.takeAll() ?? []), ...this.#queue];
    while (this.#queue.length > 0) this.#queue.shift();
    for (const call of calls) this.#deps.results.fail(call, { code, facts: { call: call.template.name } });
    this.isOver = true;
    this.#changed();
  }
}

class ActorChannel implements LinkChannel, ResultOrigin, CallSlotHolder {
  readonly incarnation: number;
  readonly nodeId: string;
  readonly #client: ActorClient;
  readonly #link: WorkerLink;
  readonly #number: number;
  readonly #deps: ActorClientDependencies;
  readonly #pump: () => void;
  readonly #slots: (Call | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #push: Push = { slot: 0, claim: 0, template: 0, sequence: 0, attempt: 0 };

  constructor(client: ActorClient, link: WorkerLink, incarnation: number, nodeId: string, deps: ActorClientDependencies, pump: () => void) {
    this.#client = client;
    this.#link = link;
    this.incarnation = incarnation;
    this.nodeId = nodeId;
    this.#deps = deps;
    this.#pump = pump;
    this.#number = link.open(this, { kind: "actor", id: client.actorId, jobId: client.jobId });
  }

  get canPush(): boolean {
    return !this.#link.connection.isClosed && this.#link.connection.bufferedBytes < MAX_BUFFERED_BYTES;
  }

  push(call: Call): void {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = call;
    call.moveTo(callState.pushed);
    call.slot = slot;
    call.holder = this;
    this.#link.define(call.template);
    const push = this.#push;
    push.slot = slot;
    push.template = call.template.id;
    push.sequence = call.sequence;
    push.attempt = call.attempt;
    if (call.dependencies === undefined) {
      writePush(this.#link.connection, this.#number, push, call.args, call.argsStart, call.argsEnd);
    } else {
      const args = this.#deps.writer.withDependencies(call);
      writePush(this.#link.connection, this.#number, push, args, 0, args.length);
    }
  }

  #take(slot: number): Call | undefined {
    const call = this.#slots[slot];
    if (call === undefined) return undefined;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    call.slot = -1;
    call.holder = undefined;
    return call;
  }

  result(slot: number, _microseconds: number, status: number, bytes: Buffer, start: number, end: number): void {
    const call = this.#take(slot);
    if (call === undefined) return;
    if ((status & 0x7f) === 2 && !call.isSettled && this.#client.retryAfterError(call, bytes, start, end)) return;
    this.#deps.results.complete(call, status, bytes, start, end, this);
  }

  item(slot: number, index: number, status: number, bytes: Buffer, start: number, end: number): void {
    const call = this.#slots[slot];
    if (call !== undefined) this.#deps.results.item(call, index, status, bytes, start, end, this);
  }

  frameDone(): void {
    this.#pump();
  }

  gaveBack(): void {}
  ready(): void {}
  retiring(): void {}

  began(slot: number, sequence: number): void {
    const call = this.#slots[slot];
    if (call?.sequence === sequence && !call.isSettled) this.#deps.limits.began(call, this);
  }

  closed(): void {
    this.#client.channelClosed(this);
  }

  refsTaken(handover: number): void {
    if (!this.#link.connection.isClosed) this.#link.worker.resultRefsTaken({ handover });
  }

  cancelCall(call: Call, cancellation: Cancellation): void {
    this.#link.cancel(this.#number, call, cancellation);
  }

  explainRun(call: Call, path: readonly string[], withinMs: number) {
    return this.#link.explainRun(this.#number, call, path, withinMs);
  }

  streamCredit(call: Call, consumed: number): void {
    if (call.slot >= 0) this.#link.worker.streamCredit({ channel: this.#number, slot: call.slot, consumed });
  }

  streamStop(call: Call): void {
    if (call.slot >= 0) this.#link.worker.streamStop({ channel: this.#number, slot: call.slot });
  }

  takeAll(): Call[] {
    const calls = this.#slots.filter((call) => call !== undefined);
    for (const call of calls) this.#take(call.slot);
    if (!this.#link.connection.isClosed) this.#link.close(this.#number);
    return calls;
  }
}
