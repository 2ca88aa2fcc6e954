/**
 * The queue of placement groups that lack places, oldest first. It is gone through when a group comes and when a node joins
 * or has other resources free. Of a group that cannot fit, those who wait are told once the cluster has been as it is for a
 * while; it stays in the queue all the same, since a node may join.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { ResourceSet } from "../base/resources.ts";
import { placeBundles } from "../scheduling/bundle-policy.ts";
import type { ClusterView, GroupRequest } from "../scheduling/cluster-view.ts";
import { explainBundles } from "../scheduling/explain-bundles.ts";

export interface GroupPlacementDeps {
  readonly clock: Clock;
  readonly view: () => ClusterView;
  readonly reserve: (nodeId: string, resources: ResourceSet) => void;
  /** A group could be held, and there is no room now: leases that nobody needs are asked back. */
  readonly roomWanted: () => void;
  /** Measured from the last change of membership, or from when the group came if that is later. */
  readonly infeasibleTimeoutMs: number;
}

/** One group's wish for places. */
export interface GroupWish {
  /** As it stands now: bundles may be lost while others wait. */
  readonly request: () => GroupRequest;
  /** Called at most once, with a node for each bundle. */
  readonly placed: (nodeIds: readonly string[]) => void;
  /** Called whenever it is found that no cluster of these nodes could hold it. */
  readonly infeasible: (reasons: readonly string[]) => void;
}

interface Waiting {
  readonly wish: GroupWish;
  readonly sinceMs: number;
  infeasible: Timer | undefined;
}

export class GroupPlacement {
  readonly #deps: GroupPlacementDeps;
  readonly #waiting = new Map<GroupWish, Waiting>();
  /** Those that come back after a pause. */
  readonly #paused = new Map<GroupWish, Timer>();
  #membershipChangedAtMs = 0;
  #isRoundDue = false;
  #isRoomWanted = false;

  constructor(deps: GroupPlacementDeps) {
    this.#deps = deps;
  }

  /** Wishes without places, paused ones included. */
  get size(): number {
    return this.#waiting.size + this.#paused.size;
  }

  add(wish: GroupWish, delayMs: number): void {
    const { clock } = this.#deps;
    if (delayMs > 0) {
      const timer = clock.after(delayMs, () => {
        this.#paused.delete(wish);
        this.add(wish, 0);
      });
      this.#paused.set(wish, timer);
      return;
    }
    const waiting: Waiting = { wish, sinceMs: clock.nowMs(), infeasible: undefined };
    this.#waiting.set(wish, waiting);
    this.#try(waiting);
  }

  remove(wish: GroupWish): void {
    this.#paused.get(wish)?.cancel();
    this.#paused.delete(wish);
    this.#waiting.get(wish)?.infeasible?.cancel();
    this.#waiting.delete(wish);
  }

  explain(wish: GroupWish): readonly string[] {
    if (this.#paused.has(wish)) return ["a node refused or died while bundles were set aside; it is tried again in a moment"];
    return explainBundles(this.#deps.view(), wish.request()).reasons;
  }

  membershipChanged(): void {
    this.#membershipChangedAtMs = this.#deps.clock.nowMs();
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

  /** What one group cannot have, another that wants the same cannot have either. */
  #round(): void {
    const full = new Set<string>();
    for (const waiting of [...this.#waiting.values()]) {
      if (!this.#waiting.has(waiting.wish)) continue;
      const key = JSON.stringify(waiting.wish.request());
      if (full.has(key)) continue;
      if (!this.#try(waiting)) full.add(key);
    }
  }

  /** Whether it has places now. */
  #try(waiting: Waiting): boolean {
    const { clock, view, reserve, infeasibleTimeoutMs } = this.#deps;
    const { wish } = waiting;
    const request = wish.request();
    const placement = placeBundles(view(), request);
    if (placement.kind === "placed") {
      this.remove(wish);
      for (const [index, { resources }] of request.bundles.entries())
        if (request.standing?.[index] === undefined) reserve(placement.nodeIds[index] as string, resources);
      wish.placed(placement.nodeIds);
      return true;
    }
    if (placement.kind === "wait") this.#wantRoom();
    else waiting.infeasible ??= clock.after(infeasibleTimeoutMs, () => this.#judge(waiting));
    return false;
  }

  /** Once for all that are tried in one turn. */
  #wantRoom(): void {
    if (this.#isRoomWanted) return;
    this.#isRoomWanted = true;
    this.#deps.clock.soon(() => {
      this.#isRoomWanted = false;
      this.#deps.roomWanted();
    });
  }

  #judge(waiting: Waiting): void {
    const { clock, infeasibleTimeoutMs, view } = this.#deps;
    waiting.infeasible = undefined;
    const sinceMs = Math.max(waiting.sinceMs, this.#membershipChangedAtMs);
    const leftMs = sinceMs + infeasibleTimeoutMs - clock.nowMs();
    if (leftMs > 0) {
      waiting.infeasible = clock.after(leftMs, () => this.#judge(waiting));
      return;
    }
    const explanation = explainBundles(view(), waiting.wish.request());
    if (explanation.kind === "infeasible") waiting.wish.infeasible(explanation.reasons);
  }

  close(): void {
    for (const wish of [...this.#waiting.keys(), ...this.#paused.keys()]) this.remove(wish);
  }
}
