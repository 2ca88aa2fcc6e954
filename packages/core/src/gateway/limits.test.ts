import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { Admission } from "./admission-policy.ts";
import { DialQueue } from "./dial-queue.ts";
import { Rate } from "./rate-policy.ts";

test("admission: one address cannot take the room of the others, nor all together more than there is", () => {
  const admission = new Admission({ perAddress: 2, total: 3 });
  assert.deepEqual(
    ["a", "a", "a", "b", "c"].map((address) => admission.enter(address)),
    [undefined, undefined, "too-many-from-address", undefined, "too-many"],
  );
  admission.leave("a");
  assert.equal(admission.enter("c"), undefined);
  for (const address of ["a", "b", "c"]) admission.leave(address);
  assert.equal(admission.waiting, 0);
});

test("rate: a burst, then so many a minute", () => {
  const rate = new Rate({ burst: 2, perMinute: 60 }, 0);
  assert.deepEqual([rate.take(0), rate.take(0), rate.take(0)], [true, true, false]);
  assert.deepEqual([rate.take(999), rate.take(1_001), rate.take(1_002)], [false, true, false]);
  // Quiet times do not add up to more than one burst.
  assert.deepEqual([rate.take(1e9), rate.take(1e9), rate.take(1e9)], [true, true, false]);
});

test("dial queue: a machine that is not there is not waited for by each in turn", async () => {
  const queue = new DialQueue(1);
  const error = new RaiaError("CONNECTION_LOST", { cause: "unreachable" });
  let dials = 0;
  const lost = () => (dials++, Promise.reject(error));
  const results = await Promise.allSettled([1, 2, 3].map(() => queue.run("m", lost)));
  assert.deepEqual([results.map(({ status }) => status), dials], [["rejected", "rejected", "rejected"], 1]);
  // One process that is gone says nothing about its machine.
  const gone = () => (dials++, Promise.reject(new RaiaError("CONNECTION_LOST", { cause: "gone" })));
  await Promise.allSettled([1, 2, 3].map(() => queue.run("m", gone)));
  assert.equal(dials, 4);
});

test("dial queue: so many at once to one machine, in order, whatever becomes of them", async () => {
  const queue = new DialQueue(2);
  const begun: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const dial = (machine: string, name: string) =>
    queue
      .run(machine, () => {
        begun.push(name);
        const gate = Promise.withResolvers<void>();
        gates.set(name, gate);
        return gate.promise;
      })
      .catch(() => {});
  const turns = async () => {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  const all = [dial("m", "1"), dial("m", "2"), dial("m", "3"), dial("m", "4"), dial("other", "5")];
  await turns();
  assert.deepEqual(begun, ["1", "2", "5"]);
  gates.get("2")?.reject(new Error("refused"));
  await turns();
  assert.deepEqual(begun, ["1", "2", "5", "3"]);
  for (const name of ["1", "3", "5"]) gates.get(name)?.resolve();
  await turns();
  gates.get("4")?.resolve();
  await Promise.all(all);
  assert.deepEqual(begun, ["1", "2", "5", "3", "4"]);
});
