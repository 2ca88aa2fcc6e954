/** Whoever is not of the cluster, or not as it should be: certificates of all kinds, and a client that speaks frames by hand. */
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { type Clock, realClock } from "../../src/base/clock.ts";
import { RaiaError } from "../../src/base/errors.ts";
import { realRandom } from "../../src/base/random.ts";
import { makeAuthority, makeLeaf, makeRequest } from "../../src/gateway/certificate-maker.ts";
import { type Credentials, TLS_PROTOCOL } from "../../src/gateway/credentials.ts";
import type { PeerName } from "../../src/gateway/peer-name.ts";
import { readFirst } from "../../src/gateway/read-first.ts";
import { answerOf, messageFrame } from "../../src/wire/first-frame.ts";
import { Splice, Spliced } from "../../src/wire/gateway-messages.ts";
import { parseMachine } from "../../src/wire/machine-address.ts";
import { ourOffer } from "../../src/wire/protocol-offer.ts";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** The real time, shifted. */
export function shifted(byMs: number): Clock {
  return { ...realClock, wallMs: () => realClock.wallMs() + byMs };
}

export interface Authority {
  readonly key: string;
  readonly certificate: string;
}

export function newAuthority(clusterId: string): Promise<Authority> {
  return makeAuthority(clusterId, realClock.wallMs(), realRandom);
}

export async function leafOf(
  authority: Authority,
  name: Omit<PeerName, "role"> & { readonly role: string },
  { madeAtMs = realClock.wallMs(), lifetimeMs = DAY_MS }: { readonly madeAtMs?: number; readonly lifetimeMs?: number } = {},
): Promise<Credentials> {
  const { key, request } = await makeRequest();
  // Whoever has an authority's key can write any name into a certificate.
  const order = { authority, request, name: name as PeerName, nowMs: madeAtMs, lifetimeMs };
  return { key, certificate: await makeLeaf(order, realRandom), authority: authority.certificate };
}

export async function tlsTo(machine: string, credentials?: Credentials, more: ConnectionOptions = {}): Promise<Socket> {
  const identity = credentials === undefined ? {} : { key: credentials.key, cert: credentials.certificate + credentials.authority };
  const socket = connectTls({ ...parseMachine(machine), rejectUnauthorized: false, ALPNProtocols: [TLS_PROTOCOL], ...identity, ...more });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  socket.on("error", () => {});
  return socket;
}

export async function plainTo(machine: string, localAddress?: string): Promise<Socket> {
  const socket = connect({ ...parseMachine(machine), ...(localAddress !== undefined && { localAddress }) });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.on("error", () => {});
  return socket;
}

/** Asks for a stream, and gives what is answered instead; "spliced" when it is let in. */
export async function askSplice(socket: Socket, name = "head", offer = ourOffer): Promise<RaiaError | "spliced"> {
  socket.write(messageFrame(Splice, { offer, name }));
  return answerTo(socket);
}

export async function answerTo(socket: Socket): Promise<RaiaError | "spliced"> {
  try {
    answerOf(Spliced, await readFirst(socket, 16 * 1024));
    return "spliced";
  } catch (error) {
    if (RaiaError.is(error)) return error;
    throw error;
  } finally {
    socket.destroy();
  }
}

export const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once("close", () => resolve()).resume();
  });
