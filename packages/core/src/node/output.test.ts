import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "../base/fake-clock.ts";
import { OutputFolder } from "./output-folder.ts";
import { OutputHub, type OutputLog } from "./output-hub.ts";
import { OutputLimiter } from "./output-limiter.ts";
import { type OutputLine, showOutputLine } from "./output-line.ts";
import { LineSplitter } from "./output-splitter.ts";

/** A node whose driver is a list of lines. */
class Node {
  readonly clock = new FakeClock();
  readonly shown: string[] = [];
  readonly logs = new Map<string, string>();
  readonly closed: string[] = [];
  batches = 0;
  readonly hub = new OutputHub({
    clock: this.clock,
    deliver: (jobId, lines) => {
      this.batches++;
      this.shown.push(...lines.map((line) => `${jobId}: ${showOutputLine(line)}`));
    },
    openLog: (workerId, stream): OutputLog => {
      const name = `${workerId}.${stream}`;
      return {
        append: (chunk) => void this.logs.set(name, (this.logs.get(name) ?? "") + chunk.toString()),
        close: () => void this.closed.push(name),
      };
    },
  });

  add(workerId: string, pid: number, name = "square", jobId = "j"): void {
    this.hub.addWorker(workerId, { pid, name, jobId });
  }

  write(workerId: string, text: string, stream: "stdout" | "stderr" = "stdout"): void {
    this.hub.receive(workerId, stream, Buffer.from(text));
  }
}

test("splitter: lines whatever the chunks, in any script", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", maxLength: 20 }).map((line) => line.replaceAll(/[\n\r]/g, ""))),
      fc.integer({ min: 1, max: 9 }),
      (lines, size) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const splitter = new LineSplitter();
        const seen: string[] = [];
        for (let at = 0; at < bytes.length; at += size) {
          const dropped = splitter.push(
            Buffer.from(bytes.subarray(at, at + size)),
            () => true,
            (line) => void seen.push(line),
          );
          assert.equal(dropped, 0);
        }
        assert.deepEqual(seen, lines);
        assert.equal(splitter.end(), undefined);
      },
    ),
  );
});

test("splitter: what is shown and what is dropped add up, whatever is admitted when", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 200 }),
      fc.integer({ min: 1, max: 30 }),
      fc.array(fc.boolean()),
      (text, size, answers) => {
        const splitter = new LineSplitter();
        const seen: string[] = [];
        let dropped = 0;
        let asked = 0;
        for (let at = 0; at < text.length; at += size)
          dropped += splitter.push(
            Buffer.from(text.slice(at, at + size)),
            () => answers[asked++] ?? true,
            (line) => void seen.push(line),
          );
        const lines = text.split("\n");
        const rest = lines.pop();
        assert.equal(seen.length + dropped, lines.length);
        assert.equal(splitter.end() ?? "", rest);
        let from = 0;
        for (const line of seen) {
          from = lines.indexOf(line, from) + 1;
          assert.ok(from > 0, "shown lines are lines, in order");
        }
      },
    ),
  );
});

test("splitter: every newline of a dropped chunk counts, wherever the chunk begins and ends in memory", () => {
  for (let start = 0; start < 8; start++) {
    for (let length = 0; length < 20; length++) {
      const chunk = Buffer.alloc(64, "x")
        .subarray(start, start + 1 + length)
        .fill("\n");
      const dropped = new LineSplitter().push(
        chunk,
        () => false,
        () => assert.fail("nothing was admitted"),
      );
      assert.equal(dropped, 1 + length, `${start} ${length}`);
    }
  }
});

test("splitter: a long line is cut and says its length; the end of a stream is a line", () => {
  const splitter = new LineSplitter();
  const seen: string[] = [];
  for (let part = 0; part < 100; part++)
    splitter.push(
      Buffer.alloc(1000, "x"),
      () => true,
      (line) => void seen.push(line),
    );
  splitter.push(
    Buffer.from("\nnext\r\nlast"),
    () => true,
    (line) => void seen.push(line),
  );

  assert.deepEqual(seen, [`${"x".repeat(8192)}... (100000 bytes)`, "next"]);
  assert.equal(splitter.end(), "last");
});

test("limiter: a burst, then nothing until a second's worth is there", () => {
  const limiter = new OutputLimiter(0);
  let admitted = 0;
  while (limiter.admit(10)) admitted++;
  assert.equal(admitted, 10_000);
  limiter.refill(999);
  assert.equal(limiter.admit(10), false);
  limiter.refill(1000);
  assert.equal(limiter.admit(10), true);

  const long = new OutputLimiter(0);
  admitted = 0;
  while (long.admit(8192)) admitted++;
  assert.equal(admitted, 256);
});

function line(text: string, pid: number): OutputLine {
  return { name: "f", pid, stream: "stdout", text };
}

