import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress, progressLine, SteadyCount, type Tally } from "./progress.ts";

test("progress: a task that ran again counts once", () => {
  const progress = new Progress();
  progress.report({ task: "resample 0", rows: 10, pid: 7, peakBytes: 100 });
  progress.report({ task: "resample 0", rows: 10, pid: 8, peakBytes: 300 });
  progress.report({ task: "resample 10", rows: 5, pid: 8, peakBytes: 200 });

  assert.deepEqual(progress.tally(), { rows: 15, tasks: 2, workerPids: [7, 8], largestPeakBytes: 200, actorPid: process.pid });
});

test("steady count: a restarted actor that forgot does not turn the count back", () => {
  const count = new SteadyCount();
  const seen = [tally(10, 1), tally(40, 1), tally(0, 2), tally(25, 2), tally(5, 3), tally(90, 3)].map((each) => count.next(each, 100));
  assert.deepEqual(seen, [10, 40, 40, 65, 70, 100]);
});

test("the line says how far, how fast and how many were shot, in less than 80 columns", () => {
  const line = progressLine({ label: "16 workers, under fire", done: 1_500_000, of: 6_000_000, elapsedMs: 2_000, shot: 12 });
  assert.equal(line, "16 workers, under fire  ████░░░░░░░░░░░░  25 %     750,000 rows/s    2.0 s  12 shot");
  assert.equal(
    progressLine({ label: "1 worker", done: 0, of: 10, elapsedMs: 0, shot: 0 }),
    "1 worker  ░░░░░░░░░░░░░░░░   0 %           0 rows/s    0.0 s",
  );
});

function tally(rows: number, actorPid: number): Tally {
  return { rows, tasks: 0, workerPids: [], largestPeakBytes: 0, actorPid };
}
