import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { framesOf, ThreadFrameReader } from "./thread-frames.ts";

function readerOf(): { readonly reader: ThreadFrameReader; readonly heard: string[] } {
  const heard: string[] = [];
  const reader = new ThreadFrameReader({
    frame: (kind, workerId, payload) => heard.push(`${kind} ${workerId} ${payload.toString("latin1")}`),
    raw: (bytes) => heard.push(`raw ${bytes.toString("latin1")}`),
  });
  return { reader, heard };
}

test("thread frames: each is no longer than the system writes in one piece, and together they are the bytes", () => {
  const bytes = Buffer.alloc(100_000, "x");
  const frames = [...framesOf("o", "ab".repeat(20), bytes)];
  assert.ok(frames.every((frame) => frame.byteLength <= 4096));
  const payloads: Buffer[] = [];
  const reader = new ThreadFrameReader({ frame: (_kind, _id, payload) => payloads.push(Buffer.from(payload)), raw: () => assert.fail() });
  for (const frame of frames) reader.push(frame);
  assert.ok(Buffer.concat(payloads).equals(bytes));
});

test("thread frames: however the pipe cuts them, each thread's bytes arrive in order, and the rest is raw", () => {
  const frame = (kind: "o" | "e" | "x", id: string, text: string): Buffer => Buffer.concat([...framesOf(kind, id, Buffer.from(text))]);
  const all = Buffer.concat([frame("o", "aa", "one\n"), Buffer.from("native"), frame("e", "bb", "\x1etwo\x1f"), frame("x", "aa", "{}")]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: all.byteLength }), { maxLength: 12 }), (cuts) => {
      const { reader, heard } = readerOf();
      const places = [...new Set([0, ...cuts, all.byteLength])].toSorted((a, b) => a - b);
      for (let index = 1; index < places.length; index++) reader.push(all.subarray(places[index - 1], places[index]));
      reader.end();
      const raw = heard.filter((each) => each.startsWith("raw ")).map((each) => each.slice(4));
      assert.equal(raw.join(""), "native");
      assert.deepEqual(
        heard.filter((each) => !each.startsWith("raw ")),
        ["o aa one\n", "e bb \x1etwo\x1f", "x aa {}"],
      );
    }),
  );
});

test("thread frames: what only looks like the beginning of one is raw", () => {
  const { reader, heard } = readerOf();
  const text = `\x1enot a frame \x1f and \x1eo${"a".repeat(80)} too long`;
  reader.push(Buffer.from(text));
  reader.push(Buffer.from("\x1eoab 5"));
  reader.end();
  assert.equal(heard.map((each) => each.replace(/^raw /, "")).join(""), `${text}\x1eoab 5`);
});
