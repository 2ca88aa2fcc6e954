/**
 * A node, as control sees it. A lost connection is not a death at once: the other side may dial again and go on as the same
 * node. Once it counts as dead, its work was given to others, so it may come back only under another id.
 */
import type { Step, Table } from "../base/machine.ts";

export type MembershipState =
  | { readonly kind: "absent" }
  | { readonly kind: "alive" }
  /** Its connection is gone; it gets no new work and loses none yet. */
  | { readonly kind: "lost" }
  | { readonly kind: "dead" };

export type MembershipEvent = { readonly kind: "registered" } | { readonly kind: "connectionLost" } | { readonly kind: "graceOver" };

export type MembershipEffect =
  | { readonly kind: "startGrace" }
  | { readonly kind: "stopGrace" }
  | { readonly kind: "announceJoined" }
  /** It is the same node on another connection: what was sent on the old one may be lost. */
  | { readonly kind: "announceReturned" }
  | { readonly kind: "announceDead" }
  | { readonly kind: "refuse" };

function to(kind: MembershipState["kind"], ...effects: MembershipEffect["kind"][]): Step<MembershipState, MembershipEffect> {
  return { next: { kind }, effects: effects.map((effect) => ({ kind: effect })) };
}

export const membershipTable: Table<MembershipState, MembershipEvent, MembershipEffect> = {
  absent: {
    registered: () => to("alive", "announceJoined"),
  },
  alive: {
    registered: () => to("alive", "announceReturned"), // It noticed first that the connection was broken.
    connectionLost: () => to("lost", "startGrace"),
    graceOver: "ignore", // It came back at the same moment.
  },
  lost: {
    registered: () => to("alive", "stopGrace", "announceReturned"),
    connectionLost: "ignore", // It is lost already.
    graceOver: () => to("dead", "announceDead"),
  },
  dead: {
    registered: () => to("dead", "refuse"),
    connectionLost: "ignore",
    graceOver: "ignore",
  },
};

/** Every event, in the order of the golden print. */
export const membershipEvents: readonly MembershipEvent["kind"][] = ["registered", "connectionLost", "graceOver"];
