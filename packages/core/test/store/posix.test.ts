import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { dieWithParent, tryLock } from "../../src/store/posix.ts";

test("posix: a process that asked to die with its parent is gone when the parent was shot", {
  skip: process.platform !== "linux",
}, async () => {
  const script = fileURLToPath(new URL("orphan-process.ts", import.meta.url));
  const parent = spawn(process.execPath, [script, "parent"], { stdio: ["ignore", "pipe", "inherit"] });
  const [output] = (await once(parent.stdout, "data")) as [Buffer];
  const childPid = Number(output.toString());
  assert.ok(isAlive(childPid));

  parent.kill("SIGKILL");
  // It is nobody's child here, so no event tells of its end: the kernel is asked.
  await once(parent, "exit");
  const deadline = performance.now() + 5000;
  while (isAlive(childPid) && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));

  const survived = isAlive(childPid);
  if (survived) process.kill(childPid, "SIGKILL");
  assert.equal(survived, false);
});

test("posix: asking to die with a parent that is gone already says so", () => {
  assert.equal(dieWithParent(0, process.ppid + 1), false);
});

function isAlive(pid: number): boolean {
  try {
    // A dead child that nobody has waited for is a zombie.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

test("posix: a lock is one holder's until it closes the descriptor", () => {
  const [first, second] = [openSync(import.meta.dirname, "r"), openSync(import.meta.dirname, "r")];
  assert.deepEqual([tryLock(first), tryLock(second)], [true, false]);
  closeSync(first);
  assert.equal(tryLock(second), true);
  closeSync(second);
});

test("posix: the foreign functions are taken from the library's binary, not through its finder", {
  skip: process.platform !== "linux",
}, () => {
  const require = createRequire(import.meta.url);

  dieWithParent(0, process.ppid);

  assert.ok(Object.keys(require.cache).some((path) => path.endsWith("koffi.node")));
  assert.equal(require.cache[require.resolve("koffi")], undefined);
});
