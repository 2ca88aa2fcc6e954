/** What a machine that has joined keeps, so that it needs no new token when its node starts again: private files. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { peerNameOf } from "./credentials.ts";
import type { Membership } from "./join-client.ts";
import { openPrivateDirectory, readPrivateFile, refused, writePrivateFile } from "./private-file.ts";

const MEMBERSHIP_FILE = "membership.json";

/** One file, so that key and certificate always belong together. */
export function storeMembership(directory: string, membership: Membership): void {
  openPrivateDirectory(directory);
  writePrivateFile(join(directory, MEMBERSHIP_FILE), JSON.stringify(membership));
}

/** @returns `undefined` when there is none. @throws {RaiaError} CREDENTIALS when it is not private, or not whole */
export function loadMembership(directory: string): Membership | undefined {
  openPrivateDirectory(directory);
  const path = join(directory, MEMBERSHIP_FILE);
  const content = readPrivateFile(path);
  if (content === undefined) return undefined;
  const membership = parseMembership(content);
  if (membership === undefined) throw refused(path, "is not what was written there");
  return membership;
}

function parseMembership(content: string): Membership | undefined {
  try {
    const { clusterId, secret, credentials } = JSON.parse(content) as Partial<Membership>;
    if (typeof clusterId !== "string" || typeof secret !== "string") return undefined;
    if (credentials === undefined) return { clusterId, secret, credentials: undefined };
    const certificate = new X509Certificate(credentials.certificate);
    const isWhole =
      peerNameOf(certificate)?.clusterId === clusterId &&
      certificate.checkPrivateKey(createPrivateKey(credentials.key)) &&
      certificate.verify(new X509Certificate(credentials.authority).publicKey);
    return isWhole ? { clusterId, secret, credentials } : undefined;
  } catch {
    return undefined; // Torn or foreign.
  }
}
