import assert from "node:assert/strict";
import { test } from "node:test";
import { Ledger, Progress, progressLine } from "./progress.ts";

test("progress: a task that ran again is told once, as it was last", () => {
  const progress = new Progress();
  progress.report({ task: 0, rows: 5, peakBytes: 100 });
  progress.report({ task: 5, rows: 5, peakBytes: 100 });
  progress.report({ task: 0, rows: 5, peakBytes: 200 });

  assert.deepEqual(progress.reports(), [
    { task: 0, rows: 5, peakBytes: 200 },
    { task: 5, rows: 5, peakBytes: 100 },
  ]);
});

test("ledger: an actor that forgot does not turn the count back, and nothing counts twice", () => {
  const ledger = new Ledger();
  const [first, second] = [
    { task: 0, rows: 5, peakBytes: 800 },
    { task: 5, rows: 4, peakBytes: 700 },
  ];
  const rows = [[first], [], [second], [first, second]].map((reports) => {
    ledger.enter(reports);
    return ledger.rows;
  });
  assert.deepEqual(rows, [5, 5, 9, 9]);
  assert.equal(ledger.largestPeakBytes, 800);
});

test("the line says how far, how fast and how many were shot, in less than 80 columns", () => {
  const line = progressLine({ label: "16 workers, under fire", done: 1_500_000, of: 6_000_000, elapsedMs: 2_000, shot: 12 });
  assert.equal(line, "16 workers, under fire  ████░░░░░░░░░░░░  25 %     750,000 rows/s    2.0 s  12 shot");
  assert.equal(
    progressLine({ label: "1 worker", done: 0, of: 10, elapsedMs: 0, shot: 0 }),
    "1 worker  ░░░░░░░░░░░░░░░░   0 %           0 rows/s    0.0 s",
  );
});
