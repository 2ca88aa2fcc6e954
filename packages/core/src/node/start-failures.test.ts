import assert from "node:assert/strict";
import { test } from "node:test";
import { SETUP_FAILED_EXIT_CODE, StartFailures } from "./start-failures.ts";

test("start failures: an environment that fails again and again is given up, one that fails by its hook at once", () => {
  const failures = new StartFailures();

  assert.equal(failures.failed("a", { kind: "exit", exitCode: 9 }, 0), false);
  assert.equal(failures.failed("a", { kind: "exit", exitCode: 9 }, 0), false);
  assert.equal(failures.failed("a", { kind: "exit", exitCode: 9 }, 0), true);
  assert.equal(failures.failed("b", { kind: "exit", exitCode: SETUP_FAILED_EXIT_CODE }, 0), true);
});

test("start failures: a process that was killed, or could not be made, is tried again, later each time", () => {
  const failures = new StartFailures();
  for (let times = 0; times < 4; times++) assert.equal(failures.failed("a", { kind: "start-failed" }, 1000), false);

  assert.equal(failures.pauseMs("a", 1000), 400);
  assert.equal(failures.pauseMs("a", 1400), 0);
  assert.equal(failures.pauseMs("b", 1000), 0);
  for (let times = 0; times < 50; times++) failures.failed("a", { kind: "signal", signal: "SIGKILL" }, 1000);
  assert.equal(failures.pauseMs("a", 1000), 5000);
});

test("start failures: a start that goes well forgets those before", () => {
  const failures = new StartFailures();
  failures.failed("a", { kind: "exit", exitCode: 1 }, 0);
  failures.failed("a", { kind: "exit", exitCode: 1 }, 0);
  failures.started("a");
  assert.equal(failures.failed("a", { kind: "exit", exitCode: 1 }, 0), false);
});

test("start failures: a machine that refuses every start for ten seconds is given up, and not before", () => {
  const failures = new StartFailures();
  for (const nowMs of [0, 3000, 9999]) assert.equal(failures.failed("a", { kind: "start-failed" }, nowMs), false);
  assert.equal(failures.failed("a", { kind: "signal", signal: "SIGKILL" }, 20_000), false);
  assert.equal(failures.failed("a", { kind: "start-failed" }, 20_000), true);
  assert.equal(failures.failed("a", { kind: "start-failed" }, 20_001), false);
});
