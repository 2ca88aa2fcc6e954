/**
 * Does what one actor's machine decides. Effects run in order, and what follows a write waits until it is durable: nobody
 * hears of a restart, and no process starts, whose number a crash of control could give out again. Stopping a process
 * needs no such care and never waits.
 */
import type { Clock } from "../base/clock.ts";
import { type Fact, RaiaError } from "../base/errors.ts";
import { DeathCause } from "../messages/common.ts";
import type { ActorStarted, ActorView } from "../messages/control.ts";
import { targetOf } from "../messages/placement-groups.ts";
import type { PlacementRequest } from "../scheduling/cluster-view.ts";
import type { Infer } from "../wire/schema.ts";
import type { ActorEffect, ActorEnd, ActorEvent, Home } from "./actor-machine.ts";
import type { ActorPlacement, Wish } from "./actor-placement.ts";
import { type ActorEntry, type ActorTable, viewOf } from "./actor-table.ts";
import type { ActorWatchers } from "./actor-watchers.ts";
import { DurableEffects, WRITE } from "./durable-effects.ts";
import { graveChange } from "./graves.ts";
import type { MembershipServer } from "./membership-server.ts";
import { encodeRecord, LifeRecord, ownBytes } from "./record-codec.ts";
import type { RecordChange, RecordStore } from "./record-store.ts";

export interface PerformerDeps {
  readonly clock: Clock;
  readonly store: RecordStore;
  readonly actors: ActorTable;
  readonly watchers: ActorWatchers;
  readonly placement: ActorPlacement;
  readonly membership: Pick<MembershipServer, "ask">;
  readonly isGroupRemoved: (groupId: string) => boolean;
  /** It is dead, everybody was told, and the table keeps it as history only. */
  readonly onBuried: (entry: ActorEntry) => void;
  readonly onStoreFailure: () => void;
}

export const ACTORS = "actors";
export const ACTOR_LIVES = "actorLives";
export const ACTOR_GRAVES = "actorGraves";

type StartAnswer = Infer<typeof ActorStarted>;
type OfKind<K extends ActorEffect["kind"]> = Extract<ActorEffect, { readonly kind: K }>;

interface Queued {
  readonly effect: Exclude<ActorEffect, { readonly kind: "stopOnNode" | "persist" }>;
  /** As it was when the effect was decided: a later state is told by its own effect. */
  readonly view: ActorView;
}

export class ActorPerformer {
  readonly #deps: PerformerDeps;
  readonly #entry: ActorEntry;
  readonly #request: PlacementRequest;
  readonly #effects: DurableEffects<Queued>;
  #wish: Wish | undefined;

