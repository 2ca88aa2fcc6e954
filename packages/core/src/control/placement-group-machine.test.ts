import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Machine, printTable } from "../base/machine.ts";
import {
  firstGroupLife,
  type GroupEffect,
  type GroupEvent,
  type GroupState,
  nodesIn,
  placementGroupEvents,
  placementGroupTable,
} from "./placement-group-machine.ts";

type GroupMachine = Machine<GroupState, GroupEvent, GroupEffect>;

function group(bundles: number, ...events: GroupEvent[]): { machine: GroupMachine; last: readonly GroupEffect[] } {
  const machine: GroupMachine = new Machine("group", placementGroupTable, { kind: "registering", life: firstGroupLife(bundles) });
  let last: readonly GroupEffect[] = [];
  for (const event of events) last = machine.handle(event, 0);
  return { machine, last };
}

const toPreparing: GroupEvent[] = [{ kind: "registered" }, { kind: "placed", plan: ["n1", "n2", "n1"] }];
const toCommitting: GroupEvent[] = [
  ...toPreparing,
  { kind: "prepared", epoch: 1, nodeId: "n1" },
  { kind: "prepared", epoch: 1, nodeId: "n2" },
];
const toCreated: GroupEvent[] = [
  ...toCommitting,
  { kind: "committed", epoch: 1, nodeId: "n2" },
  { kind: "committed", epoch: 1, nodeId: "n1" },
];

test("placement group machine: the table is the one that was reviewed", () => {
  const path = new URL("placement-group-machine.golden.txt", import.meta.url);
  const printed = printTable(placementGroupTable, placementGroupEvents);
  if (process.env["RAIA_WRITE_GOLDEN"] === "1") writeFileSync(path, printed);
  assert.equal(printed, readFileSync(path, "utf8"), "run with RAIA_WRITE_GOLDEN=1 if the change is meant");
});

test("placement group machine: every node sets aside, the record is written, then all open", () => {
  assert.deepEqual(group(3, ...toPreparing).last, [
    { kind: "prepareOn", nodeId: "n1", epoch: 1, indices: [0, 2] },
    { kind: "prepareOn", nodeId: "n2", epoch: 1, indices: [1] },
  ]);
  assert.deepEqual(group(3, ...toCommitting).last, [
    { kind: "persist" },
    { kind: "commitOn", nodeId: "n1", epoch: 1 },
    { kind: "commitOn", nodeId: "n2", epoch: 1 },
  ]);
  const { machine, last } = group(3, ...toCreated);
  assert.deepEqual(machine.state.life.standing, ["n1", "n2", "n1"]);
  assert.deepEqual(last, [{ kind: "publish" }]);
});

test("placement group machine: who refuses ends the attempt for all, and the next one has another number", () => {
  const { machine, last } = group(
    3,
    ...toPreparing,
    { kind: "prepared", epoch: 1, nodeId: "n2" },
    { kind: "refused", epoch: 1, nodeId: "n1" },
  );

  assert.deepEqual(machine.state, {
    kind: "pending",
    life: { epoch: 2, standing: [undefined, undefined, undefined], wasWhole: false, failures: 1 },
  });
  assert.deepEqual(last, [
    { kind: "cancelOn", nodeId: "n1", epoch: 1, openToo: false },
    { kind: "cancelOn", nodeId: "n2", epoch: 1, openToo: false },
    { kind: "persist" },
    { kind: "place", delayMs: 100 },
  ]);
});

test("placement group machine: a node that dies before all have set aside costs the attempt, after that its own bundles only", () => {
  const early = group(3, ...toPreparing, { kind: "prepared", epoch: 1, nodeId: "n1" }, { kind: "nodeDied", nodeId: "n2" });
  assert.deepEqual(nodesIn(early.machine.state.life.standing), []);

  const late = group(3, ...toCommitting, { kind: "nodeDied", nodeId: "n1" });
  assert.deepEqual(late.machine.state, {
    kind: "pending",
    life: { epoch: 2, standing: [undefined, "n2", undefined], wasWhole: true, failures: 0 },
  });
});

test("placement group machine: answers of an older attempt change nothing", () => {
  const { machine } = group(
    3,
    ...toPreparing,
    { kind: "refused", epoch: 1, nodeId: "n1" },
    { kind: "placed", plan: ["n1", "n2", "n1"] },
    { kind: "prepared", epoch: 1, nodeId: "n1" },
    { kind: "prepared", epoch: 1, nodeId: "n2" },
    { kind: "refused", epoch: 1, nodeId: "n2" },
  );

  assert.equal(machine.state.kind, "preparing");
});

test("placement group machine: removed, each node that has anything of it gives it back, whatever comes then", () => {
  const places = [toPreparing, toCommitting, toCreated];
  for (const events of places) {
    const { machine, last } = group(3, ...events, { kind: "removeRequested", end: "removed-by-user" });
    assert.deepEqual(
      last.flatMap((effect) => (effect.kind === "removeOn" ? effect.nodeId : [])),
      ["n1", "n2"],
    );
    for (const kind of placementGroupEvents)
      assert.deepEqual(machine.handle({ kind, epoch: 1, nodeId: "n1", plan: [], end: "job-ended" }, 0), [], kind);
  }
});

test("placement group machine: whatever happens, what stands is whole when it opens, and no number is given twice", () => {
  const nodes = ["n1", "n2", "n3"];
  const node = fc.constantFrom(...nodes);
  const event = fc.oneof(
    fc.record({ kind: fc.constant("placed" as const), plan: fc.array(node, { minLength: 3, maxLength: 3 }) }),
    fc.record({ kind: fc.constantFrom("prepared" as const, "refused" as const, "committed" as const), epoch: fc.nat(6), nodeId: node }),
    fc.record({ kind: fc.constantFrom("bundlesLost" as const, "nodeDied" as const), nodeId: node }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const { machine } = group(3, { kind: "registered" });
      const prepared = new Set<number>();
      for (const next of events) {
        const { state } = machine;
        if (next.kind === "placed" && state.kind !== "pending") continue;
        const feed: GroupEvent =
          next.kind === "placed"
            ? { kind: "placed", plan: state.life.standing.map((there, index) => (there === undefined ? next.plan[index] : undefined)) }
            : next;
        if (feed.kind === "placed" && nodesIn(feed.plan).length === 0) continue;
        const effects = machine.handle(feed, 0);
        const asked = new Set(effects.flatMap((effect) => (effect.kind === "prepareOn" ? [effect.epoch] : [])));
        for (const epoch of asked) {
          assert.ok(!prepared.has(epoch), `epoch ${epoch} was used before`);
          prepared.add(epoch);
        }
        const { kind, life } = machine.state;
        if (kind === "committing" || kind === "created") assert.ok(!life.standing.includes(undefined));
        if (effects.some((effect) => effect.kind === "commitOn")) assert.equal(effects[0]?.kind, "persist");
      }
    }),
  );
});
