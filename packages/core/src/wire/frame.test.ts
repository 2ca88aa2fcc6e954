/** Frames from anywhere: what is whole is delivered as it was sent, however it was cut; the rest is PROTOCOL. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RaiaError } from "../base/errors.ts";
import { frameOf } from "./frame-fixture.ts";
import { FRAME_HEADER_BYTES, FrameDecoder, frameKind } from "./frame.ts";

const RUNS = { numRuns: 1000, seed: 20_261_126 };
const MAX_BYTES = 4096;

interface Frame {
  readonly kind: number;
  readonly tag: number;
  readonly call: number;
  readonly body: Uint8Array;
}

const frame = fc.record<Frame>({
  kind: fc.integer({ min: 0, max: frameKind.hot }),
  tag: fc.integer({ min: 0, max: 0xffff }),
  call: fc.integer({ min: 0, max: 0xffff_ffff }),
  body: fc.uint8Array({ maxLength: 300 }),
});

function encode({ kind, tag, call, body }: Frame): Buffer {
  return frameOf(kind, tag, call, body);
}

/** Cuts a stream at the given places, counted from the place before. */
function cut(stream: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    chunks.push(stream.subarray(at, at + length));
    at += length;
  }
  return [...chunks, stream.subarray(at)];
}

function decode(chunks: readonly Buffer[]): Frame[] {
  const decoder = new FrameDecoder(MAX_BYTES);
  const frames: Frame[] = [];
  const sink = {
    frame: (kind: number, tag: number, call: number, bytes: Buffer, start: number, end: number) =>
      void frames.push({ kind, tag, call, body: new Uint8Array(bytes.subarray(start, end)) }),
  };
  for (const chunk of chunks) decoder.push(chunk, sink);
  return frames;
}

test("frame: however the stream is cut, the frames come out as they went in", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(60), { maxLength: 30 }), (frames, lengths) => {
      const stream = Buffer.concat(frames.map(encode));
      assert.deepEqual(
        decode(cut(stream, lengths)),
        frames.map((each) => ({ ...each, body: new Uint8Array(each.body) })),
      );
    }),
    RUNS,
  );
});

test("frame: a frame that is cut short is not delivered", () => {
  fc.assert(
    fc.property(frame, fc.nat(), (one, missing) => {
      const whole = encode(one);
      assert.deepEqual(decode([whole.subarray(0, whole.length - 1 - (missing % whole.length))]), []);
    }),
    RUNS,
  );
});

test("frame: bytes from anywhere are frames within the limit, or PROTOCOL", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(20), { maxLength: 10 }), (bytes, lengths) => {
      try {
        for (const { kind, body } of decode(cut(Buffer.from(bytes), lengths))) {
          assert.ok(kind <= frameKind.hot);
          assert.ok(body.length <= MAX_BYTES);
        }
      } catch (error) {
        assert.ok(RaiaError.is(error, "PROTOCOL"), String(error));
      }
    }),
    RUNS,
  );
});

test("frame: a length out of bounds is refused before a byte of it is kept", () => {
  for (const length of [0, FRAME_HEADER_BYTES - 5, MAX_BYTES + 1, 0xffff_ffff]) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(length, 0);
    assert.throws(() => decode([bytes]), { code: "PROTOCOL" }, String(length));
  }
});
