import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { RaiaError } from "./errors.ts";

const integers = [0, 1, 127, 128, 16_383, 16_384, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 42, 2 ** 49, Number.MAX_SAFE_INTEGER];

test("bytes: what is written is read", () => {
  const writer = new ByteWriter(1);
  writer.u8(255);
  writer.u32(4_000_000_000);
  writer.i32(-5);
  for (const number of [0.1, -0, Number.NaN, Number.MAX_VALUE]) writer.f64(number);
  for (const integer of integers) writer.varuint(integer);
  writer.utf8("é日🙂");
  writer.utf16("a\ud800");
  writer.bytes(Uint8Array.of(1, 2, 3));

  const bytes = writer.take();
  const reader = new ByteReader(bytes, 0, bytes.length);

  assert.equal(reader.u8(), 255);
  assert.equal(reader.u32(), 4_000_000_000);
  assert.equal(reader.i32(), -5);
  for (const number of [0.1, -0, Number.NaN, Number.MAX_VALUE]) assert.ok(Object.is(reader.f64(), number));
  for (const integer of integers) assert.equal(reader.varuint(), integer);
  assert.equal(reader.utf8(), "é日🙂");
  assert.equal(reader.utf16(), "a\ud800");
  assert.deepEqual([...reader.view(3)], [1, 2, 3]);
  assert.equal(reader.remaining, 0);
});

test("bytes: what was taken is not changed by later writing", () => {
  const writer = new ByteWriter(16);
  writer.u8(1);
  const taken = writer.take();
  writer.reset();
  writer.u8(2);
  assert.deepEqual([...taken], [1]);
});

test("bytes: nothing is read beyond the end", () => {
  const bytes = new Uint8Array(8).fill(0xff);
  const reads: ((reader: ByteReader) => unknown)[] = [
    (reader) => reader.u32(),
    (reader) => reader.i32(),
    (reader) => reader.f64(),
    (reader) => reader.varuint(),
    (reader) => reader.count(),
    (reader) => reader.utf8(),
    (reader) => reader.utf16(),
    (reader) => reader.latin1(4),
    (reader) => reader.view(4),
    (reader) => reader.skip(4),
    (reader) => reader.skip(Number.MAX_SAFE_INTEGER),
  ];
  for (const read of reads)
    assert.throws(
      () => read(new ByteReader(bytes, 2, 5)),
      (error) => RaiaError.is(error, "PROTOCOL"),
    );
  for (const [start, end] of [
    [-1, 2],
    [3, 2],
    [0, 9],
  ] as const)
    assert.throws(
      () => new ByteReader(bytes, start, end),
      (error) => RaiaError.is(error, "PROTOCOL"),
    );
});

test("bytes: numbers that no writer makes are refused", () => {
  for (const bytes of [
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    [...new Array<number>(200).fill(0x80), 0],
  ]) {
    assert.throws(
      () => new ByteReader(Uint8Array.from(bytes), 0, bytes.length).varuint(),
      (error) => RaiaError.is(error, "PROTOCOL"),
    );
  }
});
