/**
 * What is typed to join: `raia-TOKEN-FINGERPRINT`. The token is 128 random bits, of which the cluster keeps the hash; the fingerprint
 * is that of the authority's public key, by which whoever joins knows the cluster before it says anything.
 */
import { createHash, type X509Certificate } from "node:crypto";
import { RaiaError } from "../base/errors.ts";

export interface JoinToken {
  readonly secret: Uint8Array;
  /** SHA-256 of the authority's public key, in hexadecimal; absent for a cluster without certificates. */
  readonly fingerprint: string | undefined;
}

export const TOKEN_BYTES = 16;
const pattern = /^raia-([0-9a-f]{32})(?:-([0-9a-f]{64}))?$/;

export function formatToken({ secret, fingerprint }: JoinToken): string {
  return ["raia", Buffer.from(secret).toString("hex"), ...(fingerprint === undefined ? [] : [fingerprint])].join("-");
}

/** @throws {RaiaError} JOIN_REFUSED; the token itself is a secret and not in the error */
export function parseToken(text: string): JoinToken {
  const [, secret, fingerprint] = pattern.exec(text.trim()) ?? [];
  if (secret === undefined)
    throw new RaiaError("JOIN_REFUSED", { cause: "malformed-token", reason: "this is no join token", chars: text.length });
  return { secret: Buffer.from(secret, "hex"), fingerprint };
}

/** What is kept of a token: from it nobody finds the token. */
export function hashToken(secret: Uint8Array): string {
  return createHash("sha256").update("raia join token").update(secret).digest("hex");
}

/** Of a certificate's public key, so that a renewed certificate over the same key keeps it. */
export function fingerprintOf(certificate: X509Certificate): string {
  return createHash("sha256")
    .update(certificate.publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}
