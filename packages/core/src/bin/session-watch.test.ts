import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import { watchSession } from "./session-watch.ts";

test("a head hears within seconds that its session was removed, once", () => {
  const clock = new FakeClock();
  let isThere = true;
  let told = 0;
  watchSession({ clock, isThere: () => isThere, gone: () => void told++ });
  clock.advance(60_000);
  assert.equal(told, 0);

  isThere = false;
  clock.advance(5_000);
  clock.advance(60_000);

  assert.equal(told, 1);
});
