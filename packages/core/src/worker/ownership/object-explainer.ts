/** Says what a value waits for: its arguments, a worker, its actor, or its code to end. Asks only those who know. */
import type { Clock } from "../../base/clock.ts";
import { RaiaError } from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import type { OwnerAddress } from "../../messages/common.ts";
import { callState } from "../calls/call-life.ts";
import { Call, type Whereabouts } from "../calls/call.ts";
import { describeEntry } from "../objects/describe-entry.ts";
import { type ObjectEntry, objectState, type StoredAt } from "../objects/object-entry.ts";
import type { Failure } from "../objects/object-reader.ts";
import { type Explanation, innerAnswerMs, OWNER_ANSWER_MS } from "../state/explanation.ts";
import type { Shape } from "../calls/shape.ts";
import type { TaskSubmitter } from "../calls/task-submitter.ts";

export interface ExplainCalls {
  readonly isJoined: () => boolean;
  explainLease(leaseId: string): Promise<Explanation>;
  explainActor(actorId: string): Promise<Explanation>;
  /** Also says which process that is. */
  explainAtOwner(
    owner: OwnerAddress,
    sequence: number,
    path: readonly string[],
    withinMs: number,
  ): Promise<Explanation & { readonly pid: number }>;
  /** Of a process that does not answer: its node knows. */
  pidOf(workerId: string): Promise<number | undefined>;
}

/** Calls that wait for one another, which are followed. */
const MAX_PATH = 16;

export class ObjectExplainer {
  readonly #submitter: TaskSubmitter;
  readonly #calls: ExplainCalls;
  readonly #clock: Clock;
  /** Owners that were asked and have not answered, with the time of the first question; one for each connection at most. */
  readonly #unanswered = new Map<string, number>();

  constructor(submitter: TaskSubmitter, calls: ExplainCalls, clock: Clock) {
    this.#submitter = submitter;
    this.#calls = calls;
    this.#clock = clock;
  }

