import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Example } from "./example-process.ts";

test("closures: what the workers find is what one loop finds", async () => {
  using example = new Example();
  const { code, stdout, stderr } = await example.run("closures/main.ts", ["raia"]);

  assert.equal(code, 0, stderr);
  const expected: string[] = [];
  for (let number = 0; number < 24 * 20_000; number++) {
    const hash = createHash("sha256").update(`raia ${number}`).digest("hex");
    if (hash.startsWith("0000")) expected.push(`${String(number).padStart(8)}  ${hash.slice(0, 24)}`);
  }
  assert.ok(expected.length > 0);
  assert.deepEqual(stdout.trimEnd().split("\n").slice(2), expected);
  assert.deepEqual(await example.leftBehind(), []);
});
