import assert from "node:assert/strict";
import { test } from "node:test";
import { OptionError, parseOptions } from "./options.ts";

test("flags are read, and have their defaults", () => {
  const options = parseOptions(["--rows", "100_000", "--workers", "3", "--chaos"], "here");
  assert.deepEqual(options, { rows: 100_000, workers: 3, outDirectory: "here", chaos: true, help: false });
  assert.equal(parseOptions([], "here").rows, 3_000_000);
  assert.equal(parseOptions(["--out", "there"], "here").outDirectory, "there");
});

for (const [args, fault] of [
  [["--row", "5"], /--row'/],
  [["--rows"], /--rows/],
  [["--rows", "0"], /--rows takes a whole number from 1 to 3,000,000, not "0"/],
  [["--rows", "3000001"], /3,000,000/],
  [["--workers", "1.5"], /--workers takes a whole number from 1 to 256, not "1.5"/],
  [["--workers", ""], /--workers takes/],
  [["--rows=-1"], /not "-1"/],
  [["fast"], /'fast'/],
] as const) {
  test(`refused in one sentence: ${args.join(" ")}`, () => {
    assert.throws(
      () => parseOptions(args, "here"),
      (error) =>
        error instanceof OptionError && fault.test(error.message) && error.message.endsWith("See --help.") && !error.message.includes("\n"),
    );
  });
}
