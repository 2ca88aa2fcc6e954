/**
 * Does what one group's machine decides. Effects run in order, and what follows a write waits until it is durable: no bundle
 * opens that a crash of control would forget, and no number of an attempt is given twice. Giving back needs no such care and
 * never waits.
 */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { parseLabelSelector } from "../base/labels.ts";
import { resourceSet } from "../base/resources.ts";
import type { Quantities } from "../messages/common.ts";
import { bundleService, type PlacementGroupSpec } from "../messages/placement-groups.ts";
import type { GroupRequest } from "../scheduling/cluster-view.ts";
import type { Client } from "../wire/service.ts";
import { DurableEffects, WRITE } from "./durable-effects.ts";
import type { GroupPlacement, GroupWish } from "./group-placement.ts";
import { graveChange } from "./graves.ts";
import type { MembershipServer } from "./membership-server.ts";
import type { GroupEffect, GroupEvent, GroupLife } from "./placement-group-machine.ts";
import type { GroupEntry } from "./placement-group-table.ts";
import { encodeRecord, GroupLifeRecord } from "./record-codec.ts";
import type { RecordChange, RecordStore } from "./record-store.ts";

export interface GroupPerformerDeps {
  readonly clock: Clock;
  readonly store: RecordStore;
  readonly placement: GroupPlacement;
  readonly membership: Pick<MembershipServer, "askOver" | "reported">;
  readonly forgetName: (entry: GroupEntry) => void;
  /** It has a place for each bundle, or is removed. */
  readonly settled: (entry: GroupEntry) => void;
  readonly infeasible: (entry: GroupEntry, reasons: readonly string[]) => void;
  readonly onStoreFailure: () => void;
}

export const PLACEMENT_GROUPS = "placementGroups";
export const PLACEMENT_GROUP_LIVES = "placementGroupLives";
export const PLACEMENT_GROUP_GRAVES = "placementGroupGraves";

type OfKind<K extends GroupEffect["kind"]> = Extract<GroupEffect, { readonly kind: K }>;
type Queued = Exclude<GroupEffect, { readonly kind: "cancelOn" | "removeOn" | "persist" }>;

export class PlacementGroupPerformer {
  readonly #deps: GroupPerformerDeps;
  readonly #entry: GroupEntry;
  readonly #bundles: GroupRequest["bundles"];
  readonly #effects: DurableEffects<Queued>;
  #wish: GroupWish | undefined;
  /** Why the cluster could not hold it, as long as it has not got its places. */
  infeasible: readonly string[] | undefined;

