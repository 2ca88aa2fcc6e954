/**
 * Who may belong to the cluster: makes the certificates of its machines, of one that comes with a token and of one whose own is
 * getting old. The key of it lies in a private directory of one machine, or of those that share the storage.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { clockSkew } from "./clock-skew.ts";
import { BACKDATED_MS, type Credentials } from "./credentials.ts";
import { fingerprintOf, formatToken, hashToken, TOKEN_BYTES } from "./join-token.ts";
import { isPeerId, type PeerName, type Role } from "./peer-name.ts";
import { openPrivateDirectory, readPrivateFile, refused, writePrivateFile } from "./private-file.ts";
import { openTokenFile, type TokenStore } from "./token-store.ts";

export interface JoinRequest {
  readonly token: Uint8Array;
  readonly role: string;
  readonly id: string;
  /** PKCS#10; empty without TLS. */
  readonly request: Uint8Array;
  readonly clockMs: number;
}

export interface JoinGrant {
  readonly clusterId: string;
  /** What greetings between processes of the cluster prove themselves with. */
  readonly secret: string;
  /** PEM, its own and the authority's; absent without TLS. */
  readonly certificate?: string;
  readonly authority?: string;
}

export interface JoinAuthority {
  /** @throws {RaiaError} JOIN_REFUSED, CLOCK_SKEW, PROTOCOL; the token is used up only when it was right and not before */
  redeem(request: JoinRequest): Promise<JoinGrant>;
  /** The next certificate of `peer`, who has proved itself with the one that it has. */
  renew(request: Uint8Array, peer: PeerName): Promise<string>;
  /** A new token, as it is typed. @throws {RaiaError} LIMIT_EXCEEDED */
  issueToken(role: Role, lifetimeMs?: number): Promise<string>;
}

export const TOKEN_LIFETIME_MS = 10 * 60_000;
export const LEAF_LIFETIME_MS = 24 * 3_600_000;
const CLUSTER_ID_BYTES = 16;

export interface AuthorityOptions {
  /** Private; made with a new authority in it when there is none. */
  readonly directory: string;
  readonly secret: string;
  readonly leafLifetimeMs?: number;
  /** Where tokens are kept; a file in `directory` unless given. */
  readonly tokens?: TokenStore;
}

export interface AuthorityDeps {
  readonly clock: Clock;
  readonly random: Random;
}

const KEY_FILE = "authority-key.pem";
const CERTIFICATE_FILE = "authority.pem";
const TOKENS_FILE = "join-tokens.json";

export class CertificateAuthority implements JoinAuthority {
  readonly clusterId: string;
  readonly #files: { readonly key: string; readonly certificate: string };
  readonly #secret: string;
  readonly #leafLifetimeMs: number;
  readonly #tokens: TokenStore;
  readonly #deps: AuthorityDeps;

  private constructor(
    files: { key: string; certificate: string },
    clusterId: string,
    tokens: TokenStore,
    options: AuthorityOptions,
    deps: AuthorityDeps,
  ) {
    this.#files = files;
    this.clusterId = clusterId;
    this.#tokens = tokens;
    this.#secret = options.secret;
    this.#leafLifetimeMs = options.leafLifetimeMs ?? LEAF_LIFETIME_MS;
    this.#deps = deps;
  }

  /** @throws {RaiaError} CREDENTIALS when what is there is not private, not whole or not an authority */
  static async open(options: AuthorityOptions, deps: AuthorityDeps): Promise<CertificateAuthority> {
    const { directory } = options;
    openPrivateDirectory(directory);
    const files = await readOrMake(directory, deps);
    const tokens = options.tokens ?? openTokenFile(join(directory, TOKENS_FILE), deps.clock);
    return new CertificateAuthority(files, clusterIdOf(directory, files), tokens, options, deps);
  }

