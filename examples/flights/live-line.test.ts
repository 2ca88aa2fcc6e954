import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { LiveLine } from "./live-line.ts";

test("on a terminal the line is rewritten, cut to its width, and taken away at the end", () => {
  const { stream, written } = streamOf({ isTTY: true, columns: 12 });
  const line = new LiveLine(stream, () => 0);
  line.show("one");
  line.show("a line that is too long");
  line.clear();
  line.clear();
  assert.equal(written(), "\r\x1b[2Kone\r\x1b[2Ka line that\r\x1b[2K");
});

test("without a terminal there is a plain line at once and then every three seconds, and no control codes", () => {
  let nowMs = 0;
  const { stream, written } = streamOf({});
  const line = new LiveLine(stream, () => nowMs);
  for (; nowMs <= 7000; nowMs += 500) line.show(`at ${nowMs}`);
  line.clear();
  assert.equal(written(), "at 0\nat 3000\nat 6000\n");
});

function streamOf(terminal: { isTTY?: boolean; columns?: number }) {
  const chunks: string[] = [];
  const sink = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  return { stream: Object.assign(sink, terminal), written: () => chunks.join("") };
}
