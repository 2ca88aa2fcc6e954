import assert from "node:assert/strict";
import { test } from "node:test";
import { claimRecall, claimStart, hasStarted, latestGeneration, nextGeneration, queuedWord } from "./claim-word.ts";

const SLOT = 0;

function queue(words: Int32Array): number {
  const claim = queuedWord(nextGeneration(latestGeneration(words)));
  Atomics.store(words, SLOT, claim);
  return claim;
}

test("a call is begun or taken back, never both", () => {
  const words = new Int32Array(4);
  const claim = queue(words);
  assert.equal(hasStarted(words, SLOT, claim), false);
  assert.equal(claimStart(words, SLOT, claim), true);
  assert.equal(claimRecall(words, SLOT, claim), false);
  assert.equal(hasStarted(words, SLOT, claim), true);
});

test("a call that was taken back cannot begin", () => {
  const words = new Int32Array(4);
  const claim = queue(words);
  assert.equal(claimRecall(words, SLOT, claim), true);
  assert.equal(claimStart(words, SLOT, claim), false);
  assert.equal(hasStarted(words, SLOT, claim), false);
});

test("a late push of an earlier lease does not begin a call of the next one", () => {
  const words = new Int32Array(4);
  const late = queue(words);
  claimRecall(words, SLOT, late);
  const next = queue(words);
  assert.equal(claimStart(words, SLOT, late), false);
  assert.equal(claimStart(words, SLOT, next), true);
});

test("a call whose words were lent to another process counts as begun", () => {
  const words = new Int32Array(4);
  const claim = queue(words);
  queue(words);
  assert.equal(hasStarted(words, SLOT, claim), true);
});
