import assert from "node:assert/strict";
import { scryptSync } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
import { Example } from "./example-process.ts";

test("lines map: every line, in order, with its addresses replaced", async () => {
  using example = new Example();
  const lines = Array.from({ length: 1000 }, (_, index) => `${index} GET /page from 10.0.${index % 20}.7 by 192.168.0.1`);
  const { code, stdout, stderr } = await example.run("lines-map/main.ts", [], Readable.from(lines.map((line) => `${line}\n`)));

  assert.equal(code, 0, stderr);
  const pseudonyms = new Map<string, string>();
  const pseudonym = (address: string) =>
    pseudonyms.getOrInsertComputed(address, () => `user-${scryptSync(address, "pepper and salt", 6, { N: 256 }).toString("hex")}`);
  const expected = lines.map((line) => line.replace(/10\.0\.\d+\.7|192\.168\.0\.1/g, pseudonym));
  assert.deepEqual(stdout.trimEnd().split("\n"), expected);
  assert.equal(stderr, "1000 lines\n");
  assert.deepEqual(await example.leftBehind(), []);
});

test("lines map: no lines, no output", async () => {
  using example = new Example();
  const { code, stdout } = await example.run("lines-map/main.ts", [], Readable.from([]));
  assert.equal(code, 0);
  assert.equal(stdout, "");
});
