/** One request for a worker as its node keeps it: what was asked, and where it stands. */
import type { Timer } from "../base/clock.ts";
import type { RaiaError } from "../base/errors.ts";
import { Machine } from "../base/machine.ts";
import { type ResourceSet, resourceSet, shapeKey } from "../base/resources.ts";
import type { WorkerDemand } from "../messages/common.ts";
import { type GroupTarget, targetOf } from "../messages/placement-groups.ts";
import type { Room } from "./bundle-table.ts";
import { type Holding, type LeaseEffect, type LeaseEvent, type LeaseState, leaseTable } from "./lease-machine.ts";
import { launchKeyOf } from "./worker-pool.ts";

export interface LeaseRequest {
  readonly leaseId: string;
  readonly ownerId: string;
  readonly demand: WorkerDemand;
  /** An actor's process: not taken back, not shared with tasks. */
  readonly isActor: boolean;
  /** What an actor keeps of its resources once it is made. */
  readonly runResources?: ResourceSet;
  granted(holding: Holding): void;
  refused(error: RaiaError): void;
  /** Its placement group's bundles are on another node. */
  spilled(address: string): void;
}

export class Lease {
  readonly request: LeaseRequest;
  readonly resources: ResourceSet;
  /** The placement group that it takes its resources from. */
  readonly target: GroupTarget | undefined;
  /** Where it has its resources from, once it is granted. */
  room: Room | undefined;
  /** Which processes can serve it. */
  readonly launchKey: string;
  /** What one request of a job cannot get, the next of the same key cannot get either. */
  readonly shapeKey: string;
  /** Why this node can never serve it, in words. */
  readonly never: string | undefined;
  /** Runs while this node can never serve it. */
  timer: Timer | undefined;
  readonly #life = new Machine<LeaseState, LeaseEvent, LeaseEffect>("lease", leaseTable, { kind: "queued" });

  constructor(request: LeaseRequest, never: string | undefined) {
    const { demand } = request;
    this.request = request;
    this.never = never;
    this.resources = resourceSet(Object.entries(demand.resources));
    this.target = targetOf(demand.strategy);
    this.launchKey = launchKeyOf(demand);
    const target = this.target === undefined ? "" : `${this.target.groupId}/${this.target.bundleIndex}`;
    this.shapeKey = `${shapeKey(this.resources)}|${this.launchKey}|${demand.isolation}|${target}`;
  }

  get leaseId(): string {
    return this.request.leaseId;
  }

  get state(): LeaseState {
    return this.#life.state;
  }

  /** What it has, while it is granted. */
  get holding(): Holding | undefined {
    const { state } = this.#life;
    return state.kind === "granted" || state.kind === "waiting" ? state.holding : undefined;
  }

  /** @returns what the queue does now */
  handle(event: LeaseEvent, nowMs: number): readonly LeaseEffect[] {
    return this.#life.handle(event, nowMs);
  }
}
