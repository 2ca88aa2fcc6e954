/**
 * One bundle of a placement group on its node: resources set aside, then open for the group's work, then given back when
 * nothing of that work is left. Its resources are returned by exactly one effect.
 */
import type { Step, Table } from "../base/machine.ts";

export type BundleState =
  /** Its resources are taken; nobody may use them yet. */
  | { readonly kind: "prepared" }
  | { readonly kind: "open" }
  /** What runs in it is being ended; nothing new begins. */
  | { readonly kind: "closing" }
  | { readonly kind: "returned" };

export type BundleEvent =
  | { readonly kind: "commit" }
  /** @param isBusy work holds some of it */
  | { readonly kind: "close"; readonly isBusy: boolean }
  /** The last of its work is gone. */
  | { readonly kind: "emptied" };

export type BundleEffect =
  | { readonly kind: "announceOpen" }
  | { readonly kind: "endWork" }
  /** Gives its resources back to the node. */
  | { readonly kind: "release" };

function to(kind: BundleState["kind"], ...effects: BundleEffect["kind"][]): Step<BundleState, BundleEffect> {
  return { next: { kind }, effects: effects.map((effect) => ({ kind: effect })) };
}

export const bundleTable: Table<BundleState, BundleEvent, BundleEffect> = {
  prepared: {
    commit: () => to("open", "announceOpen"),
    close: () => to("returned", "release"),
    emptied: "ignore", // It never had any.
  },
  open: {
    commit: "ignore", // Told twice.
    close: (_state, { isBusy }) => (isBusy ? to("closing", "endWork") : to("returned", "release")),
    emptied: "ignore", // Idle, and open for more.
  },
  closing: {
    commit: "ignore", // Too late: it is on its way out.
    close: "ignore", // Told twice.
    emptied: () => to("returned", "release"),
  },
  returned: {},
};

/** Every event, in the order of the golden print. */
export const bundleEvents: readonly BundleEvent["kind"][] = ["commit", "close", "emptied"];
