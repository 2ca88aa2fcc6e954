import assert from "node:assert/strict";
import test from "node:test";
import { BatchSizePolicy } from "./batch-size-policy.ts";

test("batches double while items are short, up to what fills the target", () => {
  const size = new BatchSizePolicy(4, 1000);
  assert.equal(size.items, 1);
  const seen: number[] = [];
  for (let i = 0; i < 9; i++) {
    size.measured(size.items, 0.05 * size.items);
    seen.push(size.items);
  }
  assert.deepEqual(seen, [2, 4, 8, 16, 32, 64, 80, 80, 80]);
});

test("items as long as the target travel alone", () => {
  const size = new BatchSizePolicy(4, 1000);
  size.measured(1, 5);
  assert.equal(size.items, 1);
  size.measured(1, 2.1);
  assert.equal(size.items, 1);
});

test("one slow batch makes the next one small at once; fast ones count a little at a time", () => {
  const size = new BatchSizePolicy(4, 1000);
  for (let i = 0; i < 10; i++) size.measured(size.items, 0.01 * size.items);
  assert.equal(size.items, 400);
  size.measured(400, 400);
  assert.equal(size.items, 4);
  size.measured(4, 0.04);
  assert.ok(size.items < 10);
});

test("no batch is larger than allowed, however short the items", () => {
  const size = new BatchSizePolicy(4, 64);
  for (let i = 0; i < 20; i++) size.measured(size.items, 0);
  assert.equal(size.items, 64);
});

test("batches that were small for want of items do not shrink the next", () => {
  const size = new BatchSizePolicy(4, 1000);
  for (let i = 0; i < 10; i++) size.measured(size.items, 0.01 * size.items);
  size.measured(1, 0.01);
  assert.equal(size.items, 400);
});
