import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../base/fake-clock.ts";
import { objectState } from "../objects/object-entry.ts";
import { ReferenceTable } from "../objects/references.ts";
import { Bequests } from "./bequests.ts";

function newOwner() {
  const table = new ReferenceTable({ workerId: "a", address: "w-a" }, { watch: () => {}, collect: () => {} }, new FakeClock());
  const stored: string[] = [];
  const stores: { resolve(): void; reject(error: unknown): void }[] = [];
  const waitFor = (what: string): Promise<void> => {
    stored.push(what);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    stores.push({ resolve, reject });
    return promise;
  };
  const bequests = new Bequests({
    storeOwn: ({ sequence }) => waitFor(`store ${sequence}`),
    whenStored: ({ sequence }) => waitFor(`wait ${sequence}`),
  });
  return { table, stored, stores, bequests };
}

test("bequests: a small value goes to the node once, before its ref leaves", async () => {
  const { table, stored, stores, bequests } = newOwner();
  const entry = table.own(1, "put");
  entry.settle(objectState.value, 7);
  const leaving: Promise<void>[] = [];
  bequests.add([entry, entry], leaving);
  bequests.add([entry], leaving);
  assert.deepEqual(stored, ["store 1"]);
  assert.equal(leaving.length, 1);
  stores[0]!.resolve();
  await Promise.all(leaving);
  assert.equal(entry.payload, 7, "the value stays here for those who ask");
});

test("bequests: what is still to be made goes when it is there; a failure does not", () => {
  const { table, stored, bequests } = newOwner();
  const [made, failed] = [table.own(1, "f"), table.own(2, "g")];
  const leaving: Promise<void>[] = [];
  bequests.add([made, failed], leaving);
  assert.deepEqual([stored, leaving], [[], []], "a result does not wait for what its refs stand for");
  made.settle(objectState.bytes, new Uint8Array(3));
  failed.settle(objectState.error, new Uint8Array(3));
  assert.deepEqual(stored, ["store 1"]);
});

test("bequests: what a value refers to goes with it; what is on its way to the node is waited for", () => {
  const { table, stored, bequests } = newOwner();
  const [outer, inner, large] = [table.own(1, "put"), table.own(2, "put"), table.own(3, "put")];
  inner.settle(objectState.value, 1);
  large.settle(objectState.stored, { nodeId: "n", sizeBytes: 1 });
  outer.nested = [inner];
  outer.settle(objectState.bytes, new Uint8Array(3));
  bequests.add([outer, large], []);
  assert.deepEqual(stored, ["store 2", "store 1", "wait 3"], "a large one may still wait for room");
});

test("bequests: a node without room costs the result nothing", async () => {
  const { table, stores, bequests } = newOwner();
  const entry = table.own(1, "put");
  entry.settle(objectState.value, 7);
  const leaving: Promise<void>[] = [];
  bequests.add([entry], leaving);
  stores[0]!.reject(new Error("full"));
  await Promise.all(leaving);
});
