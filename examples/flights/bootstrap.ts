/**
 * How sure is a mean? The bootstrap asks it of the sample itself: draw the sample anew many times over and look how far the
 * mean moves. Instead of drawing n of n rows, each row gets a random weight of mean 1 and variance about 1 in each resample
 * (Poisson bootstrap), so that rows need not know of one another and a range of rows is a task.
 *
 * A weight is a pure function of (seed, row, resample). Whoever computes a range, however often, finds the same integers.
 */

import type { FlightColumns, RowRange } from "./columns.ts";

export type Resampling = {
  /** Resamples of the whole table; a multiple of 4. */
  readonly resamples: number;
  readonly seed: number;
  readonly airports: number;
};

/** For each airport and resample (index `airport * resamples + resample`): the sum of weights, and of weights times delay. */
export type ResampledSums = { readonly weight: Int32Array; readonly weightedDelay: Int32Array };

/**
 * Draws weights for a range of rows in every resample and sums them by airport of departure.
 *
 * @complexity O(rows x resamples): about 3 ns each
 */
export function resample(columns: FlightColumns, { from, to }: RowRange, { resamples, seed, airports }: Resampling): ResampledSums {
  const weight = new Int32Array(airports * resamples);
  const weightedDelay = new Int32Array(airports * resamples);
  for (let row = from; row < to; row++) {
    const delay = columns.delay[row]!;
    let at = columns.origin[row]! * resamples;
    let counter = mix(row ^ seed);
    // One mixed word gives the weights of four resamples.
    for (const end = at + resamples; at < end; at += 4) {
      counter = (counter + golden) | 0;
      const word = mix(counter);
      const first = weightOfByte[word & 0xff]!;
      const second = weightOfByte[(word >>> 8) & 0xff]!;
      const third = weightOfByte[(word >>> 16) & 0xff]!;
      const fourth = weightOfByte[word >>> 24]!;
      weight[at]! += first;
      weightedDelay[at]! += first * delay;
      weight[at + 1]! += second;
      weightedDelay[at + 1]! += second * delay;
      weight[at + 2]! += third;
      weightedDelay[at + 2]! += third * delay;
      weight[at + 3]! += fourth;
      weightedDelay[at + 3]! += fourth * delay;
    }
  }
  return { weight, weightedDelay };
}

/** Adds up sums of different rows. An Int32 holds the delays of a million flights of half an hour. */
export function mergeResampled(...sums: ResampledSums[]): ResampledSums {
  const length = sums[0]?.weight.length ?? 0;
  const weight = new Int32Array(length);
  const weightedDelay = new Int32Array(length);
  for (const part of sums) {
    for (let index = 0; index < length; index++) {
      weight[index]! += part.weight[index]!;
      weightedDelay[index]! += part.weightedDelay[index]!;
    }
  }
  return { weight, weightedDelay };
}

/** 2^32 divided by the golden ratio: steps of it visit all words before repeating one. */
const golden = 0x9e3779b9;

/** How many of the 256 bytes stand for a weight of 0, 1, ... 5. Poisson's law rounded so that the mean is exactly 1 (variance 1.008). */
const bytesOfWeight = [95, 93, 47, 16, 4, 1];

const weightOfByte = Uint8Array.from(bytesOfWeight.flatMap((bytes, weight) => Array.from({ length: bytes }, () => weight)));

/** Spreads a change of any bit over all of them. @source MurmurHash3's 32-bit finalizer, Austin Appleby (public domain) */
function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
