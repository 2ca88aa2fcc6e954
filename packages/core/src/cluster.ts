/** The command line's door: running clusters and looking at them from outside. Light, so that a command answers at once. */
export { checkEnvironment } from "./api/environment.ts";
export { RaiaError } from "./base/errors.ts";
export { shortId } from "./base/ids.ts";
export type { FoundSession } from "./base/session-directory.ts";
export { type Observer, observeCluster } from "./bin/observer.ts";
export { findStanding, type StandingCluster, type StandingOptions, startStanding, stopStanding } from "./bin/standing.ts";
export type { Listing, MissingProcess, WorkerState } from "./worker/state/cluster-state.ts";
export { listedStates } from "./worker/state/listed-states.ts";
export type { ObjectState, TaskState } from "./worker/state/state-rows.ts";
