/** Who is told of which actor, over the connection that asked, until it closes. A dead actor has nothing more to tell. */
import { type ActorView, controlEvents } from "../messages/control.ts";
import type { Connection } from "../wire/connection.ts";
import type { Client } from "../wire/service.ts";
import type { ActorEntry } from "./actor-table.ts";
import { type ControlLimits, checkLimit } from "./control-limits.ts";

export class ActorWatchers {
  readonly #limits: ControlLimits;
  /** Per connection the sets that it is in, so that its end takes it out of them. */
  readonly #peers = new Map<Connection, Set<Set<Connection>>>();
  /** Actors that are watched before they are registered. */
  readonly #awaited = new Map<string, Set<Connection>>();
  readonly #clients = new WeakMap<Connection, Client<typeof controlEvents>>();
  #cutOff = 0;

  constructor(limits: ControlLimits) {
    this.#limits = limits;
  }

  get awaited(): number {
    return this.#awaited.size;
  }

  /** Pairs of a connection and what it watches. */
  get watches(): number {
    return [...this.#peers.values()].reduce((sum, joined) => sum + joined.size, 0);
  }

  /** Connections closed because they did not read what they had asked for. */
  get cutOff(): number {
    return this.#cutOff;
  }

  watch(peer: Connection, { watchers }: ActorEntry): void {
    this.#join(peer, watchers);
  }

  /** @throws {RaiaError} LIMIT_EXCEEDED */
  awaitActor(peer: Connection, actorId: string): void {
    const watchers = this.#awaited.get(actorId) ?? new Set();
    if (watchers.size === 0) checkLimit("maxAwaitedActors", this.#awaited.size + 1, this.#limits);
    this.#awaited.set(actorId, watchers);
    this.#join(peer, watchers);
  }

  /** The actor that they waited for is registered. */
  adopt(entry: ActorEntry): void {
    for (const peer of this.#takeAwaited(entry.spec.actorId)) this.#join(peer, entry.watchers);
  }

  /** It will never be registered. */
  endAwaited(view: ActorView): void {
    for (const peer of this.#takeAwaited(view.actorId)) this.#tell(peer, view);
  }

  awaitedActors(): Iterable<string> {
    return this.#awaited.keys();
  }

  publish({ watchers }: ActorEntry, view: ActorView): void {
    for (const peer of [...watchers]) {
      this.#tell(peer, view);
      if (view.state === "dead") this.#leave(peer, watchers);
    }
  }

  #tell(peer: Connection, view: ActorView): void {
    if (peer.bufferedBytes > this.#limits.maxUnreadBytes) {
      this.#cutOff++;
      peer.close("it does not read what it asked for");
      return;
    }
    let client = this.#clients.get(peer);
    if (client === undefined) {
      client = peer.client(controlEvents);
      this.#clients.set(peer, client);
    }
    client.actorState({ view });
  }

  #takeAwaited(actorId: string): Connection[] {
    const watchers = this.#awaited.get(actorId);
    if (watchers === undefined) return [];
    this.#awaited.delete(actorId);
    const peers = [...watchers];
    for (const peer of peers) this.#leave(peer, watchers);
    return peers;
  }

  #join(peer: Connection, watchers: Set<Connection>): void {
    if (peer.isClosed || watchers.has(peer)) return;
    let joined = this.#peers.get(peer);
    if (joined === undefined) {
      joined = new Set();
      this.#peers.set(peer, joined);
      peer.onClosed(() => this.#closed(peer));
    }
    joined.add(watchers);
    watchers.add(peer);
  }

  #leave(peer: Connection, watchers: Set<Connection>): void {
    watchers.delete(peer);
    this.#peers.get(peer)?.delete(watchers);
  }

  #closed(peer: Connection): void {
    for (const watchers of this.#peers.get(peer) ?? []) watchers.delete(peer);
    this.#peers.delete(peer);
    for (const [actorId, watchers] of this.#awaited) if (watchers.size === 0) this.#awaited.delete(actorId);
  }
}