  /** @throws {RaiaError} INVALID_OPTION for a label selector that cannot be read */
  constructor(deps: GroupPerformerDeps, entry: GroupEntry) {
    this.#deps = deps;
    this.#entry = entry;
    this.#bundles = bundlesOf(entry.spec);
    this.#effects = new DurableEffects({
      clock: deps.clock,
      store: deps.store,
      changes: () => groupChanges(entry),
      perform: (effect) => this.#perform(effect),
      onStoreFailure: () => deps.onStoreFailure(),
    });
  }

  /** Resolves when its first record is written, or could not be; the state then says which. */
  get registered(): Promise<void> {
    return this.#effects.registered;
  }

  /** @throws {RaiaError} CONTROL_STORE_FAILED */
  register(changes: readonly RecordChange[]): Promise<void> {
    return this.#effects.register(changes);
  }

  handle(event: GroupEvent): void {
    const { clock, placement } = this.#deps;
    const { machine } = this.#entry;
    const effects = machine.handle(event, clock.nowMs());
    if (machine.state.kind !== "pending" && this.#wish !== undefined) {
      placement.remove(this.#wish);
      this.#wish = undefined;
    }
    const queued: (Queued | typeof WRITE)[] = [];
    for (const effect of effects) {
      if (effect.kind === "cancelOn") void this.#cancel(effect);
      else if (effect.kind === "removeOn") void this.#remove(effect);
      else queued.push(effect.kind === "persist" ? WRITE : effect);
    }
    this.#effects.add(queued);
  }

  /**
   * Control has come back.
   *
   * @param committing nodes which may not have heard that they are to open what they set aside; undefined when places are wanted
   */
  begin(committing: readonly string[] | undefined): void {
    const { epoch } = this.#life;
    if (committing === undefined) this.#effects.add([WRITE, { kind: "place", delayMs: 0 }]);
    else this.#effects.add(committing.map((nodeId) => ({ kind: "commitOn", nodeId, epoch })));
  }

  /**
   * Resolves when what was decided so far is durable.
   *
   * @throws {RaiaError} CONTROL_STORE_FAILED when it cannot be written now; it is tried again all the same
   */
  settled(): Promise<void> {
    return this.#effects.settled();
  }

  /** Why it has no place yet. */
  explain(): readonly string[] {
    return this.#wish === undefined ? [] : this.#deps.placement.explain(this.#wish);
  }

  #perform(effect: Queued): void {
    switch (effect.kind) {
      case "place":
        this.#place(effect.delayMs);
        break;
      case "prepareOn":
        void this.#prepare(effect);
        break;
      case "commitOn":
        void this.#commit(effect);
        break;
      case "forgetName":
        this.#deps.forgetName(this.#entry);
        break;
      case "publish":
        this.#deps.settled(this.#entry);
        break;
    }
  }

  #place(delayMs: number): void {
    // It may have been removed while its record was written.
    if (this.#entry.machine.state.kind !== "pending" || this.#wish !== undefined) return;
    const wish: GroupWish = {
      request: () => ({ ...requestOf(this.#entry.spec, this.#bundles), standing: this.#life.standing }),
      placed: (nodeIds) => {
        this.infeasible = undefined;
        const { standing } = this.#life;
        this.handle({ kind: "placed", plan: nodeIds.map((nodeId, index) => (standing[index] === undefined ? nodeId : undefined)) });
      },
      infeasible: (reasons) => {
        this.infeasible = reasons;
        this.#deps.infeasible(this.#entry, reasons);
      },
    };
    this.#wish = wish;
    this.#deps.placement.add(wish, delayMs);
  }

  get #life(): GroupLife {
    return this.#entry.machine.state.life;
  }

  // -- what nodes are asked ---------------------------------------------------------------------------------------

  async #prepare({ nodeId, epoch, indices }: OfKind<"prepareOn">): Promise<void> {
    const { groupId, bundles } = this.#entry.spec;
    const wanted = indices.map((index) => ({ index, resources: bundles[index]?.resources ?? {} }));
    const answer = await this.#ask(nodeId, (node) => node.prepareBundles({ groupId, epoch, bundles: wanted }));
    // The node is dead, and its death is told to all that it had.
    if (answer === undefined) return;
    const isPrepared = answer !== "failed" && answer.isPrepared;
    // What was set aside was counted when the place was chosen; a node that refuses has less than control believed.
    if (answer !== "failed" && !isPrepared) this.#deps.membership.reported(nodeId, answer.available);
    this.handle({ kind: isPrepared ? "prepared" : "refused", epoch, nodeId });
  }

  async #commit({ nodeId, epoch }: OfKind<"commitOn">): Promise<void> {
    const { groupId } = this.#entry.spec;
    const answer = await this.#ask(nodeId, (node) => node.commitBundles({ groupId, epoch }));
    if (answer === undefined) return;
    this.handle(answer !== "failed" && answer.isCommitted ? { kind: "committed", epoch, nodeId } : { kind: "bundlesLost", nodeId });
  }

  async #cancel({ nodeId, epoch, openToo }: OfKind<"cancelOn">): Promise<void> {
    const { groupId } = this.#entry.spec;
    this.#returned(nodeId, await this.#ask(nodeId, (node) => node.cancelBundles({ groupId, epoch, openToo })));
  }

  async #remove({ nodeId }: OfKind<"removeOn">): Promise<void> {
    const { groupId } = this.#entry.spec;
    this.#returned(nodeId, await this.#ask(nodeId, (node) => node.removeBundles({ groupId })));
  }

  #returned(nodeId: string, answer: { readonly available: Quantities } | "failed" | undefined): void {
    if (answer !== undefined && answer !== "failed") this.#deps.membership.reported(nodeId, answer.available);
  }

  /** @returns "failed" when the node cannot do it; undefined when it is dead */
  async #ask<T>(nodeId: string, ask: (node: Client<typeof bundleService>) => Promise<T>): Promise<T | "failed" | undefined> {
    try {
      return await this.#deps.membership.askOver(nodeId, (connection) => ask(connection.client(bundleService)));
    } catch (error) {
      if (!RaiaError.is(error)) throw error;
      return "failed";
    }
  }
}

function bundlesOf({ bundles }: PlacementGroupSpec): GroupRequest["bundles"] {
  return bundles.map(({ resources, labelSelector }) => ({
    resources: resourceSet(Object.entries(resources)),
    labels: parseLabelSelector(labelSelector ?? {}, "bundleLabelSelector"),
  }));
}

function requestOf({ strategy, sameLabels }: PlacementGroupSpec, bundles: GroupRequest["bundles"]): GroupRequest {
  return { bundles, strategy, sameLabels };
}

/** What is written of a group whenever it changes; its specification is written once. */
export function groupChanges({ spec, machine, outlivesJob }: GroupEntry): RecordChange[] {
  const key = spec.groupId;
  const { state } = machine;
  if (state.kind === "removed")
    return [
      ...[PLACEMENT_GROUPS, PLACEMENT_GROUP_LIVES].map((table) => ({ table, key, value: undefined })),
      graveChange(PLACEMENT_GROUP_GRAVES, key, Buffer.from(state.end)),
    ];
  const { epoch, standing, wasWhole } = state.life;
  const nodeIds = standing.map((nodeId) => nodeId ?? "");
  return [{ table: PLACEMENT_GROUP_LIVES, key, value: encodeRecord(GroupLifeRecord, { epoch, nodeIds, wasWhole, outlivesJob }) }];
}
