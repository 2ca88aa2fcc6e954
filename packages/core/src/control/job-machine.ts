/**
 * A job lives as long as its driver. That ends with a word of the driver, with its node's word that the process is gone, or
 * with a connection that stays lost.
 */
import type { Step, Table } from "../base/machine.ts";

export type JobState =
  /** Its record is being written; its driver does not know its id yet. */
  | { readonly kind: "registering" }
  | { readonly kind: "running" }
  /** Its driver's connection is gone; the driver may dial again. */
  | { readonly kind: "orphaned" }
  | { readonly kind: "finished" };

export type JobEvent =
  | { readonly kind: "registered" }
  | { readonly kind: "driverReturned" }
  | { readonly kind: "connectionLost" }
  | { readonly kind: "graceOver" }
  /** The driver said so, or its process is gone. */
  | { readonly kind: "ended" };

export type JobEffect =
  | { readonly kind: "startGrace" }
  | { readonly kind: "stopGrace" }
  /** Ends its actors, frees its functions, tells the nodes, writes its record. */
  | { readonly kind: "finish" };

function to(kind: JobState["kind"], ...effects: JobEffect["kind"][]): Step<JobState, JobEffect> {
  return { next: { kind }, effects: effects.map((effect) => ({ kind: effect })) };
}

export const jobTable: Table<JobState, JobEvent, JobEffect> = {
  registering: {
    registered: () => to("running"),
    driverReturned: "ignore",
    connectionLost: "ignore", // Whoever writes the record looks when it is done.
    ended: () => to("finished", "finish"),
  },
  running: {
    driverReturned: "ignore", // A second connection of the same driver.
    connectionLost: () => to("orphaned", "startGrace"),
    graceOver: "ignore", // It came back at the same moment.
    ended: () => to("finished", "finish"),
  },
  orphaned: {
    driverReturned: () => to("running", "stopGrace"),
    connectionLost: "ignore",
    graceOver: () => to("finished", "finish"),
    ended: () => to("finished", "stopGrace", "finish"),
  },
  finished: {
    registered: "ignore", // Its driver ended while its record was written.
    driverReturned: "ignore",
    connectionLost: "ignore",
    graceOver: "ignore",
    ended: "ignore",
  },
};

/** Every event, in the order of the golden print. */
export const jobEvents: readonly JobEvent["kind"][] = ["registered", "driverReturned", "connectionLost", "graceOver", "ended"];
