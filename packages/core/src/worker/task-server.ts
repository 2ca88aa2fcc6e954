/**
 * The side that runs: calls arrive over connections of owners, on channels that are leases or actors, and are run in order.
 * A short synchronous task is run right where it was read, and its result is written into the same turn's output, so a
 * pipeline of them costs no turn of the event loop each.
 */
import type { Infer } from "../wire/schema.ts";
import { claimRecall, claimStart } from "../base/claim-word.ts";
import type { Spinner } from "../base/spinner.ts";
import type { Clock } from "../base/clock.ts";
import { Deque } from "../base/deque.ts";
import type { Accelerators, DeviceVariables } from "../messages/common.ts";
import { type DefineTemplate, type OpenChannel, PUSH_TAG, workerEvents, workerService } from "../messages/tasks.ts";
import type { Connection } from "../wire/connection.ts";
import type { Client } from "../wire/service.ts";
import type { ActorHost } from "./actor-host.ts";
import { CallExecution, type Executor } from "./executor.ts";
import type { AnyFunction } from "./functions.ts";
import { type Push, readPushes } from "./task-frames.ts";
import { showDevices } from "./visible-devices.ts";

/** A template as the running side keeps it, with the function once it is loaded. */
export class RunTemplate {
  readonly wire: Infer<typeof DefineTemplate>;
  fn: AnyFunction | undefined = undefined;

  constructor(wire: Infer<typeof DefineTemplate>) {
    this.wire = wire;
  }
}

/** A call as it arrived; its arguments are a slice of the frame. */
export interface IncomingCall {
  readonly slot: number;
  readonly claim: number;
  readonly template: RunTemplate;
  readonly sequence: number;
  readonly attempt: number;
  readonly args: Buffer;
}

export interface TaskServerEffects {
  blocked(leaseIds: readonly string[]): void;
  /** Resolves when the node has granted the CPU again. */
  unblocked(leaseIds: readonly string[]): Promise<void>;
  actorHost(actorId: string): ActorHost | undefined;
  /** @returns how many calls of the function this process has begun, with this one */
  countCall(functionHash: string): number;
}

/** Waits shorter than this keep their CPU: giving it back and asking again would cost more. */
const BLOCK_AFTER_MS = 1;

export class TaskServer {
  readonly #executor: Executor;
  readonly #effects: TaskServerEffects;
  readonly #clock: Clock;
  readonly #claims: Int32Array;
  readonly #spinner: Spinner;
  readonly #connections = new Set<OwnerConnection>();

  constructor(executor: Executor, effects: TaskServerEffects, clock: Clock, claims: Int32Array, spinner: Spinner) {
    this.#executor = executor;
    this.#effects = effects;
    this.#clock = clock;
    this.#claims = claims;
    this.#spinner = spinner;
  }

