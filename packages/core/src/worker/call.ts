/**
 * One call under way: a task or an actor's method, from `.remote()` to its result. Its owner is the process that made it.
 * A million may be queued, so it holds just what a retry needs: the encoded arguments as a slice of a shared buffer, and
 * a template for all that calls of one function have in common.
 */
import type { ErrorCode, Facts } from "../base/errors.ts";
import type { Infer } from "../wire/schema.ts";
import type { DefineTemplate } from "../messages/tasks.ts";
import type { ObjectEntry } from "./object-entry.ts";
import type { StreamState } from "./stream-state.ts";

/** What calls of one function or method by this process have in common. */
export interface CallTemplate {
  readonly id: number;
  readonly name: string;
  readonly numReturns: number | "streaming";
  readonly wire: Infer<typeof DefineTemplate>;
  /** Resolves when control holds the code; absent when it does already. */
  exported: Promise<void> | undefined;
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

/** Where a call is. */
export const callState = { waiting: 0, queued: 1, pushed: 2, settled: 3 } as const;

/** What holds a call that is not settled: a queue, a lease, an actor. */
export interface CallSlotHolder {
  /** Stops the call if it can still be stopped; called once. */
  cancelCall(call: Call, force: boolean, recursive: boolean): void;
  /** The consumer of a stream has taken so many items. */
  streamCredit?(call: Call, consumed: number): void;
  /** The consumer wants no more. */
  streamStop?(call: Call): void;
}

export class Call {
  readonly template: CallTemplate;
  readonly sequence: number;
  /** The first (usually the only) result. */
  readonly entry: ObjectEntry;
  readonly returns: readonly ObjectEntry[] | undefined;
  readonly stream: StreamState | undefined;
  /** Present for actor calls: the entry's task is asked for it to find an actor that waits for itself. */
  readonly actorId: string | undefined;
  state: number = callState.waiting;
  args: Uint8Array | undefined = undefined;
  argsStart = 0;
  argsEnd = 0;
  attempt = 0;
  retriesLeft: number;
  dependencies: Dependency[] | undefined = undefined;
  /** Everything the arguments mention, held until the call is settled. */
  held: ObjectEntry[] | undefined = undefined;
  holder: CallSlotHolder | undefined = undefined;
  slot = -1;
  claim = 0;
  /** Rerun in a process of its own, because it may have been what killed the last one. */
  alone = false;
  submittedAtMs = 0;
  cleanup: (() => void)[] | undefined = undefined;

  constructor(template: CallTemplate, sequence: number, entry: ObjectEntry, returns: readonly ObjectEntry[] | undefined, stream: StreamState | undefined, actorId: string | undefined) {
    this.template = template;
    this.sequence = sequence;
    this.entry = entry;
    this.returns = returns;
    this.stream = stream;
    this.actorId = actorId;
    this.retriesLeft = template.maxRetries;
    entry.task = this;
    if (returns !== undefined) for (const other of returns) other.task = this;
  }

  get isSettled(): boolean {
    return this.state === callState.settled;
  }
}

export interface CallFailure {
  readonly code: ErrorCode;
  readonly facts: Facts;
  readonly cause?: unknown;
  /** The encoded error of user code that stands behind it: becomes the cause. */
  readonly errorBytes?: Uint8Array;
}
