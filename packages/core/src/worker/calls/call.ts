/**
 * One call under way: a task or an actor's method, from `.remote()` to its result. Its owner is the process that made it.
 * A million may be queued, so it holds just what a retry needs: the encoded arguments as a slice of a shared buffer, and
 * a template for all that calls of one function have in common.
 */
import type { ErrorCode, Facts } from "../../base/errors.ts";
import { AssertionError } from "../../base/assert.ts";
import type { Cancellation } from "../cancellation.ts";
import { callState, canMove, type CallState } from "./call-life.ts";
import type { Infer } from "../../wire/schema.ts";
import type { DefineTemplate } from "../../messages/tasks.ts";
import type { ObjectEntry } from "../objects/object-entry.ts";
import type { StreamState } from "../objects/stream-state.ts";

/** What calls of one function or method by this process have in common. */
export interface CallTemplate {
  readonly id: number;
  readonly name: string;
  readonly numReturns: number | "streaming";
  readonly wire: Infer<typeof DefineTemplate>;
  /** Resolves when control holds the code; absent when it does already. */
  exported: Promise<void> | undefined;
  /** What its code captured is held as long as this is reachable. */
  readonly code: object | undefined;
  readonly maxRetries: number;
  readonly retryExceptions: boolean | readonly string[];
  readonly timeoutMs: number | undefined;
  readonly queueTimeoutMs: number | undefined;
  readonly maxCalls: number;
}

/** An argument that is a ref at the top level: its value is filled in when the call is pushed. */
export interface Dependency {
  readonly index: number;
  readonly entry: ObjectEntry;
}

/** The process that has a call. */
export interface Whereabouts {
  readonly workerId: string;
  readonly pid: number;
  readonly hasBegun: boolean;
  /** Nothing is ahead of it there: since when the process has had something to begin. */
  readonly nextSinceMs?: number;
}

/** What holds a call that is not settled: a queue, a lease, an actor. */
export interface CallSlotHolder {
  /** Stops the call if it can still be stopped; called once. */
  cancelCall(call: Call, cancellation: Cancellation): void;
  /** Where the call is; absent where no process has it. */
  whereabouts?(call: Call): Whereabouts;
  /** What it waits for there, in the words of the process that has it; absent where no process has it. */
  explainRun?(
    call: Call,
    path: readonly string[],
    withinMs: number,
  ): Promise<{ readonly state: string; readonly reasons: readonly string[] }>;
  /** The consumer of a stream has taken so many items. */
  streamCredit?(call: Call, consumed: number): void;
  /** The consumer wants no more. */
  streamStop?(call: Call): void;
}

/** Whose calls these are, when they are an actor's. */
export interface CallTarget {
  readonly actorId: string;
  callSettled(): void;
}

/** What few calls have; kept apart so that a plain task does not pay for it in memory. */
class Extras {
  returns: readonly ObjectEntry[] | undefined = undefined;
  stream: StreamState | undefined = undefined;
  dependencies: Dependency[] | undefined = undefined;
  held: ObjectEntry[] | undefined = undefined;
  cleanup: (() => void)[] | undefined = undefined;
  alone = false;
}

export class Call {
  readonly template: CallTemplate;
  readonly sequence: number;
  /** The first (usually the only) result. */
  readonly entry: ObjectEntry;
  /** Present for actor calls. */
  readonly target: CallTarget | undefined;
  /** Set by `moveTo` alone. */
  state: CallState = callState.waiting;
  args: Uint8Array | undefined = undefined;
  argsStart = 0;
  argsEnd = 0;
  attempt = 0;
  retriesLeft: number;
  holder: CallSlotHolder | undefined = undefined;
  slot = -1;
  claim = 0;
  #extras: Extras | undefined = undefined;

  constructor(template: CallTemplate, sequence: number, entry: ObjectEntry, target: CallTarget | undefined) {
    this.template = template;
    this.sequence = sequence;
    this.entry = entry;
    this.target = target;
    this.retriesLeft = template.maxRetries;
    entry.task = this;
  }

  /** A call that goes where its table does not say is a bug, and stops here. */
  moveTo(next: CallState): void {
    if (!canMove(this.state, next)) throw new AssertionError(`call ${this.template.name}: no move from state ${this.state} to ${next}`);
    this.state = next;
  }

  get isSettled(): boolean {
    return this.state === callState.settled;
  }

  get actorId(): string | undefined {
    return this.target?.actorId;
  }

  /** All results, of a call that does not have exactly one. */
  get returns(): readonly ObjectEntry[] | undefined {
    return this.#extras?.returns;
  }

  set returns(returns: readonly ObjectEntry[]) {
    this.#more.returns = returns;
    for (const entry of returns) entry.task = this;
  }

  get stream(): StreamState | undefined {
    return this.#extras?.stream;
  }

  set stream(stream: StreamState) {
    this.#more.stream = stream;
  }

  get dependencies(): Dependency[] | undefined {
    return this.#extras?.dependencies;
  }

  set dependencies(dependencies: Dependency[] | undefined) {
    if (dependencies !== undefined || this.#extras !== undefined) this.#more.dependencies = dependencies;
  }

  /** Everything the arguments mention, held until the call is settled. */
  get held(): ObjectEntry[] | undefined {
    return this.#extras?.held;
  }

  set held(held: ObjectEntry[] | undefined) {
    if (held !== undefined || this.#extras !== undefined) this.#more.held = held;
  }

  /** Run when the call is settled. */
  get cleanup(): (() => void)[] | undefined {
    return this.#extras?.cleanup;
  }

  set cleanup(cleanup: (() => void)[] | undefined) {
    if (cleanup !== undefined || this.#extras !== undefined) this.#more.cleanup = cleanup;
  }

  /** Rerun in a process of its own, because it may have been what killed the last one. */
  get alone(): boolean {
    return this.#extras?.alone ?? false;
  }

  set alone(alone: boolean) {
    this.#more.alone = alone;
  }

  get #more(): Extras {
    this.#extras ??= new Extras();
    return this.#extras;
  }
}

export interface CallFailure {
  readonly code: ErrorCode;
  readonly facts: Facts;
  readonly cause?: unknown;
  /** The encoded error of user code that stands behind it: becomes the cause. */
  readonly errorBytes?: Uint8Array;
}
