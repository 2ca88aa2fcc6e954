import assert from "node:assert/strict";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { receiverLaunchFlags } from "./module-launch.ts";

test("a receiver gets the sender's loaders and conditions", () => {
  const flags = [
    "--import",
    "tsx",
    "--require=./a.cjs",
    "-C",
    "development",
    "--experimental-vm-modules",
    "--no-warnings",
    "--enable-source-maps",
  ];
  assert.deepEqual(receiverLaunchFlags(flags).execArgv, flags);
  assert.equal(receiverLaunchFlags([]).cwd, process.cwd());
});

test("a program whose working directory was removed has its workers start in the root", () => {
  const former = process.cwd();
  const removed = mkdtempSync(join(tmpdir(), "raia-cwd-"));
  process.chdir(removed);
  try {
    rmdirSync(removed);
    assert.equal(receiverLaunchFlags([]).cwd, "/");
  } finally {
    process.chdir(former);
  }
});

test("what belongs to one process alone stays with it", () => {
  const own = [
    "--inspect-brk=9229",
    "--test",
    "--watch",
    "--cpu-prof",
    "-e",
    "code",
    "--input-type=module",
    "-p",
    "1",
    "--experimental-test-coverage",
    "--max-old-space-size=100",
  ];
  assert.deepEqual(receiverLaunchFlags(own).execArgv, []);
});
