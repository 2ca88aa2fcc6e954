import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlacementGroupSpec } from "../messages/placement-groups.ts";
import { actorSpec, ControlFixture, type FakeNode, groupSpec, type Peer } from "./control-fixture.ts";
import type { ControlOptions } from "./control-server.ts";
import { MemoryRecordStore } from "./memory-record-store.ts";

async function newCluster(cpus: readonly number[], options: Partial<ControlOptions> = {}) {
  const fixture = await ControlFixture.start(options);
  const nodes: FakeNode[] = [];
  for (const [index, count] of cpus.entries()) nodes.push(await fixture.node(`n${index + 1}`, { cpus: count }));
  const { peer, jobId } = await fixture.driver();
  return { fixture, nodes, peer, jobId };
}

async function create(fixture: ControlFixture, peer: Peer, spec: PlacementGroupSpec): Promise<void> {
  await fixture.answer(peer.groups.createPlacementGroup({ spec }));
  await fixture.settle();
}

async function rowOf(fixture: ControlFixture, peer: Peer, groupId: string): Promise<string> {
  const { groups } = await fixture.answer(peer.groups.listPlacementGroups({ limit: 10, groupId }));
  return groups.map(({ state, nodeIds }) => `${state} ${nodeIds.map((nodeId) => nodeId || "-").join(" ")}`).join("; ");
}

test("groups: set aside on every node, then opened, and who waits hears where", async () => {
  const { fixture, nodes, peer, jobId } = await newCluster([4, 4]);
  const spec = groupSpec(jobId, [3, 3]);
  const { groupId } = spec;
  const ready = peer.groups.awaitPlacementGroup({ groupId });

  await create(fixture, peer, spec);

  const { status, places } = await fixture.answer(ready);
  assert.equal(status, "created");
  assert.deepEqual(new Set(places.map(({ nodeId, address }) => `${nodeId} at ${address}`)), new Set(["n1 at n1", "n2 at n2"]));
  for (const { bundles } of nodes)
    assert.equal(
      bundles.held.every(({ isOpen }) => isOpen),
      true,
    );
  assert.deepEqual(
    nodes.map(({ bundles }) => bundles.asked[1]),
    ["commit 1", "commit 1"],
  );
});

test("groups: nobody opens anything before everybody has set aside, and who refuses costs the others theirs", async () => {
  const { fixture, nodes, peer, jobId } = await newCluster([4, 4]);
  const [first, second] = nodes as [FakeNode, FakeNode];
  const refuses = Promise.withResolvers<boolean>();
  second.bundles.onPrepare = () => refuses.promise;
  const spec = groupSpec(jobId, [3, 3]);

  await create(fixture, peer, spec);
  assert.match(first.bundles.of(spec.groupId), /^\(\d\)$/);
  assert.equal(await rowOf(fixture, peer, spec.groupId), "pending - -");
  refuses.resolve(false);
  await fixture.settle();
  assert.equal(first.bundles.of(spec.groupId), "");
  assert.match((await fixture.answer(peer.groups.explainPlacementGroup({ groupId: spec.groupId }))).reasons.join(), /tried again/);

  second.bundles.onPrepare = () => true;
  await fixture.pass(100);
  assert.match(await rowOf(fixture, peer, spec.groupId), /^created n\d n\d$/);
  assert.deepEqual(first.bundles.asked, [
    "prepare 1: " + first.bundles.held[0]?.index,
    "cancel 1",
    "prepare 2: " + first.bundles.held[0]?.index,
    "commit 2",
  ]);
});

test("groups: a node that dies while bundles are set aside: the others give theirs back, and the group goes elsewhere", async () => {
  const { fixture, nodes, peer, jobId } = await newCluster([4, 4]);
  const [first, second] = nodes as [FakeNode, FakeNode];
  second.bundles.onPrepare = () => new Promise(() => {});
  const spec = groupSpec(jobId, [3, 3]);
  await create(fixture, peer, spec);

  await second.lose();
  await fixture.pass(500);
  assert.equal(first.bundles.of(spec.groupId), "");
  await fixture.node("n3", { cpus: 4 });
  await fixture.pass(100);
  assert.equal(await rowOf(fixture, peer, spec.groupId).then((row) => row.split(" ")[0]), "created");
});

test("groups: a connection that is lost in between is nothing: the same is asked again", async () => {
  const { fixture, nodes, peer, jobId } = await newCluster([4, 4]);
  const [, second] = nodes as [FakeNode, FakeNode];
  const spec = groupSpec(jobId, [3, 3]);
  second.bundles.onPrepare = () => new Promise(() => {});
  await create(fixture, peer, spec);
  await second.lose();
  second.bundles.onPrepare = () => true;
  second.bundles.onCommit = () => new Promise(() => {});
  await second.join();
  await fixture.settle();
  assert.match(await rowOf(fixture, peer, spec.groupId), /^prepared/);
  await second.lose();
  second.bundles.onCommit = () => true;
  await second.join();
  await fixture.settle();

  assert.match(await rowOf(fixture, peer, spec.groupId), /^created/);
  assert.deepEqual(
    second.bundles.asked.filter((asked) => asked.startsWith("cancel")),
    [],
  );
});

