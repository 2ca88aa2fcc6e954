/**
 * The side that runs: calls arrive over connections of owners, on channels that are leases or actors, and are run in order.
 * A short synchronous task is run right where it was read, and its result is written into the same turn's output, so a
 * pipeline of them costs no turn of the event loop each.
 */
import type { Clock } from "../../base/clock.ts";
import { LruMap } from "../../base/lru-map.ts";
import type { Spinner } from "../../base/spinner.ts";
import { type OpenChannel, PUSH_TAG, workerEvents, workerService } from "../../messages/tasks.ts";
import type { Connection } from "../../wire/connection.ts";
import type { Infer } from "../../wire/schema.ts";
import type { ActorHost } from "./actor-host.ts";
import { ActorRun } from "./actor-run.ts";
import { EndedParents } from "./child-calls.ts";
import { decodeReason } from "../thrown.ts";
import { type CallExecution, RunTemplate } from "./call-execution.ts";
import type { ExecutionRuntime } from "./execution-runtime.ts";
import type { Executor } from "./executor.ts";
import { explainRun } from "./run-explainer.ts";
import { LeaseRun, type LeaseRunDependencies, type LeaseRunEffects } from "./lease-run.ts";
import { type Push, readPushes } from "../calls/task-frames.ts";

export interface TaskServerEffects extends LeaseRunEffects {
  actorHost(actorId: string): ActorHost | undefined;
}

export interface TaskServerDependencies {
  /** What the code of a call finds around it. */
  readonly runtime: ExecutionRuntime;
  readonly executor: Executor;
  readonly effects: TaskServerEffects;
  readonly clock: Clock;
  /** Of all leases of this process. */
  readonly claims: Int32Array;
  readonly spinner: Spinner;
}

/** Leases that were yielded before their owners opened them: far more than a process has claim words for. */
const MAX_YIELDED = 1024;

export class TaskServer {
  readonly #deps: TaskServerDependencies;
  readonly #yielded = new LruMap<string, true>(MAX_YIELDED);
  readonly #connections = new Set<OwnerConnection>();

  constructor(deps: TaskServerDependencies) {
    this.#deps = deps;
  }

  /** Serves an owner that dialled this process. */
  attach(connection: Connection): void {
    const served = new OwnerConnection(connection, this.#deps, this.#yielded);
    this.#connections.add(served);
    connection.onClosed(() => {
      this.#connections.delete(served);
      served.closed();
    });
  }

  *running(): Iterable<CallExecution> {
    for (const connection of this.#connections) yield* connection.running();
  }

  /** The node takes a lease back whose owner does not answer. Yielded: nothing runs on it, and nothing ever will. */
  yieldLease(leaseId: string): { yielded: boolean; discard: boolean } {
    for (const connection of this.#connections) {
      const run = connection.leaseRun(leaseId);
      if (run !== undefined) return run.yield();
    }
    // Its owner has not come yet.
    this.#yielded.set(leaseId, true);
    return { yielded: true, discard: false };
  }

  /** This process has ended: what runs is told, what waits is forgotten. */
  drop(): void {
    for (const connection of this.#connections) connection.dropped();
  }
}

/** One owner. Templates and channels are numbered by it. */
class OwnerConnection {
  readonly #deps: TaskServerDependencies;
  readonly #lent: LeaseRunDependencies;
  readonly #templates = new Map<number, RunTemplate>();
  readonly #channels = new Map<number, LeaseRun | ActorRun>();

  readonly #yielded: LruMap<string, true>;

  constructor(connection: Connection, deps: TaskServerDependencies, yielded: LruMap<string, true>) {
    this.#deps = deps;
    this.#yielded = yielded;
    this.#lent = { ...deps, connection, events: connection.client(workerEvents), endedParents: new EndedParents() };
    connection.serve(workerService, {
      defineTemplate: (template) => void this.#templates.set(template.template, new RunTemplate(template)),
      openChannel: (opening) => void this.#channels.set(opening.channel, this.#open(opening)),
      closeChannel: ({ channel }) => {
        this.#channels.get(channel)?.closed();
        this.#channels.delete(channel);
      },
      cancelTask: ({ channel, slot, sequence, recursive, force = false, reason: bytes }) => {
        const reason = bytes === undefined ? undefined : { value: decodeReason(bytes, this.#lent.runtime.hooks), bytes };
        const cancellation = { force, recursive, reason };
        const execution = this.#channels.get(channel)?.find(slot);
        if (execution?.sequence === sequence) execution.cancel(cancellation);
        else if (recursive) this.#lent.endedParents.cancel(sequence, cancellation);
      },
      explainRun: ({ channel, slot, sequence, path, withinMs }) => {
        const execution = this.#channels.get(channel)?.find(slot);
        if (execution?.sequence !== sequence) return { state: "running", reasons: [] };
        return explainRun(execution, path, (entry, onPath) => deps.runtime.explainer.explain(entry, onPath, withinMs));
      },
      streamCredit: ({ channel, slot, consumed }) => this.#channels.get(channel)?.find(slot)?.credit(consumed),
      streamStop: ({ channel, slot }) => this.#channels.get(channel)?.find(slot)?.stopStream(),
      resultRefsTaken: ({ handover }) => deps.executor.results.refsTaken(handover),
    });
    const handler = {
      pushed: (channel: number, push: Push, frame: Buffer, start: number, end: number) => {
        const template = this.#templates.get(push.template);
        if (template !== undefined) this.#channels.get(channel)?.pushed(template, push, frame, start, end);
      },
      frameDone: (_channel: number, count: number) => deps.spinner.touch(count),
    };
    connection.onHot(PUSH_TAG, (bytes, start, end) => readPushes(bytes, start, end, handler));
  }

  #open(opening: Infer<typeof OpenChannel>): LeaseRun | ActorRun {
    const { channel, kind, id, accelerators = {}, deviceVariables, claimOffset = 0 } = opening;
    const { connection, runtime, events, endedParents } = this.#lent;
    const { executor, effects, claims } = this.#deps;
    if (kind === "actor")
      return new ActorRun(
        { runtime, connection, events, endedParents, executor, hostOf: (actorId) => effects.actorHost(actorId) },
        channel,
        id,
      );
    const run = new LeaseRun(this.#lent, {
      channel,
      leaseId: id,
      accelerators,
      deviceVariables,
      claims: claims.subarray(claimOffset / Int32Array.BYTES_PER_ELEMENT),
    });
    if (this.#yielded.get(id) !== undefined) {
      this.#yielded.delete(id);
      run.yield();
    }
    return run;
  }

  leaseRun(leaseId: string): LeaseRun | undefined {
    for (const channel of this.#channels.values()) if (channel instanceof LeaseRun && channel.leaseId === leaseId) return channel;
    return undefined;
  }

  *running(): Iterable<CallExecution> {
    for (const channel of this.#channels.values()) yield* channel.running();
  }

  dropped(): void {
    for (const execution of this.running()) execution.cancel({ force: false, recursive: false });
    this.closed();
  }

  /** The owner is gone: what it asked for is of no use to anybody. */
  closed(): void {
    for (const channel of this.#channels.values()) channel.closed();
    this.#channels.clear();
  }
}
