/** Memory of the arena is touched before it is needed, since the first touch of a page is what makes a first put slow. */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { get, put } from "../../src/index.ts";

const MiB = 1024 * 1024;
testCluster({ objectStoreMemory: 256 * MiB });

/** Bytes of the arena for which the system has given memory. */
function touchedBytes(): number {
  const arena = readdirSync("/proc/self/fd").find((descriptor) => isArena(`/proc/self/fd/${descriptor}`));
  assert.ok(arena !== undefined, "the arena is open in this process");
  return statSync(`/proc/self/fd/${arena}`).blocks * 512;
}

function isArena(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("/memfd:raia");
  } catch {
    return false; // Closed meanwhile.
  }
}

test("as much as is used is touched ahead", { skip: process.platform !== "linux" }, async () => {
  const ref = put(new Uint8Array(40 * MiB));
  await get(ref);
  assert.ok(await eventually(() => touchedBytes() >= 80 * MiB, 10_000), `touched: ${touchedBytes() / MiB} MiB`);
  assert.ok(touchedBytes() < 120 * MiB, "and no more");
});
