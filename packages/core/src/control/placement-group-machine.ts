/**
 * The life of one placement group. What it lacks is placed in attempts, each with a number of its own (an epoch): first every
 * node sets its bundles aside, then, when all have and that is durable, all open them for use. A node that refuses or dies in
 * between ends the attempt, and the others give back what they set aside. From the moment when all have, a node's death costs
 * the group the bundles that were there and no others.
 */
import type { Step, Table } from "../base/machine.ts";

/** What goes on through all attempts. */
export interface GroupLife {
  /** Of the attempt under way, or the next one. Counts from 1. */
  readonly epoch: number;
  /** By bundle, the node that holds it; `undefined` for one that wants a place. */
  readonly standing: readonly (string | undefined)[];
  /** Every bundle had a place once: what is placed now was lost since. */
  readonly wasWhole: boolean;
  /** Attempts that failed in a row; they slow the next. */
  readonly failures: number;
}

export type GroupEnd = "removed-by-user" | "job-ended" | "creator-died" | "not-registered";

export type GroupState =
  /** Its record is being written; its name is taken. Nobody was told that it exists. */
  | { readonly kind: "registering"; readonly life: GroupLife }
  /** In the queue of group-placement, until nodes have room. */
  | { readonly kind: "pending"; readonly life: GroupLife }
  /** Nodes were asked to set bundles aside; `waiting` have not answered. */
  | { readonly kind: "preparing"; readonly life: GroupLife; readonly plan: Plan; readonly waiting: readonly string[] }
  /** Every bundle has its place; `waiting` have not said that theirs are open. */
  | { readonly kind: "committing"; readonly life: GroupLife; readonly waiting: readonly string[] }
  | { readonly kind: "created"; readonly life: GroupLife }
  | { readonly kind: "removed"; readonly life: GroupLife; readonly end: GroupEnd };

/** By bundle, where it is to go; `undefined` for one that stands already. */
export type Plan = readonly (string | undefined)[];

export type GroupEvent =
  | { readonly kind: "registered" }
  | { readonly kind: "placed"; readonly plan: Plan }
  | { readonly kind: "prepared"; readonly epoch: number; readonly nodeId: string }
  | { readonly kind: "refused"; readonly epoch: number; readonly nodeId: string }
  | { readonly kind: "committed"; readonly epoch: number; readonly nodeId: string }
  /** A node has not what it was believed to have. */
  | { readonly kind: "bundlesLost"; readonly nodeId: string }
  | { readonly kind: "nodeDied"; readonly nodeId: string }
  | { readonly kind: "removeRequested"; readonly end: GroupEnd };

export type GroupEffect =
  /** Writes its record, or removes it; what follows waits until that is durable. */
  | { readonly kind: "persist" }
  | { readonly kind: "place"; readonly delayMs: number }
  | { readonly kind: "prepareOn"; readonly nodeId: string; readonly epoch: number; readonly indices: readonly number[] }
  | { readonly kind: "commitOn"; readonly nodeId: string; readonly epoch: number }
  /** @param openToo nothing that the node has of the group counts any more */
  | { readonly kind: "cancelOn"; readonly nodeId: string; readonly epoch: number; readonly openToo: boolean }
  | { readonly kind: "removeOn"; readonly nodeId: string }
  | { readonly kind: "forgetName" }
  /** Tells those who wait for it. */
  | { readonly kind: "publish" };

type Next = Step<GroupState, GroupEffect>;
type Of<K extends GroupState["kind"]> = Extract<GroupState, { readonly kind: K }>;

/** @source Ray, `gcs_placement_group_manager.cc`: 100 ms to 1 s, by halves */
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 1_000;
const RETRY_FACTOR = 1.5;

export function firstGroupLife(bundles: number): GroupLife {
  return { epoch: 1, standing: Array.from({ length: bundles }, () => undefined), wasWhole: false, failures: 0 };
}

/** Once each, in the order of the bundles. */
export function nodesIn(places: readonly (string | undefined)[]): string[] {
  return [...new Set(places.filter((nodeId) => nodeId !== undefined))];
}

function to(next: GroupState, ...effects: GroupEffect[]): Next {
  return { next, effects };
}

function place({ life }: { readonly life: GroupLife }): Next {
  return to({ kind: "pending", life }, { kind: "place", delayMs: 0 });
}

function prepare({ life }: Of<"pending">, { plan }: { readonly plan: Plan }): Next {
  const nodes = nodesIn(plan);
  const { epoch } = life;
  return to(
    { kind: "preparing", life, plan, waiting: nodes },
    ...nodes.map((nodeId): GroupEffect => {
      const indices = [...plan.keys()].filter((index) => plan[index] === nodeId);
      return { kind: "prepareOn", nodeId, epoch, indices };
    }),
  );
}

/** The record comes before the first bundle opens: after a crash of control every one of them is known to be there. */
function prepared(state: Of<"preparing">, { epoch, nodeId }: { readonly epoch: number; readonly nodeId: string }): Next {
  if (epoch !== state.life.epoch) return to(state);
  const waiting = state.waiting.filter((other) => other !== nodeId);
  if (waiting.length > 0) return to({ ...state, waiting });
  const standing = state.life.standing.map((there, index) => there ?? state.plan[index]);
  const life: GroupLife = { ...state.life, standing, wasWhole: true, failures: 0 };
  const nodes = nodesIn(state.plan);
  return to(
    { kind: "committing", life, waiting: nodes },
    { kind: "persist" },
    ...nodes.map((other): GroupEffect => ({ kind: "commitOn", nodeId: other, epoch })),
  );
}

