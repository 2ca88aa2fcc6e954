/** C-16: a spill disk that loses or changes what it was given: a typed error for that object, and nothing wrong is ever returned. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { get, put, RaiaError, remote } from "../../src/index.ts";
import { existingRuntime } from "../../src/api/init.ts";

const MiB = 1024 * 1024;
const cluster = testCluster({ objectStoreMemory: 32 * MiB });

async function spillFiles(): Promise<string[]> {
  const { spillDirectory } = existingRuntime().cluster.registered;
  mkdirSync(spillDirectory, { recursive: true });
  return readdirSync(spillDirectory).map((name) => join(spillDirectory, name));
}

for (const [what, code, damage] of [
  ["is gone", "OBJECT_LOST", (path: string) => rmSync(path)],
  ["has other bytes", "OBJECT_CORRUPT", (path: string) => writeFileSync(path, "x".repeat(1000), { flag: "r+" })],
] as const) {
  test(`C-16: a spilled file that ${what}: ${code} to every reader, the others are whole, and it goes on`, async () => {
    const refs = Array.from({ length: 6 }, (_, index) => put(new Uint8Array(8 * MiB).fill(index + 1)));
    for (const ref of refs) await ref.stored;
    assert.ok(await eventually(async () => (await spillFiles()).length > 0, 5000), "nothing was spilled");
    for (const path of await spillFiles()) damage(path);
    const sum = remote((bytes: Uint8Array) => bytes.reduce((total, byte) => total + byte, 0));
    let lost = 0;
    for (const [index, ref] of refs.entries()) {
      const total = await get(sum.remote(ref)).catch((error: unknown) => error);
      if (typeof total === "number") assert.equal(total, 8 * MiB * (index + 1));
      else {
        assert.ok(RaiaError.is(total, code), String(total));
        lost++;
      }
    }
    assert.ok(lost > 0, "no damaged file was read");
    for (const ref of refs) ref[Symbol.dispose]();
    const later = put(new Uint8Array(8 * MiB).fill(9));
    await later.stored;
    assert.equal(await get(sum.remote(later)), 72 * MiB);
    assert.ok(cluster.directory.length > 0);
  });
}