test("folder: equal lines of others are counted, one's own are shown", () => {
  const folder = new OutputFolder();
  assert.deepEqual(folder.push(line("a", 1), 0), [line("a", 1)]);
  assert.deepEqual(folder.push(line("a", 2), 1), []);
  assert.deepEqual(folder.push(line("a", 3), 2), []);
  assert.deepEqual(folder.push(line("a", 1), 3), [line("a", 1)]);
  assert.deepEqual(folder.push(line("", 2), 3), [line("", 2)]);
  assert.equal(folder.nextExpiryMs, 5000);
  assert.deepEqual(folder.expire(4999), []);
  assert.deepEqual(folder.expire(5000), [line("a [repeated 2x]", 3)]);
  assert.deepEqual(folder.push(line("a", 2), 5001), [line("a", 2)]);
});

test("folder: a thousand different lines at most are remembered; the oldest count is shown when it must go", () => {
  const folder = new OutputFolder();
  folder.push(line("first", 1), 0);
  folder.push(line("first", 2), 0);
  for (let index = 1; index < 1000; index++) folder.push(line(`line ${index}`, 1), 1);

  assert.deepEqual(folder.push(line("one more", 1), 2), [line("first [repeated 1x]", 2), line("one more", 1)]);
  assert.deepEqual(folder.flush(), []);
});

test("hub: lines come in batches with name and pid, and all bytes go to the log", () => {
  const node = new Node();
  node.add("w1", 11);
  node.add("w2", 12, "other");
  node.write("w1", "one\ntw");
  node.write("w2", "error\n", "stderr");
  node.write("w1", "o\n");
  assert.deepEqual(node.shown, []);
  node.clock.advance(50);

  assert.deepEqual(node.shown, ["j: (square pid=11) one", "j: (other pid=12) error", "j: (square pid=11) two"]);
  assert.equal(node.batches, 1);
  assert.deepEqual(
    [...node.logs],
    [
      ["w1.stdout", "one\ntwo\n"],
      ["w2.stderr", "error\n"],
    ],
  );
});

test("hub: equal lines of many workers fold within a job, not across jobs", () => {
  const node = new Node();
  for (let index = 0; index < 4; index++) node.add(`w${index}`, index);
  node.add("elsewhere", 9, "square", "k");
  for (let index = 0; index < 4; index++) node.write(`w${index}`, "ready\n");
  node.write("elsewhere", "ready\n");
  node.clock.advance(6000);

  assert.deepEqual(node.shown, ["j: (square pid=0) ready", "k: (square pid=9) ready", "j: (square pid=3) ready [repeated 3x]"]);
});

test("hub: a flood is cut, what is missing is counted exactly, and nothing is kept", () => {
  const node = new Node();
  node.add("w", 1);
  const chunk = Array.from({ length: 1000 }, (_, index) => `${index}\n`).join("");
  let written = 0;
  for (let round = 0; round < 500; round++) {
    node.write("w", chunk);
    written += 1000;
    node.clock.advance(5);
  }
  node.hub.removeWorker("w");
  node.hub.endJob("j");

  const markers = node.shown.map((text) => /\[(\d+) lines dropped/.exec(text)?.[1]).filter((count) => count !== undefined);
  const dropped = markers.reduce((sum, count) => sum + Number(count), 0);
  assert.equal(node.shown.length - markers.length + dropped, written);
  assert.ok(dropped > 480_000 && markers.length >= 2 && markers.length <= 6, `${dropped} dropped, ${markers.length} markers`);
  assert.equal(node.logs.get("w.stdout")?.length, chunk.length * 500);
});

test("hub: dropped lines are told a second later even when the worker falls silent", () => {
  const node = new Node();
  node.add("w", 1);
  node.write("w", "x\n".repeat(10_003));
  node.clock.advance(999);
  assert.equal(node.shown.length, 10_000);
  node.clock.advance(51);

  assert.equal(node.shown.at(-1), "j: (square pid=1) [3 lines dropped: too many at once; all of them are in the log file]");
});

test("hub: a worker that moves to another job takes nothing along; one that dies leaves its last words", () => {
  const node = new Node();
  node.add("w", 1, "a", "j");
  node.write("w", "begun");
  node.hub.setSource("w", { pid: 1, name: "b", jobId: "k" });
  node.write("w", "mine\nlast");
  node.hub.removeWorker("w");
  node.hub.endJob("k");
  node.hub.endJob("j");

  assert.deepEqual(node.shown, ["k: (b pid=1) mine", "k: (b pid=1) last", "j: (a pid=1) begun"]);
  assert.deepEqual(node.closed, ["w.stdout"]);
  assert.throws(() => node.write("w", "x"), /worker w writes and is not known/);
});
