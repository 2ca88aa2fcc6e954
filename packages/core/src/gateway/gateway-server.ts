/**
 * A machine's door to the others: carries streams between its own processes and those of other machines, lets machines join, and
 * keeps its certificate fresh. Runs on a thread of its own; nothing else on the machine has the key.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { MAX_PREFACE_BYTES, messageFrame } from "../wire/first-frame.ts";
import { AskClock, Dial, Join, Joined, Renew, Renewed, Splice, Spliced, TellClock } from "../wire/gateway-messages.ts";
import { causeOf } from "../wire/ipc-transport.ts";
import { formatMachine, GATEWAY_SOCKET, isSocketName, type MachineAddress, parseProcess } from "../wire/machine-address.ts";
import { agree, checkAgreement, type Offer, ourOffer } from "../wire/protocol-offer.ts";
import type { AdmissionLimits } from "./admission-policy.ts";
import { type CertificateFacts, type Credentials, factsOf, secureContextOf } from "./credentials.ts";
import { DialQueue } from "./dial-queue.ts";
import { type Approach, askMachine, newIdentity } from "./dialler.ts";
import type { JoinAuthority } from "./join-authority.ts";
import { isAboutTime, judgePeer, notMember } from "./peer-check.ts";
import type { PeerName } from "./peer-name.ts";
import { answerFailure, PublicPort, type Visitor } from "./public-port.ts";
import { defaultJoinRate, Rate, type RateLimits } from "./rate-policy.ts";
import { readFirst } from "./read-first.ts";
import { type RefusalReason, Refusals } from "./refusals.ts";
import { SpliceTable } from "./splice-table.ts";

export interface GatewayServerOptions {
  /** `undefined`: nobody dials this machine; it only dials others. */
  readonly listen: MachineAddress | undefined;
  /** How other machines name this one, when not as it listens. */
  readonly advertisedHost?: string;
  /** The path of a socket in this machine's session directory. */
  socketPath(name: string): string;
  /** `undefined`: without TLS, which only `insecure` allows. */
  readonly credentials: Credentials | undefined;
  /** Who may be let in here; only where the authority is. */
  readonly authority?: JoinAuthority | undefined;
  readonly admission?: AdmissionLimits;
  readonly prefaceMs?: number;
  readonly joinRate?: RateLimits;
  readonly maxSplices?: number;
  readonly offer?: Offer;
}

export interface GatewayDeps {
  readonly clock: Clock;
  readonly random: Random;
}

export interface GatewayCounters {
  /** Streams between a process here and one elsewhere, now and ever. */
  readonly open: number;
  readonly dialled: number;
  readonly accepted: number;
  /** Of those that were dialled: with a shorter handshake, since one was made with that machine before. */
  readonly resumed: number;
  /** Connections to the public port that have not said what they want. */
  readonly waiting: number;
  /** What sockets of open streams have taken and not sent. */
  readonly bufferedBytes: number;
  readonly joined: number;
  readonly renewed: number;
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
  /** Of this machine; absent without TLS. */
  readonly certificate: CertificateFacts | undefined;
}

/** Each has two sockets; a machine of 200 processes that all talk to 40 elsewhere has 8,000. */
const MAX_SPLICES = 16_384;
/** Who may ask for streams here. */
const splicingRoles = ["node", "control", "driver"] as const;

export class GatewayServer {
  readonly #options: GatewayServerOptions;
  readonly #deps: GatewayDeps;
  readonly #offer: Offer;
  readonly #refusals = new Refusals();
  readonly #splices: SpliceTable;
  readonly #dials = new DialQueue();
  readonly #joinRate: Rate;
  readonly #localSockets = new Set<Socket>();
  readonly #local: Server;
  #port: PublicPort | undefined;
  #approach: Approach;
  #certificate: CertificateFacts | undefined;
  #machine: string | undefined;
  #resumed = 0;
  #joined = 0;
  #renewed = 0;

  private constructor(options: GatewayServerOptions, deps: GatewayDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#offer = options.offer ?? ourOffer;
    this.#splices = new SpliceTable(options.maxSplices ?? MAX_SPLICES, deps.clock);
    this.#joinRate = new Rate(options.joinRate ?? defaultJoinRate, deps.clock.nowMs());
    this.#local = createServer({ allowHalfOpen: true }, (socket) => void this.#serveLocal(socket));
    this.#approach = this.#trust(options.credentials);
  }

