/**
 * Whether a figure grew after its warm-up. The trend is the median of the slopes between all pairs of samples (Theil and
 * Sen): a spike, such as a moment of spilling, does not move it, and a leak does. What falls is no fault.
 */

/** A figure at moments of the run. */
export interface Series {
  readonly name: string;
  readonly unit: "bytes" | "count";
  /** `[seconds since the start, value]`, in order of time. */
  readonly points: readonly (readonly [atSeconds: number, value: number])[];
}

export interface Tolerance {
  /** Of the median after warm-up. */
  readonly relative: number;
  /** In the unit of the figure; what is less is noise. */
  readonly absolute: number;
}

export interface Verdict {
  readonly name: string;
  readonly unit: Series["unit"];
  readonly median: number;
  readonly highest: number;
  /** What the trend adds between the end of warm-up and the end of the run. */
  readonly growth: number;
  readonly allowedGrowth: number;
  readonly isFlat: boolean;
}

/** Less says nothing about a trend. */
const LEAST_POINTS = 20;
const LEAST_SECONDS = 30;
/** So many give 80,000 pairs, and as good a median as more. */
const MOST_POINTS = 400;

/** @param warmUpSeconds what was sampled before is not looked at */
export function judgeSeries({ name, unit, points }: Series, tolerance: Tolerance, warmUpSeconds: number): Verdict | undefined {
  const warm = points.filter(([atSeconds]) => atSeconds >= warmUpSeconds);
  const first = warm[0];
  const last = warm.at(-1);
  if (first === undefined || last === undefined || warm.length < LEAST_POINTS || last[0] - first[0] < LEAST_SECONDS) return undefined;
  const values = warm.map(([, value]) => value);
  const median = medianOf(values);
  const growth = trend(thinned(warm, MOST_POINTS)) * (last[0] - first[0]);
  const allowedGrowth = Math.max(tolerance.relative * median, tolerance.absolute);
  return { name, unit, median, highest: Math.max(...values), growth, allowedGrowth, isFlat: growth <= allowedGrowth };
}

/** In units a second. @complexity O(n²) */
export function trend(points: Series["points"]): number {
  const slopes: number[] = [];
  for (const [index, [at, value]] of points.entries()) {
    for (const [laterAt, laterValue] of points.slice(index + 1)) if (laterAt > at) slopes.push((laterValue - value) / (laterAt - at));
  }
  return slopes.length === 0 ? 0 : medianOf(slopes);
}

function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** At most so many, evenly chosen. */
function thinned(points: Series["points"], most: number): Series["points"] {
  if (points.length <= most) return points;
  return points.filter((_, index) => Math.floor((index * most) / points.length) !== Math.floor(((index - 1) * most) / points.length));
}
