import assert from "node:assert/strict";
import { test } from "node:test";
import { init, isInitialized, needRuntime, useDriver } from "./init.ts";

test("a slip in a variable is told by init, and by the first call where nobody called it, before anything is started", async () => {
  useDriver(() => assert.fail("a cluster was started"));
  for (const [name, value, message] of [
    ["RAIA_MODE", "bogus", /RAIA_MODE must be "processes" or "inProcess"/],
    ["RAIA_ADRESS", "auto", /did you mean RAIA_ADDRESS/],
  ] as const) {
    process.env[name] = value;
    try {
      await assert.rejects(init(), { code: "INVALID_OPTION", message });
      assert.throws(() => needRuntime(), { code: "INVALID_OPTION", message });
    } finally {
      delete process.env[name];
    }
  }
  assert.equal(isInitialized(), false);
});
