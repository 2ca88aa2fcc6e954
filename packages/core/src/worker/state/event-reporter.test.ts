import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../base/fake-clock.ts";
import { readTaskEvents, type TaskEvent } from "../../messages/task-event-block.ts";
import { EventReporter, REPORT_EVERY_MS } from "./event-reporter.ts";
import { EventRing, eventKind } from "./event-ring.ts";

const owner = "a".repeat(56);

function setUp() {
  const clock = new FakeClock();
  const ring = new EventRing();
  const reporter = new EventReporter(ring, clock, { workerId: "me", pid: 7 });
  const reports: { readonly events: readonly TaskEvent[]; readonly dropped: number }[] = [];
  const submitted = (sequence: number, jobId = "j"): void => {
    ring.add(eventKind.submitted, sequence, owner, clock.nowMs(), clock.nowMs(), "f", 0, jobId);
  };
  return {
    clock,
    ring,
    reporter,
    submitted,
    begin: () => reporter.begin("01", (block) => void reports.push({ events: readTaskEvents(block), dropped: block.dropped })),
    reports,
  };
}

test("event reporter: what happens within a second goes in one report, and silence costs nothing", () => {
  const { clock, ring, begin, submitted, reports } = setUp();
  begin();
  clock.advance(10 * REPORT_EVERY_MS);
  assert.equal(reports.length, 0);

  submitted(1);
  clock.advance(REPORT_EVERY_MS - 1);
  ring.add(eventKind.finished, 1, owner, clock.nowMs() - 5, clock.nowMs(), "f", 2, "j");
  assert.equal(reports.length, 0);
  clock.advance(1);
  assert.equal(reports.length, 1);
  const [first, second] = reports[0]?.events ?? [];
  assert.deepEqual([first?.state, first?.durationMs, first?.pid, first?.workerId], ["submitted", undefined, 7, "me"]);
  assert.deepEqual([second?.state, second?.durationMs, second?.attempt], ["finished", 5, 2]);
  assert.equal(second?.taskId, `${"a".repeat(32)}0000000000000001`);
  assert.equal(second?.atMs, clock.wallMs() - 6);

  clock.advance(10 * REPORT_EVERY_MS);
  assert.equal(reports.length, 1);
  submitted(2);
  clock.advance(REPORT_EVERY_MS);
  assert.equal(reports[1]?.events.length, 1);
});

test("event reporter: what happened before it could tell goes with the first report, under the job that is known then", () => {
  const { clock, begin, submitted, reports } = setUp();
  submitted(1, "");
  clock.advance(5 * REPORT_EVERY_MS);
  begin();
  clock.advance(REPORT_EVERY_MS);

  assert.deepEqual(
    reports.map(({ events }) => events.map(({ jobId }) => jobId)),
    [["01"]],
  );
});

test("event reporter: of too much the newest are kept, and the rest are counted exactly", () => {
  const { clock, begin, submitted, reports } = setUp();
  begin();
  for (let sequence = 1; sequence <= 10_000; sequence++) submitted(sequence);
  clock.advance(REPORT_EVERY_MS);

  assert.deepEqual([reports[0]?.events.length, reports[0]?.dropped], [4096, 10_000 - 4096]);
  assert.ok(reports[0]?.events.at(-1)?.taskId.endsWith((10_000).toString(16)));
  submitted(10_001);
  clock.advance(REPORT_EVERY_MS);
  assert.deepEqual([reports[1]?.events.length, reports[1]?.dropped], [1, 0]);
});

test("event reporter: why a task failed goes along, and nothing with those that did not", () => {
  const { clock, ring, begin, submitted, reports } = setUp();
  begin();
  submitted(1);
  ring.add(eventKind.failed, 1, owner, clock.nowMs(), clock.nowMs(), "f", 0, "j", "RangeError: too far");
  clock.advance(REPORT_EVERY_MS);

  assert.deepEqual(
    reports[0]?.events.map(({ error }) => error),
    [undefined, "RangeError: too far"],
  );
});

test("event reporter: a process that ends tells at once, and not again", () => {
  const { clock, reporter, begin, submitted, reports } = setUp();
  begin();
  submitted(1);
  reporter.flush();
  clock.advance(REPORT_EVERY_MS);

  assert.equal(reports.length, 1);
});
