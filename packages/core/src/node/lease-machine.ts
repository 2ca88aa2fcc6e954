/**
 * A request for one worker of this node, from its arrival to the worker's return. Resources and a process are given back by
 * exactly one effect, whatever happens in between; and who asked hears exactly one answer.
 */
import type { ErrorCode, Facts } from "../base/errors.ts";
import type { Step, Table } from "../base/machine.ts";
import type { DeathCause } from "../messages/common.ts";
import type { PoolWorker } from "./pool-worker.ts";
import type { Grant } from "./resource-ledger.ts";

/** What a granted lease has. */
export interface Holding {
  readonly worker: PoolWorker;
  readonly grant: Grant;
  /** Words by which its calls are claimed. */
  readonly claims: { readonly first: number; readonly count: number };
  readonly grantedAtMs: number;
}

export type LeaseState =
  /** Held by the lease queue, among those of its job. */
  | { readonly kind: "queued" }
  /** Held by its owner, who has been asked to return it, or not. */
  | { readonly kind: "granted"; readonly holding: Holding; readonly isAskedBack: boolean }
  /** The same, but its tasks wait for others: its CPU is lent on. */
  | { readonly kind: "waiting"; readonly holding: Holding; readonly isAskedBack: boolean }
  /** Others have its worker, but its owner has not heard of it and may still write to its claim words. */
  | { readonly kind: "taken"; readonly holding: Holding }
  | { readonly kind: "ended" };

export type LeaseEvent =
  /** Resources and a process were found for it. */
  | { readonly kind: "found"; readonly holding: Holding }
  /** It can never be served, or what it was for is over before it was. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly facts: Facts }
  /** Another node has what it wants. */
  | { readonly kind: "spilled"; readonly address: string }
  | { readonly kind: "cancelled" }
  /** @param discard its owner wants nobody to use the process again */
  | { readonly kind: "returned"; readonly discard: boolean }
  | { readonly kind: "blocked" }
  | { readonly kind: "unblocked" }
  /** Another owner waits, and this one had its turn. */
  | { readonly kind: "turnOver" }
  /** Its owner does not answer, and its worker says that nothing runs on it. @param discard the process takes no more work */
  | { readonly kind: "taken"; readonly discard: boolean }
  /** An actor runs with less than it needed to be placed. */
  | { readonly kind: "shrunk"; readonly grant: Grant }
  /** @param strangers leases and actors of others that died with it */
  | { readonly kind: "workerDied"; readonly cause: DeathCause; readonly strangers: number }
  | { readonly kind: "ownerDied" };

export type LeaseEffect =
  | { readonly kind: "leaveQueue" }
  | { readonly kind: "tellGranted"; readonly holding: Holding }
  | { readonly kind: "tellRefused"; readonly code: ErrorCode; readonly facts: Facts }
  | { readonly kind: "tellSpilled"; readonly address: string }
  | { readonly kind: "lendCpu" }
  | { readonly kind: "claimCpu" }
  | { readonly kind: "askBack" }
  /** Gives resources, claim words and the place in the process back. */
  | { readonly kind: "free"; readonly holding: Holding }
  /** Gives back all but the claim words. */
  | { readonly kind: "freeWorker"; readonly holding: Holding }
  | { readonly kind: "freeClaims"; readonly holding: Holding }
  | { readonly kind: "tellEnded"; readonly worker: PoolWorker; readonly cause: DeathCause; readonly strangers: number }
  /** Ends the process, unless others have work there. */
  | { readonly kind: "discardWorker"; readonly worker: PoolWorker }
  /** Ends the process once nobody needs what it owns: its tasks may still run there, for nobody. */
  | { readonly kind: "dismissWorker"; readonly worker: PoolWorker };

type Next = Step<LeaseState, LeaseEffect>;
type Granted = Extract<LeaseState, { readonly kind: "granted" | "waiting" }>;

function to(next: LeaseState, ...effects: LeaseEffect[]): Next {
  return { next, effects };
}

function refuse(code: ErrorCode, facts: Facts): Next {
  return to({ kind: "ended" }, { kind: "leaveQueue" }, { kind: "tellRefused", code, facts });
}