  /** Serves an owner that dialled this process. */
  attach(connection: Connection): void {
    const served = new OwnerConnection(connection, this.#executor, this.#effects, this.#clock, this.#claims, this.#spinner);
    this.#connections.add(served);
    connection.onClosed(() => {
      this.#connections.delete(served);
      served.closed();
    });
  }

  *running(): Iterable<CallExecution> {
    for (const connection of this.#connections) yield* connection.running();
  }

  /** This process has ended: what runs is told, what waits is forgotten. */
  drop(): void {
    for (const connection of this.#connections) connection.dropped();
  }
}

/** One owner. Templates and channels are numbered by it. */
class OwnerConnection {
  readonly #connection: Connection;
  readonly #executor: Executor;
  readonly #effects: TaskServerEffects;
  readonly #clock: Clock;
  readonly #claims: Int32Array;
  readonly #events: Client<typeof workerEvents>;
  readonly #templates = new Map<number, RunTemplate>();
  readonly #channels = new Map<number, LeaseRun | ActorRun>();

  constructor(connection: Connection, executor: Executor, effects: TaskServerEffects, clock: Clock, claims: Int32Array, spinner: Spinner) {
    this.#connection = connection;
    this.#executor = executor;
    this.#effects = effects;
    this.#clock = clock;
    this.#claims = claims;
    this.#events = connection.client(workerEvents);
    connection.serve(workerService, {
      defineTemplate: (template) => void this.#templates.set(template.template, new RunTemplate(template)),
      openChannel: (opening) => this.#open(opening),
      closeChannel: ({ channel }) => {
        this.#channels.get(channel)?.closed();
        this.#channels.delete(channel);
      },
      cancelTask: ({ channel, slot, sequence, recursive }) => this.#channels.get(channel)?.cancel(slot, sequence, recursive),
      streamCredit: ({ channel, slot, consumed }) => this.#channels.get(channel)?.find(slot)?.credit(consumed),
      streamStop: ({ channel, slot }) => this.#channels.get(channel)?.find(slot)?.stopStream(),
      resultRefsTaken: ({ handover }) => this.#executor.refsTaken(handover),
    });
    const handler = {
      pushed: (channel: number, push: Push, bytes: Buffer, start: number, end: number) => {
        const run = this.#channels.get(channel);
        const template = this.#templates.get(push.template);
        if (run === undefined || template === undefined) return;
        run.pushed({
          slot: push.slot,
          claim: push.claim,
          template,
          sequence: push.sequence,
          attempt: push.attempt,
          args: bytes.subarray(start, end),
        });
      },
      frameDone: () => spinner.touch(),
    };
    connection.onHot(PUSH_TAG, (bytes, start, end) => readPushes(bytes, start, end, handler));
  }

  #open({ channel, kind, id, accelerators = {}, deviceVariables, claimOffset = 0 }: Infer<typeof OpenChannel>): void {
    if (kind === "lease") {
      const first = claimOffset / 4;
      const run = new LeaseRun(
        channel,
        id,
        accelerators,
        deviceVariables,
        this.#claims.subarray(first),
        this.#connection,
        this.#executor,
        this.#effects,
        this.#clock,
        this.#events,
      );
      this.#channels.set(channel, run);
    } else {
      this.#channels.set(channel, new ActorRun(channel, id, this.#connection, this.#executor, this.#effects));
    }
  }

  *running(): Iterable<CallExecution> {
    for (const channel of this.#channels.values()) yield* channel.running();
  }

  dropped(): void {
    for (const execution of this.running()) execution.cancel(false);
    this.closed();
  }

  /** The owner is gone: what it asked for is of no use to anybody. */
  closed(): void {
    for (const channel of this.#channels.values()) channel.closed();
    this.#channels.clear();
  }
}

/** A lease: one call at a time, in the order they came, each after winning its claim. */
class LeaseRun {
  readonly #number: number;
  readonly #leaseId: string;
  readonly #accelerators: Accelerators;
  readonly #deviceVariables: DeviceVariables | undefined;
  readonly #claims: Int32Array;
  readonly #connection: Connection;
  readonly #executor: Executor;
  readonly #effects: TaskServerEffects;
  readonly #clock: Clock;
  readonly #events: Client<typeof workerEvents>;
  readonly #queue = new Deque<IncomingCall>();
  #current: CallExecution | undefined;
  #waits = 0;
  #isBlocked = false;
  #resuming: Promise<void> | undefined;
  #isRetiring = false;

  constructor(
    number: number,
    leaseId: string,
    accelerators: Accelerators,
    deviceVariables: DeviceVariables | undefined,
    claims: Int32Array,
    connection: Connection,
    executor: Executor,
    effects: TaskServerEffects,
    clock: Clock,
    events: Client<typeof workerEvents>,
  ) {
    this.#number = number;
    this.#leaseId = leaseId;
    this.#accelerators = accelerators;
    this.#deviceVariables = deviceVariables;
    this.#claims = claims;
    this.#connection = connection;
    this.#executor = executor;
    this.#effects = effects;
    this.#clock = clock;
    this.#events = events;
  }

  pushed(call: IncomingCall): void {
    if (this.#isBlocked || this.#isRetiring) this.#giveBack([call]);
    else if (this.#current === undefined && this.#queue.length === 0) this.#start(call);
    else this.#queue.push(call);
  }

  #start(call: IncomingCall): void {
    if (!claimStart(this.#claims, call.slot, call.claim)) return;
    const { maxCalls, functionHash } = call.template.wire;
    if (maxCalls !== undefined && this.#effects.countCall(functionHash) >= maxCalls) this.#retire();
    showDevices(this.#deviceVariables);
    const execution = new CallExecution(call, this.#connection, this.#number, this.#accelerators, this, undefined);
    this.#current = execution;
    if (this.#executor.run(execution)) this.#finished();
    else
      execution.whenDone = () => {
        this.#finished();
        this.#drain();
      };
  }

  /** This call is the last here: the process ends when it is done. */
  #retire(): void {
    if (this.#isRetiring) return;
    this.#isRetiring = true;
    this.#events.workerRetiring({ channel: this.#number });
    this.#giveBack([...this.#queue]);
    while (this.#queue.length > 0) this.#queue.shift();
  }

  #finished(): void {
    this.#current = undefined;
    this.#waits = 0;
    if (this.#isBlocked) void this.#unblock();
  }

  #drain(): void {
    while (this.#current === undefined) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#start(next);
    }
  }

  // -- waiting ----------------------------------------------------------------------------------------------------

  waitBegan(): void {
    this.#waits++;
    if (this.#waits > 1 || this.#isBlocked) return;
    this.#clock.after(BLOCK_AFTER_MS, () => {
      if (this.#waits > 0 && !this.#isBlocked && this.#current !== undefined) this.#block();
    });
  }

  waitEnded(): Promise<void> | undefined {
    if (this.#waits > 0) this.#waits--;
    if (this.#waits > 0) return this.#resuming;
    return this.#isBlocked ? this.#unblock() : undefined;
  }

  /** The running task waits: its CPU is for others, and so is what it holds up. */
  #block(): void {
    this.#isBlocked = true;
    this.#effects.blocked([this.#leaseId]);
    this.#events.channelReady({ channel: this.#number, ready: false });
    this.#giveBack([...this.#queue]);
    while (this.#queue.length > 0) this.#queue.shift();
  }

  #unblock(): Promise<void> {
    this.#isBlocked = false;
    this.#resuming = this.#effects.unblocked([this.#leaseId]).then(() => {
      this.#resuming = undefined;
      if (!this.#connection.isClosed) this.#events.channelReady({ channel: this.#number, ready: true });
    });
    return this.#resuming;
  }

  #giveBack(calls: readonly IncomingCall[]): void {
    const slots = calls.filter((call) => claimRecall(this.#claims, call.slot, call.claim)).map((call) => call.slot);
    if (slots.length > 0) this.#events.gaveBack({ channel: this.#number, slots });
  }

  // -- the rest ---------------------------------------------------------------------------------------------------

  find(slot: number): CallExecution | undefined {
    return this.#current?.call.slot === slot ? this.#current : undefined;
  }

  cancel(slot: number, sequence: number, recursive: boolean): void {
    const execution = this.find(slot);
    if (execution?.call.sequence === sequence) execution.cancel(recursive);
  }

  *running(): Iterable<CallExecution> {
    if (this.#current !== undefined) yield this.#current;
  }

  closed(): void {
    while (this.#queue.length > 0) this.#queue.shift();
    this.#current?.cancel(true);
  }
}

/** An actor as one caller reaches it. Order and concurrency are the actor's own affair. */
class ActorRun {
  readonly #number: number;
  readonly #actorId: string;
  readonly #connection: Connection;
  readonly #executor: Executor;
  readonly #effects: TaskServerEffects;
  readonly #executions = new Map<number, CallExecution>();

  constructor(number: number, actorId: string, connection: Connection, executor: Executor, effects: TaskServerEffects) {
    this.#number = number;
    this.#actorId = actorId;
    this.#connection = connection;
    this.#executor = executor;
    this.#effects = effects;
  }

  pushed(call: IncomingCall): void {
    const host = this.#effects.actorHost(this.#actorId);
    const execution = new CallExecution(call, this.#connection, this.#number, {}, undefined, host);
    if (host === undefined) {
      this.#executor.refuse(execution, "ACTOR_DIED", { actor: this.#actorId.slice(0, 8), cause: "ended" });
      return;
    }
    execution.whenDone = () => void this.#executions.delete(call.slot);
    if (!host.submit(execution)) this.#executions.set(call.slot, execution);
  }

  find(slot: number): CallExecution | undefined {
    return this.#executions.get(slot);
  }

  cancel(slot: number, sequence: number, recursive: boolean): void {
    const execution = this.find(slot);
    if (execution?.call.sequence === sequence) execution.cancel(recursive);
  }

  running(): Iterable<CallExecution> {
    return this.#executions.values();
  }

  closed(): void {
    // Calls that have begun go on: an actor's state must not depend on whether its caller lives. Their results go nowhere.
    this.#executions.clear();
  }
}
