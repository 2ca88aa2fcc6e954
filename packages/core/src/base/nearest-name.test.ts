import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { editDistance, nearestName } from "./nearest-name.ts";

const known = ["numCpus", "numGpus", "numReturns", "maxRetries", "maxRestarts", "timeoutMs", "name"];

test("the name with the fewest edits is found", () => {
  assert.equal(nearestName("numCpu", known), "numCpus");
  assert.equal(nearestName("maxRetires", known), "maxRetries");
  assert.equal(nearestName("naem", known), "name");
});

test("another spelling of the same words is no edit", () => {
  assert.equal(nearestName("num_cpus", known), "numCpus");
  assert.equal(nearestName("max-restarts", known), "maxRestarts");
  assert.equal(nearestName("timeout", known), "timeoutMs");
  assert.equal(nearestName("NumReturns", known), "numReturns");
});

test("what is far from everything has no neighbour", () => {
  assert.equal(nearestName("colour", known), undefined);
  assert.equal(nearestName("", known), undefined);
  assert.equal(nearestName("x".repeat(100_000), known), undefined);
});

test("the distance counts single edits", () => {
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(editDistance("abc", "abc"), 0);
  assert.equal(editDistance("abc", "acb"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
});

test("the distance is symmetric, and at most the longer length", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      const edits = editDistance(a, b);
      assert.equal(edits, editDistance(b, a));
      assert.ok(edits <= Math.max(a.length, b.length));
      assert.equal(edits === 0, a === b);
    }),
  );
});