test("groups: after a node's death the bundles that were there go elsewhere, the others stay", async () => {
  const { fixture, nodes, peer, jobId } = await newCluster([4, 4, 4]);
  const spec = groupSpec(jobId, [2, 2], { strategy: "STRICT_SPREAD" });
  await create(fixture, peer, spec);
  const [firstId, secondId] = (await rowOf(fixture, peer, spec.groupId)).split(" ").slice(1);
  const dying = nodes.find(({ id }) => id === firstId) as FakeNode;
  const spare = nodes.find(({ id }) => id !== firstId && id !== secondId) as FakeNode;
  spare.bundles.onPrepare = () => new Promise(() => {});

  await dying.lose();
  await fixture.pass(500);
  assert.equal(await rowOf(fixture, peer, spec.groupId), `rescheduling - ${secondId}`);
  await spare.lose();
  spare.bundles.onPrepare = () => true;
  await spare.join();
  await fixture.settle();

  assert.equal(await rowOf(fixture, peer, spec.groupId), `created ${spare.id} ${secondId}`);
  assert.equal((nodes.find(({ id }) => id === secondId) as FakeNode).bundles.of(spec.groupId), "1");
});

test("groups: for what could fit nodes are asked to get back what nobody needs", async () => {
  const { fixture, nodes, peer, jobId } = await newCluster([4]);
  const [node] = nodes as [FakeNode];
  await node.report(1);
  const spec = groupSpec(jobId, [3]);
  await create(fixture, peer, spec);
  assert.deepEqual(node.bundles.asked, ["room wanted"]);

  await node.report(4);
  assert.match(await rowOf(fixture, peer, spec.groupId), /^created/);
});

test("groups: what cannot fit is told after a while, and comes all the same when a node joins", async () => {
  const { fixture, peer, jobId } = await newCluster([4], { infeasibleTimeoutMs: 1000 });
  const spec = groupSpec(jobId, [3, 3], { strategy: "STRICT_SPREAD" });
  await create(fixture, peer, spec);
  const ready = peer.groups.awaitPlacementGroup({ groupId: spec.groupId });

  await fixture.pass(1000);
  const { status, reasons } = await fixture.answer(ready);
  assert.equal(status, "infeasible");
  assert.match(reasons.join(), /STRICT_SPREAD: 2 bundles need as many nodes/);
  await fixture.node("n2", { cpus: 4 });
  await fixture.settle();
  assert.match(await rowOf(fixture, peer, spec.groupId), /^created/);
  assert.equal((await fixture.answer(peer.groups.awaitPlacementGroup({ groupId: spec.groupId }))).status, "created");
});

test("groups: removed, they give all back, also what is set aside only, and stay removed", async () => {
  const { fixture, nodes, peer, jobId } = await newCluster([4, 4]);
  const [first, second] = nodes as [FakeNode, FakeNode];
  const late = Promise.withResolvers<boolean>();
  second.bundles.onPrepare = () => late.promise;
  const spec = groupSpec(jobId, [3, 3]);
  await create(fixture, peer, spec);

  await fixture.answer(peer.groups.removePlacementGroup({ groupId: spec.groupId }));
  late.resolve(true);
  await fixture.settle();

  assert.deepEqual([first.bundles.held.length, second.bundles.held.length], [0, 0], "an old request does not bring it back");
  assert.equal((await fixture.answer(peer.groups.awaitPlacementGroup({ groupId: spec.groupId }))).status, "removed");
  await assert.rejects(fixture.answer(peer.groups.createPlacementGroup({ spec })), { code: "PLACEMENT_GROUP_REMOVED" });
});

test("groups: they end with their job, and with the actor that made them; detached ones do not", async () => {
  const { fixture, nodes, peer, jobId } = await newCluster([8]);
  const [node] = nodes as [FakeNode];
  const maker = actorSpec(jobId, "driver", { name: "maker", runResources: {} });
  await peer.createActor(maker);
  await fixture.settle();
  const [ofJob, ofActor, detached] = [
    groupSpec(jobId, [1]),
    groupSpec(jobId, [1], { creatorActorId: maker.actorId }),
    groupSpec(jobId, [1], { detached: true, name: "kept", creatorActorId: maker.actorId }),
  ];
  for (const spec of [ofJob, ofActor, detached]) await create(fixture, peer, spec);
  assert.equal(node.bundles.held.length, 3);

  await fixture.answer(peer.control.killActor({ actorId: maker.actorId, noRestart: true }));
  await fixture.settle();
  assert.deepEqual(
    [ofJob, ofActor, detached].map(({ groupId }) => node.bundles.of(groupId)),
    ["0", "", "0"],
  );
  await fixture.answer(peer.control.finishJob({ jobId }));
  await fixture.settle();
  assert.deepEqual(
    [ofJob, ofActor, detached].map(({ groupId }) => node.bundles.of(groupId)),
    ["", "", "0"],
  );
  const other = await fixture.peer();
  assert.equal(
    (await fixture.answer(other.groups.getPlacementGroupByName({ name: "kept", namespace: "space" }))).spec.groupId,
    detached.groupId,
  );
});

