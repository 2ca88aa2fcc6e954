/** Streams of tasks: sync and async, slow consumers, early leaving, errors, large items. */
import assert from "node:assert/strict";
import { get, type ObjectRef, remote } from "@raia/core";
import { randomBelow } from "@raia/core/internal";
import { type Operation, pause } from "./operation.ts";

const count = remote(
  function* (to: number) {
    for (let item = 0; item < to; item++) yield item;
  },
  { maxRetries: -1 },
);
const countSlowly = remote(
  async function* (to: number) {
    for (let item = 0; item < to; item++) {
      if (item % 8 === 0) await pause(1);
      yield { item };
    }
  },
  { maxRetries: -1, generatorBackpressure: 4 },
);
const countForEver = remote(
  async function* () {
    for (let item = 0; ; item++) yield item;
  },
  { maxRetries: -1, generatorBackpressure: 16 },
);
const countAndFail = remote(
  function* (to: number) {
    for (let item = 0; item < to; item++) yield item;
    throw new RangeError("no more");
  },
  { maxRetries: -1 },
);
const slices = remote(
  function* (items: number) {
    for (let item = 0; item < items; item++) yield new Uint8Array(300_000).fill(item);
  },
  { maxRetries: -1, generatorBackpressure: 4 },
);

export const streamOperations: readonly Operation[] = [
  {
    name: "a stream",
    weight: 3,
    async run({ random }) {
      const to = randomBelow(random, 200);
      assert.deepEqual(await collect(count.remote(to)), [...Array(to).keys()]);
    },
  },
  {
    name: "a stream with backpressure",
    weight: 2,
    async run({ random }) {
      const to = randomBelow(random, 60);
      const items: number[] = [];
      for await (const ref of countSlowly.remote(to)) {
        items.push((await get(ref)).item);
        if (items.length % 16 === 0) await pause(2);
      }
      assert.deepEqual(items, [...Array(to).keys()]);
    },
  },
  {
    name: "a stream that is left early",
    weight: 2,
    async run({ random }) {
      const to = 1 + randomBelow(random, 30);
      const items: number[] = [];
      for await (const ref of countForEver.remote()) {
        items.push(await get(ref));
        if (items.length === to) break;
      }
      assert.deepEqual(items, [...Array(to).keys()]);
    },
  },
  {
    name: "a stream that fails",
    weight: 1,
    async run({ random }) {
      const to = randomBelow(random, 20);
      const items: number[] = [];
      await assert.rejects(async () => {
        for await (const ref of countAndFail.remote(to)) items.push(await get(ref));
      }, RangeError);
      assert.deepEqual(items, [...Array(to).keys()]);
    },
  },
  {
    name: "a stream of large items",
    weight: 1,
    async run({ random }) {
      const items = 1 + randomBelow(random, 12);
      let seen = 0;
      for await (const ref of slices.remote(items)) {
        using held = ref;
        const bytes = await get(held);
        assert.deepEqual([bytes.byteLength, bytes[0], bytes.at(-1)], [300_000, seen, seen]);
        seen++;
      }
      assert.equal(seen, items);
    },
  },
];

async function collect<T>(stream: AsyncIterable<ObjectRef<T>>): Promise<T[]> {
  const items: T[] = [];
  for await (const ref of stream) items.push(await get(ref));
  return items;
}
