/**
 * What runs in workers. An exported function of a module travels by name; its arguments arrive resolved, so `columns` is
 * the shared memory itself, mapped and not copied.
 */

import type { ActorHandle } from "raia";
import { type Resampling, type ResampledSums, resample } from "./bootstrap.ts";
import type { FlightColumns, RowRange, Shape } from "./columns.ts";
import type { Progress } from "./progress.ts";
import { type Summary, summarize } from "./summary.ts";

export function summarizeRange(columns: FlightColumns, range: RowRange, shape: Shape, progress: ActorHandle<Progress>): Summary {
  const summary = summarize(columns, range, shape);
  tell(progress, "summarize", range);
  return summary;
}

export function resampleRange(
  columns: FlightColumns,
  range: RowRange,
  resampling: Resampling,
  progress: ActorHandle<Progress>,
): ResampledSums {
  const sums = resample(columns, range, resampling);
  tell(progress, "resample", range);
  return sums;
}

/** Nobody waits for this: a lost report is a slightly late progress line. */
function tell(progress: ActorHandle<Progress>, step: string, { from, to }: RowRange): void {
  progress.report.remote({
    task: `${step} ${from}`,
    rows: to - from,
    pid: process.pid,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  });
}
