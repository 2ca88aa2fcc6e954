/** The side that dials another gateway: connects, makes sure of who is there, asks one thing, and hands the stream over. */
import { connect, type Socket } from "node:net";
import type { X509Certificate } from "node:crypto";
import { type ConnectionOptions, connect as connectTls, type SecureContext, TLSSocket } from "node:tls";
import { type Clock, whenHeard } from "../base/clock.ts";
import { type Fact, type Facts, RaiaError } from "../base/errors.ts";
import { LruMap } from "../base/lru-map.ts";
import { answerOf, type FirstFrame, MAX_ANSWER_BYTES, messageFrame } from "../wire/first-frame.ts";
import { AskClock, TellClock } from "../wire/gateway-messages.ts";
import { type MachineAddress, parseMachine } from "../wire/machine-address.ts";
import type { Message } from "../wire/service.ts";
import { clockSkew, isoOf } from "./clock-skew.ts";
import { BACKDATED_MS, TLS_PROTOCOL, TLS_VERSION } from "./credentials.ts";
import { isAboutTime, judgePeer, notMember, type PeerVerdict } from "./peer-check.ts";
import { readFirst } from "./read-first.ts";

/** So long may another machine take to connect, to prove itself and to answer. */
export const DIAL_MS = 10_000;
/** Whose machines accept: a driver's gateway only dials. */
const acceptingRoles = ["node", "control"] as const;

/** What a dialler proves itself with, and whom it believes. */
export interface DiallerIdentity {
  readonly context: SecureContext;
  readonly clusterId: string;
  /**
   * By machine, of peers that have proved themselves: the next handshake there takes half the CPU time. They are of one certificate of
   * ours, and end with it; the peer's is judged again each time.
   */
  readonly sessions: LruMap<string, Session>;
}

interface Session {
  readonly ticket: Buffer;
  /** Of the peer, which does not show it again in a handshake that goes on from an earlier one. */
  readonly certificate: X509Certificate;
}

/** Machines to which a session is remembered. */
const MAX_SESSIONS = 1024;

export function newIdentity(context: SecureContext, clusterId: string): DiallerIdentity {
  return { context, clusterId, sessions: new LruMap(MAX_SESSIONS) };
}

export interface Answered<T> {
  readonly socket: Socket;
  readonly answer: T;
  /** Id in the certificate of who answered; empty without TLS. */
  readonly peerId: string;
  readonly isResumed: boolean;
}

/** How a connection is made and believed in. */
export type Approach =
  | { readonly kind: "insecure"; readonly isMember: boolean }
  | { readonly kind: "member"; readonly identity: DiallerIdentity }
  /** Not of the cluster yet: knows it by other means than a certificate. */
  | { readonly kind: "stranger"; readonly judge: (socket: TLSSocket, nowMs: number) => PeerVerdict };

/**
 * Asks `machine` one thing over a connection of its own, which stays open behind the answer.
 *
 * @param ask made when the peer has proved itself, so nothing is said to anybody else
 * @throws {RaiaError} CONNECTION_LOST with the cause `machine-refused` or `unreachable`, NOT_RAIA, AUTHENTICATION, CLOCK_SKEW, or
 *   what the other side answered
 */
export async function askMachine<Q, A>(
  machine: string,
  approach: Approach,
  [question, ask, reply]: readonly [Message<Q>, () => Q, Message<A>],
  clock: Clock,
): Promise<Answered<A>> {
  const attempt = new Attempt(machine, approach, clock);
  try {
    const socket = await attempt.open(approach);
    const peerId = await attempt.prove(socket, approach);
    socket.write(messageFrame(question, ask()));
    const answer = answerOf(reply, await attempt.read(socket, approach));
    attempt.isOver = true;
    return { socket, answer, peerId, isResumed: socket instanceof TLSSocket && socket.isSessionReused() };
  } catch (error) {
    throw attempt.explain(error);
  } finally {
    attempt.end();
  }
}

class Attempt {
  readonly #machine: string;
  readonly #clock: Clock;
  /** One of the cluster dials what is of the cluster: who does not answer there is gone or cut off. */
  readonly #isMember: boolean;
  readonly #deadline: { cancel(): void };
  /** The one that this connection goes on from, if the other side agrees. */
  #session: Session | undefined;
  #socket: Socket | undefined;
  #isConnected = false;
  #isLate = false;
  isOver = false;

