/** The side that joins: makes sure that the cluster is the one of the token before it says anything, then asks for a certificate. */
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { Join, Joined } from "../wire/gateway-messages.ts";
import { checkAgreement, type Offer, ourOffer } from "../wire/protocol-offer.ts";
import { isoOf } from "./clock-skew.ts";
import { type Credentials, peerNameOf } from "./credentials.ts";
import { type Approach, askMachine } from "./dialler.ts";
import { fingerprintOf, parseToken } from "./join-token.ts";
import type { PeerVerdict } from "./peer-check.ts";
import type { Role } from "./peer-name.ts";

export interface JoinOptions {
  /** `HOST:PORT` of a gateway that lets machines in. */
  readonly address: string;
  /** As it was printed; `undefined` only where `insecure` says that there are none. */
  readonly token: string | undefined;
  readonly insecure?: boolean;
  readonly role: Role;
  /** Of this node or driver: what its certificate says. */
  readonly id: string;
  readonly offer?: Offer;
}

export interface Membership {
  readonly clusterId: string;
  readonly secret: string;
  /** `undefined` without TLS. */
  readonly credentials: Credentials | undefined;
}

/**
 * Joins a cluster.
 *
 * @throws {RaiaError} JOIN_REFUSED, NOT_RAIA, CLOCK_SKEW, CONNECTION_LOST or PROTOCOL, with the address
 */
export async function joinCluster(
  { address, token, insecure = false, role, id, offer = ourOffer }: JoinOptions,
  clock: Clock,
): Promise<Membership> {
  const parsed = insecure ? { secret: new Uint8Array(0), fingerprint: undefined } : parseToken(token ?? "");
  const { fingerprint } = parsed;
  if (!insecure && fingerprint === undefined)
    throw new RaiaError("JOIN_REFUSED", { cause: "malformed-token", reason: "the token is of a cluster without certificates" });
  const approach: Approach =
    fingerprint === undefined
      ? { kind: "insecure", isMember: false }
      : { kind: "stranger", judge: (socket, nowMs) => judgeCluster(socket, fingerprint, nowMs) };
  const made = insecure ? undefined : await (await import("./certificate-maker.ts")).makeRequest();
  const ask = () => ({ offer, token: parsed.secret, role, id, request: made?.request ?? new Uint8Array(0), clockMs: clock.wallMs() });
  const { socket, answer } = await askMachine(address, approach, [Join, ask, Joined], clock);
  socket.destroy();
  checkAgreement(offer, answer.agreed);
  const { clusterId, secret, certificate, authority } = answer;
  if (made === undefined) return { clusterId, secret, credentials: undefined };
  if (certificate === undefined || authority === undefined)
    throw new RaiaError("PROTOCOL", { address, reason: "it let this machine in and gave it no certificate" });
  return { clusterId, secret, credentials: { key: made.key, certificate, authority } };
}

/** The peer has the key of a machine's certificate, and that is signed by the authority whose fingerprint the token has. */
function judgeCluster(socket: TLSSocket, fingerprint: string, nowMs: number): PeerVerdict {
  const certificate = socket.getPeerX509Certificate();
  const authority = certificate?.issuerCertificate;
  const isOfToken = authority !== undefined && fingerprintOf(authority) === fingerprint;
  if (certificate === undefined || !isOfToken || !isSignedBy(certificate, authority))
    throw new RaiaError("JOIN_REFUSED", {
      cause: "other-fingerprint",
      reason: "who answers there is not of the cluster that made the token",
    });
  const [validFromMs, validToMs] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  const facts = { validFrom: isoOf(validFromMs), validTo: isoOf(validToMs) };
  if (!(nowMs >= validFromMs)) return { isMember: false, cause: "not-yet-valid", facts };
  if (!(nowMs <= validToMs)) return { isMember: false, cause: "expired", facts };
  const name = peerNameOf(certificate);
  // A driver's certificate is of the same authority, and must not pass for a machine's.
  if (name === undefined || name.role === "driver") return { isMember: false, cause: "wrong-role", facts: { wanted: ["node", "control"] } };
  return { isMember: true, name };
}

function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  // An authority's own certificate is signed by itself as well, and proves nothing about a machine.
  return !certificate.ca && authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}
