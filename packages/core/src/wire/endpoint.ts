/**
 * Where a process meets its peers: it may listen at one address, and dials others on first use, one connection an
 * address. Two processes that dial each other have two connections; each carries the calls of the side that dialled.
 */
import { type Clock, whenHeard } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { Connection, type ConnectionCounters } from "./connection.ts";
import { MAX_FRAME_BYTES } from "./frame.ts";
import type { Identity } from "./greeting.ts";
import type { ByteStream, Listener, Transport } from "./transport.ts";

/** A peer that is never done greeting is as good as gone. */
const MAX_GREETINGS = 5;
/** So long may a peer take to say who it is. A process that stands still for longer dials again when it goes on. */
const GREETING_MS = 10_000;

/** So long is waited for a greeting when this process leaves. */
const LAST_GREETING_MS = 500;

export interface EndpointEvents {
  /** Adds the services that this process offers. Called before the peer's first call is read. */
  connected(connection: Connection): void;
}

export class Endpoint {
  readonly #transport: Transport;
  readonly #identity: Identity;
  readonly #clock: Clock;
  readonly #events: EndpointEvents;
  readonly #dialled = new Map<string, Promise<Connection>>();
  readonly #accepted = new Set<Connection>();
  /** Those of `#dialled` that have greeted. */
  readonly #reached = new Set<Connection>();
  /** Those of `#dialled` that have not. */
  readonly #greeting = new Set<Connection>();
  /** A driver ends when its program does, whatever connections it has. */
  readonly #restsIdle: boolean;
  readonly counters: ConnectionCounters = { rejected: 0 };
  #listener: Listener | undefined;
  #closed = false;
  /** Who dialled while this process was not ready; as many as the node lent it to, so few. */
  #waiting: ByteStream[] | undefined;

  constructor(transport: Transport, identity: Identity, clock: Clock, events: EndpointEvents, restsIdle = false) {
    this.#restsIdle = restsIdle;
    this.#transport = transport;
    this.#identity = identity;
    this.#clock = clock;
    this.#events = events;
  }

  get identity(): Identity {
    return this.#identity;
  }

  async listen(): Promise<void> {
    this.#listener = await this.#transport.listen(this.#identity.address, (stream) => {
      if (this.#waiting === undefined) this.#accept(stream);
      else this.#waiting.push(stream);
    });
    if (this.#restsIdle) this.#listener.keepAlive(false);
  }

  /** Peers that dial from now on wait until `open`: this process can be found before it can answer. Each waits unread. */
  holdBack(): void {
    this.#waiting ??= [];
  }

  open(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const stream of waiting) this.#accept(stream);
  }

  #accept(stream: ByteStream): void {
    const connection = new Connection(stream, MAX_FRAME_BYTES);
    this.#accepted.add(connection);
    if (this.#restsIdle) connection.restIdle();
    const deadline = whenHeard(this.#clock, GREETING_MS, () => {
      this.counters.rejected++;
      connection.close("no greeting");
    });
    connection.onClosed(() => {
      deadline.cancel();
      this.#accepted.delete(connection);
    });
    connection.startAsListener(this.#identity, this.counters, () => {
      deadline.cancel();
      this.#events.connected(connection);
    });
  }

  /** The connection to `address`, made on first use. A lost one is forgotten, so the next use dials again. */
  dial(address: string): Promise<Connection> {
    const known = this.#dialled.get(address);
    if (known !== undefined) return known;
    const dialling = this.#dialNew(address);
    this.#dialled.set(address, dialling);
    const forget = (): void => {
      if (this.#dialled.get(address) === dialling) this.#dialled.delete(address);
    };
    dialling.then((connection) => connection.onClosed(forget), forget);
    return dialling;
  }

  /**
   * As `dial`, for peers of this cluster: a connection that is lost while it greets is made again.
   *
   * @throws {RaiaError} CONNECTION_LOST when nobody listens any more: that process is gone
   */
  async reach(address: string): Promise<Connection> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.dial(address);
      } catch (error) {
        const isLost = RaiaError.is(error, "CONNECTION_LOST") && error.facts["during"] === "greeting";
        if (!isLost || attempt === MAX_GREETINGS) throw error;
      }
    }
  }

  async #dialNew(address: string): Promise<Connection> {
    if (this.#closed) throw new RaiaError("SHUTTING_DOWN", { address });
    const connection = new Connection(await this.#transport.dial(address), MAX_FRAME_BYTES);
    connection.peerAddress = address;
    const greeted = connection.startAsDialler(this.#identity);
    this.#events.connected(connection);
    this.#greeting.add(connection);
    await greeted.finally(() => this.#greeting.delete(connection));
    this.#reached.add(connection);
    connection.onClosed(() => this.#reached.delete(connection));
    if (this.#restsIdle) connection.restIdle();
    return connection;
  }

  /** Settles when there is no connection with that peer: all that it has sent has been read then. */
  async lost(peerId: string): Promise<void> {
    const open = [...this.#accepted, ...this.#reached].filter((connection) => connection.peerId === peerId);
    await Promise.all(open.map((connection) => new Promise<void>((resolve) => connection.onClosed(() => resolve()))));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#accepted) connection.close("endpoint closed");
    const dialled = [...this.#dialled.values()];
    this.#dialled.clear();
    // What was to be said to one that greets at last is said; one that stands still is not waited for.
    const patience = this.#clock.after(LAST_GREETING_MS, () => {
      for (const connection of this.#greeting) connection.close("endpoint closed");
    });
    for (const result of await Promise.allSettled(dialled)) {
      if (result.status === "fulfilled") result.value.close("endpoint closed");
    }
    patience.cancel();
    await this.#listener?.close();
  }
}
