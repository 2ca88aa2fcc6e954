import assert from "node:assert/strict";
import { test } from "node:test";
import { realClock } from "../base/clock.ts";
import { Connection } from "./connection.ts";
import { FrameDecoder, FRAME_HEADER_BYTES } from "./frame.ts";
import { MemoryTransport } from "./memory-transport.ts";
import { str } from "./schema.ts";
import { message, service, unary } from "./service.ts";
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

test("connection: an answer that is not of the protocol fails its call too", async () => {
  const Question = message(900, "Question", {});
  const Answer = message(901, "Answer", { text: str });
  const network = MemoryTransport.immediate(realClock);
  const identity = (peerId: string) => ({ peerId, pid: 1, address: peerId, secret: "secret" });
  await network.listen("far", (stream) => {
    const connection = new Connection(stream, 1 << 20);
    connection.startAsListener(identity("far"), { rejected: 0 }, () => {});
    // A peer that is not of this code: it answers with a number where there should be a text.
    const wrong = { ...Answer, toWire: () => [1] };
    connection.serve(service("s", { ask: unary(Question, wrong) }), { ask: () => ({ text: "" }) });
  });
  const connection = new Connection(await network.dial("far"), 1 << 20);
  await connection.startAsDialler(identity("near"));
  await assert.rejects(connection.client(service("s", { ask: unary(Question, Answer) })).ask({}), { code: "CONNECTION_LOST" });
});
