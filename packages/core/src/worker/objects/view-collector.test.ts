import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../base/fake-clock.ts";
import { ViewCollector } from "./view-collector.ts";

function newCollector() {
  const clock = new FakeClock();
  const collected: string[] = [];
  let holds = true;
  const finalizers = { watch: () => {}, collect: (isWhole = false) => void collected.push(isWhole ? "whole" : "young") };
  const views = new ViewCollector(finalizers, clock, () => holds);
  return { clock, collected, views, letGo: () => (holds = false) };
}

test("views: a process that goes idle looks twice, and then no more", () => {
  const { clock, collected, views } = newCollector();
  views.viewMade();
  clock.advance(50);
  views.viewMade();
  clock.advance(60);
  assert.deepEqual(collected, [], "it is busy");
  clock.advance(1000);
  assert.deepEqual(collected, ["young"]);
  clock.advance(60_000);
  assert.deepEqual(collected, ["young", "whole"]);
});

test("views: nothing left to find costs no full collection", () => {
  const { clock, collected, views, letGo } = newCollector();
  views.viewMade();
  clock.advance(200);
  letGo();
  clock.advance(60_000);
  views.roomWanted();
  assert.deepEqual(collected, ["young"]);
});

test("views: on request at once, the whole heap at most every 5 s", () => {
  const { clock, collected, views } = newCollector();
  views.roomWanted();
  clock.advance(0);
  views.roomWanted();
  clock.advance(0);
  assert.deepEqual(collected, ["young", "whole", "young"]);
  clock.advance(5000);
  views.roomWanted();
  clock.advance(0);
  assert.deepEqual(collected, ["young", "whole", "young", "young", "whole"]);
});
