import assert from "node:assert/strict";
import test from "node:test";
import { seededRandom } from "@raia/core/internal";
import { judgeSeries, type Series, trend } from "./gates.ts";

const tolerance = { relative: 0.1, absolute: 10 };

function series(valueAt: (second: number) => number, seconds = 100): Series {
  return { name: "memory", unit: "bytes", points: Array.from({ length: seconds }, (_, second) => [second, valueAt(second)] as const) };
}

test("a straight line has its slope, whatever the spikes", () => {
  assert.equal(trend(series((second) => 5 + 2 * second).points), 2);
  assert.equal(trend(series((second) => (second % 10 === 0 ? 1e9 : 5 + 2 * second)).points), 2);
  assert.equal(trend([]), 0);
});

test("growth during warm-up is no fault; after it, it is", () => {
  const warmsUp = series((second) => Math.min(second, 20) * 50);
  assert.equal(judgeSeries(warmsUp, tolerance, 20)?.isFlat, true);
  const leaks = judgeSeries(
    series((second) => 1000 + 5 * second),
    tolerance,
    20,
  );
  assert.equal(leaks?.isFlat, false);
  assert.equal(leaks.growth, 5 * 79);
});

test("noise and a sawtooth are flat; what falls is, too", () => {
  const random = seededRandom(1);
  const isFlat = (valueAt: (second: number) => number): boolean | undefined => judgeSeries(series(valueAt), tolerance, 10)?.isFlat;
  assert.equal(
    isFlat(() => 1000 + 400 * random.next()),
    true,
  );
  assert.equal(
    isFlat((second) => 1000 + (second % 17) * 30),
    true,
  );
  assert.equal(
    isFlat((second) => 1000 - 5 * second),
    true,
  );
});

test("a leak under noise and a sawtooth is seen", () => {
  const random = seededRandom(2);
  assert.equal(
    judgeSeries(
      series((second) => 1000 + 4 * second + (second % 17) * 10 + 100 * random.next()),
      tolerance,
      10,
    )?.isFlat,
    false,
  );
});

test("small figures grow by less than the floor unnoticed", () => {
  assert.equal(
    judgeSeries(
      series((second) => second / 20),
      tolerance,
      0,
    )?.isFlat,
    true,
  );
});

test("too few samples and too short a time say nothing", () => {
  const steep = (second: number): number => 1000 * second;
  assert.equal(judgeSeries(series(steep, 38), tolerance, 20), undefined);
  const dense = Array.from({ length: 100 }, (_, index) => [index / 10, steep(index)] as const);
  assert.equal(judgeSeries({ name: "memory", unit: "bytes", points: dense }, tolerance, 0), undefined);
});
