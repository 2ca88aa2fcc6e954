/**
 * The life of one actor, as control sees it. Each start in a process is an incarnation with a number of its own; what is
 * said of an older one changes nothing, so at most one counts at any moment. The next one begins only when the last is known
 * to be gone. A constructor that throws ends the actor: running it again would throw again.
 */
import type { Step, Table } from "../base/machine.ts";
import type { DeathCause } from "../messages/common.ts";

/** What goes on through all incarnations. */
export interface Life {
  /** The current one, or the one to come. Counts from 1. */
  readonly incarnation: number;
  /** Restarts after a death, which `maxRestarts` bounds. A node that refused costs none. */
  readonly restarts: number;
  /** -1: without end. */
  readonly maxRestarts: number;
  /** Deaths in a row that came soon after a start; they slow the next start. */
  readonly quickDeaths: number;
}

/** The process that an incarnation lives in. */
export interface Home {
  readonly nodeId: string;
  readonly workerId: string;
  readonly address: string;
  readonly pid: number;
  /** It has something to do at its end. */
  readonly disposes?: boolean | undefined;
}

export interface ActorEnd {
  readonly cause: DeathCause;
  /** The user's own error, encoded, when the constructor threw. */
  readonly error?: Uint8Array;
}

export type ActorState =
  /** Its record is being written; its name is taken. Nobody was told that it exists. */
  | { readonly kind: "registering"; readonly life: Life }
  /** In the queue of actor-placement, until a node has room. */
  | { readonly kind: "pending"; readonly life: Life }
  /** A node was asked to start it: it gets a process, its constructor runs. */
  | { readonly kind: "creating"; readonly life: Life; readonly nodeId: string }
  | { readonly kind: "alive"; readonly life: Life; readonly home: Home; readonly sinceMs: number }
  /** A user asked for a restart: `life` is the next one's, and `old` was told to stop. */
  | { readonly kind: "replacing"; readonly life: Life; readonly old: { readonly nodeId: string; readonly incarnation: number } }
  /** Nobody holds it any more: it finishes what it has, and disposes of itself. */
  | { readonly kind: "leaving"; readonly life: Life; readonly home: Home }
  | { readonly kind: "dead"; readonly life: Life; readonly end: ActorEnd };

export type ActorEvent =
  | { readonly kind: "registered" }
  | { readonly kind: "placed"; readonly nodeId: string }
  /** No node will ever run it; or its record could not be written. */
  | { readonly kind: "unplaceable"; readonly end: ActorEnd }
  | { readonly kind: "started"; readonly incarnation: number; readonly home: Home }
  /** Its constructor threw, or its environment could not be made. */
  | { readonly kind: "creationFailed"; readonly incarnation: number; readonly end: ActorEnd }
  /** The node will not start it, others may; it did not begin. */
  | { readonly kind: "refused"; readonly incarnation: number }
  | { readonly kind: "workerDied"; readonly incarnation: number; readonly cause: DeathCause }
  /** It ended itself. */
  | { readonly kind: "exited"; readonly incarnation: number; readonly cause: DeathCause }
  /** Its node says that the incarnation it was told to stop is gone. */
  | { readonly kind: "stopped"; readonly incarnation: number }
  | { readonly kind: "nodeDied"; readonly nodeId: string }
  | { readonly kind: "killRequested"; readonly noRestart: boolean }
  | { readonly kind: "outOfScope" }
  | { readonly kind: "ownerEnded" }
  | { readonly kind: "jobEnded" };

export type ActorEffect =
  /** Writes its record, or removes it; what follows waits until that is durable. */
  | { readonly kind: "persist" }
  | { readonly kind: "place"; readonly delayMs: number }
  | { readonly kind: "startOnNode"; readonly nodeId: string; readonly incarnation: number }
  | { readonly kind: "stopOnNode"; readonly nodeId: string; readonly incarnation: number; readonly graceMs: number }
  | { readonly kind: "forgetName" }
  /** Tells those who watch. */
  | { readonly kind: "publish" };

/** For what it has begun and for its disposal, as in Ray. */
export const GRACE_MS = 30_000;
/** Who lived as long did not die of starting. */
const LONG_LIFE_MS = 10_000;
const FIRST_RESTART_DELAY_MS = 100;
const MAX_RESTART_DELAY_MS = 5_000;
/** A node that refuses is leaving, or full in a way that its report does not show yet. */
const REFUSED_DELAY_MS = 100;

type Next = Step<ActorState, ActorEffect>;
type Fenced = { readonly incarnation: number };

export function firstLife(maxRestarts: number): Life {
  return { incarnation: 1, restarts: 0, maxRestarts, quickDeaths: 0 };
}

function to(next: ActorState, ...effects: ActorEffect[]): Next {
  return { next, effects };
}

function killNow(nodeId: string, incarnation: number): ActorEffect {
  return { kind: "stopOnNode", nodeId, incarnation, graceMs: 0 };
}

/** The name is free before anybody hears of the death, so that who hears of it may take the name. */
function die(life: Life, end: ActorEnd, ...effects: ActorEffect[]): Next {
  return to({ kind: "dead", life, end }, ...effects, { kind: "persist" }, { kind: "forgetName" }, { kind: "publish" });
}

