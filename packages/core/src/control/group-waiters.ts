/** Who waits for which placement group, over the connection that asked, until it closes or there is an answer. */
import type { PlacementGroupReady } from "../messages/placement-groups.ts";
import type { Connection } from "../wire/connection.ts";
import { type ControlLimits, checkLimit } from "./control-limits.ts";

interface Waiter {
  readonly groupId: string;
  readonly peer: Connection;
  answer(answer: PlacementGroupReady): void;
}

export class GroupWaiters {
  readonly #limits: ControlLimits;
  readonly #byGroup = new Map<string, Set<Waiter>>();
  readonly #byPeer = new Map<Connection, Set<Waiter>>();
  #size = 0;

  constructor(limits: ControlLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** @throws {RaiaError} LIMIT_EXCEEDED */
  wait(groupId: string, peer: Connection): Promise<PlacementGroupReady> {
    checkLimit("maxGroupWaiters", this.#size + 1, this.#limits);
    return new Promise((resolve) => {
      const waiter: Waiter = { groupId, peer, answer: resolve };
      this.#byGroup.set(groupId, (this.#byGroup.get(groupId) ?? new Set()).add(waiter));
      this.#ofPeer(peer).add(waiter);
      this.#size++;
    });
  }

  answer(groupId: string, answer: PlacementGroupReady): void {
    for (const waiter of this.#byGroup.get(groupId) ?? []) {
      this.#byPeer.get(waiter.peer)?.delete(waiter);
      this.#size--;
      waiter.answer(answer);
    }
    this.#byGroup.delete(groupId);
  }

  groupIds(): Iterable<string> {
    return this.#byGroup.keys();
  }

  #ofPeer(peer: Connection): Set<Waiter> {
    let waiters = this.#byPeer.get(peer);
    if (waiters === undefined) {
      this.#byPeer.set(peer, (waiters = new Set()));
      peer.onClosed(() => this.#closed(peer));
    }
    return waiters;
  }

  /** Nobody is there to be told any more. */
  #closed(peer: Connection): void {
    for (const waiter of this.#byPeer.get(peer) ?? []) {
      const waiters = this.#byGroup.get(waiter.groupId);
      waiters?.delete(waiter);
      if (waiters?.size === 0) this.#byGroup.delete(waiter.groupId);
      this.#size--;
    }
    this.#byPeer.delete(peer);
  }
}
