import assert from "node:assert/strict";
import { test } from "node:test";
import { chromeTrace } from "./chrome-trace.ts";

type Event = Parameters<typeof chromeTrace>[0][number];

const event = (taskId: string, state: string, pid: number, atMs: number, durationMs?: number): Event => ({
  taskId,
  name: `name-${taskId}`,
  jobId: "01",
  state,
  atMs,
  workerId: "w",
  pid,
  attempt: 0,
  ...(durationMs !== undefined && { durationMs }),
});

const spans = (events: readonly Event[]) =>
  chromeTrace(events, new Map())
    .filter(({ ph }) => ph === "X")
    .map(({ cat, pid, ts, dur }) => [cat, pid, ts, dur]);

test("trace: a call waits in its caller's process, runs in the worker's, and is got in the caller's; microseconds", () => {
  const events = [event("a", "submitted", 1, 100), event("a", "finished", 2, 105, 10), event("a", "got", 1, 101, 16)];

  assert.deepEqual(spans(events), [
    ["wait", 1, 100_000, 5_000],
    ["get", 1, 101_000, 16_000],
    ["run", 2, 105_000, 10_000],
  ]);
  const [submit] = chromeTrace(events, new Map()).filter(({ ph }) => ph === "i");
  assert.deepEqual([submit?.name, submit?.pid, submit?.ts], ["name-a", 1, 100_000]);
});

test("trace: spans of one process and kind that overlap get lanes of their own, and free lanes are used again", () => {
  const events = [
    event("a", "finished", 2, 0, 10),
    event("b", "finished", 2, 5, 10),
    event("c", "finished", 2, 10, 1),
    event("d", "finished", 3, 5, 1),
  ];
  const lanes = chromeTrace(events, new Map())
    .filter(({ ph }) => ph === "X")
    .map(({ name, pid, tid }) => [name, pid, tid]);
  const lane = (name: string): unknown => lanes.find(([other]) => other === name)?.[2];

  assert.equal(lane("name-a"), lane("name-c"));
  assert.notEqual(lane("name-a"), lane("name-b"));
  assert.equal(lane("name-a"), lane("name-d"));
});

test("trace: a worker's report without the caller's has no wait, and a clock that runs behind gives none below zero", () => {
  assert.deepEqual(spans([event("a", "failed", 2, 5, 1)]), [["run", 2, 5_000, 1_000]]);
  assert.deepEqual(spans([event("a", "submitted", 1, 6), event("a", "finished", 2, 5, 1)]), [["run", 2, 5_000, 1_000]]);
});

test("trace: processes have names", () => {
  const headings = chromeTrace([event("a", "finished", 2, 5, 1), event("b", "finished", 3, 5, 1)], new Map([[2, "worker 2"]])).filter(
    ({ name }) => name === "process_name",
  );
  assert.deepEqual(
    headings.map(({ pid, args }) => [pid, args?.["name"]]),
    [
      [2, "worker 2"],
      [3, "process 3"],
    ],
  );
});
