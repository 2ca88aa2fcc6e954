import assert from "node:assert/strict";
import { test } from "node:test";
import { showDevices } from "./visible-devices.ts";

test("visible devices: shown while they are held, and what was there before comes back", () => {
  process.env["RAIA_TEST_DEVICES"] = "own";

  showDevices({ RAIA_TEST_DEVICES: "0", RAIA_TEST_BOUNDS: "1,1,1" });
  assert.deepEqual([process.env["RAIA_TEST_DEVICES"], process.env["RAIA_TEST_BOUNDS"]], ["0", "1,1,1"]);
  showDevices({ RAIA_TEST_DEVICES: "1" });
  assert.deepEqual([process.env["RAIA_TEST_DEVICES"], process.env["RAIA_TEST_BOUNDS"]], ["1", undefined]);
  showDevices(undefined);
  assert.equal(process.env["RAIA_TEST_DEVICES"], "own");
  delete process.env["RAIA_TEST_DEVICES"];
});
