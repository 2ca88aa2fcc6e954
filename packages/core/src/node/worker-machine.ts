/**
 * One worker process, as its node sees it, from its start to the moment when nothing of it is left to read. What it is
 * given to do is the lease queue's business; here is whether it may be given anything.
 */
import type { Step, Table } from "../base/machine.ts";
import type { DeathCause } from "../messages/common.ts";
import type { KillReason } from "./death-cause.ts";

export type WorkerState =
  /** Its process was started, and has not registered. */
  | { readonly kind: "starting" }
  | { readonly kind: "idle"; readonly sinceMs: number }
  /** Has leases or actors. */
  | { readonly kind: "busy" }
  /** Gets no more work, and ends as soon as nobody needs what it does or owns: so it is asked, and told on. */
  | { readonly kind: "leaving"; readonly reason: KillReason; readonly graceMs: number }
  /** Told to end; its leases are over with it. */
  | { readonly kind: "stopping" }
  /** Its process is gone; what it had written is still being read, and comes before its death. */
  | { readonly kind: "dying"; readonly cause: DeathCause }
  | { readonly kind: "gone" };

export type WorkerEvent =
  | { readonly kind: "registered" }
  | { readonly kind: "registrationTimedOut" }
  /** It got a lease or an actor. */
  | { readonly kind: "given" }
  /** The last of what it was given is over. */
  | { readonly kind: "emptied" }
  /** It is needed no more. */
  | { readonly kind: "dismissed"; readonly reason: KillReason; readonly graceMs: number }
  /** Nobody needs what it owns, and it has no work. */
  | { readonly kind: "ownsNothing" }
  /** It must end, whoever needs it. */
  | { readonly kind: "stopped"; readonly reason: KillReason; readonly graceMs: number }
  | { readonly kind: "graceOver"; readonly reason: KillReason }
  /** The system says so. */
  | { readonly kind: "died"; readonly cause: DeathCause; readonly isConnected: boolean }
  /** Its connection has ended, or a child of its own holds it open for too long. */
  | { readonly kind: "wasRead" };

export type WorkerEffect =
  | { readonly kind: "ask" }
  /** SIGTERM, and after `graceMs` "graceOver"; SIGKILL at once when there is no grace. */
  | { readonly kind: "end"; readonly reason: KillReason; readonly graceMs: number }
  | { readonly kind: "kill"; readonly reason: KillReason }
  /** Looks later whether it has been idle for too long. */
  | { readonly kind: "reapLater" }
  | { readonly kind: "readOn" }
  /** Takes back what it had (claim words, slot, leases) and tells its cause of death. */
  | { readonly kind: "bury"; readonly cause: DeathCause };

type Next = Step<WorkerState, WorkerEffect>;

function to(next: WorkerState, ...effects: WorkerEffect[]): Next {
  return { next, effects };
}

function end(_state: WorkerState, { reason, graceMs }: { readonly reason: KillReason; readonly graceMs: number }): Next {
  return to({ kind: "stopping" }, { kind: "end", reason, graceMs });
}

function die(_state: WorkerState, { cause, isConnected }: { readonly cause: DeathCause; readonly isConnected: boolean }): Next {
  return isConnected ? to({ kind: "dying", cause }, { kind: "readOn" }) : to({ kind: "gone" }, { kind: "bury", cause });
}

function leave(_state: WorkerState, { reason, graceMs }: { readonly reason: KillReason; readonly graceMs: number }): Next {
  return to({ kind: "leaving", reason, graceMs }, { kind: "ask" });
}

export const workerTable: Table<WorkerState, WorkerEvent, WorkerEffect> = {
  starting: {
    registered: (_state, _event, nowMs) => to({ kind: "idle", sinceMs: nowMs }),
    registrationTimedOut: () => to({ kind: "stopping" }, { kind: "kill", reason: { by: "node" } }),
    dismissed: end,
    ownsNothing: "ignore", // How could it?
    stopped: end,
    died: die,
  },
  idle: {
    registrationTimedOut: "ignore", // It came in time.
    given: () => to({ kind: "busy" }),
    dismissed: leave,
    ownsNothing: (state) => to(state, { kind: "reapLater" }),
    stopped: end,
    died: die,
  },
  busy: {
    registrationTimedOut: "ignore",
    given: (state) => to(state), // Beside what it has.
    emptied: (_state, _event, nowMs) => to({ kind: "idle", sinceMs: nowMs }, { kind: "reapLater" }),
    dismissed: leave,
    ownsNothing: "ignore", // It is not idle either.
    stopped: end,
    died: die,
  },
  leaving: {
    registrationTimedOut: "ignore",
    emptied: (state) => to(state, { kind: "ask" }), // Others still had work here when it was asked first.
    dismissed: "ignore", // It was asked already.
    ownsNothing: (state) => end(state, state),
    stopped: end,
    died: die,
  },
  stopping: {
    registrationTimedOut: "ignore",
    emptied: "ignore",
    dismissed: end, // More urgently, perhaps.
    ownsNothing: "ignore",
    stopped: end, // As above.
    graceOver: (state, { reason }) => to(state, { kind: "kill", reason }),
    died: die,
  },
  dying: {
    registrationTimedOut: "ignore",
    emptied: "ignore", // Its leases end one by one.
    dismissed: "ignore",
    ownsNothing: "ignore", // Among its last words.
    stopped: "ignore",
    graceOver: "ignore", // It went in time.
    died: "ignore", // Told twice.
    wasRead: (state) => to({ kind: "gone" }, { kind: "bury", cause: state.cause }),
  },
  gone: {
    registrationTimedOut: "ignore",
    emptied: "ignore",
    dismissed: "ignore",
    ownsNothing: "ignore",
    stopped: "ignore",
    graceOver: "ignore",
    died: "ignore",
    wasRead: "ignore", // Both happened: the connection ended, and it took too long.
  },
};

/** Every event, in the order of the golden print. */
export const workerEvents: readonly WorkerEvent["kind"][] = [
  "registered",
  "registrationTimedOut",
  "given",
  "emptied",
  "dismissed",
  "ownsNothing",
  "stopped",
  "graceOver",
  "died",
  "wasRead",
];
