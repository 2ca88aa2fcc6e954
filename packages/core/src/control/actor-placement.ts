/**
 * The queue of actors that wait for a node, oldest first. It is gone through when an actor comes and when a node joins or
 * has other resources free. What no node can ever run is given up once the cluster has been as it is for a while.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { ResourceSet } from "../base/resources.ts";
import type { GroupTarget } from "../messages/placement-groups.ts";
import type { ClusterView, PlacementRequest } from "../scheduling/cluster-view.ts";
import { explainPlacement, showPlacement } from "../scheduling/explain-placement.ts";
import { placeActor, placementKey } from "./place-actor-policy.ts";
import type { GroupChoice } from "./place-in-group.ts";

export interface PlacementDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly view: () => ClusterView;
  readonly reserve: (nodeId: string, resources: ResourceSet) => void;
  readonly placeInGroup: (target: GroupTarget, request: PlacementRequest) => GroupChoice;
  /** Measured from the last change of membership, or from when the actor came if that is later. */
  readonly infeasibleTimeoutMs: number;
}

/** One actor's wish for a place. */
export interface Wish {
  readonly request: PlacementRequest;
  /** The placement group in which it wants its place, if it does. */
  readonly target?: GroupTarget | undefined;
  /** Called at most once, with the place. */
  readonly placed: (nodeId: string) => void;
  /** Called at most once, instead: no node can ever run it, and why, node by node; or its group cannot. */
  readonly givenUp: (reasons: readonly string[], groupId?: string) => void;
}

interface Waiting {
  readonly wish: Wish;
  readonly key: string;
  readonly sinceMs: number;
  infeasible: Timer | undefined;
}

export class ActorPlacement {
  readonly #deps: PlacementDeps;
  readonly #waiting = new Map<Wish, Waiting>();
  /** Those that come back after a pause. */
  readonly #paused = new Map<Wish, Timer>();
  #membershipChangedAtMs = 0;
  #isRoundDue = false;
  /** The next round leaves nobody out: what was busy may be infeasible now. */
  #isRoundFull = false;

  constructor(deps: PlacementDeps) {
    this.#deps = deps;
  }

  /** Wishes without a place, paused ones included. */
  get size(): number {
    return this.#waiting.size + this.#paused.size;
  }

  add(wish: Wish, delayMs: number): void {
    if (delayMs > 0) {
      const timer = this.#deps.clock.after(delayMs, () => {
        this.#paused.delete(wish);
        this.add(wish, 0);
      });
      this.#paused.set(wish, timer);
      return;
    }
    const waiting: Waiting = { wish, key: keyOf(wish), sinceMs: this.#deps.clock.nowMs(), infeasible: undefined };
    this.#waiting.set(wish, waiting);
    this.#try(waiting);
  }

  remove(wish: Wish): void {
    this.#paused.get(wish)?.cancel();
    this.#paused.delete(wish);
    this.#waiting.get(wish)?.infeasible?.cancel();
    this.#waiting.delete(wish);
  }

  explain(wish: Wish): readonly string[] {
    if (this.#paused.has(wish)) return ["it died soon after its last starts, so the next one waits a little"];
    if (wish.target !== undefined) {
      const choice = this.#deps.placeInGroup(wish.target, wish.request);
      return choice.kind === "node" ? [] : choice.reasons;
    }
    return [showPlacement(explainPlacement(this.#deps.view(), wish.request))];
  }

  /** A placement group has its places, or will never have them. */
  groupChanged(groupId: string): void {
    for (const waiting of [...this.#waiting.values()])
      if (waiting.wish.target?.groupId === groupId && this.#waiting.has(waiting.wish)) this.#try(waiting);
  }

  membershipChanged(): void {
    this.#membershipChangedAtMs = this.#deps.clock.nowMs();
    this.#isRoundFull = true;
    this.roomChanged();
  }

  /** Tries all in a later turn; many reports that arrive together cost one round. */
  roomChanged(): void {
    if (this.#isRoundDue || this.#waiting.size === 0) return;
    this.#isRoundDue = true;
    this.#deps.clock.soon(() => {
      this.#isRoundDue = false;
      this.#round();
    });
  }

  #round(): void {
    const full = new Set<string>();
    const isFull = this.#isRoundFull;
    this.#isRoundFull = false;
    for (const waiting of [...this.#waiting.values()]) {
      if ((full.has(waiting.key) && !isFull) || !this.#waiting.has(waiting.wish)) continue;
      if (!this.#try(waiting)) full.add(waiting.key);
    }
  }

  /** Whether it has a place now. */
  #try(waiting: Waiting): boolean {
    const { clock, random, view, reserve, infeasibleTimeoutMs } = this.#deps;
    const { wish } = waiting;
    if (wish.target !== undefined) return this.#tryInGroup(wish, wish.target);
    const placement = placeActor(view(), wish.request, random);
    if (placement.kind === "node") {
      this.remove(wish);
      reserve(placement.nodeId, wish.request.resources);
      wish.placed(placement.nodeId);
      return true;
    }
    if (placement.kind === "infeasible" && waiting.infeasible === undefined) {
      waiting.infeasible = clock.after(infeasibleTimeoutMs, () => this.#judge(waiting));
    }
    return false;
  }

  /** What it takes is the bundle's, not free on the node: nothing is reserved. */
  #tryInGroup(wish: Wish, target: GroupTarget): boolean {
    const choice = this.#deps.placeInGroup(target, wish.request);
    if (choice.kind === "wait") return false;
    this.remove(wish);
    if (choice.kind === "node") wish.placed(choice.nodeId);
    else wish.givenUp(choice.reasons, target.groupId);
    return true;
  }

  #judge(waiting: Waiting): void {
    const { clock, infeasibleTimeoutMs } = this.#deps;
    waiting.infeasible = undefined;
    const sinceMs = Math.max(waiting.sinceMs, this.#membershipChangedAtMs);
    const leftMs = sinceMs + infeasibleTimeoutMs - clock.nowMs();
    if (leftMs > 0) {
      waiting.infeasible = clock.after(leftMs, () => this.#judge(waiting));
      return;
    }
    const explanation = explainPlacement(this.#deps.view(), waiting.wish.request);
    if (explanation.kind !== "infeasible") return;
    this.remove(waiting.wish);
    waiting.wish.givenUp([showPlacement(explanation)]);
  }

  close(): void {
    for (const wish of [...this.#waiting.keys(), ...this.#paused.keys()]) this.remove(wish);
  }
}

/** Wishes of one key are placed alike, so when one finds no place the others need not be tried. */
function keyOf({ request, target }: Wish): string {
  return target === undefined ? placementKey(request) : `${target.groupId}|${target.bundleIndex}|${placementKey(request)}`;
}
