/**
 * Groups on nodes that die, refuse and lose their connections, while users make and remove groups and control itself restarts:
 * in random order, but the same for each seed. At every step no node is given more than it has; once all is quiet, each group
 * is whole or has nothing, and control and the nodes agree.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Random, randomBelow, seededRandom } from "../base/random.ts";
import type { PlacementGroupSpec } from "../messages/placement-groups.ts";
import { ControlFixture, type FakeNode, groupSpec, type Peer } from "./control-fixture.ts";
import { MemoryRecordStore } from "./memory-record-store.ts";

/** Some that failed once, and others. */
const SEEDS = [1, 2, 3, 89, 112];
const STEPS = 60;
const NODES = 4;
const CPUS = 4;

class Story {
  readonly #random: Random;
  readonly #store = new MemoryRecordStore();
  readonly #nodes: FakeNode[] = [];
  readonly #groups = new Map<string, PlacementGroupSpec>();
  #fixture!: ControlFixture;
  #peer!: Peer;
  #jobId = "";
  #generation = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  async run(): Promise<void> {
    this.#fixture = await ControlFixture.start({ store: this.#store });
    const { peer, jobId } = await this.#fixture.driver();
    this.#peer = peer;
    this.#jobId = jobId;
    for (let index = 0; index < NODES; index++) await this.#addNode();
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      this.#checkAlways();
    }
    await this.#settle();
  }

  async #addNode(): Promise<void> {
    const node = await this.#fixture.node(`n${this.#generation++}`, { cpus: CPUS });
    // Answers are late now and then, and sometimes no.
    node.bundles.onPrepare = async () => {
      if (this.#below(3) === 0) await new Promise<void>((resolve) => this.#fixture.clock.after(1 + this.#below(300), resolve));
      return this.#below(5) > 0;
    };
    node.bundles.onCommit = async () => {
      if (this.#below(3) === 0) await new Promise<void>((resolve) => this.#fixture.clock.after(1 + this.#below(300), resolve));
      return true;
    };
    this.#nodes.push(node);
  }

  async #step(): Promise<void> {
    const choice = this.#below(20);
    if (choice < 6) await this.#create();
    else if (choice < 9) await this.#remove();
    else if (choice < 11) await this.#killNode();
    else if (choice < 13) await this.#loseConnection();
    else if (choice < 14) await this.#restartControl();
    else await this.#fixture.pass(this.#below(400));
  }

  async #create(): Promise<void> {
    const cpus = Array.from({ length: 1 + this.#below(4) }, () => 1 + this.#below(2));
    const strategy = (["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"] as const)[this.#below(4)] as "PACK";
    const spec = groupSpec(this.#jobId, cpus, { strategy, detached: true });
    this.#groups.set(spec.groupId, spec);
    await this.#fixture.answer(this.#peer.groups.createPlacementGroup({ spec }));
  }

  async #remove(): Promise<void> {
    const [groupId] = [...this.#groups.keys()].slice(this.#below(this.#groups.size + 1));
    if (groupId === undefined) return;
    this.#groups.delete(groupId);
    await this.#fixture.answer(this.#peer.groups.removePlacementGroup({ groupId }));
  }

  /** Another machine takes its place. */
  async #killNode(): Promise<void> {
    const [node] = this.#nodes.splice(this.#below(this.#nodes.length), 1);
    await node?.lose();
    await this.#fixture.pass(this.#below(600));
    await this.#addNode();
  }

  async #loseConnection(): Promise<void> {
    const node = this.#nodes[this.#below(this.#nodes.length)];
    await node?.lose();
    await this.#fixture.pass(this.#below(300));
    await node?.join();
  }

  async #restartControl(): Promise<void> {
    this.#fixture = await ControlFixture.start({ store: this.#store });
    this.#peer = await this.#fixture.peer();
    for (const node of this.#nodes) await node.moveTo(this.#fixture);
  }

  #checkAlways(): void {
    for (const { id, bundles } of this.#nodes) assert.ok(bundles.freeCpuUnits >= 0, `${id} has ${bundles.freeCpuUnits} units free`);
  }

  /** Nothing fails any more: groups that have room get it, and all is as control says. */
  async #settle(): Promise<void> {
    for (const { bundles } of this.#nodes) {
      bundles.onPrepare = () => true;
      bundles.onCommit = () => true;
    }
    for (let round = 0; round < 10; round++) await this.#fixture.pass(2000);
    const { groups } = await this.#fixture.answer(this.#peer.groups.listPlacementGroups({ limit: 1000 }));
    const living = groups.filter(({ state }) => state !== "removed");
    assert.deepEqual(living.map(({ spec }) => spec.groupId).toSorted(), [...this.#groups.keys()].toSorted());
    for (const { spec, state, nodeIds } of living) {
      assert.match(state, /^(created|pending|rescheduling)$/);
      for (const [index, nodeId] of nodeIds.entries()) {
        const holders = this.#nodes.filter(({ bundles }) =>
          bundles.held.some((held) => held.groupId === spec.groupId && held.index === index),
        );
        assert.deepEqual(
          holders.map(({ id }) => id),
          nodeId === "" ? [] : [nodeId],
          `bundle ${index} of ${spec.groupId}, ${state}`,
        );
        if (nodeId !== "")
          assert.ok(holders[0]?.bundles.held.find((held) => held.groupId === spec.groupId && held.index === index)?.isOpen);
      }
      if (state === "created") assert.ok(!nodeIds.includes(""));
      if (state === "pending") assert.deepEqual(new Set(nodeIds), new Set([""]));
      const used = nodeIds.filter((nodeId) => nodeId !== "");
      if (spec.strategy === "STRICT_PACK") assert.ok(new Set(used).size <= 1);
      if (spec.strategy === "STRICT_SPREAD") assert.equal(new Set(used).size, used.length);
    }
    for (const { bundles } of this.#nodes)
      for (const { groupId } of bundles.held) assert.ok(this.#groups.has(groupId), `${groupId} is gone and holds something`);
  }

  #below(count: number): number {
    return randomBelow(this.#random, count);
  }
}

for (const seed of SEEDS) test(`groups under faults, seed ${seed}`, () => new Story(seed).run());
