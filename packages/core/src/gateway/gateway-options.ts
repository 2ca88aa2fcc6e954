/** What a gateway is started with: plain, since it crosses to the gateway's thread. */
import { RaiaError } from "../base/errors.ts";
import { isLoopback, type MachineAddress } from "../wire/machine-address.ts";
import type { Offer } from "../wire/protocol-offer.ts";
import type { AdmissionLimits } from "./admission-policy.ts";
import type { Role } from "./peer-name.ts";
import type { RateLimits } from "./rate-policy.ts";

/** Where a gateway's membership of its cluster comes from. */
export type GatewaySecurity =
  /** This machine has the authority: it is made when there is none in `directory`. `secret` is the session's. */
  | {
      readonly kind: "authority";
      readonly directory: string;
      readonly secret: string;
      readonly role: Role;
      readonly id: string;
      readonly leafLifetimeMs?: number;
    }
  /** This machine joins, or goes on with what it has in `directory` from an earlier time. */
  | {
      readonly kind: "join";
      readonly address: string;
      readonly token?: string;
      readonly role: Role;
      readonly id: string;
      readonly directory?: string;
    }
  /** No certificates: whoever reaches the port may run code. With `address` it joins such a cluster. */
  | { readonly kind: "insecure"; readonly secret: string }
  | { readonly kind: "insecureJoin"; readonly address: string; readonly role: Role; readonly id: string };

export interface GatewayOptions {
  /** The public port; 0 takes a free one. `undefined`: this machine only dials. */
  readonly listen?: MachineAddress;
  /** How other machines name this one, when that is not the host it listens at (`0.0.0.0`). */
  readonly advertisedHost?: string;
  /** The session's directory. */
  readonly sessionPath: string;
  readonly security?: GatewaySecurity;
  readonly admission?: AdmissionLimits;
  readonly prefaceMs?: number;
  readonly joinRate?: RateLimits;
  readonly maxSplices?: number;
  readonly offer?: Offer;
}

/** What is known once a gateway runs. */
export interface GatewayFacts {
  /** `HOST:PORT`; the first part of the address of every process here. */
  readonly machine: string | undefined;
  readonly clusterId: string;
  /** The cluster's, with which greetings prove themselves: that of this machine's session from now on. */
  readonly secret: string;
  readonly isSecure: boolean;
}

/** @throws {RaiaError} INSECURE, INVALID_ARGUMENT */
export function checkGatewayOptions({ listen, security, advertisedHost }: GatewayOptions): GatewaySecurity {
  if (security === undefined)
    throw new RaiaError("INSECURE", {
      host: listen?.host,
      reason: "there are neither certificates nor --insecure",
      isLoopback: isLoopback(listen?.host ?? ""),
    });
  const isAnyHost = listen?.host === "0.0.0.0" || listen?.host === "::";
  if (isAnyHost && advertisedHost === undefined)
    throw new RaiaError("INVALID_ARGUMENT", {
      host: listen.host,
      reason: "other machines need a name for this one: give --node-ip-address",
    });
  return security;
}
