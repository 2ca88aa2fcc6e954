import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { RaiaError } from "./errors.ts";

test("bytes: every kind of field comes back, however small the first buffer", () => {
  const fields = fc.record({
    u8: fc.nat(255),
    u16: fc.nat(65_535),
    u32: fc.nat(0xffffffff),
    i32: fc.integer(),
    f64: fc.double(),
    varuint: fc.maxSafeNat(),
    bytes: fc.uint8Array({ maxLength: 100 }),
    utf8: fc.string({ unit: "binary" }),
    utf16: fc.string(),
  });
  fc.assert(
    fc.property(fc.array(fields, { maxLength: 5 }), (records) => {
      const writer = new ByteWriter(1);
      for (const field of records) {
        writer.u8(field.u8);
        writer.u16(field.u16);
        writer.u32(field.u32);
        writer.i32(field.i32);
        writer.f64(field.f64);
        writer.varuint(field.varuint);
        writer.varuint(field.bytes.length);
        writer.bytes(field.bytes);
        writer.utf8(field.utf8);
        writer.utf16(field.utf16);
      }
      const bytes = writer.take();
      assert.equal(writer.position, 0);
      const reader = new ByteReader(bytes, 0, bytes.length);
      for (const field of records) {
        assert.equal(reader.u8(), field.u8);
        assert.equal(reader.u8() + 256 * reader.u8(), field.u16);
        assert.equal(reader.u32(), field.u32);
        assert.equal(reader.i32(), field.i32);
        assert.ok(Object.is(reader.f64(), field.f64));
        assert.equal(reader.varuint(), field.varuint);
        assert.deepEqual(Uint8Array.from(reader.view(reader.count())), field.bytes);
        assert.equal(reader.utf8(), field.utf8);
        assert.equal(reader.utf16(), field.utf16);
      }
      assert.equal(reader.remaining, 0);
    }),
    { numRuns: 300, seed: 5 },
  );
});

test("bytes: the edges of varuint", () => {
  for (const value of [0, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 49, Number.MAX_SAFE_INTEGER]) {
    const writer = new ByteWriter(1);
    writer.varuint(value);
    assert.equal(new ByteReader(writer.buffer, 0, writer.position).varuint(), value);
  }
});

test("bytes: a slice taken before the buffer grows keeps what it showed", () => {
  const writer = new ByteWriter(16);
  writer.u32(7);
  const before = writer.buffer.subarray(0, 4);
  writer.bytes(new Uint8Array(1000));
  writer.setU32(0, 9);
  assert.equal(before.readUInt32LE(), 7);
  assert.equal(writer.buffer.readUInt32LE(), 9);
});

test("bytes: past 2 GiB is an error that names the limit", () => {
  const writer = new ByteWriter(16);
  writer.position = 8;
  assert.throws(() => writer.ensure(2 ** 31), (error) => RaiaError.is(error, "LIMIT_EXCEEDED") && error.facts["maximum"] === 2 ** 31 - 1);
});

test("bytes: nothing is read beyond the end", () => {
  const bytes = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 1, 1]);
  const reads: Readonly<Record<string, (reader: ByteReader) => unknown>> = {
    u8: (reader) => reader.u8(),
    u32: (reader) => reader.u32(),
    f64: (reader) => reader.f64(),
    varuint: (reader) => reader.varuint(),
    view: (reader) => reader.view(3),
    latin1: (reader) => reader.latin1(3),
    skip: (reader) => reader.skip(3),
  };
  for (const [name, read] of Object.entries(reads)) {
    const reader = new ByteReader(bytes, 0, name === "u8" ? 0 : 2);
    assert.throws(() => read(reader), (error) => RaiaError.is(error, "PROTOCOL"), name);
  }
  assert.throws(() => new ByteReader(bytes, 0, bytes.length).varuint(), (error) => RaiaError.is(error, "PROTOCOL"), "a number past 2^53");
  assert.throws(() => new ByteReader(Buffer.from([100, 0]), 0, 2).count(), (error) => RaiaError.is(error, "PROTOCOL"), "a count past the end");
  for (const [start, end] of [[0, 15], [-1, 2], [3, 2], [Number.NaN, 2]] as const) {
    assert.throws(() => new ByteReader(bytes, start, end), (error) => RaiaError.is(error, "PROTOCOL"));
  }
});
