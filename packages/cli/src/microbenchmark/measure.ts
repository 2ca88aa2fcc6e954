/**
 * Measures as Ray's microbenchmark does: ten seconds of rest, about a second of warm-up sizes a step, then four rounds of at least two seconds;
 * a figure is operations per second, mean and standard deviation over the rounds.
 *
 * @source Ray, `python/ray/_private/ray_microbenchmark_helpers.py` (timeit)
 */
export interface Figure {
  readonly name: string;
  /** Operations a second (or the unit that the row names). */
  readonly mean: number;
  readonly deviation: number;
}

export interface MeasureOptions {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
  /** Before each row, so that what the last one left has settled. */
  readonly restMs: number;
}

export const fullMeasure: MeasureOptions = { rounds: 4, roundMs: 2000, warmUpMs: 1000, restMs: 10_000 };
export const quickMeasure: MeasureOptions = { rounds: 3, roundMs: 300, warmUpMs: 200, restMs: 0 };

/** @param multiplier operations that one call of `step` stands for */
export async function measure(name: string, step: () => unknown, multiplier: number, options: MeasureOptions): Promise<Figure> {
  const stepCalls = await callsWithin(step, options.warmUpMs);
  const rates: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < options.roundMs) {
      for (let i = 0; i < stepCalls; i++) await step();
      calls += stepCalls;
    }
    rates.push((multiplier * calls * 1000) / (performance.now() - start));
  }
  return { name, ...spread(rates) };
}

/** A tenth of what fits into the warm-up, and one: the clock is read that seldom. */
async function callsWithin(step: () => unknown, warmUpMs: number): Promise<number> {
  const start = performance.now();
  let calls = 0;
  while (performance.now() - start < warmUpMs) {
    await step();
    calls++;
  }
  return Math.floor(calls / 10) + 1;
}

export function spread(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}
