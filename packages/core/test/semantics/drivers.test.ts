/** However a driver ends, within a second nothing of it is left (C-5). */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertNothingLeft } from "@raia/testing/fixtures/cluster";
import { processesOf } from "@raia/testing/fixtures/leak-check";
import { whenRaised } from "@raia/testing/fixtures/signals";

const program = fileURLToPath(new URL("driver-process.ts", import.meta.url));
const directories: string[] = [];

after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

async function startDriver(what: string): Promise<{ child: ChildProcess; directory: string; exited: Promise<unknown[]> }> {
  const directory = mkdtempSync(join(tmpdir(), "rt-"));
  directories.push(directory);
  const path = join(directory, "ready");
  const child = spawn(process.execPath, [program, what, path], {
    env: { ...process.env, RAIA_TMPDIR: directory },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(child, "exit");
  await whenRaised(path);
  return { child, directory, exited };
}

/** The head: the one that workers are children of. */
function headOf(directory: string, driver: number): number {
  const found = processesOf(directory).find((pid) => pid !== driver && parentOf(pid) === driver);
  assert.ok(found !== undefined, "no head was found");
  return found;
}

function parentOf(pid: number): number {
  return Number(/\) \w (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1]);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL", "SIGHUP"] as const) {
  test(`${signal} to a driver that waits`, async () => {
    const { child, directory, exited } = await startDriver("wait");
    child.kill(signal);
    assert.deepEqual(await exited, [null, signal]);
    await assertNothingLeft(directory);
  });
}

test("SIGINT to a driver in a busy loop", async () => {
  const { child, directory, exited } = await startDriver("block");
  child.kill("SIGINT");
  await exited;
  await assertNothingLeft(directory);
});

test("an uncaught error, an exit, the end of the program, shutdown()", async () => {
  for (const what of ["exit", "shutdown"]) {
    const { directory, exited } = await startDriver(what);
    assert.deepEqual(await exited, [what === "exit" ? 7 : 0, null]);
    await assertNothingLeft(directory);
  }
});

test("shutdown() right after a call whose code is still being sent: the call fails, and the program ends", async () => {
  const { directory, exited } = await startDriver("submit and shut down");
  assert.deepEqual(await exited, [0, null]);
  await assertNothingLeft(directory);
});

test("what tasks printed last is shown when the program simply ends", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rt-"));
  directories.push(directory);
  const source = `
    import { get, remote } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
    await get(remote(() => void process.stdout.write("one\\ntwo\\nand a half")).remote());
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    env: { ...process.env, RAIA_TMPDIR: directory },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  assert.deepEqual(await once(child, "close"), [0, null]);
  const shown = text.split("\n").map((line) => line.replace(/^.*pid=\d+\) /, ""));
  assert.deepEqual(shown, ["one", "two", "and a half", ""]);
  await assertNothingLeft(directory);
});

test("driver and daemon shot at once: the workers go, too", async () => {
  const { child, directory, exited } = await startDriver("wait");
  const head = headOf(directory, child.pid as number);
  process.kill(head, "SIGKILL");
  child.kill("SIGKILL");
  await exited;
  // Nobody is left to delete the session's directory: the next start does. Processes and memory must be gone.
  assert.ok(await gone(directory), `left: ${processesOf(directory).join(", ")}`);
});

async function gone(directory: string): Promise<boolean> {
  const { eventually } = await import("@raia/testing/fixtures/eventually");
  return eventually(() => processesOf(directory).length === 0, 1000);
}

test("the daemon is shot: the program hears that its cluster is lost, and no other is started unless it asks for one", async () => {
  const { child, directory, exited } = await startDriver("lose");
  process.kill(headOf(directory, child.pid as number), "SIGKILL");
  assert.deepEqual(await exited, [0, null]);
  await assertNothingLeft(directory);
});

test("the daemon is shot while it is asked for something: that is told as the loss of the cluster, not of some peer", async () => {
  const { directory, exited } = await startDriver("lose what it asks for");
  assert.deepEqual(await exited, [0, null]);
  await assertNothingLeft(directory);
});

test("the daemon alone is shot: what waits rejects, and the driver's program goes on to its end", async () => {
  const { child, directory, exited } = await startDriver("wait");
  process.kill(headOf(directory, child.pid as number), "SIGKILL");
  assert.deepEqual(await exited, [0, null]);
  await assertNothingLeft(directory);
});