  constructor(machine: string, approach: Approach, clock: Clock) {
    this.#machine = machine;
    this.#isMember = approach.kind === "member" || (approach.kind === "insecure" && approach.isMember);
    this.#clock = clock;
    this.#deadline = whenHeard(clock, DIAL_MS, () => {
      this.#isLate = true;
      this.#socket?.destroy();
    });
  }

  open(approach: Approach): Promise<Socket> {
    const { host, port } = parseMachine(this.#machine);
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const onConnect = (): void => void (this.#isConnected = true);
    let socket: Socket;
    if (approach.kind === "insecure") {
      socket = connect({ host, port, allowHalfOpen: true, noDelay: true }, () => resolve(socket));
    } else {
      this.#session = approach.kind === "member" ? approach.identity.sessions.get(this.#machine) : undefined;
      socket = connectTls(tlsOptions(approach, { host, port }, this.#session?.ticket), () => resolve(socket));
      socket.setNoDelay(true);
    }
    socket.once("connect", onConnect);
    socket.on("error", reject);
    socket.once("close", () =>
      reject(this.#isMember ? lostEarly() : this.#notRaia("it closed the connection before it had said who it is")),
    );
    this.#socket = socket;
    return promise;
  }

  /** @returns the peer's id */
  async prove(socket: Socket, approach: Approach): Promise<string> {
    if (approach.kind === "insecure" || !(socket instanceof TLSSocket)) return "";
    if (socket.alpnProtocol !== TLS_PROTOCOL) throw this.#notRaia("its TLS does not know Raia's protocol");
    const nowMs = this.#clock.wallMs();
    const certificate = socket.getPeerX509Certificate() ?? (socket.isSessionReused() ? this.#session?.certificate : undefined);
    const verdict =
      approach.kind === "stranger"
        ? approach.judge(socket, nowMs)
        : judgePeer(socket, certificate, { clusterId: approach.identity.clusterId, wanted: acceptingRoles, nowMs });
    if (verdict.isMember) {
      if (approach.kind === "member" && certificate !== undefined)
        socket.on("session", (ticket: Buffer) => approach.identity.sessions.set(this.#machine, { ticket, certificate }));
      return verdict.name.id;
    }
    if (!isAboutTime(verdict.cause)) throw notMember(verdict, { address: this.#machine });
    // Its certificate is what it should be, but for the time. It may be our clock that is wrong.
    throw this.#aboutTime(verdict.cause, verdict.facts, await askClock(socket));
  }

  /** @throws {RaiaError} NOT_RAIA when what comes is no frame, unless it has proved itself */
  async read(socket: Socket, approach: Approach): Promise<FirstFrame> {
    try {
      return await readFirst(socket, MAX_ANSWER_BYTES);
    } catch (error) {
      // Whoever has proved itself is what it should be, and its connection was lost.
      if (approach.kind === "insecure" && !this.#isMember && !this.#isLate)
        throw this.#notRaia("it does not answer as a gateway without certificates does");
      throw error;
    }
  }

  /** Tells errors of the system by what they mean here. */
  explain(error: unknown): unknown {
    const address = this.#machine;
    if (this.#isLate) {
      if (this.#isConnected && !this.#isMember) return this.#notRaia(`it takes connections and has said nothing for ${DIAL_MS / 1000} s`);
      return new RaiaError("CONNECTION_LOST", { cause: "unreachable", address, reason: `no answer in ${DIAL_MS / 1000} s` });
    }
    if (RaiaError.is(error)) {
      const { cause, acceptorClockMs } = error.facts;
      if (isAboutTime(cause) && typeof acceptorClockMs === "number") return this.#aboutTime(cause, error.facts, acceptorClockMs);
      const isLost = error.code === "CONNECTION_LOST" && cause === undefined;
      if (isLost || error.facts["address"] === undefined)
        return new RaiaError(error.code, { ...(isLost && { cause: "unreachable" }), ...error.facts, address }, { cause: error });
      return error;
    }
    const { code: errno = "unknown", message } = error as NodeJS.ErrnoException;
    if (errno.startsWith("ERR_SSL_") || errno === "EPROTO") return this.#notRaia("it does not speak TLS 1.3 as Raia does", errno);
    if (errno === "ECONNREFUSED")
      return new RaiaError(
        "CONNECTION_LOST",
        { cause: "machine-refused", address, reason: "nothing listens there", errno },
        { cause: error },
      );
    if (this.#isConnected && !this.#isMember) return this.#notRaia("it closed the connection before it had said who it is", errno);
    const reason = this.#isConnected ? "the connection broke before it was made sure who is there" : "cannot connect";
    return new RaiaError("CONNECTION_LOST", { cause: "unreachable", address, reason, errno, detail: message }, { cause: error });
  }

  end(): void {
    this.#deadline.cancel();
    if (!this.isOver) this.#socket?.destroy();
  }

  #aboutTime(cause: Fact, facts: Facts, theirsMs: number): RaiaError {
    const oursMs = this.#clock.wallMs();
    const isSkewed = Math.abs(oursMs - theirsMs) > BACKDATED_MS;
    if (isSkewed) return clockSkew({ our: oursMs, their: theirsMs }, { address: this.#machine });
    const { acceptorClockMs: _known, ...rest } = facts;
    return new RaiaError("AUTHENTICATION", {
      ...rest,
      cause,
      address: this.#machine,
      ourClock: isoOf(oursMs),
      theirClock: isoOf(theirsMs),
    });
  }

  #notRaia(reason: string, errno?: string): RaiaError {
    return new RaiaError("NOT_RAIA", { address: this.#machine, reason, errno });
  }
}

function tlsOptions(approach: Approach, to: MachineAddress, session?: Buffer): ConnectionOptions & { readonly allowHalfOpen: true } {
  return {
    ...to,
    ...(approach.kind === "member" ? { secureContext: approach.identity.context } : { minVersion: TLS_VERSION }),
    ...(session !== undefined && { session }),
    allowHalfOpen: true,
    ALPNProtocols: [TLS_PROTOCOL],
    // Whoever is there is judged by its certificate before anything is said, and the reason is told: see `prove`.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  };
}

function lostEarly(): RaiaError {
  return new RaiaError("CONNECTION_LOST", { reason: "closed before it had said who it is" });
}

async function askClock(socket: Socket): Promise<number> {
  socket.write(messageFrame(AskClock, {}));
  return answerOf(TellClock, await readFirst(socket, MAX_ANSWER_BYTES)).clockMs;
}
