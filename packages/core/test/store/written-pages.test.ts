import assert from "node:assert/strict";
import { closeSync, ftruncateSync } from "node:fs";
import { test } from "node:test";
import { randomBelow, seededRandom } from "../../src/base/random.ts";
import { createMemoryFile, map, pageBytes, unmap, view } from "../../src/store/posix.ts";
import { type Run, readWrittenRuns, writtenRuns } from "../../src/store/written-pages.ts";

const BYTES = 8 * 1024 * 1024 + 10;

test("written pages: exactly those that were written, by the scan and by the entries", { skip: process.platform !== "linux" }, () => {
  const random = seededRandom(5);
  const page = pageBytes();
  const descriptor = createMemoryFile("test");
  ftruncateSync(descriptor, BYTES);
  const shared = map(descriptor, 0, BYTES, "shared");
  new Uint8Array(view(shared, BYTES)).fill(1);
  const address = map(descriptor, 0, BYTES, "private");
  const bytes = new Uint8Array(view(address, BYTES));
  // Read but not written: mapped, and still the file's.
  assert.equal(bytes.subarray(0, BYTES / 2).indexOf(0), -1);

  const written = new Set([Math.floor((BYTES - 1) / page)]);
  for (let write = 0; write < 100; write++) written.add(randomBelow(random, Math.floor(BYTES / page)));
  for (const index of written) bytes[index * page] = 2;

  const sorted = [...written].sort((a, b) => a - b);
  assert.deepEqual(pagesOf(writtenRuns(address, BYTES, page), page), sorted);
  assert.deepEqual(pagesOf(readWrittenRuns(address, BYTES, page) ?? [], page), sorted);
  unmap(address, BYTES);
  unmap(shared, BYTES);
  closeSync(descriptor);
});

function pagesOf(runs: readonly Run[], page: number): number[] {
  return runs.flatMap(({ offset, bytes }) => Array.from({ length: Math.ceil(bytes / page) }, (_unused, index) => offset / page + index));
}
