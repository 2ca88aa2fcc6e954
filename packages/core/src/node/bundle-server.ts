/**
 * The bundles of placement groups on this node, as control asks for them: set aside, opened, given back. What wants to run in
 * a group none of whose bundles here could serve it waits until control knows where they are.
 */
import { whyNoBundle } from "../base/bundle-fit.ts";
import { type Clock, sleep } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { fits, resourceSet } from "../base/resources.ts";
import { type bundleService, type GroupTarget, type PlacementGroupReady, placementGroupService } from "../messages/placement-groups.ts";
import { hostService } from "../messages/tasks.ts";
import type { Connection } from "../wire/connection.ts";
import type { Handlers } from "../wire/service.ts";
import type { Bundle, BundleTable } from "./bundle-table.ts";
import type { ControlLink } from "./control-link.ts";
import type { HostedActors } from "./hosted-actors.ts";
import type { BundleKeeper, LeaseOwners, LeaseQueue } from "./lease-queue.ts";
import type { Lease } from "./lease.ts";
import type { PoolWorker } from "./pool-worker.ts";
import type { ResourceLedger } from "./resource-ledger.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface BundleServerDependencies {
  readonly nodeId: string;
  readonly clock: Clock;
  readonly ledger: ResourceLedger;
  readonly bundles: BundleTable;
  readonly pool: WorkerPool;
  readonly control: Pick<ControlLink, "reportSoon">;
  readonly owners: Pick<LeaseOwners, "starved">;
}

type Available = { readonly available: ResourceLedger["available"] };

/** A loop that lives answers sooner. */
const YIELD_MS = 300;
/** A group that control says is here, and is not: its bundles have just been lost, or are about to open. */
const ASK_AGAIN_MS = 100;

export class BundleServer implements BundleKeeper {
  readonly #deps: BundleServerDependencies;
  readonly #queue: () => LeaseQueue;
  readonly #actors: () => HostedActors;
  #control = Promise.withResolvers<Connection>();
  /** Groups that control was asked about. */
  readonly #asked = new Set<string>();
  /** Those who wait until a group has given everything back. */
  readonly #returning = new Map<string, (() => void)[]>();

  constructor(deps: BundleServerDependencies, queue: () => LeaseQueue, actors: () => HostedActors) {
    this.#deps = deps;
    this.#queue = queue;
    this.#actors = actors;
  }

  /** Control is reached over this connection from now on. */
  attach(connection: Connection): void {
    const attached = Promise.withResolvers<Connection>();
    this.#control.resolve(connection);
    attached.resolve(connection);
    this.#control = attached;
    // Before whoever asked over it hears that it is gone: what is asked again waits for the next.
    connection.onClosed(() => {
      if (this.#control === attached) this.#control = Promise.withResolvers<Connection>();
    });
  }

  handlers(): Handlers<typeof bundleService, Connection> {
    return {
      roomForGroupsWanted: () => this.#deps.owners.starved("", undefined),
      prepareBundles: ({ groupId, epoch, bundles }) => {
        const { ledger, control } = this.#deps;
        this.#close(groupId, (bundle) => bundle.machine.state.kind === "prepared" && bundle.epoch < epoch);
        const wanted = bundles.map(({ index, resources }) => ({ index, resources: resourceSet(Object.entries(resources)) }));
        const reasons = this.#deps.bundles.prepare(groupId, epoch, wanted);
        control.reportSoon();
        return { isPrepared: reasons === undefined, reasons: reasons ?? [], available: ledger.available };
      },
      commitBundles: ({ groupId, epoch }) => {
        const all = this.#deps.bundles.bundlesOf(groupId).filter((bundle) => bundle.epoch <= epoch);
        for (const bundle of all) this.#feed(bundle, { kind: "commit" });
        return { isCommitted: all.some((bundle) => bundle.machine.state.kind === "open") };
      },
      cancelBundles: async ({ groupId, epoch, openToo }) => {
        this.#deps.bundles.fence(groupId, epoch);
        this.#close(groupId, (bundle) => bundle.epoch <= epoch && (openToo || bundle.machine.state.kind === "prepared"));
        return openToo ? this.#whenReturned(groupId) : this.#available();
      },
      removeBundles: ({ groupId }) => {
        this.#deps.bundles.fence(groupId, Number.MAX_SAFE_INTEGER);
        this.#queue().refuseIn(groupId, "PLACEMENT_GROUP_REMOVED", { group: shortId(groupId) });
        this.#close(groupId, () => true);
        return this.#whenReturned(groupId);
      },
    };
  }

  #available(): Available {
    this.#deps.control.reportSoon();
    return { available: this.#deps.ledger.available };
  }

  #whenReturned(groupId: string): Available | Promise<Available> {
    if (!this.#isClosing(groupId)) return this.#available();
    return new Promise((resolve) => {
      const waiting = this.#returning.get(groupId) ?? [];
      this.#returning.set(groupId, [...waiting, () => resolve(this.#available())]);
    });
  }

  #isClosing(groupId: string): boolean {
    return this.#deps.bundles.bundlesOf(groupId).some(({ machine }) => machine.state.kind === "closing");
  }

  // -- the lives of bundles ---------------------------------------------------------------------------------------

  #close(groupId: string, isMeant: (bundle: Bundle) => boolean): void {
    for (const bundle of this.#deps.bundles.bundlesOf(groupId))
      if (isMeant(bundle)) this.#feed(bundle, { kind: "close", isBusy: isBusy(bundle) });
  }

  #feed(bundle: Bundle, event: Parameters<Bundle["machine"]["handle"]>[0]): void {
    for (const effect of bundle.machine.handle(event, this.#deps.clock.nowMs())) {
      switch (effect.kind) {
        case "announceOpen":
          this.#queue().schedule();
          break;
        case "endWork":
          this.#endWork(bundle);
          break;
        case "release":
          this.#release(bundle);
          break;
      }
    }
  }

