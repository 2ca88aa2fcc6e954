import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../base/fake-clock.ts";
import type { OwnerAddress } from "../../messages/common.ts";
import { encodeValue, packValue } from "../../values/value-codec.ts";
import { type ObjectEntry, objectState } from "./object-entry.ts";
import { ObjectReader } from "./object-reader.ts";
import { HANDOVER_GRACE_MS, ReferenceTable } from "./references.ts";
import { RuntimeValueHooks } from "./value-hooks.ts";

const noFinalizers = { watch: () => {}, collect: () => {} };

/** A process with what it said to owners, oldest first. `registered` answers its borrows. */
function newProcess(workerId: string) {
  const clock = new FakeClock();
  const self: OwnerAddress = { workerId, address: `w-${workerId}` };
  const table = new ReferenceTable(self, noFinalizers, clock);
  const hooks = new RuntimeValueHooks(table);
  const said: string[] = [];
  const withNode = new Set<string>();
  const tellAgain: (() => void)[] = [];
  const registered = Promise.withResolvers<readonly number[]>();
  const unused = (): never => {
    throw new Error("not in this test");
  };
  const large = { read: unused, whenStored: unused, find: unused };
  const reader = new ObjectReader(table, large, { getObject: unused }, hooks, unused, clock);
  table.connect(
    {
      freeStored: (objectId) => void said.push(`free ${objectId.slice(-2)}`),
      addBorrows: (owner, held) => {
        const tell = () => void said.push(`add ${owner.workerId} ${held().join(",")}`);
        tell();
        tellAgain.push(tell);
        return registered.promise;
      },
      keepOrphans: async (_ownerId, ids) => {
        said.push(`keep ${ids.map((id) => id.slice(-2)).join(",")}`);
        return new Map(ids.filter((id) => withNode.has(id)).map((id) => [id, 8]));
      },
      dropOrphans: (ids) => void said.push(`drop ${ids.map((id) => id.slice(-2)).join(",")}`),
      removeBorrows: (owner, sequences) => void said.push(`remove ${owner.workerId} ${sequences.join(",")}`),
      sharedChanged: () => {},
      abandoned: () => {},
      unhandled: () => {},
    },
    reader,
  );
  return { clock, table, hooks, reader, said, tellAgain, registered, withNode };
}

/** A value of ours, with a handle, that holds a stored one of ours: number 1. */
function ownContainer(table: ReferenceTable): ObjectEntry {
  const inner = table.own(1, "put");
  inner.settle(objectState.stored, { nodeId: "n", sizeBytes: 1 });
  const container = table.own(2, "put");
  container.settle(objectState.bytes, new Uint8Array(1));
  container.nested = [inner];
  table.hold(inner);
  container.handles = 1;
  return container;
}

test("references: what a freed value contained is kept for a call that has the value", () => {
  const { table, said } = newProcess("a");
  const container = ownContainer(table);
  table.hold(container); // A call that was pushed with the bytes.

  table.free(container);
  assert.deepEqual(said, []);

  table.dropHold(container);
  assert.deepEqual(said, [], "a handle is left");
  table.dropHandle(container);
  assert.deepEqual(said, ["free 01"]);
});

test("references: what was on its way when its connection was lost is kept until its receiver can have told of it", () => {
  const { clock, table, said } = newProcess("a");
  const entry = table.own(1, "put");
  entry.settle(objectState.stored, { nodeId: "n", sizeBytes: 1 });
  table.addressOf(entry);
  entry.handles = 1;
  table.holdForHandover([entry]);
  table.dropHandle(entry);

  clock.advance(HANDOVER_GRACE_MS - 1);
  assert.deepEqual(table.addBorrower("b", [1]), []);
  clock.advance(1);
  assert.deepEqual(said, [], "it is borrowed now");

  table.removeBorrower("b", [1]);
  assert.deepEqual(said, ["free 01"]);
});

test("references: a freed value that nobody was given lets go of what it contained at once", () => {
  const { table, said } = newProcess("a");
  const container = ownContainer(table);

  table.free(container);

  assert.deepEqual(said, ["free 01"]);
});

