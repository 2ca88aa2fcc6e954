import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "./connection.ts";
import { FrameDecoder, FRAME_HEADER_BYTES } from "./frame.ts";
import type { ByteStream } from "./transport.ts";

const TAG = 7;
const ENTRY_BYTES = 30;

/** A stream that keeps what it is given. */
class KeepingStream implements ByteStream {
  readonly written: Buffer[] = [];
  readonly bufferedBytes = 0;
  write(bytes: Uint8Array): void {
    this.written.push(Buffer.from(bytes));
  }
  keepAlive(): void {}
  close(): void {}
  start(): void {}
}

function writeEntries(connection: Connection, count: number, channelOf: (entry: number) => number): void {
  for (let entry = 0; entry < count; entry++) {
    connection.openBatch(TAG, channelOf(entry));
    connection.reserve(ENTRY_BYTES);
    connection.slab.fill(channelOf(entry), connection.position, connection.position + ENTRY_BYTES);
    connection.position += ENTRY_BYTES;
  }
}

/** Bytes of entries in each frame, by channel. */
function framesOf(written: readonly Buffer[]): { readonly channel: number; readonly bytes: number }[] {
  const frames: { channel: number; bytes: number }[] = [];
  const decoder = new FrameDecoder(1 << 20);
  const frame = (_kind: number, _tag: number, _call: number, bytes: Buffer, start: number, end: number): void => {
    const channel = bytes.readUInt32LE(start);
    for (let at = start + 4; at < end; at++) assert.equal(bytes[at], channel);
    frames.push({ channel, bytes: end - start - 4 });
  };
  for (const bytes of written) decoder.push(bytes, { frame });
  return frames;
}

test("connection: few entries of a turn are one frame and one write, at the turn's end", async () => {
  const stream = new KeepingStream();

  writeEntries(new Connection(stream, 1 << 20), 100, () => 1);
  const early = stream.written.length;
  await Promise.resolve();

  assert.deepEqual([early, stream.written.length, framesOf(stream.written)], [0, 1, [{ channel: 1, bytes: 100 * ENTRY_BYTES }]]);
});

test("connection: many do not wait for the turn's end, and none is lost or written twice", async () => {
  const stream = new KeepingStream();

  writeEntries(new Connection(stream, 1 << 20), 10_000, () => 1);
  const early = stream.written.length;
  await Promise.resolve();

  const frames = framesOf(stream.written);
  assert.ok(early > 30, `${early} writes in the turn`);
  assert.ok(stream.written.every(({ length }) => length <= 8 * 1024 + ENTRY_BYTES + FRAME_HEADER_BYTES));
  assert.equal(
    frames.reduce((sum, { bytes }) => sum + bytes, 0),
    10_000 * ENTRY_BYTES,
  );
});

test("connection: entries for channels in turns go out as early as those for one", async () => {
  const stream = new KeepingStream();

  writeEntries(new Connection(stream, 1 << 20), 1000, (entry) => entry % 2);
  const early = stream.written.length;
  await Promise.resolve();

  assert.ok(early > 3, `${early} writes in the turn`);
  assert.deepEqual(
    framesOf(stream.written).map(({ channel }) => channel),
    Array.from({ length: 1000 }, (_, entry) => entry % 2),
  );
});