test("groups: who waits for one that nobody registers hears when the job is over", async () => {
  const { fixture, peer, jobId } = await newCluster([4]);
  const waiting = peer.groups.awaitPlacementGroup({ groupId: groupSpec(jobId, [1]).groupId });
  await fixture.answer(peer.control.finishJob({ jobId }));
  assert.equal((await fixture.answer(waiting)).status, "removed");
});

test("groups: control that comes back knows them, opens what it had decided to open, and takes back what it had not", async () => {
  const store = new MemoryRecordStore();
  const before = await newCluster([4, 4], { store });
  const [first, second] = before.nodes as [FakeNode, FakeNode];
  const [whole, halfway] = [groupSpec(before.jobId, [2]), groupSpec(before.jobId, [2, 3])];
  first.bundles.onCommit = () => new Promise(() => {});
  second.bundles.onCommit = () => new Promise(() => {});
  await create(before.fixture, before.peer, whole);
  const keeper = [first, second].find(({ bundles }) => bundles.held.length > 0) as FakeNode;
  const other = keeper === first ? second : first;
  other.bundles.onPrepare = () => new Promise(() => {});
  await create(before.fixture, before.peer, halfway);
  assert.match(keeper.bundles.of(halfway.groupId), /\(\d\)/);

  const after = await ControlFixture.start({ store });
  for (const bundles of [first.bundles, second.bundles]) {
    bundles.onCommit = () => true;
    bundles.onPrepare = () => true;
    bundles.asked.length = 0;
  }
  for (const old of [first, second]) await old.moveTo(after);
  const { peer } = await after.driver();
  await after.pass(100);

  assert.match(await rowOf(after, peer, whole.groupId), new RegExp(`^created ${keeper.id}$`));
  assert.equal(keeper.bundles.of(whole.groupId), "0");
  assert.match(await rowOf(after, peer, halfway.groupId), /^created n\d n\d$/);
  const held = [...first.bundles.held, ...second.bundles.held].filter(({ groupId }) => groupId === halfway.groupId);
  assert.deepEqual(new Set(held.map(({ index, isOpen }) => (isOpen ? index : -1))), new Set([0, 1]));
});

test("groups: what a node holds of a group that is gone is taken back when it returns", async () => {
  const store = new MemoryRecordStore();
  const before = await newCluster([4], { store });
  const [node] = before.nodes as [FakeNode];
  const spec = groupSpec(before.jobId, [2]);
  await create(before.fixture, before.peer, spec);
  await node.lose();
  await before.fixture.answer(before.peer.groups.removePlacementGroup({ groupId: spec.groupId }));

  const after = await ControlFixture.start({ store });
  await node.moveTo(after);
  await after.settle();

  assert.equal(node.bundles.held.length, 0);
});

test("groups: an actor goes to a node of its group, waits for the group, and dies when it is removed", async () => {
  const { fixture, nodes, peer, jobId } = await newCluster([2, 4]);
  const [small, large] = nodes as [FakeNode, FakeNode];
  const spec = groupSpec(jobId, [3]);
  const { groupId } = spec;
  const strategy = { kind: "PLACEMENT_GROUP", placementGroupId: groupId, bundleIndex: -1 } as const;
  const inGroup = (more = {}) => {
    const actor = actorSpec(jobId, "driver");
    return { ...actor, demand: { ...actor.demand, strategy, ...more } };
  };
  const [actor, tooLarge] = [inGroup(), inGroup({ resources: { CPU: 40_000 } })];
  await peer.createActor(actor);
  assert.deepEqual([small.started, large.started], [[], []]);
  assert.match(
    (await fixture.answer(peer.control.explainActor({ actorId: actor.actorId }))).reasons.join(),
    /its placement group is unregistered/,
  );

  await create(fixture, peer, spec);
  assert.deepEqual([small.started, large.started], [[], ["Counter 1"]]);
  await peer.createActor(tooLarge);
  await fixture.settle();
  assert.match(JSON.stringify(peer.views.at(-1)?.cause), /unschedulable.*needs CPU 4, bundle has 3 in total/);

  await fixture.answer(peer.groups.removePlacementGroup({ groupId }));
  const afterwards = inGroup();
  await peer.createActor(afterwards);
  await fixture.settle();
  assert.equal(peer.views.at(-1)?.cause?.kind, "placement-group-removed");
});

test("groups: names", async () => {
  const { fixture, peer, jobId } = await newCluster([4]);
  const named = groupSpec(jobId, [1], { name: "team" });
  await create(fixture, peer, named);
  await assert.rejects(create(fixture, peer, groupSpec(jobId, [1], { name: "team" })), { code: "PLACEMENT_GROUP_NAME_TAKEN" });
  await create(fixture, peer, named);
  await fixture.answer(peer.groups.removePlacementGroup({ groupId: named.groupId }));
  await create(fixture, peer, groupSpec(jobId, [1], { name: "team" }));
  await assert.rejects(fixture.answer(peer.groups.getPlacementGroupByName({ name: "teams", namespace: "space" })), {
    code: "PLACEMENT_GROUP_NOT_FOUND",
  });
});
