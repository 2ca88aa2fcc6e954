/** A soak of seconds: its operations are right and its cluster is quiet afterwards. Trends need minutes and are not judged. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../soak.ts", import.meta.url));

async function soak(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

test("six seconds with a shot each second: all right, nothing left", { timeout: 180_000 }, async () => {
  const { code, stdout, stderr } = await soak("--minutes", "0.1", "--kills-per-minute", "60", "--seed", "3", "--json");
  const result = JSON.parse(stdout) as { reasons: string[]; faults: unknown[]; operations: object; kills: object; samples: unknown[] };
  // A view that a reader has dropped pins its bytes until a major collection, which seconds need not bring.
  const reasons = result.reasons.filter((reason) => !/^bytes (used in the arena|pinned)/.test(reason));
  assert.deepEqual(reasons, [], JSON.stringify(result.faults, undefined, 1));
  assert.equal(code, 0, stderr);
  assert.ok(Object.keys(result.operations).length > 0 && Object.keys(result.kills).length > 0 && result.samples.length > 0, stdout);
});

test("help and wrong options", async () => {
  const help = await soak("--help");
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /--kills-per-minute/);
  for (const args of [["--minutes", "soon"], ["--kills-per-minute", "-1"], ["--colour"]]) {
    const { code, stdout, stderr } = await soak(...args);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /--(minutes|kills-per-minute|colour)/);
  }
});
