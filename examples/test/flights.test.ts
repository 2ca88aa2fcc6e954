import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Example } from "./example-process.ts";

const script = "flights/main.ts";

test("flights: the same answer on one worker and on two, a table, and both pictures; no colours where there is no terminal", async () => {
  using example = new Example();
  const { code, stdout, stderr } = await example.run(script, ["--rows", "100000", "--workers", "2", "--out", example.outDirectory]);

  assert.equal(code, 0, stderr);
  assert.ok(!(stdout + stderr).includes("\u001b"));
  assert.match(stdout, /^1 worker: \d+\.\d s \(reading \d+\.\d s\)$/m);
  assert.match(stdout, /^2 workers: \d+\.\d s \(reading \d+\.\d s\)$/m);
  assert.match(stdout, /^ {2}ORD Chicago +\d,\d{3} +-?\d+\.\d\d +-?\d+\.\d\d–-?\d+\.\d\d /m);
  assert.match(stdout, /^Speed-up: \d+\.\d\d times/m);
  assert.match(stdout, /^Peak memory: [\d,]+ MB in this process, [1-9][\d,]* MB in the largest worker$/m);
  assert.match(stdout, /^Answer: [0-9a-f]{16}, the same as on 1 worker$/m);

  const png = readFileSync(join(example.outDirectory, "flights.png"));
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1600, 1260]);
  const svg = readFileSync(join(example.outDirectory, "flights.svg"), "utf8");
  assert.match(svg, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  assert.match(svg, /100,000 flights between \d+ airports/);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  assert.deepEqual(await example.leftBehind(), []);
});

test("flights: the same answer while workers are shot", async () => {
  using example = new Example();
  const { code, stdout, stderr } = await example.run(script, [
    "--rows",
    "500000",
    "--workers",
    "2",
    "--chaos",
    "--out",
    example.outDirectory,
  ]);

  assert.equal(code, 0, stderr);
  const shot = /^Answer: [0-9a-f]{16}, the same as on 1 worker, with (\d+) workers? shot$/m.exec(stdout)?.[1];
  assert.ok(Number(shot) >= 1, stdout);
  assert.deepEqual(await example.leftBehind(), []);
});

test("flights: Ctrl-C ends it and leaves nothing behind", async () => {
  using example = new Example();
  const running = example.start(script, ["--workers", "2", "--out", example.outDirectory]);
  await running.says(/reading the file/);
  running.pressCtrlC();
  const { code, signal } = await running.ended;

  assert.ok(signal === "SIGINT" || code === 130, `code ${code}, signal ${signal}`);
  assert.deepEqual(await example.leftBehind(), []);
});

test("flights: a bad flag is one sentence, and nothing is started", async () => {
  using example = new Example();
  assert.deepEqual(await example.run(script, ["--rows", "many"]), {
    code: 2,
    signal: null,
    stdout: "",
    stderr: '--rows takes a whole number from 1 to 3,000,000, not "many". See --help.\n',
  });
});

test("flights: a directory that cannot be written is named before the work begins", async () => {
  using example = new Example();
  writeFileSync(example.outDirectory, "a file is in the way");
  const { code, stdout, stderr } = await example.run(script, ["--out", join(example.outDirectory, "pictures")]);
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /^Cannot write the pictures to \S+\/out\/pictures: ENOTDIR\. Choose another directory with --out\.\n$/);
});
