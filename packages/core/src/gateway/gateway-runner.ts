/** Starts a gateway from its options: becomes a member of the cluster first, then opens the port, then keeps the certificate fresh. */
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { RaiaError } from "../base/errors.ts";
import { type Credentials, factsOf } from "./credentials.ts";
import { checkGatewayOptions, type GatewayFacts, type GatewayOptions, type GatewaySecurity } from "./gateway-options.ts";
import { type GatewayDeps, GatewayServer } from "./gateway-server.ts";
import { loadMembership, storeMembership } from "./identity-directory.ts";
import { InsecureAuthority } from "./insecure-authority.ts";
import { CertificateAuthority, type JoinAuthority } from "./join-authority.ts";
import { fingerprintOf, parseToken } from "./join-token.ts";
import { joinCluster, type Membership } from "./join-client.ts";
import { renewalLoop } from "./renewal-loop.ts";
import type { TokenStore } from "./token-store.ts";

export interface GatewayEvents {
  /** A certificate was replaced; the new one holds until then. */
  renewed(validToMs: number): void;
  /** It could not be replaced, and will be tried again. */
  renewalFailed(error: unknown): void;
}

export interface RunningGateway {
  readonly server: GatewayServer;
  readonly facts: GatewayFacts;
  /** `undefined` where nobody joins. */
  readonly authority: JoinAuthority | undefined;
  /** Asks another gateway for certificates from now on: the head is elsewhere. */
  renewFrom(address: string): void;
  /** Replaces the certificate before its time. */
  renewNow(): Promise<void>;
  close(): Promise<void>;
}

interface Member {
  readonly membership: Membership;
  readonly authority?: JoinAuthority;
  /** Makes the next certificate; absent without TLS. */
  readonly renew?: (server: GatewayServer) => Promise<Credentials>;
  /** Absent where certificates are made on this machine. */
  readonly renewFrom?: (address: string) => void;
}

/** @param tokens where join tokens are kept, if not in the authority's directory */
export async function runGateway(
  options: GatewayOptions,
  deps: GatewayDeps,
  events: GatewayEvents,
  tokens?: TokenStore,
): Promise<RunningGateway> {
  const security = checkGatewayOptions(options);
  const { membership, authority, renew, renewFrom } = await becomeMember(security, options, deps, tokens);
  const { credentials, clusterId, secret } = membership;
  const { sessionPath, security: _security, listen, ...limits } = options;
  const socketPath = (name: string): string => join(sessionPath, name);
  const server = await GatewayServer.start({ ...limits, listen, socketPath, credentials, authority }, deps);
  const ended = new AbortController();
  const use = (next: Credentials): void => {
    server.use(next);
    events.renewed(factsOf(next.certificate).validToMs);
  };
  const renewing =
    credentials === undefined || renew === undefined
      ? undefined
      : renewalLoop(
          credentials,
          {
            ...deps,
            renew: () => renew(server),
            renewed: use,
            failed: (error) => events.renewalFailed(error),
          },
          ended.signal,
        );
  return {
    server,
    authority,
    facts: { machine: server.machine, clusterId, secret, isSecure: credentials !== undefined },
    renewFrom: (address) => renewFrom?.(address),
    async renewNow() {
      if (renew !== undefined) use(await renew(server));
    },
    async close() {
      ended.abort();
      await server.close();
      await renewing;
    },
  };
}

async function becomeMember(
  security: GatewaySecurity,
  options: GatewayOptions,
  deps: GatewayDeps,
  tokens: TokenStore | undefined,
): Promise<Member> {
  switch (security.kind) {
    case "insecure": {
      const clusterId = Buffer.from(deps.random.bytes(16)).toString("hex");
      const membership = { clusterId, secret: security.secret, credentials: undefined };
      return { membership, authority: new InsecureAuthority(clusterId, security.secret) };
    }
    case "insecureJoin":
      return { membership: await joinCluster({ ...security, ...offerOf(options), token: undefined, insecure: true }, deps.clock) };
    case "authority": {
      const { role, id, secret } = security;
      const authority = await CertificateAuthority.open({ ...security, ...(tokens !== undefined && { tokens }) }, deps);
      const credentials = await authority.issueOwn(role, id);
      return { membership: { clusterId: authority.clusterId, secret, credentials }, authority, renew: () => authority.issueOwn(role, id) };
    }
    case "join": {
      const membership = await joinOrGoOn(security, options, deps);
      let { address } = security;
      return {
        membership,
        renew: (server) => renewAt(address, security.directory, membership, server),
        renewFrom: (next) => void (address = next),
      };
    }
  }
}

/** A machine that was a member is one, as long as its certificate holds; a token is then not used up. */
async function joinOrGoOn(
  security: Extract<GatewaySecurity, { kind: "join" }>,
  options: GatewayOptions,
  deps: GatewayDeps,
): Promise<Membership> {
  const { directory, token, address, role, id } = security;
  const known = directory === undefined ? undefined : loadMembership(directory);
  if (known?.credentials !== undefined) {
    const { name, validToMs } = factsOf(known.credentials.certificate);
    const isCurrent = validToMs > deps.clock.wallMs() && name.role === role && name.id === id;
    if (isCurrent && isForToken(known.credentials, token)) return known;
    if (token === undefined)
      throw new RaiaError("AUTHENTICATION", {
        cause: "expired",
        address,
        reason: "the certificate of this machine is of no use any more",
        validTo: new Date(validToMs).toISOString(),
      });
  }
  if (token === undefined) throw new RaiaError("AUTHENTICATION", { cause: "no-certificate", address });
  const membership = await joinCluster({ ...security, ...offerOf(options), token }, deps.clock);
  if (directory !== undefined) storeMembership(directory, membership);
  return membership;
}

/** With a token of another cluster it is that one that is meant. */
function isForToken({ authority }: Credentials, token: string | undefined): boolean {
  if (token === undefined) return true;
  const { fingerprint } = parseToken(token);
  return fingerprint === fingerprintOf(new X509Certificate(authority));
}

async function renewAt(
  address: string,
  directory: string | undefined,
  membership: Membership,
  server: GatewayServer,
): Promise<Credentials> {
  const { makeRequest } = await import("./certificate-maker.ts");
  const { key, request } = await makeRequest();
  const certificate = await server.renew(address, request);
  const credentials = { key, certificate, authority: membership.credentials?.authority ?? "" };
  if (directory !== undefined) storeMembership(directory, { ...membership, credentials });
  return credentials;
}

function offerOf({ offer }: GatewayOptions): Pick<GatewayOptions, "offer"> {
  return offer === undefined ? {} : { offer };
}
