/** How calls end before they are done: cancelled, too long in the queue, too long at work. */
import { type Clock, type Timer, whenHeard } from "../../base/clock.ts";
import type { Call } from "./call.ts";
import { type Cancellation, outOfTime } from "../cancellation.ts";
import type { CallResults } from "./call-results.ts";
import { LeaseChannel } from "./lease-channel.ts";
import { WORKER_SILENCE_MS } from "./worker-silence.ts";

/** SIGTERM comes after this long for code that ignores its signal, and SIGKILL after as long again. */
const CANCEL_GRACE_MS = 1000;
/** How often it is looked whether a call that should have begun has. */
const LATE_LOOK_MS = 100;

export class CallLimits {
  readonly #clock: Clock;
  readonly #results: CallResults;
  readonly #kill: (leaseId: string, graceMs: number, reason: string) => void;

  /** @param kill stops the worker of a lease */
  constructor(clock: Clock, results: CallResults, kill: (leaseId: string, graceMs: number, reason: string) => void) {
    this.#clock = clock;
    this.#results = results;
    this.#kill = kill;
  }

  /** The time before the first attempt begins: what runs already, or waits for a retry, is not stopped by it. */
  startQueueLimit(call: Call, queueTimeoutMs: number, ended: () => void): void {
    const { name } = call.template;
    const timer = whenHeard(this.#clock, queueTimeoutMs, () => {
      if (call.isSettled || call.attempt > 0) return;
      if (call.holder instanceof LeaseChannel && !call.holder.recallOne(call)) return;
      this.#results.fail(call, { code: "QUEUE_TIMEOUT", facts: { task: name, queueTimeoutMs } });
      ended();
    });
    (call.cleanup ??= []).push(() => timer.cancel());
  }

  /**
   * The time of one attempt, from when it was pushed. Of one that has not begun by then it counts from when it is seen to
   * have.
   *
   * @param silent called when the worker has not begun it, has nothing else to do, and must be taken to stand still
   */
  startTimeLimit(call: Call, lease: LeaseChannel, timeoutMs: number, silent: () => void): void {
    const { name } = call.template;
    const { attempt } = call;
    let timer: Timer;
    let isLate = false;
    const look = (): void => {
      // Settled, sent to another, or tried again.
      if (call.holder !== lease || call.attempt !== attempt) return;
      const { hasBegun, nextSinceMs } = lease.whereabouts(call);
      if (!hasBegun) {
        isLate = true;
        const isSilent = nextSinceMs !== undefined && this.#clock.nowMs() - nextSinceMs >= WORKER_SILENCE_MS;
        if (isSilent && !lease.grant.isShared) silent();
        else arm(Math.min(timeoutMs, LATE_LOOK_MS));
        return;
      }
      if (isLate) {
        isLate = false;
        arm(timeoutMs);
        return;
      }
      const { slot, claim } = call;
      lease.cancelCall(call, outOfTime);
      this.#results.fail(call, { code: "TASK_TIMEOUT", facts: { task: name, timeoutMs, attempt } });
      // Code that does not listen to its signal holds the worker: it is stopped after a grace period.
      this.#clock.after(CANCEL_GRACE_MS, () => this.#stop(lease, slot, claim, `timeoutMs of ${name}`));
    };
    const arm = (delayMs: number): void => {
      timer = whenHeard(this.#clock, delayMs, look);
    };
    arm(timeoutMs);
    (call.cleanup ??= []).push(() => timer.cancel());
  }

  cancel(call: Call, cancellation: Cancellation): void {
    if (call.isSettled) return;
    const { holder, slot, claim } = call;
    const { name } = call.template;
    holder?.cancelCall(call, cancellation);
    this.#results.fail(call, { code: "TASK_CANCELLED", facts: { task: name }, cause: cancellation.reason?.value });
    if (!cancellation.force || !(holder instanceof LeaseChannel)) return;
    const stop = (): void => this.#stop(holder, slot, claim, `cancel of ${name}`);
    // Others would go with the process: code that listens to its signal is given the time to end without them.
    if (holder.grant.isShared) this.#clock.after(CANCEL_GRACE_MS, stop);
    else stop();
  }

  /** Stops the worker, after the grace period, where that call is what it still runs. */
  #stop(lease: LeaseChannel, slot: number, claim: number, reason: string): void {
    if (slot >= 0 && lease.isBusyWith(slot, claim)) this.#kill(lease.grant.leaseId, CANCEL_GRACE_MS, reason);
  }
}
