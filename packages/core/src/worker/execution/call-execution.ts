/** One call while a process runs it: the context of its code, and what may still happen to it. */
import { RaiaError } from "../../base/errors.ts";
import { taskIdOf } from "../../base/ids.ts";
import type { Accelerators } from "../../messages/common.ts";
import type { DefineTemplate } from "../../messages/tasks.ts";
import type { Connection } from "../../wire/connection.ts";
import type { Infer } from "../../wire/schema.ts";
import { type ChildCall, ChildCalls, type EndedParents } from "./child-calls.ts";
import type { Cancellation } from "../cancellation.ts";
import type { ExecutionRuntime } from "./execution-runtime.ts";
import type { AnyFunction } from "../functions.ts";
import { type Ambient, type InGroup, inGroup, type TaskContext, type WaitScope } from "../task-context.ts";
import type { Push } from "../calls/task-frames.ts";

/** A template as the running side keeps it, with the function once it is loaded. */
export class RunTemplate {
  readonly wire: Infer<typeof DefineTemplate>;
  readonly placementGroup: InGroup | undefined;
  fn: AnyFunction | undefined = undefined;

  constructor(wire: Infer<typeof DefineTemplate>) {
    this.wire = wire;
    this.placementGroup = inGroup(wire);
  }
}

/** What the calls of one channel have in common: where they came from, and what they may use. */
export interface CallOrigin {
  readonly runtime: ExecutionRuntime;
  readonly connection: Connection;
  readonly channel: number;
  readonly accelerators: Accelerators;
  readonly waits: WaitScope;
  /** Of the same owner. */
  readonly endedParents: EndedParents;
  /** The user's code is entered now. Absent where the owner can see it. */
  began?(execution: CallExecution): void;
  /** The call has ended later than its start. */
  ended(execution: CallExecution): void;
}

/** The actor whose method is called. */
export interface CallHost extends NonNullable<TaskContext["actor"]> {
  readonly instance: object;
  readonly resources: Readonly<Record<string, number>>;
  readonly accelerators: Accelerators;
  readonly placementGroup: InGroup | undefined;
  method(name: string | undefined): AnyFunction;
  /** The calls that run in the place for which that one waits; with it, when it runs itself. */
  runningBeside(execution: CallExecution): ReadonlySet<CallExecution>;
  /** The call has ended later than its start. */
  ended(execution: CallExecution): void;
}

/** What few calls ever have. */
class Extras {
  controller: AbortController | undefined = undefined;
  readonly children = new ChildCalls();
  readonly awaited = new Set<readonly object[]>();
  consumed = 0;
  isStopped = false;
  isCancelled = false;
  reason: unknown = undefined;
  wake: (() => void) | undefined = undefined;
}

export class CallExecution implements TaskContext {
  readonly origin: CallOrigin;
  readonly host: CallHost | undefined;
  readonly template: RunTemplate;
  readonly slot: number;
  readonly claim: number;
  readonly sequence: number;
  readonly attempt: number;
  /** The frame that the call came in; its arguments are bytes [argsStart, argsEnd) of it. */
  readonly frame: Buffer;
  readonly argsStart: number;
  readonly argsEnd: number;
  startedAtMs = 0;
  isDone = false;
  ambient: Ambient | undefined = undefined;
  #extras: Extras | undefined = undefined;

  /** @param push is read now: its owner uses it again */
  constructor(
    origin: CallOrigin,
    host: CallHost | undefined,
    template: RunTemplate,
    push: Push,
    frame: Buffer,
    argsStart: number,
    argsEnd: number,
  ) {
    this.origin = origin;
    this.host = host;
    this.template = template;
    this.slot = push.slot;
    this.claim = push.claim;
    this.sequence = push.sequence;
    this.attempt = push.attempt;
    this.frame = frame;
    this.argsStart = argsStart;
    this.argsEnd = argsEnd;
  }

  get runtime(): ExecutionRuntime {
    return this.origin.runtime;
  }

  get waits(): WaitScope {
    return this.origin.waits;
  }

  get accelerators(): Accelerators {
    return this.host?.accelerators ?? this.origin.accelerators;
  }

  get taskId(): string {
    return taskIdOf(this.origin.connection.peerId, this.sequence);
  }

  get name(): string {
    return this.template.wire.name;
  }

  get jobId(): string {
    return this.template.wire.jobId;
  }

  get namespace(): string {
    return this.template.wire.namespace;
  }

  get resources(): Readonly<Record<string, number>> {
    return this.host?.resources ?? this.template.wire.resources ?? {};
  }

  get placementGroup(): InGroup | undefined {
    return this.host === undefined ? this.template.placementGroup : this.host.placementGroup;
  }

  get actor(): TaskContext["actor"] {
    return this.host;
  }

  get #more(): Extras {
    this.#extras ??= new Extras();
    return this.#extras;
  }

  get signal(): AbortSignal {
    const more = this.#more;
    if (more.controller === undefined) {
      more.controller = new AbortController();
      if (more.isCancelled) more.controller.abort(this.#abortReason);
    }
    return more.controller.signal;
  }

  get awaited(): Set<readonly object[]> {
    return this.#more.awaited;
  }

  childSubmitted(child: ChildCall): () => void {
    return this.#more.children.add(child);
  }

  cancel(cancellation: Cancellation): void {
    const more = this.#more;
    more.isCancelled = true;
    more.reason = cancellation.reason?.value;
    more.controller?.abort(this.#abortReason);
    this.stopStream();
    if (cancellation.recursive) more.children.cancel(cancellation);
  }

  get #abortReason(): unknown {
    return this.#extras?.reason ?? new RaiaError("TASK_CANCELLED", { task: this.name });
  }

  /** The calls that it made, where there are any. */
  get children(): ChildCalls | undefined {
    return this.#extras?.children;
  }

  /** Called when it has ended later than its start. */
  done(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.origin.ended(this);
    this.host?.ended(this);
  }

  // -- streams ----------------------------------------------------------------------------------------------------

  credit(consumed: number): void {
    const more = this.#more;
    more.consumed = Math.max(more.consumed, consumed);
    more.wake?.();
  }

  stopStream(): void {
    const more = this.#more;
    more.isStopped = true;
    more.wake?.();
  }

  get isCancelled(): boolean {
    return this.#extras?.isCancelled ?? false;
  }

  get isStopped(): boolean {
    return this.#extras?.isStopped ?? false;
  }

  /** Resolves when the consumer is less than `limit` items behind, or wants no more. */
  async roomForItem(sent: number, limit: number): Promise<void> {
    const more = this.#more;
    if (more.isStopped || sent - more.consumed < limit) return;
    // Whoever makes room may need the CPU for it.
    this.waits.waitBegan();
    while (!more.isStopped && sent - more.consumed >= limit) {
      await new Promise<void>((resolve) => (more.wake = resolve));
    }
    const resumed = this.waits.waitEnded();
    if (resumed !== undefined) await resumed;
  }
}