  /** @throws {RaiaError} SYSTEM_CALL_FAILED, SESSION_DIRECTORY when it cannot listen */
  static async start(options: GatewayServerOptions, deps: GatewayDeps): Promise<GatewayServer> {
    const gateway = new GatewayServer(options, deps);
    const { listen, credentials, admission, prefaceMs, advertisedHost } = options;
    if (listen !== undefined) {
      const limits = { ...(admission !== undefined && { admission }), ...(prefaceMs !== undefined && { prefaceMs }) };
      const portDeps = { clock: deps.clock, refusals: gateway.#refusals, visited: (visitor: Visitor) => gateway.#visited(visitor) };
      gateway.#port = await PublicPort.open({ listen, credentials, ...limits }, portDeps);
      gateway.#machine = formatMachine({ host: advertisedHost ?? listen.host, port: gateway.#port.port });
    }
    await gateway.#listenLocally();
    return gateway;
  }

  /** `HOST:PORT`, with the port that it got; `undefined` when it only dials. */
  get machine(): string | undefined {
    return this.#machine;
  }

  counters(): GatewayCounters {
    return {
      ...this.#splices.counters(),
      waiting: this.#port?.waiting ?? 0,
      resumed: this.#resumed,
      joined: this.#joined,
      renewed: this.#renewed,
      refused: this.#refusals.snapshot(),
      certificate: this.#certificate,
    };
  }

  /** For connections from now on; those that are open go on with what they have. */
  use(credentials: Credentials): void {
    this.#approach = this.#trust(credentials);
    this.#port?.use(credentials);
  }

  /** Asks the authority's gateway for the next certificate over the key of `request`. */
  async renew(authorityMachine: string, request: Uint8Array): Promise<string> {
    const clockMs = this.#deps.clock.wallMs();
    const ask = () => ({ offer: this.#offer, request, clockMs });
    const { socket, answer } = await askMachine(authorityMachine, this.#approach, [Renew, ask, Renewed], this.#deps.clock);
    socket.destroy();
    checkAgreement(this.#offer, answer.agreed);
    return answer.certificate;
  }

  /** Ends every stream with that machine: it is held for dead, and nothing else would say so while it is silent. */
  cut(peer: { readonly machine?: string; readonly id?: string }): void {
    this.#splices.cut(peer);
  }

  async close(): Promise<void> {
    for (const socket of this.#localSockets) socket.destroy();
    this.#splices.cutAll();
    await Promise.all([this.#port?.close(), new Promise((done) => this.#local.close(done))]);
  }

  #trust(credentials: Credentials | undefined): Approach {
    if (credentials === undefined) return { kind: "insecure", isMember: true };
    this.#certificate = factsOf(credentials.certificate);
    return { kind: "member", identity: newIdentity(secureContextOf(credentials), this.#certificate.name.clusterId) };
  }

  #listenLocally(): Promise<void> {
    const path = this.#options.socketPath(GATEWAY_SOCKET);
    return new Promise((resolve, reject) => {
      this.#local.once("error", (error: NodeJS.ErrnoException) =>
        reject(new RaiaError("SESSION_DIRECTORY", { reason: "cannot listen on a socket", path, errno: error.code }, { cause: error })),
      );
      this.#local.listen(path, resolve);
    });
  }

  // -- from here to other machines ----------------------------------------------------------------------------------

  /** A process of this machine. The directory keeps others out. */
  async #serveLocal(near: Socket): Promise<void> {
    this.#localSockets.add(near);
    near.once("close", () => this.#localSockets.delete(near));
    near.on("error", () => {
      // The close that follows says the same.
    });
    try {
      const first = await readFirst(near, MAX_PREFACE_BYTES);
      if (first.tag !== Dial.tag) throw new RaiaError("PROTOCOL", { reason: "a process asks its gateway to dial, and nothing else" });
      const { address } = Dial.check(first.body, Dial.name);
      await this.#dialFor(near, address);
    } catch (error) {
      if (!RaiaError.is(error)) throw error;
      answerFailure(near, error);
    }
  }

  async #dialFor(near: Socket, address: string): Promise<void> {
    const target = parseProcess(address);
    if (target === undefined) throw new RaiaError("INVALID_ARGUMENT", { address, reason: "a gateway dials other machines only" });
    const place = this.#splices.reserve();
    try {
      const ask = () => ({ offer: this.#offer, name: target.name, ...(this.#machine !== undefined && { from: this.#machine }) });
      const dial = () => askMachine(target.machine, this.#approach, [Splice, ask, Spliced], this.#deps.clock);
      const { socket: far, answer, peerId, isResumed } = await this.#dials.run(target.machine, dial);
      if (isResumed) this.#resumed++;
      try {
        checkAgreement(this.#offer, answer.agreed);
      } catch (error) {
        far.destroy();
        throw error;
      }
      if (near.destroyed) {
        far.destroy();
        place.free();
        return;
      }
      near.write(messageFrame(Spliced, { agreed: answer.agreed }));
      place.take("dialled", near, far, { machine: target.machine, id: peerId });
    } catch (error) {
      place.free();
      throw RaiaError.is(error) ? new RaiaError(error.code, { ...error.facts, address }, { cause: error }) : error;
    }
  }

  // -- from other machines to here ----------------------------------------------------------------------------------

  async #visited({ socket, first, from }: Visitor): Promise<void> {
    switch (first.tag) {
      case AskClock.tag:
        socket.end(messageFrame(TellClock, { clockMs: this.#deps.clock.wallMs() }), () => socket.destroy());
        return;
      case Join.tag:
        return this.#counted("join-token", () => this.#join(socket, first.body));
      case Renew.tag:
        return this.#counted("other", () => this.#renewFor(socket, first.body));
      case Splice.tag:
        return this.#counted("other", () => this.#accept(socket, first.body));
      default:
        this.#refusals.count("malformed");
        throw new RaiaError("PROTOCOL", { reason: "unknown first frame", tag: first.tag, from });
    }
  }

  async #accept(far: Socket, body: unknown): Promise<void> {
    const peer = this.#member(far);
    const { offer, name, from } = Splice.check(body, Splice.name);
    const agreed = agree(this.#offer, offer);
    if (!isSocketName(name)) throw new RaiaError("PROTOCOL", { reason: "not the name of a socket" });
    const place = this.#splices.reserve();
    try {
      const near = await connectLocally(this.#options.socketPath(name), name);
      if (far.destroyed) {
        near.destroy();
        place.free();
        return;
      }
      far.write(messageFrame(Spliced, { agreed }));
      place.take("accepted", near, far, { machine: from ?? "", id: peer?.id ?? "" });
    } catch (error) {
      place.free();
      throw error;
    }
  }

  async #join(socket: Socket, body: unknown): Promise<void> {
    const { authority } = this.#options;
    const { offer, ...request } = Join.check(body, Join.name);
    const agreed = agree(this.#offer, offer);
    if (authority === undefined)
      throw new RaiaError("JOIN_REFUSED", { cause: "no-authority", reason: "this machine lets nobody in; the head does" });
    if (!this.#joinRate.take(this.#deps.clock.nowMs())) throw new RaiaError("JOIN_REFUSED", { cause: "too-often" });
    const grant = await authority.redeem(request);
    this.#joined++;
    socket.end(messageFrame(Joined, { agreed, ...grant }), () => socket.destroy());
  }

  async #renewFor(socket: Socket, body: unknown): Promise<void> {
    const peer = this.#member(socket);
    const { offer, request } = Renew.check(body, Renew.name);
    const agreed = agree(this.#offer, offer);
    const { authority } = this.#options;
    if (authority === undefined || peer === undefined) throw new RaiaError("UNSUPPORTED", { reason: "this machine makes no certificates" });
    const certificate = await authority.renew(request, peer);
    this.#renewed++;
    socket.end(messageFrame(Renewed, { agreed, certificate }), () => socket.destroy());
  }

  /** @returns who it is; `undefined` without TLS. @throws {RaiaError} AUTHENTICATION */
  #member(socket: Socket): PeerName | undefined {
    if (!(socket instanceof TLSSocket) || this.#certificate === undefined) return undefined;
    const nowMs = this.#deps.clock.wallMs();
    const { clusterId } = this.#certificate.name;
    const verdict = judgePeer(socket, socket.getPeerX509Certificate(), { clusterId, wanted: splicingRoles, nowMs });
    if (verdict.isMember) return verdict.name;
    throw notMember(verdict, isAboutTime(verdict.cause) ? { acceptorClockMs: nowMs } : {});
  }

  async #counted(otherwise: RefusalReason, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#refusals.count(RaiaError.is(error) ? refusalOf(error, otherwise) : otherwise);
      throw error;
    }
  }
}

function refusalOf({ code, facts: { cause, reason } }: RaiaError, otherwise: RefusalReason): RefusalReason {
  if (code === "AUTHENTICATION") return cause as RefusalReason;
  if (code === "PROTOCOL") return reason === "other version" ? "version" : "malformed";
  if (code === "LIMIT_EXCEEDED") return "limit";
  if (code === "CLOCK_SKEW") return "clock";
  if (code === "CONNECTION_LOST") return cause === "gone" ? "nobody-listens" : "unreachable";
  return cause === "too-often" ? "join-too-often" : otherwise;
}

/** @throws {RaiaError} CONNECTION_LOST; with the cause `gone` when that process is there no more */
function connectLocally(path: string, name: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true }, () => resolve(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const cause = causeOf(error);
      const reason = cause === "gone" ? "nobody listens" : "cannot connect to the process";
      reject(new RaiaError("CONNECTION_LOST", { cause, reason, name, errno: error.code }));
    });
  });
}