  async redeem({ token, role, id, request, clockMs }: JoinRequest): Promise<JoinGrant> {
    this.#checkClock(clockMs);
    if (!isPeerId(id)) throw new RaiaError("PROTOCOL", { reason: "not an id of a node", id: id.slice(0, 64) });
    const taken = await this.#tokens.take(hashToken(token));
    if (taken.kind !== "taken") throw new RaiaError("JOIN_REFUSED", { cause: `${taken.kind}-token`, reason: reasons[taken.kind] });
    if (taken.role !== role) throw new RaiaError("JOIN_REFUSED", { cause: "wrong-role", tokenRole: taken.role, role });
    const certificate = await this.#make(request, { clusterId: this.clusterId, role: taken.role, id });
    return { clusterId: this.clusterId, secret: this.#secret, certificate, authority: this.#files.certificate };
  }

  renew(request: Uint8Array, peer: PeerName): Promise<string> {
    return this.#make(request, peer);
  }

  async issueToken(role: Role, lifetimeMs = TOKEN_LIFETIME_MS): Promise<string> {
    const secret = this.#deps.random.bytes(TOKEN_BYTES);
    await this.#tokens.add({ hash: hashToken(secret), role, expiresAtMs: this.#deps.clock.wallMs() + lifetimeMs });
    return formatToken({ secret, fingerprint: fingerprintOf(new X509Certificate(this.#files.certificate)) });
  }

  /** For the machine on which the authority is. */
  async issueOwn(role: Role, id: string): Promise<Credentials> {
    const { makeRequest } = await import("./certificate-maker.ts");
    const { key, request } = await makeRequest();
    const certificate = await this.#make(request, { clusterId: this.clusterId, role, id });
    return { key, certificate, authority: this.#files.certificate };
  }

  async #make(request: Uint8Array, name: PeerName): Promise<string> {
    const { makeLeaf } = await import("./certificate-maker.ts");
    const { clock, random } = this.#deps;
    return makeLeaf({ authority: this.#files, request, name, nowMs: clock.wallMs(), lifetimeMs: this.#leafLifetimeMs }, random);
  }

  #checkClock(theirsMs: number): void {
    const oursMs = this.#deps.clock.wallMs();
    // Its certificate would not hold on its own clock.
    if (Math.abs(theirsMs - oursMs) > BACKDATED_MS) throw clockSkew({ joining: theirsMs, cluster: oursMs });
  }
}

const reasons = {
  unknown: "this cluster has made no such token",
  used: "the token was used before",
  expired: "the token is too old",
} as const;

async function readOrMake(directory: string, { clock, random }: AuthorityDeps): Promise<{ key: string; certificate: string }> {
  const [keyPath, certificatePath] = [join(directory, KEY_FILE), join(directory, CERTIFICATE_FILE)];
  const [key, certificate] = [readPrivateFile(keyPath), readPrivateFile(certificatePath)];
  if (key !== undefined && certificate !== undefined) return { key, certificate };
  // The certificate is written last: a key alone was left by one that stopped on the way, and has signed nothing.
  if (certificate !== undefined) throw refused(keyPath, "is not there, and the authority's certificate is");
  const { makeAuthority } = await import("./certificate-maker.ts");
  const clusterId = Buffer.from(random.bytes(CLUSTER_ID_BYTES)).toString("hex");
  const made = await makeAuthority(clusterId, clock.wallMs(), random);
  writePrivateFile(keyPath, made.key);
  writePrivateFile(certificatePath, made.certificate);
  return made;
}

function clusterIdOf(directory: string, files: { readonly key: string; readonly certificate: string }): string {
  const path = join(directory, CERTIFICATE_FILE);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(files.certificate);
  } catch (error) {
    throw refused(path, "is not a certificate", error);
  }
  const clusterId = /^URI:spiffe:\/\/([0-9a-f]{32})$/.exec(certificate.subjectAltName ?? "")?.[1];
  if (clusterId === undefined || !certificate.ca) throw refused(path, "is not the certificate of an authority of Raia");
  if (!isKeyOf(certificate, files.key)) throw refused(join(directory, KEY_FILE), "is not the key of the certificate beside it");
  return clusterId;
}

function isKeyOf(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false; // Torn, or no key at all.
  }
}
