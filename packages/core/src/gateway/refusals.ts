/** What was refused at a gateway, and why: counted, so that somebody who looks sees an attack or a machine with a wrong clock. */

export type RefusalReason =
  // Before anything is known of the peer
  | "too-many"
  | "too-many-from-address"
  | "silent"
  | "handshake"
  | "malformed"
  // Who it is
  | "no-certificate"
  | "self-signed"
  | "foreign-authority"
  | "expired"
  | "not-yet-valid"
  | "other-cluster"
  | "wrong-role"
  // What it asks for
  | "version"
  | "nobody-listens"
  | "unreachable"
  | "limit"
  | "join-token"
  | "join-too-often"
  | "clock"
  | "other";

export class Refusals {
  readonly #counts = new Map<RefusalReason, number>();

  count(reason: RefusalReason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  snapshot(): Readonly<Partial<Record<RefusalReason, number>>> {
    return Object.fromEntries(this.#counts);
  }
}
