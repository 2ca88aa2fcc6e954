import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, count, keyValues, number, text } from "./arguments.ts";

test("arguments: sizes are bytes, or say their unit", () => {
  const sizes = ["0", "1048576", "512MB", "8GiB", "8g", "1.5 KiB", "2T", "7B"].map(bytes);
  assert.deepEqual(sizes, [0, 1_048_576, 512_000_000, 8 * 1024 ** 3, 8_000_000_000, 1536, 2_000_000_000_000, 7]);
  for (const wrong of ["", "GiB", "-1", "1x", "1 GiB more", "Infinity", "0x10"])
    assert.throws(() => bytes(wrong), /It must be a size/, wrong);
  for (const huge of ["9".repeat(400), "99999999T"]) assert.throws(() => bytes(huge), /more than any machine has/);
});

test("arguments: numbers and counts", () => {
  assert.deepEqual([number("0.5"), number("0"), count("3")], [0.5, 0, 3]);
  for (const wrong of ["", " ", "x", "-1", "Infinity", "NaN"]) assert.throws(() => number(wrong), /It must be a number/, wrong);
  for (const wrong of ["0", "1.5", "4294967296"]) assert.throws(() => count(wrong), /It must be a whole number/, wrong);
  assert.equal(text("/run/a"), "/run/a");
  for (const wrong of ["", " ", "a\0b"]) assert.throws(() => text(wrong), /must not be empty/);
});

test("arguments: labels are pairs, and a value may hold an equals sign", () => {
  assert.deepEqual(keyValues("zone=a, rack=r=1,empty="), { zone: "a", rack: "r=1", empty: "" });
  for (const wrong of ["zone", "=a", "zone=a,"]) assert.throws(() => keyValues(wrong), /is not key=value/, wrong);
});
