import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import { classifyDeath, type DeathFacts, type DeathKind, startFailed } from "./death-cause.ts";
import { KernelKills } from "./kernel-kills.ts";
import { StderrTail } from "./stderr-tail.ts";

const heapLimit = [
  "<--- Last few GCs --->",
  "FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory",
];
const monitor = { by: "memory-monitor", nodeUsedBytes: 970 * 2 ** 20, nodeTotalBytes: 1000 * 2 ** 20 } as const;

function die(facts: Partial<DeathFacts>): ReturnType<typeof classifyDeath> {
  return classifyDeath({ exitCode: null, signal: null, kernelKilled: false, stderrTail: [], ...facts });
}

test("death: every kind from its facts, and nothing else", () => {
  const matrix: [Partial<DeathFacts>, DeathKind][] = [
    [{ exitCode: 0 }, "exit"],
    [{ exitCode: 3 }, "exit"],
    [{ exitCode: 1, stderrTail: ["Error: boom"] }, "exit"],
    [{ signal: "SIGKILL" }, "signal"],
    [{ signal: "SIGTERM" }, "signal"],
    [{ signal: "SIGKILL", kernelKilled: true }, "oom-kernel"],
    [{ signal: "SIGSEGV" }, "native-abort"],
    [{ signal: "SIGABRT" }, "native-abort"],
    [{ signal: "SIGABRT", stderrTail: heapLimit }, "oom-heap"],
    [{ exitCode: 134, stderrTail: heapLimit }, "oom-heap"],
    [{ exitCode: 134 }, "exit"],
    // The line alone proves nothing: a user may print it.
    [{ exitCode: 1, stderrTail: heapLimit }, "exit"],
    [{ signal: "SIGKILL", stderrTail: heapLimit }, "signal"],
    [{ signal: "SIGABRT", stderrTail: ["x FATAL ERROR: JavaScript heap out of memory"] }, "native-abort"],
    [{ signal: "SIGKILL", requested: { reason: { by: "user" }, signal: "SIGKILL" } }, "killed-by-user"],
    [{ exitCode: 0, requested: { reason: { by: "node" }, signal: "SIGTERM" } }, "stopped-by-node"],
    [{ signal: "SIGSEGV", requested: { reason: { by: "node" }, signal: "SIGTERM" } }, "native-abort"],
    [{ signal: "SIGKILL", requested: { reason: monitor, signal: "SIGKILL" } }, "oom-monitor"],
  ];
  for (const [facts, kind] of matrix) {
    assert.equal(die(facts).kind, kind, JSON.stringify(facts));
  }
  assert.equal(startFailed("ENOENT").kind, "start-failed");
});

test("death: the cause is plain and has what was known, no more", () => {
  const cause = die({
    pid: 81,
    signal: "SIGKILL",
    lastBytes: 5,
    requested: { reason: monitor, signal: "SIGKILL" },
    stderrTail: ["last words"],
  });

  assert.deepEqual(JSON.parse(JSON.stringify(cause)), cause);
  assert.deepEqual(cause, {
    kind: "oom-monitor",
    pid: 81,
    signal: "SIGKILL",
    memory: { lastBytes: 5, nodeUsedBytes: 970 * 2 ** 20, nodeTotalBytes: 1000 * 2 ** 20 },
    stderrTail: ["last words"],
  });
  assert.deepEqual(die({ exitCode: 3 }), { kind: "exit", exitCode: 3, stderrTail: [] });
});

test("kernel kills: each explains one death, and old ones none", () => {
  let count = 5;
  const clock = new FakeClock();
  const kills = new KernelKills(clock, () => count);
  assert.equal(kills.claim(), false);

  count = 6;
  assert.equal(kills.claim(), true);
  assert.equal(kills.claim(), false);

  count = 8; // Two processes of somebody else.
  for (let sample = 0; sample < 2; sample++) {
    clock.advance(2000);
    kills.sample();
  }
  assert.equal(kills.claim(), false);
});

test("kernel kills: a kill seen by a sample just before the death still explains it", () => {
  let count = 0;
  const clock = new FakeClock();
  const kills = new KernelKills(clock, () => count);
  clock.advance(1999);
  count = 1;
  clock.advance(1);
  kills.sample();

  assert.equal(kills.claim(), true);
});

test("kernel kills: a machine that does not count explains nothing", () => {
  assert.equal(new KernelKills(new FakeClock(), () => undefined).claim(), false);
});

test("stderr tail: the last 50 lines, whatever the chunks", () => {
  const text = Array.from({ length: 120 }, (_, index) => `line ${index}\n`).join("");
  for (const size of [1, 7, 1000, 100_000]) {
    const tail = new StderrTail();
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) tail.push(bytes.subarray(at, at + size));
    assert.deepEqual(
      tail.lines(),
      Array.from({ length: 50 }, (_, index) => `line ${index + 70}`),
    );
  }
  assert.deepEqual(new StderrTail().lines(), []);
});

test("stderr tail: a flood leaves its end, long lines are cut", () => {
  const tail = new StderrTail();
  for (let chunk = 0; chunk < 100; chunk++) tail.push(Buffer.alloc(50_000, "x"));
  tail.push(Buffer.from(`\nend ${"y".repeat(2000)}`));

  const lines = tail.lines();
  assert.equal(lines.length, 2);
  assert.equal(lines[1], `end ${"y".repeat(996)}...`);
});
