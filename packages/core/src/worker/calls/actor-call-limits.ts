/**
 * The time limits of an actor's calls, kept by the caller: a method that does not let its loop run could keep none of its own.
 * Only the actor's process knows when a call begins, since others call it, too: it says so before it enters the method.
 */
import { type Clock, type Timer, whenHeard } from "../../base/clock.ts";
import type { Call, CallSlotHolder } from "./call.ts";
import { outOfTime } from "../cancellation.ts";
import type { CallResults } from "./call-results.ts";

export class ActorCallLimits {
  readonly #clock: Clock;
  readonly #results: CallResults;
  /** Of calls with a queue limit that have not begun. */
  readonly #queued = new Map<Call, Timer>();

  constructor(clock: Clock, results: CallResults) {
    this.#clock = clock;
    this.#results = results;
  }

  /** The time before the first attempt begins. */
  startQueueLimit(call: Call, queueTimeoutMs: number): void {
    const timer = whenHeard(this.#clock, queueTimeoutMs, () => {
      if (!this.#queued.has(call)) return;
      call.holder?.cancelCall(call, outOfTime);
      this.#results.fail(call, { code: "QUEUE_TIMEOUT", facts: { ...factsOf(call), queueTimeoutMs } });
    });
    this.#queued.set(call, timer);
    (call.cleanup ??= []).push(() => this.#leftQueue(call));
  }

  /** The actor's process enters the method. */
  began(call: Call, channel: CallSlotHolder): void {
    this.#leftQueue(call);
    const { timeoutMs } = call.template;
    if (timeoutMs === undefined) return;
    const { attempt } = call;
    const timer = whenHeard(this.#clock, timeoutMs, () => {
      // Settled, or lost with its process and sent again.
      if (call.holder !== channel || call.attempt !== attempt) return;
      channel.cancelCall(call, outOfTime);
      this.#results.fail(call, { code: "TASK_TIMEOUT", facts: { ...factsOf(call), timeoutMs, attempt } });
    });
    (call.cleanup ??= []).push(() => timer.cancel());
  }

  #leftQueue(call: Call): void {
    this.#queued.get(call)?.cancel();
    this.#queued.delete(call);
  }
}

function factsOf({ actorId, template }: Call): { readonly actor: string | undefined; readonly method: string } {
  return { actor: actorId?.slice(0, 8), method: template.name };
}
