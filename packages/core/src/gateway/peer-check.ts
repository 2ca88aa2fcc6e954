/** Whether a TLS peer is of this cluster and in a role that may be there, and if not, why not. */
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { type Facts, RaiaError } from "../base/errors.ts";
import { peerNameOf } from "./credentials.ts";
import { isoOf } from "./clock-skew.ts";
import type { PeerName, Role } from "./peer-name.ts";
import type { RefusalReason } from "./refusals.ts";

export type PeerCause = Extract<
  RefusalReason,
  "no-certificate" | "self-signed" | "foreign-authority" | "expired" | "not-yet-valid" | "other-cluster" | "wrong-role"
>;

export type PeerVerdict =
  | { readonly isMember: true; readonly name: PeerName }
  | { readonly isMember: false; readonly cause: PeerCause; readonly facts: Facts };

/** As Node names what OpenSSL found; what is not here is of another authority. */
const causes: Readonly<Record<string, PeerCause>> = {
  CERT_HAS_EXPIRED: "expired",
  CERT_NOT_YET_VALID: "not-yet-valid",
};

export interface Expected {
  readonly clusterId: string;
  readonly wanted: readonly Role[];
  /** Of the wall clock: OpenSSL does not look at a certificate again when a session is resumed. */
  readonly nowMs: number;
}

export function judgePeer(
  { authorized, authorizationError }: TLSSocket,
  certificate: X509Certificate | undefined,
  { clusterId, wanted, nowMs }: Expected,
): PeerVerdict {
  if (certificate === undefined) return { isMember: false, cause: "no-certificate", facts: {} };
  const [validFromMs, validToMs] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  const period = { validFrom: isoOf(validFromMs), validTo: isoOf(validToMs) };
  if (!authorized) {
    const found = codeOf(authorizationError);
    const otherwise = certificate.checkIssued(certificate) ? "self-signed" : "foreign-authority";
    return { isMember: false, cause: causes[found] ?? otherwise, facts: { found, ...period } };
  }
  // Asked so that a date that is none does not hold.
  if (!(nowMs <= validToMs)) return { isMember: false, cause: "expired", facts: period };
  if (!(nowMs >= validFromMs)) return { isMember: false, cause: "not-yet-valid", facts: period };
  const name = peerNameOf(certificate);
  if (name === undefined) return { isMember: false, cause: "wrong-role", facts: { wanted } };
  if (name.clusterId !== clusterId) return { isMember: false, cause: "other-cluster", facts: { theirs: name.clusterId, ours: clusterId } };
  if (!wanted.includes(name.role)) return { isMember: false, cause: "wrong-role", facts: { role: name.role, wanted } };
  return { isMember: true, name };
}

export function notMember({ cause, facts }: Extract<PeerVerdict, { isMember: false }>, more: Facts = {}): RaiaError {
  return new RaiaError("AUTHENTICATION", { cause, ...facts, ...more });
}

export function isAboutTime(cause: unknown): boolean {
  return cause === "expired" || cause === "not-yet-valid";
}

/** Typed as an Error, and in fact a string. */
function codeOf(error: unknown): string {
  return typeof error === "string" ? error : error instanceof Error && "code" in error ? String(error.code) : String(error);
}
