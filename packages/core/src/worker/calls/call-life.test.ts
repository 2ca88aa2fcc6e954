import assert from "node:assert/strict";
import { test } from "node:test";
import { callState, canMove, type CallState } from "./call-life.ts";

const { waiting, queued, pushed, settled } = callState;

test("call life: a call that is settled goes nowhere, so that it is told once", () => {
  for (const to of [waiting, queued, pushed, settled]) assert.equal(canMove(settled, to), false);
});

test("call life: what was pushed may be queued again, and nothing waits again", () => {
  assert.ok(canMove(pushed, queued));
  for (const from of [waiting, queued, pushed]) assert.equal(canMove(from, waiting), false);
});

test("call life: a call that is pushed twice would run twice", () => {
  assert.equal(canMove(pushed, pushed), false);
});

test("call life: whatever state it is in, but settled, it can be settled", () => {
  const living: CallState[] = [waiting, queued, pushed];
  for (const from of living) assert.ok(canMove(from, settled));
});