function mayRestart({ restarts, maxRestarts }: Life): boolean {
  return maxRestarts < 0 || restarts < maxRestarts;
}

function nextLife(life: Life, livedMs: number): Life {
  return {
    ...life,
    incarnation: life.incarnation + 1,
    restarts: life.restarts + 1,
    quickDeaths: livedMs < LONG_LIFE_MS ? life.quickDeaths + 1 : 0,
  };
}

/** Nothing for the first quick death, since a restart should be felt as little as can be; then ever more. */
function restartDelayMs({ quickDeaths }: Life): number {
  return quickDeaths < 2 ? 0 : Math.min(MAX_RESTART_DELAY_MS, FIRST_RESTART_DELAY_MS * 2 ** (quickDeaths - 2));
}

/** The count is part of the state that is published: two who hear of a restart cannot both take it for the last. */
function restartOrDie(life: Life, cause: DeathCause, livedMs: number): Next {
  if (!mayRestart(life)) return die(life, { cause });
  return queue(nextLife(life, livedMs));
}

function queue(life: Life): Next {
  return to({ kind: "pending", life }, { kind: "persist" }, { kind: "publish" }, { kind: "place", delayMs: restartDelayMs(life) });
}

/** Its number was written and told when the old one was told to stop. */
function placeNext(life: Life): Next {
  return to({ kind: "pending", life }, { kind: "place", delayMs: restartDelayMs(life) });
}

const killed: ActorEnd = { cause: { kind: "killed-by-user" } };
const outOfScope: ActorEnd = { cause: { kind: "out-of-scope" } };
const ownerEnded: ActorEnd = { cause: { kind: "owner-ended" } };
const jobEnded: ActorEnd = { cause: { kind: "job-ended" } };

function nodeDied(nodeId: string): DeathCause {
  return { kind: "node-died", facts: { nodeId } };
}

