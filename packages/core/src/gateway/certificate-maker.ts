/**
 * Keys, requests and certificates of the built-in authority. The library behind this takes 40 ms to load, so this file is imported
 * where a certificate is made, and nowhere else.
 */
import "reflect-metadata";
import { generateKeyPair, webcrypto } from "node:crypto";
import { promisify } from "node:util";
import * as x509 from "@peculiar/x509";
import { RaiaError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { BACKDATED_MS } from "./credentials.ts";
import { formatPeerName, type PeerName } from "./peer-name.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const provider = webcrypto;
x509.cryptoProvider.set(provider);

const AUTHORITY_YEARS = 20;
const YEAR_MS = 365 * 24 * 3_600_000;
const SERIAL_BYTES = 16;

export interface MadeKey {
  /** PKCS#8 PEM. */
  readonly key: string;
}

/** A new authority: its key and its own certificate, as PEM. */
export async function makeAuthority(clusterId: string, nowMs: number, random: Random): Promise<MadeKey & { readonly certificate: string }> {
  const { key, keys } = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(random),
      name: `CN=Raia authority of ${clusterId}`,
      notBefore: new Date(nowMs - BACKDATED_MS),
      notAfter: new Date(nowMs + AUTHORITY_YEARS * YEAR_MS),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        // No authority below this one: a machine's certificate signs nothing.
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        new x509.SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${clusterId}` }]),
      ],
    },
    provider,
  );
  return { key, certificate: `${certificate.toString("pem")}\n` };
}

/** A new key, and the request for a certificate over it. It names nobody: the authority says who it is for. */
export async function makeRequest(): Promise<MadeKey & { readonly request: Uint8Array }> {
  const { key, keys } = await makeKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: algorithm }, provider);
  return { key, request: new Uint8Array(request.rawData) };
}

export interface LeafOrder {
  readonly authority: { readonly key: string; readonly certificate: string };
  readonly request: Uint8Array;
  readonly name: PeerName;
  readonly nowMs: number;
  readonly lifetimeMs: number;
}

/** @throws {RaiaError} PROTOCOL when the request is none, or not made with the key that it is about */
export async function makeLeaf({ authority, request, name, nowMs, lifetimeMs }: LeafOrder, random: Random): Promise<string> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const leaf = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serial(random),
      subject: `CN=${name.role} ${name.id}`,
      issuer: issuer.subject,
      notBefore: new Date(nowMs - BACKDATED_MS),
      notAfter: new Date(nowMs + lifetimeMs),
      signingAlgorithm: algorithm,
      publicKey: await requestedKey(request),
      signingKey: await importKey(authority.key),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: "url", value: formatPeerName(name) }]),
      ],
    },
    provider,
  );
  return `${leaf.toString("pem")}\n`;
}

async function requestedKey(request: Uint8Array): Promise<x509.PublicKey> {
  try {
    const parsed = new x509.Pkcs10CertificateRequest(Buffer.from(request));
    const { name, namedCurve } = parsed.publicKey.algorithm as Partial<webcrypto.EcKeyAlgorithm>;
    if (name === algorithm.name && namedCurve === algorithm.namedCurve && (await parsed.verify(provider))) return parsed.publicKey;
  } catch (error) {
    throw new RaiaError("PROTOCOL", { reason: "unreadable certificate request" }, { cause: error });
  }
  throw new RaiaError("PROTOCOL", { reason: "the certificate request is not signed with its own P-256 key" });
}

async function makeKeys(): Promise<MadeKey & { readonly keys: webcrypto.CryptoKeyPair }> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)("ec", {
    namedCurve: algorithm.namedCurve,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "der" },
  });
  const imported = await provider.subtle.importKey("spki", Buffer.from(publicKey), algorithm, true, ["verify"]);
  return { key: privateKey, keys: { privateKey: await importKey(privateKey), publicKey: imported } };
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return provider.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem), algorithm, false, ["sign"]);
}

/** Positive, and never the same twice. */
function serial(random: Random): string {
  const bytes = random.bytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}
