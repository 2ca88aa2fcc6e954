/** An actor as one caller reaches it. Order and concurrency are the actor's own affair. */
import type { Accelerators } from "../../messages/common.ts";
import type { workerEvents } from "../../messages/tasks.ts";
import type { Connection } from "../../wire/connection.ts";
import type { Client } from "../../wire/service.ts";
import type { ActorHost } from "./actor-host.ts";
import { CallExecution, type CallOrigin, type RunTemplate } from "./call-execution.ts";
import type { EndedParents } from "./child-calls.ts";
import type { ExecutionRuntime } from "./execution-runtime.ts";
import type { Executor } from "./executor.ts";
import type { WaitScope } from "../task-context.ts";
import type { Push } from "../calls/task-frames.ts";

export interface ActorRunDependencies {
  readonly runtime: ExecutionRuntime;
  readonly connection: Connection;
  readonly events: Client<typeof workerEvents>;
  readonly endedParents: EndedParents;
  readonly executor: Executor;
  hostOf(actorId: string): ActorHost | undefined;
}

/** An actor that waits keeps what it has: its place was given to it for life. */
const noWaits: WaitScope = { waitBegan: () => {}, waitEnded: () => undefined };

export class ActorRun implements CallOrigin {
  readonly runtime: ExecutionRuntime;
  readonly connection: Connection;
  readonly channel: number;
  readonly accelerators: Accelerators = {};
  readonly waits = noWaits;
  readonly endedParents: EndedParents;
  readonly #actorId: string;
  readonly #deps: ActorRunDependencies;
  readonly #events: Client<typeof workerEvents>;
  /** Calls that did not end at once, by slot. */
  readonly #open = new Map<number, CallExecution>();

  constructor(deps: ActorRunDependencies, channel: number, actorId: string) {
    this.runtime = deps.runtime;
    this.connection = deps.connection;
    this.channel = channel;
    this.endedParents = deps.endedParents;
    this.#actorId = actorId;
    this.#events = deps.events;
    this.#deps = deps;
  }

  pushed(template: RunTemplate, push: Push, frame: Buffer, argsStart: number, argsEnd: number): void {
    const host = this.#deps.hostOf(this.#actorId);
    const execution = new CallExecution(this, host, template, push, frame, argsStart, argsEnd);
    if (host === undefined) this.#deps.executor.refuse(execution, "ACTOR_DIED", { actor: this.#actorId.slice(0, 8), cause: "ended" });
    else if (!host.submit(execution)) this.#open.set(execution.slot, execution);
  }

  /** Told before the method runs: it may not let the loop go for long. */
  began({ slot, sequence, template: { wire } }: CallExecution): void {
    if (wire.timeoutMs === undefined && wire.queueTimeoutMs === undefined) return;
    this.#events.callBegan({ channel: this.channel, slot, sequence });
    this.connection.flush();
  }

  ended({ slot }: CallExecution): void {
    this.#open.delete(slot);
  }

  find(slot: number): CallExecution | undefined {
    return this.#open.get(slot);
  }

  running(): Iterable<CallExecution> {
    return this.#open.values();
  }

  closed(): void {
    // Calls that have begun go on: an actor's state must not depend on whether its caller lives. Their results go nowhere;
    // a stream has nobody left to read it.
    for (const execution of this.#open.values()) execution.stopStream();
    this.#open.clear();
  }
}
