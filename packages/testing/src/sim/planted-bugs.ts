/**
 * Bugs put in on purpose, to see that a simulation catches them. Each replaces a part of the product while it is planted;
 * none is reachable from the product itself.
 */
import { type ActorEvent, ActorPerformer, CallResults, ReferenceTable, ResourceLedger, StoreServer } from "@raia/core/internal";
import type { SimOptions } from "./run-seed.ts";

export interface PlantedBug {
  readonly what: string;
  /** Options of the runs while it is planted. */
  readonly options?: SimOptions;
  /** @returns what takes it out again */
  readonly plant?: () => () => void;
}

export const plantedBugs: Readonly<Record<string, PlantedBug>> = {
  "lease-released-twice": {
    what: "a lease that is given back gives back another's resources as well",
    plant: () =>
      replace(
        ResourceLedger.prototype,
        "release",
        (release) =>
          function (this: ResourceLedger, leaseId) {
            release.call(this, leaseId);
            const [other] = this.leaseIds();
            if (other !== undefined) release.call(this, other);
          },
      ),
  },
  "borrow-lost": {
    what: "an owner does not note who borrows",
    plant: () => replace(ReferenceTable.prototype, "addBorrower", () => () => []),
  },
  "borrow-end-lost": {
    what: "the message that a borrower let go is lost now and then",
    options: { loses: "RemoveBorrower" },
  },
  "actor-not-fenced": {
    what: "what is said of an older incarnation of an actor is taken for the current one",
    plant: () =>
      replace(
        ActorPerformer.prototype,
        "handle",
        (handle) =>
          function (this: ActorPerformer, event: ActorEvent) {
            const { incarnation } = this.entry.machine.state.life;
            handle.call(this, "incarnation" in event ? { ...event, incarnation } : event);
          },
      ),
  },
  "retry-commits-twice": {
    what: "a call that was settled is settled again by the result of another attempt",
    plant: () =>
      replace(
        CallResults.prototype,
        "complete",
        (complete) =>
          function (this: CallResults, call, ...result) {
            if (call.isSettled && call.stream === undefined) call.state = 0;
            complete.call(this, call, ...result);
          },
      ),
  },
  "unpin-lost": {
    what: "the store does not hear that a reader is done",
    plant: () => replace(StoreServer.prototype, "unpin", () => () => {}),
  },
  "orphans-forgotten": {
    what: "the store keeps nothing for those who hold what a dead owner left",
    plant: () => replace(StoreServer.prototype, "keepOrphans", () => () => []),
  },
  "dead-owner-kept": {
    what: "the store keeps what a dead owner owned",
    plant: () => replace(StoreServer.prototype, "ownerDied", () => () => {}),
  },
};

/** @returns what puts the method back */
function replace<T extends object, K extends keyof T>(prototype: T, name: K, make: (original: T[K]) => T[K]): () => void {
  const original = prototype[name];
  prototype[name] = make(original);
  return () => {
    prototype[name] = original;
  };
}
