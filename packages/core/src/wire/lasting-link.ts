/**
 * A peer that may die and come back at the same address, as the control plane does: it is dialled until it answers, and what
 * was asked and not answered is asked again. So whatever is asked must be safe to repeat. A one-way message that finds no
 * connection is lost, as one that was under way when it broke.
 */
import { type Clock, whenHeard } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { Connection } from "./connection.ts";
import type { Client, Service } from "./service.ts";

export interface LastingLinkOptions {
  readonly clock: Clock;
  /** Whom this reaches, for errors. */
  readonly peer: string;
  /** Rejects with CONNECTION_LOST while nobody answers, which is tried again; with anything else for good. */
  dial(): Promise<Connection>;
  /** A new connection is there. What this sends goes before all that waits. */
  connected(connection: Connection): void;
  /** Something waits for the peer to come back. */
  readonly waits?: (until: Promise<unknown>) => void;
}

/** The first look is at once: a peer that was killed is there again in some hundred milliseconds. */
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 200;
/** What waits for a peer for longer hears that it is not there. */
const PATIENCE_MS = 60_000;

export class LastingLink {
  readonly #options: LastingLinkOptions;
  #connection: Connection | undefined;
  /** Settles with the next connection, or with why there will be none. */
  #next = newWaiter();
  #clients = new Map<Service, Client<Service>>();
  #isClosed = false;
  #pauses = 0;

  constructor(options: LastingLinkOptions) {
    this.#options = options;
  }

  /** Settles when the peer has answered for the first time. @throws {RaiaError} CONTROL_LOST when it does not in a minute */
  open(): Promise<void> {
    this.#redial();
    return this.#whenBack("greeting");
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** Has the methods of the service. Calls reject with CONTROL_LOST when the peer stays away for a minute. */
  client<S extends Service>(service: S): Client<S> {
    const methods = Object.entries(service.methods).map(([name, { kind }]) => [
      name,
      kind === "oneWay"
        ? (request: unknown) => this.#tell(service, name, request)
        : (request: unknown) => this.#ask((client) => (client[name] as (request: unknown) => Promise<unknown>)(request), service, name),
    ]);
    return Object.fromEntries(methods) as Client<S>;
  }

  /** Hands what was told over now: this process is about to end. */
  flush(): void {
    this.#connection?.flush();
  }

  /** What waits, and what is asked from now on, rejects with this. */
  close(error: RaiaError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection = undefined;
    this.#next.reject(error);
  }

  #tell(service: Service, name: string, request: unknown): void {
    const client = this.#clientOf(service);
    if (client !== undefined) (client[name] as (request: unknown) => void)(request);
  }

  async #ask(ask: (client: Client<Service>) => Promise<unknown>, service: Service, name: string): Promise<unknown> {
    for (;;) {
      const client = this.#clientOf(service);
      if (client === undefined) {
        await this.#whenBack(name);
        continue;
      }
      try {
        return await ask(client);
      } catch (error) {
        if (!RaiaError.is(error, "CONNECTION_LOST")) throw error;
      }
    }
  }

  #clientOf(service: Service): Client<Service> | undefined {
    const connection = this.#connection;
    if (connection === undefined || connection.isClosed) return undefined;
    let client = this.#clients.get(service);
    if (client === undefined) this.#clients.set(service, (client = connection.client(service)));
    return client;
  }

  async #whenBack(call: string): Promise<void> {
    const { clock, peer, waits } = this.#options;
    const next = this.#next.promise;
    let patience: { cancel(): void } | undefined;
    const impatient = new Promise<never>((_, reject) => {
      patience = whenHeard(clock, PATIENCE_MS, () => reject(new RaiaError("CONTROL_LOST", { peer, call, waitedMs: PATIENCE_MS })));
    });
    const waiting = Promise.race([next, impatient]).finally(() => patience?.cancel());
    waits?.(waiting.catch(() => {}));
    await waiting;
  }

  #have(connection: Connection): void {
    if (this.#isClosed) return;
    this.#pauses = 0;
    this.#clients = new Map();
    this.#connection = connection;
    connection.onClosed(() => this.#lost(connection));
    this.#options.connected(connection);
    const waiting = this.#next;
    this.#next = newWaiter();
    waiting.resolve();
  }

  #lost(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#redial();
  }

  #redial(): void {
    if (this.#isClosed) return;
    this.#options.dial().then(
      (connection) => this.#have(connection),
      (error: unknown) => {
        if (!RaiaError.is(error, "CONNECTION_LOST")) return this.close(asFinal(error, this.#options.peer));
        const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#pauses++);
        this.#options.clock.after(pauseMs, () => this.#redial());
      },
    );
  }
}

function newWaiter(): PromiseWithResolvers<void> {
  const waiter = Promise.withResolvers<void>();
  // Nobody need be waiting.
  waiter.promise.catch(() => {});
  return waiter;
}

function asFinal(error: unknown, peer: string): RaiaError {
  return RaiaError.is(error) ? error : new RaiaError("CONTROL_LOST", { peer, reason: String(error) }, { cause: error });
}
