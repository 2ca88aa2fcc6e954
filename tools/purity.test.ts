import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { impurities, isPureByName } from "./purity.ts";

// Node.js warns that its type stripper may change; the tests would notice.
process.removeAllListeners("warning");

const root = dirname(dirname(fileURLToPath(import.meta.url)));

test("files whose name promises purity keep it", () => {
  const files = globSync("packages/*/src/**/*.ts", { cwd: root }).filter(isPureByName);
  assert.deepEqual(
    files.flatMap((file) => impurities(file, readFileSync(join(root, file), "utf8"))),
    [],
  );
});

test("each way of touching the world is found, with its line", () => {
  const source = [
    'import { readFileSync } from "node:fs";',
    'import type { Stats } from "node:fs";',
    "export async function read(path: string): Promise<Stats> { return await load(path); }",
    'export const later = () => import("./other.ts");',
    "export const never = new Promise<void>(() => {});",
    "const asText = readFileSync;",
  ].join("\n");
  assert.deepEqual(impurities("lease-table.ts", source), [
    "lease-table.ts:1: imports node:fs",
    "lease-table.ts:3: an async function",
    "lease-table.ts:3: awaits",
    "lease-table.ts:4: imports at run time",
    "lease-table.ts:5: makes a promise",
  ]);
});

test("a codec may use memory and checksums, nothing else may", () => {
  const source = 'import { crc32 } from "node:zlib";\nexport const sum = (bytes: Uint8Array) => crc32(bytes);';
  assert.deepEqual(impurities("value-codec.ts", source), []);
  assert.equal(impurities("value-table.ts", source).length, 1);
});
