/** The running side of a lease: one call at a time, in the order they came, each after winning its claim. */
import { claimRecall, claimStart } from "../../base/claim-word.ts";
import type { Clock } from "../../base/clock.ts";
import { Deque } from "../../base/deque.ts";
import type { Accelerators, DeviceVariables } from "../../messages/common.ts";
import type { workerEvents } from "../../messages/tasks.ts";
import type { Connection } from "../../wire/connection.ts";
import type { Client } from "../../wire/service.ts";
import { CallExecution, type CallOrigin, type RunTemplate } from "./call-execution.ts";
import type { EndedParents } from "./child-calls.ts";
import type { ExecutionRuntime } from "./execution-runtime.ts";
import type { Executor } from "./executor.ts";
import type { WaitScope } from "../task-context.ts";
import { NO_CLAIM, type Push } from "../calls/task-frames.ts";
import { showDevices } from "./visible-devices.ts";

export interface LeaseRunEffects {
  blocked(leaseIds: readonly string[]): void;
  /** Resolves when the node has granted the CPU again. */
  unblocked(leaseIds: readonly string[]): Promise<void>;
  /** @returns how many calls of the function this process has begun, with this one */
  countCall(functionHash: string): number;
}

export interface LeaseRunDependencies {
  readonly runtime: ExecutionRuntime;
  readonly connection: Connection;
  readonly executor: Executor;
  readonly effects: LeaseRunEffects;
  readonly clock: Clock;
  readonly events: Client<typeof workerEvents>;
  readonly endedParents: EndedParents;
}

/** What was lent. */
export interface LentLease {
  readonly channel: number;
  readonly leaseId: string;
  readonly accelerators: Accelerators;
  readonly deviceVariables: DeviceVariables | undefined;
  /** One word a slot. */
  readonly claims: Int32Array;
}

/** Waits shorter than this keep their CPU: giving it back and asking again would cost more. */
const BLOCK_AFTER_MS = 1;

export class LeaseRun implements CallOrigin, WaitScope {
  readonly runtime: ExecutionRuntime;
  readonly connection: Connection;
  readonly channel: number;
  readonly accelerators: Accelerators;
  readonly waits: WaitScope = this;
  readonly endedParents: EndedParents;
  readonly #lease: LentLease;
  readonly #executor: Executor;
  readonly #effects: LeaseRunEffects;
  readonly #clock: Clock;
  readonly #events: Client<typeof workerEvents>;
  readonly #queue = new Deque<CallExecution>();
  #current: CallExecution | undefined;
  #waits = 0;
  #isBlocked = false;
  #resuming: Promise<void> | undefined;
  #isRetiring = false;
  #isYielded = false;

  get leaseId(): string {
    return this.#lease.leaseId;
  }

  constructor(deps: LeaseRunDependencies, lease: LentLease) {
    this.runtime = deps.runtime;
    this.connection = deps.connection;
    this.endedParents = deps.endedParents;
    this.channel = lease.channel;
    this.accelerators = lease.accelerators;
    this.#lease = lease;
    this.#executor = deps.executor;
    this.#effects = deps.effects;
    this.#clock = deps.clock;
    this.#events = deps.events;
  }

  pushed(template: RunTemplate, push: Push, frame: Buffer, argsStart: number, argsEnd: number): void {
    const execution = new CallExecution(this, undefined, template, push, frame, argsStart, argsEnd);
    if (this.#isBlocked || this.#isRetiring || this.#isYielded) this.#giveBack([execution]);
    else if (this.#current === undefined && this.#queue.length === 0) this.#start(execution);
    else this.#queue.push(execution);
  }

  #start(execution: CallExecution): void {
    if (execution.claim !== NO_CLAIM && !claimStart(this.#lease.claims, execution.slot, execution.claim)) return;
    const { maxCalls, functionHash } = execution.template.wire;
    if (maxCalls !== undefined && this.#effects.countCall(functionHash) >= maxCalls) this.#retire();
    showDevices(this.#lease.deviceVariables);
    this.#current = execution;
    if (this.#executor.run(execution)) this.#finished();
  }

  /** The call has ended later than its start. */
  ended(): void {
    this.#finished();
    this.#drain();
  }

  /** This call is the last here: the process ends when it is done. */
  #retire(): void {
    if (this.#isRetiring) return;
    this.#isRetiring = true;
    this.#events.workerRetiring({ channel: this.channel });
    this.#giveBackQueue();
  }

  /** Takes no more calls, if none is here: what its owner still sends goes back. */
  yield(): { yielded: boolean; discard: boolean } {
    if (this.#current !== undefined || this.#queue.length > 0) return { yielded: false, discard: false };
    if (!this.#isYielded) this.#events.channelReady({ channel: this.channel, ready: false });
    this.#isYielded = true;
    return { yielded: true, discard: this.#isRetiring };
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
    this.#effects.blocked([this.#lease.leaseId]);
    this.#events.channelReady({ channel: this.channel, ready: false });
    this.#giveBackQueue();
  }

  #unblock(): Promise<void> {
    this.#isBlocked = false;
    this.#resuming = this.#effects.unblocked([this.#lease.leaseId]).then(() => {
      this.#resuming = undefined;
      if (!this.connection.isClosed) this.#events.channelReady({ channel: this.channel, ready: true });
    });
    return this.#resuming;
  }

  #giveBackQueue(): void {
    const queued = [...this.#queue];
    this.#queue.clear();
    this.#giveBack(queued);
  }

  #giveBack(executions: readonly CallExecution[]): void {
    const mine = executions.filter(({ slot, claim }) => claim === NO_CLAIM || claimRecall(this.#lease.claims, slot, claim));
    const slots = mine.map(({ slot }) => slot);
    if (slots.length > 0) this.#events.gaveBack({ channel: this.channel, slots });
  }

  // -- the rest ---------------------------------------------------------------------------------------------------

  find(slot: number): CallExecution | undefined {
    return this.#current?.slot === slot ? this.#current : undefined;
  }

  *running(): Iterable<CallExecution> {
    if (this.#current !== undefined) yield this.#current;
  }

  closed(): void {
    this.#queue.clear();
    this.#current?.cancel({ force: false, recursive: true });
  }
}