test("references: a borrowed value is held until the owners of the refs in it know of us", async () => {
  const owner = newProcess("b");
  const inner = owner.table.own(7, "put");
  const scope = owner.hooks.beginEncode();
  const encoded = encodeValue({ refs: [owner.table.refFor(inner)] }, owner.hooks);
  scope.end();
  const bytes = Buffer.alloc(encoded.byteLength);
  packValue(encoded, bytes);
  const { clock, table, reader, said, registered } = newProcess("a");
  const container = table.resolve({ owner: { workerId: "c", address: "w-c" }, sequence: 3 }, []);
  assert.ok(container);
  container.settle(objectState.bytes, bytes);
  container.handles = 1;

  const reading = reader.get(container);
  table.dropHandle(container);
  clock.advance(0);
  assert.deepEqual(said, ["add b 7"], "the container is not given up before the borrow is known");

  registered.resolve([]);
  await reading;
  clock.advance(0);
  assert.deepEqual(said, ["add b 7", "remove c 3"]);
});

test("references: an owner that is told of a borrow again hears nothing of what was dropped meanwhile", () => {
  const { table, said, tellAgain } = newProcess("a");
  const fresh: ObjectEntry[] = [];
  const [kept, dropped] = [1, 2].map((sequence) => table.resolve({ owner: { workerId: "b", address: "w-b" }, sequence }, fresh));
  assert.ok(kept !== undefined && dropped !== undefined);
  table.hold(kept);
  table.hold(dropped);
  void table.borrows.register(fresh);

  table.dropHold(dropped);
  for (const tell of tellAgain) tell();

  assert.deepEqual(said, ["add b 1,2", "add b 1"]);
});

test("references: what a borrower says after a lost connection replaces all that was known of it", () => {
  const { table } = newProcess("a");
  const entries = [1, 2, 3].map((sequence) => {
    const entry = table.own(sequence, "put");
    table.addressOf(entry);
    entry.handles = 1;
    return entry;
  });
  table.addBorrower("b", [1, 2]);
  table.addBorrower("c", [1]);

  const unknown = table.setBorrows("b", [2, 3, 9]);

  assert.deepEqual(unknown, [9]);
  assert.deepEqual(
    entries.map(({ borrowers }) => [...(borrowers ?? [])]),
    [["c"], ["b"], ["b"]],
  );
  assert.equal(table.isBorrower("c"), true);
  table.borrowerDied("c");
  assert.equal(table.isBorrower("c"), false);
});

const owner: OwnerAddress = { workerId: "b", address: "w-b" };

test("references: what a dead owner left with the node goes on, the rest fails", async () => {
  const { table, said, withNode } = newProcess("a");
  const [left, lost] = [1, 2].map((sequence) => table.borrows.resolve(owner, sequence, []));
  for (const entry of [left!, lost!]) table.hold(entry);
  withNode.add(table.idOf(left!));

  await table.borrows.ownerDied("b");

  assert.deepEqual(said, ["keep 01,02"]);
  assert.equal(left!.state, objectState.stored);
  assert.equal(lost!.state, objectState.failure);
  assert.equal((lost!.payload as { code: string }).code, "OWNER_DIED");
  table.dropHold(left!);
  assert.deepEqual(said, ["keep 01,02", "drop 01"], "the node hears of it, since the owner cannot");
});

test("references: an orphan that was dropped while the node was asked is dropped there", async () => {
  const { table, said, withNode } = newProcess("a");
  const entry = table.borrows.resolve(owner, 1, []);
  table.hold(entry);
  withNode.add(table.idOf(entry));
  const asking = table.borrows.ownerDied("b");
  table.dropHold(entry);
  await asking;
  assert.deepEqual(said, ["keep 01", "drop 01"]);
});

test("references: an orphan that came back while the node was asked stays", async () => {
  const { table, said, withNode } = newProcess("a");
  const entry = table.borrows.resolve(owner, 1, []);
  table.hold(entry);
  withNode.add(table.idOf(entry));
  const asking = table.borrows.ownerDied("b");
  table.dropHold(entry);
  const again = table.borrows.resolve(owner, 1, []);
  table.hold(again);
  const askingAgain = table.borrows.ownerDied("b");
  await Promise.all([asking, askingAgain]);
  assert.deepEqual(said, ["keep 01", "keep 01"]);
  assert.equal(again.state, objectState.stored);
});

test("references: a value that is here already is kept at the node for those who get the ref next", async () => {
  const { table, said, withNode } = newProcess("a");
  const entry = table.borrows.resolve(owner, 1, []);
  table.hold(entry);
  entry.settle(objectState.value, 7);
  withNode.add(table.idOf(entry));
  await table.borrows.ownerDied("b");
  assert.equal(entry.payload, 7);
  table.dropHold(entry);
  assert.deepEqual(said, ["keep 01", "drop 01"]);
});