  constructor(deps: PerformerDeps, entry: ActorEntry, request: PlacementRequest) {
    this.#deps = deps;
    this.#entry = entry;
    this.#request = request;
    this.#effects = new DurableEffects({
      clock: deps.clock,
      store: deps.store,
      changes: () => lifeChanges(entry),
      perform: ({ effect, view }) => this.#perform(effect, view),
      onStoreFailure: () => deps.onStoreFailure(),
    });
  }

  get entry(): ActorEntry {
    return this.#entry;
  }

  /** Resolves when its first record is written, or could not be; the state then says which. */
  get registered(): Promise<void> {
    return this.#effects.registered;
  }

  /** @throws {RaiaError} CONTROL_STORE_FAILED */
  register(changes: readonly RecordChange[]): Promise<void> {
    return this.#effects.register(changes);
  }

  handle(event: ActorEvent): void {
    const { actors, clock, placement } = this.#deps;
    const { machine } = this.#entry;
    const effects = machine.handle(event, clock.nowMs());
    actors.moved(this.#entry);
    if (machine.state.kind === "dead" && this.#wish !== undefined) placement.remove(this.#wish);
    const view = viewOf(this.#entry);
    const queued: (Queued | typeof WRITE)[] = [];
    for (const effect of effects) {
      if (effect.kind === "stopOnNode") void this.#stop(effect);
      else queued.push(effect.kind === "persist" ? WRITE : { effect, view });
    }
    this.#effects.add(queued);
  }

  /**
   * Resolves when what was decided so far is durable and done.
   *
   * @throws {RaiaError} CONTROL_STORE_FAILED when it cannot be written now; it is tried again all the same
   */
  settled(): Promise<void> {
    return this.#effects.settled();
  }

  /** Why it is not alive. */
  explain(): readonly string[] {
    return this.#wish === undefined ? [] : this.#deps.placement.explain(this.#wish);
  }

  #perform(effect: Queued["effect"], view: ActorView): void {
    const { actors, onBuried, watchers } = this.#deps;
    switch (effect.kind) {
      case "place":
        this.#place(effect.delayMs);
        break;
      case "startOnNode":
        void this.#start(effect);
        break;
      case "forgetName":
        actors.forgetName(this.#entry);
        break;
      case "publish":
        watchers.publish(this.#entry, view);
        if (view.state === "dead") this.#bury(onBuried);
        break;
    }
  }

  #bury(onBuried: PerformerDeps["onBuried"]): void {
    const { state } = this.#entry.machine;
    if (state.kind !== "dead") return;
    this.#deps.actors.bury(this.#entry, state.life, state.end);
    onBuried(this.#entry);
  }

  #place(delayMs: number): void {
    // It may have been killed while its restart was written.
    if (this.#entry.machine.state.kind !== "pending") return;
    const wish: Wish = {
      request: this.#request,
      target: targetOf(this.#entry.spec.demand.strategy),
      placed: (nodeId) => {
        this.#wish = undefined;
        this.handle({ kind: "placed", nodeId });
      },
      givenUp: (reasons, group) => {
        this.#wish = undefined;
        const kind = group !== undefined && this.#deps.isGroupRemoved(group) ? "placement-group-removed" : "unschedulable";
        this.handle({ kind: "unplaceable", end: { cause: { kind, facts: { reasons, group } } } });
      },
    };
    this.#wish = wish;
    this.#deps.placement.add(wish, delayMs);
  }

  async #start({ nodeId, incarnation }: OfKind<"startOnNode">): Promise<void> {
    const { spec } = this.#entry;
    let event: ActorEvent;
    try {
      const answer = await this.#deps.membership.ask(nodeId, (node) => node.startActor({ spec, incarnation }));
      // The node is dead, and its death is told to all that it had.
      if (answer === undefined) return;
      event = eventOf(answer, nodeId, incarnation);
    } catch (error) {
      event = { kind: "creationFailed", incarnation, end: startFailure(error) };
    }
    this.handle(event);
  }

  async #stop({ nodeId, incarnation, graceMs }: OfKind<"stopOnNode">): Promise<void> {
    const { actorId } = this.#entry.spec;
    try {
      const answer = await this.#deps.membership.ask(nodeId, (node) => node.stopActor({ actorId, incarnation, graceMs }));
      if (answer === undefined) return;
    } catch (error) {
      // What the node cannot stop, it does not have.
      if (!RaiaError.is(error)) throw error;
    }
    this.handle({ kind: "stopped", incarnation });
  }
}

/** What is written of an actor whenever it changes; its specification is written once. */
export function lifeChanges({ spec, machine, outlivesJob }: ActorEntry): RecordChange[] {
  const { state } = machine;
  if (state.kind === "dead")
    return [
      ...[ACTORS, ACTOR_LIVES].map((table) => ({ table, key: spec.actorId, value: undefined })),
      graveChange(ACTOR_GRAVES, spec.actorId, graveOf(state.end.cause)),
    ];
  const { incarnation, restarts } = state.life;
  const home = state.kind === "alive" || state.kind === "leaving" ? state.home : undefined;
  const value = encodeRecord(LifeRecord, { incarnation, restarts, outlivesJob, home, ...(state.kind === "leaving" && { leaving: true }) });
  return [{ table: ACTOR_LIVES, key: spec.actorId, value }];
}

/** Of a cause what a grave has room for: not the lines that it left. */
export function graveOf({ stderrTail: _tail, ...cause }: DeathCause): Uint8Array {
  return encodeRecord(DeathCause, cause);
}

function eventOf(answer: StartAnswer, nodeId: string, incarnation: number): ActorEvent {
  const { address = "", workerId = "", pid = 0, cause, error, disposes } = answer;
  const home: Home = { nodeId, workerId, address, pid, ...(disposes === true && { disposes }) };
  switch (answer.status) {
    case "alive":
      return { kind: "started", incarnation, home };
    case "failed":
      return {
        kind: "creationFailed",
        incarnation,
        end: { cause: cause ?? { kind: "constructor-failed" }, ...(error === undefined ? {} : { error: ownBytes(error) }) },
      };
    case "refused":
      // With a cause it is not this node's affair alone: another would say the same, or the cluster has no other.
      return cause === undefined ? { kind: "refused", incarnation } : { kind: "creationFailed", incarnation, end: { cause } };
    case "workerDied":
      return { kind: "workerDied", incarnation, cause: cause ?? { kind: "lost-by-node" } };
  }
}

/** The node said why it cannot: the code and facts of its error are the facts of the death. */
function startFailure(error: unknown): ActorEnd {
  if (!RaiaError.is(error)) throw error;
  const facts: { [name: string]: Fact } = { ...error.facts, code: error.code };
  return { cause: { kind: error.code === "ACTOR_UNSCHEDULABLE" ? "unschedulable" : "start-failed", facts } };
}