  /**
   * @param path ids of calls that wait for it, each for the next: those that wait for each other are found by them
   * @param withinMs how long others are asked
   */
  async explain(entry: ObjectEntry, path: readonly string[] = [], withinMs = OWNER_ANSWER_MS): Promise<Explanation> {
    if (entry.isSettled) return settledExplanation(entry);
    if (entry.owner !== undefined) return this.#askOwner(entry.owner, entry.sequence, path, withinMs);
    const call = entry.task;
    if (!(call instanceof Call)) return { state: "pending", reasons: ["its value is being stored"] };
    if (!this.#calls.isJoined()) return { state: "waiting", reasons: ["this process has not joined its cluster yet"] };
    const open = call.dependencies?.filter((dependency) => !dependency.entry.isSettled) ?? [];
    if (open.length > 0)
      return {
        state: "waiting",
        reasons: open.map((dependency) => `for argument ${dependency.index}: ${describeEntry(dependency.entry)}`),
      };
    if (call.actorId !== undefined) return this.#explainActorCall(call, call.actorId, path, withinMs);
    if (call.state === callState.pushed) return this.#explainPushed(call, path, withinMs);
    if (call.state === callState.waiting) return { state: "waiting", reasons: ["its code or its arguments are being sent"] };
    return this.#explainQueued(call);
  }

  async #askOwner(owner: OwnerAddress, sequence: number, path: readonly string[], withinMs: number): Promise<Explanation> {
    const { workerId } = owner;
    const askedAtMs = this.#unanswered.get(workerId) ?? this.#clock.nowMs();
    this.#unanswered.set(workerId, askedAtMs);
    const asked = this.#calls.explainAtOwner(owner, sequence, path, innerAnswerMs(withinMs)).then(
      ({ state, reasons, pid }) => ({ state, reasons: reasons.map((reason) => `owner pid ${pid}: ${reason}`) }),
      (error: unknown) => ({ state: "lost", reasons: [RaiaError.is(error) ? error.message : String(error)] }),
    );
    void asked.then(() => this.#unanswered.delete(workerId));
    const late = new Promise<undefined>((resolve) => this.#clock.after(withinMs, () => resolve(undefined)));
    return (await Promise.race([asked, late])) ?? { state: "unknown", reasons: [await this.#describeSilence(workerId, askedAtMs)] };
  }

  async #describeSilence(workerId: string, askedAtMs: number): Promise<string> {
    const pid = await this.#calls.pidOf(workerId).catch(() => undefined); // The node is gone, and the owner with it.
    const seconds = Math.floor((this.#clock.nowMs() - askedAtMs) / 1000);
    return `its owner ${pid === undefined ? shortId(workerId) : `pid ${pid}`} has not run its loop for ${seconds} s or more`;
  }

  async #explainActorCall(call: Call, actorId: string, path: readonly string[], withinMs: number): Promise<Explanation> {
    const { state, reasons } = await this.#calls.explainActor(actorId);
    const actor = `actor ${shortId(actorId)}`;
    if (state !== "alive") return { state: "queued", reasons: [`its ${actor} is ${state}`, ...reasons] };
    if (call.state !== callState.pushed) return { state: "queued", reasons: [`behind other calls of this process to its ${actor}`] };
    const run = await this.#explainRun(call, path, withinMs);
    if (run === undefined)
      return { state: "assigned", reasons: [`its ${actor} has the call, and has not run its loop for ${withinMs} ms or more`] };
    return { state: run.state, reasons: [`its ${actor} has the call`, ...run.reasons] };
  }

  async #explainPushed(call: Call, path: readonly string[], withinMs: number): Promise<Explanation> {
    const where = call.holder?.whereabouts?.(call);
    const explained = pushedExplanation(where);
    const isNext = where?.nextSinceMs !== undefined;
    if (explained.state !== "running" && !isNext) return explained;
    const run = await this.#explainRun(call, path, withinMs);
    if (where !== undefined && run === undefined) {
      const { pid, nextSinceMs } = where;
      return nextSinceMs === undefined
        ? { state: "running", reasons: [`in process ${pid}, whose loop has not run for ${withinMs} ms or more`] }
        : { state: "assigned", reasons: [standsStill(pid, this.#clock.nowMs() - nextSinceMs)] };
    }
    return run === undefined || run.reasons.length === 0
      ? explained
      : { state: run.state, reasons: [...explained.reasons, ...run.reasons] };
  }

  /** The word of the process that has it; undefined when it does not answer. */
  async #explainRun(call: Call, path: readonly string[], withinMs: number): Promise<Explanation | undefined> {
    const { holder } = call;
    if (holder?.explainRun === undefined || path.length >= MAX_PATH) return { state: "running", reasons: [] };
    // When it has died, its owner is about to hear why.
    const asked = holder.explainRun(call, path, innerAnswerMs(withinMs)).catch(() => ({ state: "assigned", reasons: [] }));
    const late = new Promise<undefined>((resolve) => this.#clock.after(withinMs, () => resolve(undefined)));
    return Promise.race([asked, late]);
  }

  async #explainQueued(call: Call): Promise<Explanation> {
    const shape = shapeOf(this.#submitter, call);
    if (shape === undefined) return { state: "queued", reasons: [] };
    const ahead = [...shape.queue].indexOf(call);
    const reasons = ahead > 0 ? [`${ahead} calls of the same kind are ahead of it in this process`] : [];
    if (shape.leases.length > 0) reasons.push(`${shape.leases.length} workers are at work for this kind of call`);
    const [request] = shape.requests;
    for (const { pid, sinceMs } of shape.reaching.values()) {
      const silentMs = this.#clock.nowMs() - sinceMs;
      if (silentMs >= OWNER_ANSWER_MS) reasons.push(standsStill(pid, silentMs));
    }
    if (request !== undefined) reasons.push(...(await this.#calls.explainLease(request)).reasons);
    return { state: "queued", reasons };
  }
}

function settledExplanation(entry: ObjectEntry): Explanation {
  switch (entry.state) {
    case objectState.stored: {
      const { nodeId, sizeBytes } = entry.payload as StoredAt;
      return { state: "ready", reasons: [`${sizeBytes} bytes are stored on node ${shortId(nodeId)}`] };
    }
    case objectState.error:
      return { state: "failed", reasons: ["its code threw: get the ref to see what"] };
    case objectState.failure:
      return { state: "failed", reasons: [(entry.payload as Failure).code] };
    default:
      return { state: "ready", reasons: ["the value is with its owner"] };
  }
}

function standsStill(pid: number, silentMs: number): string {
  return `process ${pid}, which was to run it, has not answered for ${Math.floor(silentMs / 1000)} s`;
}

function pushedExplanation(where: Whereabouts | undefined): Explanation {
  if (where === undefined) return { state: "assigned", reasons: [] };
  if (where.nextSinceMs !== undefined) return { state: "assigned", reasons: [`to process ${where.pid}`] };
  return where.hasBegun
    ? { state: "running", reasons: [`in process ${where.pid}`] }
    : { state: "assigned", reasons: [`behind another call in process ${where.pid}, which has not begun it`] };
}

function shapeOf(submitter: TaskSubmitter, call: Call): Shape | undefined {
  for (const shape of submitter.shapes()) if ([...shape.queue].includes(call)) return shape;
  return undefined;
}
