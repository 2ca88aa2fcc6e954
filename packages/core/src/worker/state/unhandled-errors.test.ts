import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../base/fake-clock.ts";
import { FOLD_MS, UnhandledErrors } from "./unhandled-errors.ts";

test("unhandled errors: the first is told at once, those that follow in one line, and then it begins anew", () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const errors = new UnhandledErrors(clock, (line) => void lines.push(line));

  errors.add("square", new RangeError("too far\nby miles"));
  assert.equal(lines.length, 1);
  assert.match(lines[0] as string, /^raia: square failed, and nobody looked at its error: RangeError: too far \(get its ref/);

  for (let i = 0; i < 1000; i++) errors.add(i % 10 === 0 ? "other" : "square", "no");
  assert.equal(lines.length, 1);
  clock.advance(FOLD_MS);
  assert.deepEqual(lines.slice(1), ["raia: 1000 more calls failed, and nobody looked at their errors: square 900, other 100"]);

  errors.add("square", "no");
  clock.advance(FOLD_MS);
  assert.equal(lines.length, 3);
  clock.advance(FOLD_MS);
  errors.add("square", "no");
  assert.match(lines.at(-1) as string, /square failed.*: no \(/);
});
