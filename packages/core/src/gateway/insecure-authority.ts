import { RaiaError } from "../base/errors.ts";
import type { JoinAuthority, JoinGrant, JoinRequest } from "./join-authority.ts";

/** Lets in whoever reaches the port. Only where `--insecure` was said. */
export class InsecureAuthority implements JoinAuthority {
  readonly #grant: JoinGrant;

  constructor(clusterId: string, secret: string) {
    this.#grant = { clusterId, secret };
  }

  async redeem({ request }: JoinRequest): Promise<JoinGrant> {
    if (request.length > 0)
      throw new RaiaError("JOIN_REFUSED", {
        cause: "no-authority",
        reason: "this cluster has no certificates: it was started with --insecure",
      });
    return this.#grant;
  }

  async renew(): Promise<string> {
    throw new RaiaError("UNSUPPORTED", { reason: "this cluster has no certificates" });
  }

  async issueToken(): Promise<string> {
    throw new RaiaError("UNSUPPORTED", { reason: "this cluster was started with --insecure: machines join it without a token" });
  }
}
