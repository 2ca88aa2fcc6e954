/** What one process of a cluster proves itself with: its key and certificate, and the authority that it trusts. */
import { createSecureContext, type SecureContext } from "node:tls";
import { X509Certificate } from "node:crypto";
import { parsePeerName, type PeerName } from "./peer-name.ts";
import { assert } from "../base/assert.ts";

export interface Credentials {
  /** PEM, all three. */
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
}

export const TLS_VERSION = "TLSv1.3";
/** Says that both ends speak Raia: a TLS server of something else has no such word. */
export const TLS_PROTOCOL = "raia";

/** As OpenSSL takes them. Whoever joins sees the authority's certificate behind ours, and compares its fingerprint. */
export function secureContextOf({ key, certificate, authority }: Credentials): SecureContext {
  return createSecureContext({ key, cert: certificate + authority, ca: authority, minVersion: TLS_VERSION, maxVersion: TLS_VERSION });
}

/** A certificate holds from so long before it was made: clocks may differ by this without anybody noticing. */
export const BACKDATED_MS = 5 * 60_000;

export interface CertificateFacts {
  readonly name: PeerName;
  readonly validFromMs: number;
  readonly validToMs: number;
}

export function factsOf(certificate: string): CertificateFacts {
  const parsed = new X509Certificate(certificate);
  const name = peerNameOf(parsed);
  assert(name !== undefined, "our own certificate names us");
  return { name, validFromMs: parsed.validFromDate.getTime(), validToMs: parsed.validToDate.getTime() };
}

/** `undefined` when it has no name of ours, or another one besides. */
export function peerNameOf({ subjectAltName }: X509Certificate): PeerName | undefined {
  return subjectAltName?.startsWith("URI:") === true ? parsePeerName(subjectAltName.slice(4)) : undefined;
}

/** A certificate is replaced when two thirds of its life are over: a day's gives eight hours to try. */
export function renewAtMs({ validFromMs, validToMs }: CertificateFacts): number {
  const madeAtMs = validFromMs + BACKDATED_MS;
  return madeAtMs + ((validToMs - madeAtMs) * 2) / 3;
}
