/** Large objects: put, results, views, spilling, free, objects that a worker made. */
import assert from "node:assert/strict";
import { free, get, type ObjectRef, onOutOfScope, put, RaiaError, remote } from "@raia/core";
import { randomBelow } from "@raia/core/internal";
import type { Operation } from "./operation.ts";

const MEBIBYTE = 1024 * 1024;

const sumOf = remote((values: Int32Array) => total(values), { maxRetries: -1 });
const make = remote((words: number, seed: number) => pattern(words, seed), { maxRetries: -1 });
const makeInside = remote((words: number, seed: number) => ({ inner: put(pattern(words, seed)) }), { maxRetries: -1 });
const sortInPlace = remote((values: Int32Array) => values.sort().at(0), { maxRetries: -1 });
const readInside = remote(async (holder: { readonly inner: ObjectRef<Int32Array> }) => total(await get(holder.inner)), { maxRetries: -1 });

export const objectOperations: readonly Operation[] = [
  {
    name: "a large put and its readers",
    weight: 3,
    async run({ random }) {
      const [words, seed] = [sizeWords(random), randomBelow(random, 1000)];
      const ref = put(pattern(words, seed));
      const expected = totalOf(words, seed);
      assert.deepEqual(await get([sumOf.remote(ref), sumOf.remote(ref)]), [expected, expected]);
      assert.equal(total(await get(ref)), expected);
    },
  },
  {
    name: "large results",
    weight: 3,
    async run({ random }) {
      const [words, seed] = [sizeWords(random), randomBelow(random, 1000)];
      const ref = make.remote(words, seed);
      assert.equal(await get(sumOf.remote(ref)), totalOf(words, seed));
      assert.equal(total(await get(ref)), totalOf(words, seed));
    },
  },
  {
    name: "more than fits in memory",
    weight: 0.4,
    async run({ random }) {
      const words = MEBIBYTE;
      const seeds = Array.from({ length: 20 }, () => randomBelow(random, 1000));
      const refs: ObjectRef<Int32Array>[] = [];
      for (const seed of seeds) {
        const ref = random.next() < 0.5 ? put(pattern(words, seed)) : make.remote(words, seed);
        await ref.stored;
        refs.push(ref);
      }
      for (const [index, ref] of refs.entries()) {
        assert.equal(await get(sumOf.remote(ref)), totalOf(words, seeds[index] ?? 0));
        free(ref);
      }
    },
  },
  {
    name: "objects that a worker put",
    weight: 2,
    async run({ random }) {
      const [words, seed] = [sizeWords(random), randomBelow(random, 1000)];
      const holder = makeInside.remote(words, seed);
      // The worker that put it owns it, and may be shot: what it returned stays.
      assert.equal(await get(readInside.remote(holder)), totalOf(words, seed));
      assert.equal(total(await get((await get(holder)).inner)), totalOf(words, seed));
    },
  },
  {
    name: "a write is the writer's own",
    weight: 1,
    async run({ random }) {
      const words = sizeWords(random);
      const ref = put(pattern(words, 1));
      await get([sortInPlace.remote(ref), sortInPlace.remote(ref)]);
      const values = await get(ref);
      assert.deepEqual([values[0], values[words - 1]], [valueAt(0, 1), valueAt(words - 1, 1)]);
    },
  },
  {
    name: "a closure that captured a ref",
    weight: 0.5,
    async run({ random }) {
      const [words, seed] = [sizeWords(random), randomBelow(random, 1000)];
      const ref = put(pattern(words, seed));
      // The worker goes after its call: one that stays would keep the function, and with it the object.
      const read = remote(async () => (await get(ref)).byteLength, { maxRetries: -1, maxCalls: 1 });
      assert.equal(await get(read.remote()), words * Int32Array.BYTES_PER_ELEMENT);
    },
  },
  {
    name: "free and out of scope",
    weight: 1,
    async run() {
      const ref = put(pattern(100_000, 3));
      const gone = new Promise<void>((resolve) => onOutOfScope(ref, resolve));
      free(ref);
      await assert.rejects(get(ref), (error) => RaiaError.is(error, "OBJECT_FREED"));
      ref[Symbol.dispose]();
      await gone;
    },
  },
];

/** Of 400 KB to 4 MB. */
function sizeWords(random: Parameters<typeof randomBelow>[0]): number {
  return 100_000 + randomBelow(random, 900_000);
}

/** Values whose sum is known without them. */
function pattern(words: number, seed: number): Int32Array {
  const values = new Int32Array(words);
  for (let index = 0; index < words; index++) values[index] = valueAt(index, seed);
  return values;
}

const PERIOD = 64;

function valueAt(index: number, seed: number): number {
  return seed + ((index * 37) % PERIOD);
}

function total(values: Int32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

function totalOf(words: number, seed: number): number {
  const whole = Math.floor(words / PERIOD);
  let sum = words * seed + (whole * (PERIOD * (PERIOD - 1))) / 2;
  for (let index = whole * PERIOD; index < words; index++) sum += (index * 37) % PERIOD;
  return sum;
}
