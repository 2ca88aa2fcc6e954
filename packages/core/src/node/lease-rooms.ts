/** Where leases take their resources from: what the node has left, or the bundles of the placement group that they name. */
import { fits, lacking, showLack, showLackOf, unitsOf } from "../base/resources.ts";
import { shortId } from "../base/ids.ts";
import type { BundleTable, Room } from "./bundle-table.ts";
import type { Lease } from "./lease.ts";
import type { ResourceLedger } from "./resource-ledger.ts";

export class LeaseRooms {
  readonly #node: Room;
  readonly #bundles: BundleTable;

  constructor(node: ResourceLedger, bundles: BundleTable) {
    this.#node = { ledger: node };
    this.#bundles = bundles;
  }

  /** The node as a whole, with what its bundles hold. */
  get node(): ResourceLedger {
    return this.#node.ledger;
  }

  /** The place that can serve it now. */
  find(lease: Lease): Room | undefined {
    return this.#of(lease).find(({ ledger }) => ledger.canGrant(lease.resources));
  }

  /** Whether a place that could ever serve it is here. A lease without a group has the node, which was looked at when it came. */
  isHere(lease: Lease): boolean {
    return lease.target === undefined || this.#of(lease).some(({ ledger }) => fits(lease.resources, ledger.total));
  }

  /** Units of CPU that are free where it would be served. */
  freeCpu(lease: Lease): number {
    return this.#of(lease).reduce((sum, { ledger }) => sum + unitsOf(ledger.available, "CPU"), 0);
  }

  /** What it lacks, in words with numbers. */
  lacks(lease: Lease): string[] {
    const { resources, target } = lease;
    if (target === undefined) return lacking(resources, this.node.total, this.node.available).map(showLack);
    if (this.find(lease) !== undefined) return [];
    return this.#bundles.open(target.groupId, target.bundleIndex).flatMap(({ index, ledger }) => {
      const lack = lacking(resources, ledger.total, ledger.available)[0];
      return lack === undefined ? [] : [`bundle ${index} of placement group ${shortId(target.groupId)}: ${showLackOf(lack, "bundle")}`];
    });
  }

  #of({ target }: Lease): readonly Room[] {
    if (target === undefined) return [this.#node];
    return this.#bundles.open(target.groupId, target.bundleIndex).map((bundle) => ({ ledger: bundle.ledger, bundle }));
  }
}
