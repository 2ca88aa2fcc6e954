import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { RuntimeValueHooks } from "./objects/value-hooks.ts";
import { encodeThrown, reviveThrown } from "./thrown.ts";

const hooks = new RuntimeValueHooks({} as never);
const place = { task: "t", pid: 1, node: "n" };

for (const [thrown, type] of [
  [() => 1, "function"],
  [Symbol("s"), "symbol"],
  [Promise.resolve(1), "Promise"],
  [{ deep: [new WeakMap()] }, "WeakMap"],
] as const)
  test(`thrown: of a ${type} one sentence says why it did not come`, () => {
    const error = reviveThrown(encodeThrown(thrown, hooks, place), hooks);
    assert.ok(RaiaError.is(error, "UNSERIALIZABLE"));
    assert.equal(error.facts["type"], type);
    assert.equal(error.message.match(/\[[A-Z]+\]/g)?.length, 1, error.message);
    assert.equal(error.message.match(/Way out:/g)?.length, 1, error.message);
    assert.match(error.message, /what=what was thrown .*reason=it is a .*wayOut=throw an Error/);
  });
