/** The command line's door: running clusters and looking at them from outside. Light, so that a command answers at once. */
export { RaiaError } from "./base/errors.ts";
export { type FoundSession } from "./base/session-directory.ts";
export { findStanding, type StandingCluster, type StandingOptions, startStanding, stopStanding } from "./bin/standing.ts";
