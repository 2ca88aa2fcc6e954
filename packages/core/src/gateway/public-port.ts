/**
 * The one port of a machine that others reach. Whoever connects has little time, few bytes and a bounded number of places until it
 * has said what it wants and proved that it may; what is refused is answered where it can be, and counted.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { type Clock, type Timer, whenHeard } from "../base/clock.ts";
import { AssertionError } from "../base/assert.ts";
import { RaiaError } from "../base/errors.ts";
import { failureFrame, type FirstFrame, MAX_PREFACE_BYTES } from "../wire/first-frame.ts";
import { formatMachine, type MachineAddress } from "../wire/machine-address.ts";
import { Admission, type AdmissionLimits, defaultAdmission } from "./admission-policy.ts";
import { type Credentials, TLS_PROTOCOL, TLS_VERSION } from "./credentials.ts";
import { readFirst } from "./read-first.ts";
import type { RefusalReason, Refusals } from "./refusals.ts";

/** So long may a peer take from its connection to the end of its first frame. */
export const PREFACE_MS = 5_000;
/** A machine that is off does not close its connections: the system asks after so long of silence, ten times a second apart. */
export const KEEP_ALIVE_MS = 5_000;

export interface Visitor {
  readonly socket: Socket;
  readonly first: FirstFrame;
  /** Of the network, for limits and for people. */
  readonly from: string;
}

export interface PublicPortOptions {
  readonly listen: MachineAddress;
  /** `undefined`: without TLS. */
  readonly credentials: Credentials | undefined;
  readonly admission?: AdmissionLimits;
  readonly prefaceMs?: number;
}

export interface PublicPortDeps {
  readonly clock: Clock;
  readonly refusals: Refusals;
  /** Owns the socket from here on. May throw a RaiaError, which is sent as the answer. */
  visited(visitor: Visitor): Promise<void>;
}

/** A connection that has not said what it wants. */
interface Waiting {
  readonly from: string;
  readonly deadline: Timer;
}

export class PublicPort {
  readonly #deps: PublicPortDeps;
  readonly #admission: Admission;
  readonly #server: Server;
  readonly #tls: TlsServer | undefined;
  readonly #prefaceMs: number;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Map<Socket, Waiting>();
  /** TLS wraps a socket that it does not show; both have the same far end, which no other open connection to this port has. */
  readonly #rawOf = new Map<string, Socket>();

  private constructor(options: PublicPortOptions, deps: PublicPortDeps) {
    this.#deps = deps;
    this.#admission = new Admission(options.admission ?? defaultAdmission);
    this.#prefaceMs = options.prefaceMs ?? PREFACE_MS;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, (socket) =>
      this.#connected(socket),
    );
    if (options.credentials !== undefined) this.#tls = this.#startTls(options.credentials);
  }

  /** @throws {RaiaError} SYSTEM_CALL_FAILED when the port is taken or not this machine's */
  static async open(options: PublicPortOptions, deps: PublicPortDeps): Promise<PublicPort> {
    const port = new PublicPort(options, deps);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    port.#server.once("error", (error: NodeJS.ErrnoException) => {
      const address = formatMachine(options.listen);
      const reason = error.code === "EADDRINUSE" ? "the port is taken; choose another with --port" : "cannot listen there";
      reject(new RaiaError("SYSTEM_CALL_FAILED", { address, reason, errno: error.code }, { cause: error }));
    });
    port.#server.listen(options.listen.port, options.listen.host, resolve);
    await promise;
    return port;
  }

  /** What was asked for, with the port that it got. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Connections that have not said what they want. */
  get waiting(): number {
    return this.#admission.waiting;
  }

  /** For connections that come from now on; those that are open keep what they have. */
  use(credentials: Credentials): void {
    const { key, certificate, authority } = credentials;
    this.#tls?.setSecureContext({ key, cert: certificate + authority, ca: authority, minVersion: TLS_VERSION, maxVersion: TLS_VERSION });
  }

  close(): Promise<void> {
    for (const { deadline } of this.#waiting.values()) deadline.cancel();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  #startTls({ key, certificate, authority }: Credentials): TlsServer {
    const server = createTlsServer({
      key,
      cert: certificate + authority,
      ca: authority,
      minVersion: TLS_VERSION,
      maxVersion: TLS_VERSION,
      ALPNProtocols: [TLS_PROTOCOL],
      allowHalfOpen: true,
      requestCert: true,
      // Whoever has no certificate, or a wrong one, is let in to be told so.
      rejectUnauthorized: false,
      // The deadline of the whole preface is ours, and shorter.
      handshakeTimeout: 2 * this.#prefaceMs,
    });
    server.on("secureConnection", (socket) => {
      const raw = this.#rawOf.get(farEndOf(socket));
      if (raw === undefined) socket.destroy();
      else void this.#readPreface(socket, raw);
    });
    server.on("tlsClientError", (_error, socket) => {
      const raw = this.#rawOf.get(farEndOf(socket));
      // One that was cut off for another reason is counted for that.
      if (raw !== undefined && this.#waiting.has(raw)) this.#refuse(raw, "handshake");
      socket.destroy();
    });
    return server;
  }

  #connected(raw: Socket): void {
    const from = raw.remoteAddress ?? "";
    const refusal = this.#admission.enter(from);
    if (refusal !== undefined) {
      this.#deps.refusals.count(refusal);
      raw.destroy();
      return;
    }
    const deadline = whenHeard(this.#deps.clock, this.#prefaceMs, () => this.#refuse(raw, "silent"));
    this.#waiting.set(raw, { from, deadline });
    this.#sockets.add(raw);
    const farEnd = farEndOf(raw);
    this.#rawOf.set(farEnd, raw);
    raw.on("error", () => {
      // The close that follows says the same.
    });
    raw.once("close", () => {
      this.#settled(raw);
      this.#sockets.delete(raw);
      this.#rawOf.delete(farEnd);
    });
    if (this.#tls === undefined) void this.#readPreface(raw, raw);
    else this.#tls.emit("connection", raw);
  }

  async #readPreface(socket: Socket, raw: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      raw.destroy();
    });
    socket.on("error", () => {
      // The close that follows says the same.
    });
    try {
      const first = await readFirst(socket, MAX_PREFACE_BYTES);
      const from = this.#waiting.get(raw)?.from ?? "";
      this.#settled(raw);
      await this.#deps.visited({ socket, first, from });
    } catch (thrown) {
      if (thrown instanceof AssertionError) throw thrown;
      // What a stranger's frame or certificate makes a library throw ends that stranger's connection, and nobody else's.
      const error = RaiaError.is(thrown) ? thrown : new RaiaError("PROTOCOL", { reason: "unreadable" }, { cause: thrown });
      if (this.#waiting.has(raw)) this.#deps.refusals.count("malformed");
      this.#settled(raw);
      answerFailure(socket, error);
    }
  }

  #refuse(raw: Socket, reason: RefusalReason): void {
    this.#deps.refusals.count(reason);
    this.#settled(raw);
    raw.destroy();
  }

  #settled(raw: Socket): void {
    const waiting = this.#waiting.get(raw);
    if (waiting === undefined) return;
    this.#waiting.delete(raw);
    waiting.deadline.cancel();
    this.#admission.leave(waiting.from);
  }
}

/** Says why, and ends. */
export function answerFailure(socket: Socket, error: RaiaError): void {
  if (!socket.destroyed) socket.end(failureFrame(error), () => socket.destroy());
}

function farEndOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
