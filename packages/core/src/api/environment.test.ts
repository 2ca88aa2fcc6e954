import assert from "node:assert/strict";
import test from "node:test";
import { checkEnvironment, memoryThresholdOf, modeOf } from "./environment.ts";

test("a variable with a wrong value is refused with its name, its value and what is allowed", () => {
  const wrong: readonly (readonly [name: string, value: string, rule: RegExp])[] = [
    ["RAIA_MODE", "bogus", /must be "processes" or "inProcess"/],
    ["RAIA_MODE", "inprocess", /did you mean inProcess/],
    ["RAIA_MEMORY_USAGE_THRESHOLD", "x", /above 0, at most 1/],
    ["RAIA_MEMORY_USAGE_THRESHOLD", "0", /above 0, at most 1/],
    ["RAIA_MEMORY_USAGE_THRESHOLD", "95", /above 0, at most 1/],
    ["RAIA_RECORD_REF_CREATION_SITES", "yes", /must be "0" or "1"/],
  ];
  for (const [name, value, message] of wrong)
    assert.throws(() => checkEnvironment({ [name]: value }), { code: "INVALID_OPTION", message }, `${name}=${value}`);
});

test("a variable whose name is nearly one of Raia's is refused with the one that was meant", () => {
  for (const [name, meant] of [
    ["RAIA_MOD", "RAIA_MODE"],
    ["RAIA_ADRESS", "RAIA_ADDRESS"],
    ["RAIA_TMP_DIR", "RAIA_TMPDIR"],
    ["RAIA_MEMORY_USAGE_TRESHOLD", "RAIA_MEMORY_USAGE_THRESHOLD"],
    ["RAIA_RECORD_REF_CREATION_SITE", "RAIA_RECORD_REF_CREATION_SITES"],
  ] as const)
    assert.throws(() => checkEnvironment({ [name]: "1" }), { code: "INVALID_OPTION", message: new RegExp(`did you mean ${meant}\\?`) });
});

test("variables of others, empty ones and what Raia sets for its own processes are no mistakes", () => {
  checkEnvironment({
    HOME: "/root",
    RAIA_MODE: "",
    RAIA_MEMORY_USAGE_THRESHOLD: "",
    RAIA_SESSION: "/s",
    RAIA_WORKER_ID: "ab",
    RAIA_PARENT_PID: "1",
    RAIA_RUNTIME_ENV: "{}",
    // What Kubernetes sets for a service called raia.
    RAIA_SERVICE_HOST: "10.0.0.1",
    RAIA_PORT: "tcp://10.0.0.1:80",
    RAIA_WRITE_GOLDEN: "1",
  });
});

test("variables are read as what they stand for", () => {
  assert.deepEqual([modeOf({}), modeOf({ RAIA_MODE: "inProcess" })], [undefined, "inProcess"]);
  assert.deepEqual([memoryThresholdOf({}), memoryThresholdOf({ RAIA_MEMORY_USAGE_THRESHOLD: "0.5" })], [undefined, 0.5]);
});
