import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../base/fake-clock.ts";
import { IdleCollector } from "./idle-collector.ts";

test("idle collector: one collection when no handle was made for a while, none while they are", () => {
  const clock = new FakeClock();
  let collections = 0;
  const collector = new IdleCollector({ watch: () => {}, collect: () => void collections++ }, clock);
  clock.advance(1000);
  assert.equal(collections, 0);
  for (let i = 0; i < 20; i++) {
    collector.handleMade();
    clock.advance(50);
  }
  assert.equal(collections, 0);
  clock.advance(1000);
  assert.equal(collections, 1);
  collector.handleMade();
  clock.advance(1000);
  assert.equal(collections, 2);
});