function free({ holding }: Granted, ...more: LeaseEffect[]): Next {
  return to({ kind: "ended" }, { kind: "free", holding }, ...more);
}

function giveBack(state: Granted, { discard }: { readonly discard: boolean }): Next {
  return discard ? free(state, { kind: "discardWorker", worker: state.holding.worker }) : free(state);
}

function take({ holding }: Granted, { discard }: { readonly discard: boolean }): Next {
  const freeWorker: LeaseEffect = { kind: "freeWorker", holding };
  return to(
    { kind: "taken", holding },
    ...(discard ? [freeWorker, { kind: "discardWorker", worker: holding.worker } as const] : [freeWorker]),
  );
}

function freeClaims({ holding }: { readonly holding: Holding }): Next {
  return to({ kind: "ended" }, { kind: "freeClaims", holding });
}

function askBack(state: Granted): Next {
  return state.isAskedBack ? to(state) : to({ ...state, isAskedBack: true }, { kind: "askBack" });
}

export const leaseTable: Table<LeaseState, LeaseEvent, LeaseEffect> = {
  queued: {
    found: (_state, { holding }) =>
      to({ kind: "granted", holding, isAskedBack: false }, { kind: "leaveQueue" }, { kind: "tellGranted", holding }),
    refused: (_state, { code, facts }) => refuse(code, facts),
    spilled: (_state, { address }) => to({ kind: "ended" }, { kind: "leaveQueue" }, { kind: "tellSpilled", address }),
    cancelled: () => refuse("TASK_CANCELLED", {}),
    blocked: "ignore", // It has no tasks yet: somebody is mistaken.
    unblocked: "ignore", // As above.
    ownerDied: () => refuse("OWNER_DIED", {}),
  },
  granted: {
    refused: "ignore", // It was served at the same moment.
    cancelled: "ignore", // Too late: its owner holds the worker and will return it.
    returned: giveBack,
    blocked: (state) => to({ ...state, kind: "waiting" }, { kind: "lendCpu" }),
    unblocked: "ignore", // Its CPU was never lent.
    turnOver: askBack,
    taken: take,
    shrunk: (state, { grant }) => to({ ...state, holding: { ...state.holding, grant } }),
    workerDied: (state, { cause, strangers }) => free(state, { kind: "tellEnded", worker: state.holding.worker, cause, strangers }),
    ownerDied: (state) => free(state, { kind: "dismissWorker", worker: state.holding.worker }),
  },
  waiting: {
    refused: "ignore",
    cancelled: "ignore",
    returned: giveBack, // Its tasks ended without going on.
    blocked: "ignore", // Told twice.
    unblocked: (state) => to({ ...state, kind: "granted" }, { kind: "claimCpu" }),
    turnOver: askBack,
    taken: take, // Its task has ended, and the word of that is on its way.
    workerDied: (state, { cause, strangers }) => free(state, { kind: "tellEnded", worker: state.holding.worker, cause, strangers }),
    ownerDied: (state) => free(state, { kind: "dismissWorker", worker: state.holding.worker }),
  },
  taken: {
    refused: "ignore", // It was served, and its worker is others' again: nobody waits for an answer.
    cancelled: "ignore", // Said before its owner heard of the grant.
    returned: freeClaims, // The process is others' now: whether it is to be discarded is for them to say.
    blocked: "ignore", // Said before it was taken.
    unblocked: "ignore",
    taken: "ignore", // Its worker was asked twice.
    // Nothing ran for its owner, who may go on writing to the words, and waits for what it sent, until it knows.
    workerDied: ({ holding }, { cause, strangers }) =>
      to({ kind: "ended" }, { kind: "freeClaims", holding }, { kind: "tellEnded", worker: holding.worker, cause, strangers }),
    ownerDied: freeClaims,
  },
  // It is known no more: what arrives late finds nothing.
  ended: {},
};

/** Every event, in the order of the golden print. */
export const leaseEventKinds: readonly LeaseEvent["kind"][] = [
  "found",
  "refused",
  "spilled",
  "cancelled",
  "returned",
  "blocked",
  "unblocked",
  "turnOver",
  "taken",
  "shrunk",
  "workerDied",
  "ownerDied",
];
