import assert from "node:assert/strict";
import { test } from "node:test";
import * as first from "./function-inspector.ts";

test("inspector: two copies of the library in one process look inside functions in turn", async () => {
  const copy = new URL("./function-inspector.ts?copy", import.meta.url).href;
  const second = (await import(copy)) as typeof first;
  assert.notEqual(second.lookInside, first.lookInside);

  const captured = { of: "this test" };
  const fn = (): unknown => captured;
  for (const { lookInside } of [first, second, first, second])
    assert.ok(lookInside(fn).scopes.some(({ variables }) => Object.values(variables).includes(captured)));
});
