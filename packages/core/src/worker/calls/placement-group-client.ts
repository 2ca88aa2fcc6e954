/** Placement groups, as this process asks control for them. */
import { RaiaError } from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import { placementGroupService, type PlacementGroupSpec } from "../../messages/placement-groups.ts";
import type { Client } from "../../wire/service.ts";
import type { ClusterLink } from "../cluster-link.ts";
import type { Explanation } from "../state/explanation.ts";

export class PlacementGroupClient {
  readonly #cluster: ClusterLink;

  constructor(cluster: ClusterLink) {
    this.#cluster = cluster;
  }

  async #control(): Promise<Client<typeof placementGroupService>> {
    await this.#cluster.joined;
    return this.#cluster.controlServices.client(placementGroupService);
  }

  /** Settles when control has it durably. */
  async create(spec: Omit<PlacementGroupSpec, "jobId" | "namespace">): Promise<void> {
    // The job for which the running code works; of a driver that has not joined yet it is not known before.
    const { jobId, namespace } = this.#cluster;
    const control = await this.#control();
    const { job } = this.#cluster;
    await control.createPlacementGroup({ spec: { ...spec, jobId: jobId || job.jobId, namespace: namespace || job.namespace } });
  }

  /** Settles when each bundle has its place. @throws {RaiaError} PLACEMENT_INFEASIBLE, PLACEMENT_GROUP_REMOVED */
  async ready(groupId: string): Promise<void> {
    const { status, reasons } = await (await this.#control()).awaitPlacementGroup({ groupId });
    const group = shortId(groupId);
    if (status === "infeasible") throw new RaiaError("PLACEMENT_INFEASIBLE", { group, reasons });
    if (status === "removed") throw new RaiaError("PLACEMENT_GROUP_REMOVED", { group, cause: reasons[0] });
  }

  async remove(groupId: string): Promise<void> {
    await (await this.#control()).removePlacementGroup({ groupId });
  }

  /** @throws {RaiaError} PLACEMENT_GROUP_NOT_FOUND */
  async find(name: string): Promise<PlacementGroupSpec> {
    const { namespace } = this.#cluster;
    const control = await this.#control();
    return (await control.getPlacementGroupByName({ name, namespace: namespace || this.#cluster.job.namespace })).spec;
  }

  async explain(groupId: string): Promise<Explanation> {
    if (!this.#cluster.isJoined) return { state: "waiting", reasons: ["this process has not joined its cluster yet"] };
    return (await this.#control()).explainPlacementGroup({ groupId });
  }
}
