import assert from "node:assert/strict";
import { test } from "node:test";
import { rayFigures } from "./ray-figures.ts";
import { chooseRows, rows } from "./rows.ts";

test("Ray's lines are found among what else it prints", () => {
  const output = [
    "Tip: set TESTS_TO_RUN='pattern' to run a subset of benchmarks",
    "2026-01-01 10:00:00,000 INFO worker.py:1 -- Started a local Ray instance.",
    "single client tasks sync per second 601.23 +- 12.5",
    "1:1 actor calls async per second 4559.0 +- 90.01",
    "",
  ].join("\n");
  assert.deepEqual(
    [...rayFigures(output)],
    [
      ["single client tasks sync", { mean: 601.23, deviation: 12.5 }],
      ["1:1 actor calls async", { mean: 4559, deviation: 90.01 }],
    ],
  );
});

test("a number chooses its row alone, anything else each row whose name has it", () => {
  assert.deepEqual(
    chooseRows("1").map((row) => row.number),
    [1],
  );
  assert.deepEqual(
    chooseRows("tasks").map((row) => row.number),
    [5, 11, 12, 13],
  );
  assert.equal(chooseRows(undefined).length, rows.length);
  assert.throws(() => chooseRows("unicorns"), { code: "INVALID_OPTION" });
});