export const actorTable: Table<ActorState, ActorEvent, ActorEffect> = {
  registering: {
    registered: ({ life }) => to({ kind: "pending", life }, { kind: "publish" }, { kind: "place", delayMs: 0 }),
    unplaceable: ({ life }, { end }) => die(life, end),
    started: stopStray,
    creationFailed: "ignore", // No node was asked to start it: whoever says so is mistaken.
    refused: "ignore",
    workerDied: "ignore",
    exited: "ignore",
    stopped: "ignore",
    nodeDied: "ignore",
    killRequested: ({ life }, { noRestart }) => (noRestart ? die(life, killed) : to({ kind: "registering", life })),
    outOfScope: ({ life }) => die(life, outOfScope),
    ownerEnded: ({ life }) => die(life, ownerEnded),
    jobEnded: ({ life }) => die(life, jobEnded),
  },
  pending: {
    placed: ({ life }, { nodeId }) =>
      to({ kind: "creating", life, nodeId }, { kind: "startOnNode", nodeId, incarnation: life.incarnation }),
    unplaceable: ({ life }, { end }) => die(life, end),
    started: stopStray,
    creationFailed: "ignore", // All that speak of an incarnation speak of an older one.
    refused: "ignore",
    workerDied: "ignore",
    exited: "ignore",
    stopped: "ignore",
    nodeDied: "ignore",
    killRequested: ({ life }, { noRestart }) => (noRestart ? die(life, killed) : to({ kind: "pending", life })),
    outOfScope: ({ life }) => die(life, outOfScope),
    ownerEnded: ({ life }) => die(life, ownerEnded),
    jobEnded: ({ life }) => die(life, jobEnded),
  },
  creating: {
    started: (state, event, nowMs) =>
      isOf(state.life, event)
        ? to({ kind: "alive", life: state.life, home: event.home, sinceMs: nowMs }, { kind: "persist" }, { kind: "publish" })
        : stopStray(state, event),
    creationFailed: (state, event) => (isOf(state.life, event) ? die(state.life, event.end) : to(state)),
    refused: (state, event) => {
      if (!isOf(state.life, event)) return to(state);
      // A number of its own all the same: should the node have begun after all, it is the older one.
      const life = { ...state.life, incarnation: state.life.incarnation + 1 };
      return to({ kind: "pending", life }, { kind: "persist" }, { kind: "place", delayMs: REFUSED_DELAY_MS });
    },
    workerDied: (state, event) => (isOf(state.life, event) ? restartOrDie(state.life, event.cause, 0) : to(state)),
    exited: (state, event) => (isOf(state.life, event) ? die(state.life, { cause: event.cause }) : to(state)),
    stopped: "ignore", // An older one.
    nodeDied: (state, { nodeId }) => (nodeId === state.nodeId ? restartOrDie(state.life, nodeDied(nodeId), 0) : to(state)),
    killRequested: ({ life, nodeId }, { noRestart }) =>
      noRestart || !mayRestart(life) ? die(life, killed, killNow(nodeId, life.incarnation)) : replace(life, nodeId, 0),
    outOfScope: ({ life, nodeId }) => die(life, outOfScope, killNow(nodeId, life.incarnation)),
    ownerEnded: ({ life, nodeId }) => die(life, ownerEnded, killNow(nodeId, life.incarnation)),
    jobEnded: ({ life, nodeId }) => die(life, jobEnded, killNow(nodeId, life.incarnation)),
  },
  alive: {
    started: (state, event) => (isOf(state.life, event) ? to(state) : stopStray(state, event)),
    creationFailed: "ignore", // An older one.
    refused: "ignore", // An older one.
    workerDied: (state, event, nowMs) =>
      isOf(state.life, event) ? restartOrDie(state.life, event.cause, nowMs - state.sinceMs) : to(state),
    exited: (state, event) => (isOf(state.life, event) ? die(state.life, { cause: event.cause }) : to(state)),
    stopped: "ignore", // An older one.
    nodeDied: (state, { nodeId }, nowMs) =>
      nodeId === state.home.nodeId ? restartOrDie(state.life, nodeDied(nodeId), nowMs - state.sinceMs) : to(state),
    killRequested: ({ life, home, sinceMs }, { noRestart }, nowMs) =>
      noRestart || !mayRestart(life)
        ? die(life, killed, killNow(home.nodeId, life.incarnation))
        : replace(life, home.nodeId, nowMs - sinceMs),
    // Still alive for those who watch: calls that are on their way are answered.
    outOfScope: ({ life, home }) =>
      to(
        { kind: "leaving", life, home },
        { kind: "persist" },
        { kind: "stopOnNode", nodeId: home.nodeId, incarnation: life.incarnation, graceMs: GRACE_MS },
      ),
    ownerEnded: ({ life, home }) => die(life, ownerEnded, killNow(home.nodeId, life.incarnation)),
    jobEnded: ({ life, home }) => die(life, jobEnded, killNow(home.nodeId, life.incarnation)),
  },
  replacing: {
    started: stopStray,
    // Whatever is said of its end, it was told to end.
    creationFailed: replaced,
    refused: replaced,
    workerDied: replaced,
    exited: replaced,
    stopped: replaced,
    nodeDied: (state, { nodeId }) => (nodeId === state.old.nodeId ? placeNext(state.life) : to(state)),
    // The old one was told to stop already.
    killRequested: (state, { noRestart }) => (noRestart ? die(state.life, killed) : to(state)),
    outOfScope: ({ life }) => die(life, outOfScope),
    ownerEnded: ({ life }) => die(life, ownerEnded),
    jobEnded: ({ life }) => die(life, jobEnded),
  },
  leaving: {
    started: (state, event) => (isOf(state.life, event) ? to(state) : stopStray(state, event)),
    creationFailed: "ignore", // An older one.
    refused: "ignore", // An older one.
    workerDied: left,
    exited: left,
    stopped: left,
    nodeDied: (state, { nodeId }) => (nodeId === state.home.nodeId ? die(state.life, outOfScope) : to(state)),
    killRequested: ({ life, home }) => die(life, killed, killNow(home.nodeId, life.incarnation)),
    outOfScope: "ignore", // It is leaving already.
    ownerEnded: ({ life, home }) => die(life, ownerEnded, killNow(home.nodeId, life.incarnation)),
    jobEnded: ({ life, home }) => die(life, jobEnded, killNow(home.nodeId, life.incarnation)),
  },
  dead: {
    registered: "ignore", // It ended while its record was written.
    unplaceable: "ignore", // As above, and that failed.
    started: stopStray,
    creationFailed: "ignore", // Dead is final.
    refused: "ignore",
    workerDied: "ignore",
    exited: "ignore",
    stopped: "ignore",
    nodeDied: "ignore",
    killRequested: "ignore",
    outOfScope: "ignore",
    ownerEnded: "ignore",
    jobEnded: "ignore",
  },
};

function isOf(life: Life, event: Fenced): boolean {
  return event.incarnation === life.incarnation;
}

/** An incarnation that does not count came up: it is told to go. */
function stopStray<S extends ActorState>(state: S, { incarnation, home }: Fenced & { readonly home: Home }): Next {
  return to(state, killNow(home.nodeId, incarnation));
}

function replace(life: Life, nodeId: string, livedMs: number): Next {
  return to(
    { kind: "replacing", life: nextLife(life, livedMs), old: { nodeId, incarnation: life.incarnation } },
    { kind: "persist" },
    killNow(nodeId, life.incarnation),
    { kind: "publish" },
  );
}

function replaced(state: Extract<ActorState, { kind: "replacing" }>, event: Fenced): Next {
  return event.incarnation === state.old.incarnation ? placeNext(state.life) : to(state);
}

function left(state: Extract<ActorState, { kind: "leaving" }>, event: Fenced): Next {
  return isOf(state.life, event) ? die(state.life, outOfScope) : to(state);
}

/** Every event, in the order of the golden print. */
export const actorEvents: readonly ActorEvent["kind"][] = [
  "registered",
  "placed",
  "unplaceable",
  "started",
  "creationFailed",
  "refused",
  "workerDied",
  "exited",
  "stopped",
  "nodeDied",
  "killRequested",
  "outOfScope",
  "ownerEnded",
  "jobEnded",
];