  /** What has its work to do in the bundle ends at once; that returns what it holds. */
  #endWork({ ledger }: Bundle): void {
    for (const leaseId of [...ledger.leaseIds()]) {
      const lease = this.#queue().lease(leaseId);
      if (lease?.request.isActor === true) this.#actors().groupRemoved(leaseId);
      else if (lease?.holding !== undefined) void this.#endLease(lease, lease.holding.worker);
    }
  }

  /** A process in which nothing runs need not end: its lease is taken back, as from an owner that had its turn. */
  async #endLease({ leaseId }: Lease, worker: PoolWorker): Promise<void> {
    const { clock, pool } = this.#deps;
    this.#queue().turnOver(leaseId);
    const asked = (worker.connection as Connection)
      .client(hostService)
      .yieldLease({ leaseId })
      .catch(() => undefined); // It has died: its leases end with it.
    const answer = await Promise.race([asked, sleep(clock, YIELD_MS).then(() => undefined)]);
    if (this.#queue().lease(leaseId)?.holding === undefined) return;
    if (answer?.yielded === true) this.#queue().take(leaseId, answer.discard);
    else pool.stop(worker, { by: "placement-group" }, 0);
  }

  #release(bundle: Bundle): void {
    const { bundles, control } = this.#deps;
    bundles.release(bundle);
    control.reportSoon();
    this.#queue().schedule();
    if (this.#isClosing(bundle.groupId)) return;
    const waiting = this.#returning.get(bundle.groupId) ?? [];
    this.#returning.delete(bundle.groupId);
    for (const resolve of waiting) resolve();
  }

  returned(bundle: Bundle): void {
    if (!isBusy(bundle) && bundle.machine.state.kind !== "returned") this.#feed(bundle, { kind: "emptied" });
  }

  // -- work whose bundles are not here ----------------------------------------------------------------------------

  homeless({ target }: Lease): void {
    if (target !== undefined) void this.#find(target.groupId);
  }

  async #find(groupId: string): Promise<void> {
    if (this.#asked.has(groupId)) return;
    this.#asked.add(groupId);
    const answer = await this.#ask(groupId, (connection) => connection.client(placementGroupService).awaitPlacementGroup({ groupId }));
    this.#asked.delete(groupId);
    if (answer !== undefined) this.#found(groupId, answer);
    if (this.#queue().homelessIn(groupId).length > 0) this.#deps.clock.after(ASK_AGAIN_MS, () => void this.#find(groupId));
  }

  /** Asks again on the next connection when one is lost, while somebody waits; an error of control's is an answer. */
  async #ask<T>(groupId: string, ask: (connection: Connection) => Promise<T>): Promise<T | RaiaError | undefined> {
    for (;;) {
      const connection = await this.#control.promise;
      try {
        return await ask(connection);
      } catch (error) {
        if (!RaiaError.is(error)) throw error;
        if (error.code !== "CONNECTION_LOST") return error;
        if (this.#queue().homelessIn(groupId).length === 0) return undefined;
      }
    }
  }

  #found(groupId: string, answer: PlacementGroupReady | RaiaError): void {
    const group = shortId(groupId);
    const queue = this.#queue();
    if (RaiaError.is(answer)) {
      queue.refuseIn(groupId, answer.code, { ...answer.facts, group });
      return;
    }
    switch (answer.status) {
      case "created":
        for (const lease of queue.homelessIn(groupId)) this.#redirect(lease, answer.places);
        break;
      case "infeasible":
        queue.refuseIn(groupId, "PLACEMENT_INFEASIBLE", { group, reasons: answer.reasons });
        break;
      case "removed":
        queue.refuseIn(groupId, "PLACEMENT_GROUP_REMOVED", { group, cause: answer.reasons[0] });
        break;
    }
  }

  #redirect(lease: Lease, places: PlacementGroupReady["places"]): void {
    const { leaseId, request, resources } = lease;
    const target = lease.target as GroupTarget;
    const sets = places.map((place) => resourceSet(Object.entries(place.resources)));
    const fitting = places.filter(
      (_, index) => [index, -1].includes(target.bundleIndex) && fits(resources, sets[index] ?? resourceSet([])),
    );
    if (fitting.length === 0) {
      const code = request.isActor ? "ACTOR_UNSCHEDULABLE" : "TASK_UNSCHEDULABLE";
      const lacks = [whyNoBundle(sets, target.bundleIndex, resources)];
      this.#queue().refuse(leaseId, code, { ...(request.isActor && { name: request.demand.name }), group: shortId(target.groupId), lacks });
      return;
    }
    const elsewhere = fitting.find(({ nodeId }) => nodeId !== this.#deps.nodeId);
    if (elsewhere !== undefined && !fitting.some(({ nodeId }) => nodeId === this.#deps.nodeId))
      this.#queue().spill(leaseId, elsewhere.address);
  }

  /** Why a request waits; of one whose group has no places yet, why it has none. */
  async explain(leaseId: string): Promise<{ state: string; position?: number; reasons: string[] }> {
    const explained = this.#queue().explain(leaseId);
    const groupId = this.#queue().homelessGroupOf(leaseId);
    if (groupId === undefined) return explained;
    const answer = await this.#ask(groupId, (connection) => connection.client(placementGroupService).explainPlacementGroup({ groupId }));
    if (answer === undefined || RaiaError.is(answer)) return explained;
    return { ...explained, reasons: [`its placement group ${shortId(groupId)} is ${answer.state}`, ...answer.reasons] };
  }
}

function isBusy({ ledger }: Bundle): boolean {
  for (const _ of ledger.leaseIds()) return true;
  return false;
}
