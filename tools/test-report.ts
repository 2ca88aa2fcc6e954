/**
 * What a test run prints: one line for each file that passed, the whole story of each test that failed (as Node's own
 * `spec` reporter tells it), and at the very end Node's summary lines, added up over all parts of the run.
 */
import { relative } from "node:path";
import { Readable } from "node:stream";
import { spec, type TestEvent } from "node:test/reporters";

export type Counts = {
  readonly tests: number;
  readonly suites: number;
  readonly passed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly todo: number;
  readonly durationMs: number;
};

export const noCounts: Counts = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0, durationMs: 0 };

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    tests: a.tests + b.tests,
    suites: a.suites + b.suites,
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    cancelled: a.cancelled + b.cancelled,
    skipped: a.skipped + b.skipped,
    todo: a.todo + b.todo,
    durationMs: a.durationMs + b.durationMs,
  };
}

/** The closing lines in the form of `node --test`, which people and scripts know how to read. */
export function summaryLines(counts: Counts): string {
  return [
    `ℹ tests ${counts.tests}`,
    `ℹ suites ${counts.suites}`,
    `ℹ pass ${counts.passed}`,
    `ℹ fail ${counts.failed}`,
    `ℹ cancelled ${counts.cancelled}`,
    `ℹ skipped ${counts.skipped}`,
    `ℹ todo ${counts.todo}`,
    `ℹ duration_ms ${counts.durationMs.toFixed(0)}`,
  ].join("\n");
}

/** Prints a run while it goes. Resolves with its counts when it has ended. */
export async function reportRun(events: AsyncIterable<TestEvent>, root: string): Promise<Counts> {
  let total: Counts | undefined;
  let ownFailures = 0;
  async function* shown(): AsyncGenerator<TestEvent> {
    for await (const event of events) {
      if (event.type === "test:summary") {
        const counts = countsOf(event.data);
        if (event.data.file === undefined) total = counts;
        else if (event.data.success) {
          process.stdout.write(
            `✔ ${relative(root, event.data.file)} (${counts.tests} tests, ${(counts.durationMs / 1000).toFixed(1)} s)\n`,
          );
        }
      }
      if (event.type === "test:fail") ownFailures += 1;
      if (isStory(event)) yield event;
    }
  }
  const reporter = Readable.from(shown()).pipe(new spec());
  for await (const text of reporter) process.stdout.write(text as string);
  // A run that ends without a summary was cut off; it must not pass as "no failures".
  return total ?? { ...noCounts, failed: Math.max(1, ownFailures) };
}

/** Failures, and what the tests themselves wrote. Passes are told per file, totals at the end. */
function isStory(event: TestEvent): boolean {
  return event.type === "test:fail" || event.type === "test:stderr" || event.type === "test:stdout";
}

function countsOf({ counts, duration_ms: durationMs }: Extract<TestEvent, { type: "test:summary" }>["data"]): Counts {
  return {
    tests: counts.tests,
    suites: counts.suites,
    passed: counts.passed,
    failed: counts.tests - counts.passed - counts.cancelled - counts.skipped - counts.todo,
    cancelled: counts.cancelled,
    skipped: counts.skipped,
    todo: counts.todo,
    durationMs,
  };
}
