import assert from "node:assert/strict";
import { test } from "node:test";
import { showBytes, showDuration, showOwnedId, table } from "./print.ts";
import { matches, readFilters } from "./row-filter.ts";

test("print: a table's columns are as wide as they need, figures to the right, no blanks at the end", () => {
  const rows = [
    ["a", "1", ""],
    ["longer", "100", "x"],
  ];
  assert.equal(table(["name", "count", "note"], rows), "name    count  note\na           1\nlonger    100  x");
  assert.equal(table(["name"], []), "name");
});

test("print: bytes, durations and ids as people read them", () => {
  assert.deepEqual([0, 1023, 1024, 1536 * 1024, 3 * 1024 ** 4].map(showBytes), ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "3.0 TiB"]);
  assert.deepEqual([0, 999, 1500].map(showDuration), ["0.0 ms", "999.0 ms", "1.5 s"]);
  assert.equal(showOwnedId(`${"ab".repeat(20)}${"0".repeat(14)}1f`), "abababab-1f");
  assert.equal(showOwnedId(`${"ab".repeat(20)}${"0".repeat(16)}`), "abababab-0");
});

test("filter: all must hold; what is absent is empty", () => {
  const row = { state: "running", pid: 7, labels: { a: "b" } };
  const passes = (...texts: string[]): boolean => matches(row, readFilters(texts));

  assert.deepEqual([passes("state=running"), passes("state!=running"), passes("pid=7", "state=queued")], [true, false, false]);
  assert.deepEqual([passes("actorId="), passes("actorId!="), passes('labels={"a":"b"}')], [true, false, true]);
});
