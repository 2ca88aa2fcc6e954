/**
 * What runs in workers. An exported function of a module travels by name; its arguments arrive resolved, so `columns` is
 * the shared memory itself, mapped and not copied.
 */

import type { ActorHandle } from "raia";
import { mergeResampled, type ResampledSums, type Resampling, resample } from "./bootstrap.ts";
import type { FlightColumns, RowRange, Shape } from "./columns.ts";
import type { Progress } from "./progress.ts";
import { mergeSummaries, type Summary, summarize } from "./summary.ts";

/** All that is to be known of some rows. */
export type Findings = { readonly summary: Summary; readonly sums: ResampledSums };

export type Question = { readonly shape: Shape; readonly resampling: Resampling };

/** Looks at a range of rows, and tells `progress` when it is done. */
export function findInRange(
  columns: FlightColumns,
  range: RowRange,
  { shape, resampling }: Question,
  progress: ActorHandle<Progress>,
): Findings {
  const findings = { summary: summarize(columns, range, shape), sums: resample(columns, range, resampling) };
  // Nobody waits for this: a lost report is a slightly late progress line.
  progress.report.remote({ task: range.from, rows: range.to - range.from, peakBytes: process.resourceUsage().maxRSS * 1024 });
  return findings;
}

/** Findings about different rows become findings about all of them. */
export function mergeFindings(...parts: Findings[]): Findings {
  return {
    summary: mergeSummaries(...parts.map(({ summary }) => summary)),
    sums: mergeResampled(...parts.map(({ sums }) => sums)),
  };
}
