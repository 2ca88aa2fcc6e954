/**
 * From a shape's work to leased workers: asks the node for as many leases as are worth having, dials the worker that each
 * names, and hands both over. A lease whose worker died on the way is asked for anew.
 */
import type { Clock } from "../../base/clock.ts";
import { RaiaError } from "../../base/errors.ts";
import { leaseIdOf } from "../../base/ids.ts";
import type { WorkerDemand } from "../../messages/common.ts";
import type { LeaseReply } from "../../messages/leases.ts";
import type { Infer } from "../../wire/schema.ts";
import type { LeaseGrant } from "./lease-channel.ts";
import type { Shape } from "./shape.ts";
import type { WorkerLink } from "./worker-link.ts";
import { reachWorker } from "./worker-silence.ts";

/** What is asked of the node. */
export interface LeaseCalls {
  request(leaseId: string, demand: WorkerDemand, backlog: number): Promise<Infer<typeof LeaseReply>>;
  cancel(leaseId: string): void;
  return(leaseId: string, discard: boolean): void;
  kill(leaseId: string, graceMs: number, reason: string): void;
  link(address: string): Promise<WorkerLink>;
  /** The words of shared memory at an offset of the arena. */
  claims(offset: number, count: number): Int32Array | undefined;
}

export interface LeaseRequestEvents {
  granted(shape: Shape, grant: LeaseGrant, link: WorkerLink): void;
  /** Nothing came of a request, and the shape may need another. */
  vain(shape: Shape): void;
  /** No node will ever serve the shape, or its environment cannot be set up. */
  refused(shape: Shape, error: unknown): void;
}

export class LeaseRequests {
  readonly #ownerId: string;
  readonly #calls: LeaseCalls;
  readonly #clock: Clock;
  readonly #events: LeaseRequestEvents;
  #nextLease = 1;
  #isStopped = false;

  constructor(ownerId: string, calls: LeaseCalls, clock: Clock, events: LeaseRequestEvents) {
    this.#ownerId = ownerId;
    this.#calls = calls;
    this.#clock = clock;
    this.#events = events;
  }

  /** Asks for what the shape misses, and takes back what it wants no more. */
  match(shape: Shape): void {
    if (this.#isStopped) return;
    for (let missing = shape.missingLeases; missing > 0; missing--) this.#request(shape);
    if (shape.wantedLeases === 0) for (const leaseId of shape.requests) this.#calls.cancel(leaseId);
  }

  /** The worker of a lease that was not handed over yet is dead. */
  workerDied(leaseId: string, shapes: Iterable<Shape>): void {
    for (const shape of shapes) if (shape.requests.delete(leaseId)) this.#events.vain(shape);
  }

  /** What is granted from now on goes back. */
  stop(): void {
    this.#isStopped = true;
  }

  #request(shape: Shape): void {
    const leaseId = leaseIdOf(this.#ownerId, this.#nextLease++);
    shape.requests.add(leaseId);
    this.#calls.request(leaseId, shape.demand, shape.queue.length).then(
      (reply) => this.#answered(shape, leaseId, reply),
      (error: unknown) => {
        shape.requests.delete(leaseId);
        this.#refused(shape, error);
      },
    );
  }

  async #answered(shape: Shape, leaseId: string, reply: Infer<typeof LeaseReply>): Promise<void> {
    if (reply.status === "spilled") {
      shape.requests.delete(leaseId);
      const facts = {
        reason: "its placement group is on another node, and leases of other nodes are not there yet",
        node: reply.spillAddress,
      };
      this.#refused(shape, new RaiaError("UNSUPPORTED", facts));
      return;
    }
    if (reply.status !== "granted") {
      shape.requests.delete(leaseId);
      this.#events.vain(shape);
      return;
    }
    const isShared = shape.demand.isolation === "shared" || (reply.claimInWorker ?? 0) > 0;
    shape.reaching.set(leaseId, { pid: reply.pid as number, sinceMs: this.#clock.nowMs() });
    const link = await reachWorker(this.#clock, this.#calls.link(reply.address as string), isShared);
    shape.reaching.delete(leaseId);
    // The node has said meanwhile that the worker is dead.
    if (!shape.requests.delete(leaseId)) return;
    if (link === undefined) {
      // Its node sees of what it died, if it did.
      this.#calls.return(leaseId, true);
      this.#events.vain(shape);
      return;
    }
    if (this.#isStopped) {
      this.#calls.return(leaseId, false);
      return;
    }
    const grant = {
      leaseId,
      nodeId: reply.nodeId as string,
      workerId: reply.workerId as string,
      pid: reply.pid as number,
      isShared,
      claims: this.#calls.claims(reply.claimOffset as number, reply.claimCount as number),
      claimOffset: reply.claimInWorker ?? 0,
      accelerators: reply.accelerators,
      deviceVariables: reply.deviceVariables,
    };
    this.#events.granted(shape, grant, link);
  }

  #refused(shape: Shape, error: unknown): void {
    if (RaiaError.is(error, "TASK_CANCELLED")) return;
    const isNodeGone = RaiaError.is(error, "CONNECTION_LOST") && !this.#isStopped;
    this.#events.refused(
      shape,
      isNodeGone ? new RaiaError("NODE_DIED", { reason: "the node of this process is gone" }, { cause: error }) : error,
    );
  }
}