/** The attempt is over: those who set something aside give it back, and the next one has a number that is durable. */
function rollBack({ life, plan }: Of<"preparing">, standing: GroupLife["standing"] = life.standing): Next {
  const { epoch } = life;
  const failures = life.failures + 1;
  const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * RETRY_FACTOR ** life.failures);
  return to(
    { kind: "pending", life: { ...life, standing, epoch: epoch + 1, failures } },
    ...nodesIn(plan).map((nodeId): GroupEffect => ({ kind: "cancelOn", nodeId, epoch, openToo: false })),
    { kind: "persist" },
    { kind: "place", delayMs },
  );
}

function nodeDiedWhilePreparing(state: Of<"preparing">, { nodeId }: { readonly nodeId: string }): Next {
  const { standing } = state.life;
  if (!state.plan.includes(nodeId) && !standing.includes(nodeId)) return to(state);
  // Also when a bundle that stood is lost: the places that were chosen may not go with those that it will need.
  return rollBack(state, without(standing, nodeId));
}

/** What was there wants a place again, whether it was open or not. */
function lose<S extends Of<"committing"> | Of<"created">>(state: S, { nodeId }: { readonly nodeId: string }): Next {
  const { life } = state;
  if (!life.standing.includes(nodeId)) return to(state);
  const next: GroupLife = { ...life, standing: without(life.standing, nodeId), epoch: life.epoch + 1 };
  return to(
    { kind: "pending", life: next },
    { kind: "persist" },
    // A node that lives may still have half of them.
    { kind: "cancelOn", nodeId, epoch: life.epoch, openToo: true },
    { kind: "place", delayMs: 0 },
  );
}

function loseWhilePending(state: Of<"pending">, { nodeId }: { readonly nodeId: string }): Next {
  const { life } = state;
  if (!life.standing.includes(nodeId)) return to(state);
  return to({ kind: "pending", life: { ...life, standing: without(life.standing, nodeId) } }, { kind: "persist" });
}

function without(standing: GroupLife["standing"], nodeId: string): GroupLife["standing"] {
  return standing.map((there) => (there === nodeId ? undefined : there));
}

/** The name is free before anybody hears of the end. */
function remove(state: GroupState, { end }: { readonly end: GroupEnd }): Next {
  const { life } = state;
  const nodes = nodesIn([...life.standing, ...(state.kind === "preparing" ? state.plan : [])]);
  return to(
    { kind: "removed", life, end },
    { kind: "persist" },
    { kind: "forgetName" },
    ...nodes.map((nodeId): GroupEffect => ({ kind: "removeOn", nodeId })),
    { kind: "publish" },
  );
}

export const placementGroupTable: Table<GroupState, GroupEvent, GroupEffect> = {
  registering: {
    registered: place,
    nodeDied: "ignore", // It has nothing anywhere.
    bundlesLost: "ignore",
    removeRequested: remove,
  },
  pending: {
    placed: prepare,
    prepared: "ignore", // Of an attempt that was given up: that node was told to give it back.
    refused: "ignore",
    committed: "ignore", // Of bundles that stand.
    nodeDied: loseWhilePending,
    bundlesLost: loseWhilePending,
    removeRequested: remove,
  },
  preparing: {
    prepared,
    refused: (state, { epoch }) => (epoch === state.life.epoch ? rollBack(state) : to(state)),
    committed: "ignore", // Of bundles that stand.
    nodeDied: nodeDiedWhilePreparing,
    bundlesLost: nodeDiedWhilePreparing,
    removeRequested: remove,
  },
  committing: {
    prepared: "ignore", // Told twice.
    refused: "ignore", // Of an older attempt.
    committed: (state, { epoch, nodeId }) => {
      if (epoch !== state.life.epoch) return to(state);
      const waiting = state.waiting.filter((other) => other !== nodeId);
      if (waiting.length > 0) return to({ ...state, waiting });
      return to({ kind: "created", life: state.life }, { kind: "publish" });
    },
    nodeDied: lose,
    bundlesLost: lose,
    removeRequested: remove,
  },
  created: {
    prepared: "ignore",
    refused: "ignore",
    committed: "ignore", // Told twice.
    nodeDied: lose,
    bundlesLost: lose,
    removeRequested: remove,
  },
  removed: {
    registered: "ignore", // It was removed while its record was written.
    placed: "ignore",
    prepared: "ignore", // Each node that was asked was told to give everything back.
    refused: "ignore",
    committed: "ignore",
    nodeDied: "ignore",
    bundlesLost: "ignore",
    removeRequested: "ignore",
  },
};

/** Every event, in the order of the golden print. */
export const placementGroupEvents: readonly GroupEvent["kind"][] = [
  "registered",
  "placed",
  "prepared",
  "refused",
  "committed",
  "bundlesLost",
  "nodeDied",
  "removeRequested",
];
