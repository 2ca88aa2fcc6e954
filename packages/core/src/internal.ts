/** The siblings' door: what other packages of this repository may use beside the users' door. */
export { findStanding, type StandingOptions, startStanding, stopStanding } from "./bin/standing.ts";
