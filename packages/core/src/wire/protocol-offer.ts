/** What two gateways must have in common: a version, and the features that either cannot do without. */
import { RaiaError } from "../base/errors.ts";
import { type Infer, list, str, struct, u32 } from "./schema.ts";

export const Offer = struct("Offer", {
  /** The oldest and the newest version it speaks: its own and the one before. */
  minVersion: u32,
  maxVersion: u32,
  /** What it can do. */
  features: list(str),
  /** Those of its features that the other side must have as well. */
  needs: list(str),
});
export type Offer = Infer<typeof Offer>;

export const Agreement = struct("Agreement", { version: u32, features: list(str) });
export type Agreement = Infer<typeof Agreement>;

export const ourOffer: Offer = { minVersion: 1, maxVersion: 1, features: [], needs: [] };

/**
 * The newest version of both, and the features of both.
 *
 * @throws {RaiaError} PROTOCOL with both versions and the first thing that does not fit
 */
export function agree(ours: Offer, theirs: Offer): Agreement {
  const version = Math.min(ours.maxVersion, theirs.maxVersion);
  if (version < ours.minVersion || version < theirs.minVersion) throw misfit(ours, theirs, "version");
  const missing =
    ours.needs.find((feature) => !theirs.features.includes(feature)) ?? theirs.needs.find((feature) => !ours.features.includes(feature));
  if (missing !== undefined) throw misfit(ours, theirs, `feature ${missing}`);
  return { version, features: ours.features.filter((feature) => theirs.features.includes(feature)) };
}

/**
 * Checks the other side's answer against what was offered: it may not choose what nobody offered, nor leave out what is needed.
 *
 * @throws {RaiaError} PROTOCOL
 */
export function checkAgreement(ours: Offer, { version, features }: Agreement): void {
  const missing = ours.needs.find((feature) => !features.includes(feature));
  const invented = features.find((feature) => !ours.features.includes(feature));
  if (version < ours.minVersion || version > ours.maxVersion || missing !== undefined || invented !== undefined)
    throw new RaiaError("PROTOCOL", { reason: "the peer agreed to what was not offered", ours: rangeOf(ours), version, missing, invented });
}

function misfit(ours: Offer, theirs: Offer, what: string): RaiaError {
  // Said by the side that refuses: `ours` is its own.
  return new RaiaError("PROTOCOL", { reason: "other version", misfit: what, ours: rangeOf(ours), theirs: rangeOf(theirs) });
}

function rangeOf({ minVersion, maxVersion }: Offer): string {
  return minVersion === maxVersion ? String(maxVersion) : `${minVersion} to ${maxVersion}`;
}
