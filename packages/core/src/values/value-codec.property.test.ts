/** Generated values: both forms give back what went in, and bytes from anywhere are a value or a PROTOCOL error. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "../base/byte-writer.ts";
import { RaiaError } from "../base/errors.ts";
import { memoryOf } from "./value-fixture.ts";
import { decodeStored, decodeValue, encodeValue, packValue, tryEncodeSmall, type ValueHooks } from "./value-codec.ts";

const hooks: ValueHooks = { replace: () => undefined, revive: () => undefined };
const RUNS = { numRuns: 2000, seed: 20_261_124 };

const bytes = fc.uint8Array({ maxLength: 40 });
const scalar = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, true, false, -0, Number.NaN),
  fc.integer(),
  fc.double(),
  fc.bigInt(),
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
  fc.string({ unit: "binary", maxLength: 100 }),
  fc.string({ unit: "grapheme" }),
  fc.string({ maxLength: 10 }).map((text) => `${text}\ud800`),
);
const leaf = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 1, arbitrary: bytes },
  { weight: 1, arbitrary: bytes.map((held) => Buffer.from(held)) },
  { weight: 1, arbitrary: fc.float64Array({ maxLength: 10 }) },
  { weight: 1, arbitrary: fc.int16Array({ maxLength: 10 }) },
  { weight: 1, arbitrary: fc.bigInt64Array({ maxLength: 5 }) },
  { weight: 1, arbitrary: fc.array(fc.integer(), { minLength: 14, maxLength: 18 }) },
  { weight: 1, arbitrary: fc.array(fc.oneof(fc.double(), fc.constantFrom(-0, 1)), { minLength: 14, maxLength: 18 }) },
  { weight: 1, arbitrary: fc.date({ noInvalidDate: false }) },
  { weight: 1, arbitrary: fc.constantFrom(/a/g, /[\]\n]/u) },
  { weight: 1, arbitrary: fc.constantFrom(Object(1), Object("s"), Object(false)) },
);
const key = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom("id", "name", "__proto__", "constructor", "length", "7", "é", "k".repeat(70)),
);

function objectOf(entries: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [name, value] of entries) Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  return object;
}

const { value } = fc.letrec<{ value: unknown; list: unknown[]; entries: [string, unknown][] }>((tie) => ({
  list: fc.array(tie("value"), { maxLength: 6 }),
  entries: fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }),
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 4, arbitrary: leaf },
    { weight: 3, arbitrary: tie("list") },
    { weight: 3, arbitrary: tie("entries").map(objectOf) },
    { weight: 1, arbitrary: tie("entries").map((entries) => Object.setPrototypeOf(objectOf(entries), null) as unknown) },
    { weight: 1, arbitrary: tie("list").map((list) => new Set(list)) },
    { weight: 1, arbitrary: tie("entries").map((entries) => new Map<unknown, unknown>(entries)) },
    { weight: 1, arbitrary: tie("list").map((list) => [...list, { list }, list]) },
    { weight: 1, arbitrary: tie("list").map((list) => Object.assign([...list], { [list.length + 3]: "after holes" })) },
    { weight: 1, arbitrary: tie("list").map((list) => Object.assign([...list], { named: list.length })) },
  ),
}));

function pack(input: unknown): Uint8Array {
  const encoded = encodeValue(input, hooks);
  const target = new Uint8Array(encoded.byteLength);
  packValue(encoded, target);
  return target;
}

function small(input: unknown): Uint8Array | undefined {
  const writer = new ByteWriter(16);
  return tryEncodeSmall(writer, input) ? writer.buffer.subarray(0, writer.position) : undefined;
}

test("values: what goes in comes out of both forms", () => {
  let smallCount = 0;
  fc.assert(
    fc.property(value, fc.boolean(), (input, share) => {
      const packed = pack(input);
      assert.deepStrictEqual(share ? decodeStored(memoryOf(packed), hooks) : decodeValue(packed, 0, packed.length, hooks), input);
      const form = small(input);
      if (form === undefined) return;
      smallCount++;
      assert.deepStrictEqual(share ? decodeStored(memoryOf(form), hooks) : decodeValue(form, 0, form.length, hooks), input);
    }),
    RUNS,
  );
  assert.ok(smallCount > RUNS.numRuns / 5, `the small form was met ${smallCount} times`);
});

test("values: arrays of numbers, also far down", () => {
  const numbers = [
    Array.from({ length: 100_000 }, (_, index) => index - 50_000),
    Array.from({ length: 1000 }, (_, index) => index / 3),
    [...new Array<number>(40).fill(1), -0],
  ];
  let deep: unknown = numbers;
  for (let i = 0; i < 199; i++) deep = [deep];
  const packed = pack([numbers, deep, numbers[0]]);
  assert.ok(packed.length < 420_000);
  const back = decodeStored(memoryOf(packed), hooks) as [unknown[], unknown, unknown];
  assert.equal(back[2], back[0][0]);
  assert.deepStrictEqual(back, [numbers, deep, numbers[0]]);
});

test("values: encoding what was decoded gives the same bytes", () => {
  const again = (form: Uint8Array): Uint8Array => pack(decodeValue(form, 0, form.length, hooks));
  fc.assert(
    fc.property(value, (input) => {
      // What went in may lie side by side in one memory by accident; what was decoded does not.
      const first = again(pack(input));
      assert.deepEqual(again(first), first);
    }),
    { ...RUNS, numRuns: 500 },
  );
});

/** A value or a PROTOCOL error; never anything else. */
function decodeOrRefuse(input: Uint8Array): void {
  for (const share of [true, false]) {
    try {
      if (share) decodeStored(memoryOf(input), hooks);
      else decodeValue(input, 0, input.length, hooks);
    } catch (error) {
      assert.ok(
        RaiaError.is(error, "PROTOCOL") || RaiaError.is(error, "CODEC_MISSING") || RaiaError.is(error, "UNSERIALIZABLE"),
        String(error),
      );
    }
  }
}

test("values: random bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodeOrRefuse), RUNS);
  // Past the first byte and the header, so that the body is reached.
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 3, maxLength: 200 }), (body) => {
      const bytesIn = Buffer.concat([Buffer.from([0x10, 1]), Buffer.alloc(8), body, Buffer.from([0, 0])]);
      bytesIn.writeUInt32LE(bytesIn.length, 2);
      bytesIn.writeUInt32LE(bytesIn.length - 2, 6);
      decodeOrRefuse(bytesIn);
    }),
    { ...RUNS, numRuns: 10_000 },
  );
});

test("values: valid bytes with some of them changed", () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(value, fc.array(change, { minLength: 1, maxLength: 4 }), (input, changes) => {
      for (const form of [pack({ input, error: new TypeError("text", { cause: input }) }), small(input)]) {
        if (form === undefined) continue;
        for (const [at, byte] of changes) form[at % form.length] = byte;
        decodeOrRefuse(form);
      }
    }),
    RUNS,
  );
});

test("values: counts beyond the truth cost no memory", () => {
  const before = process.memoryUsage();
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
  for (let first = 0; first < 0x21; first++) {
    const body = Buffer.from([first, ...huge, ...huge, ...huge, 0, 0]);
    decodeOrRefuse(body);
    const header = Buffer.from([0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    const whole = Buffer.concat([header, body]);
    whole.writeUInt32LE(whole.length, 2);
    whole.writeUInt32LE(whole.length - 2, 6);
    decodeOrRefuse(whole);
  }
  // Arrays inside one another, each claiming all the bytes that are left.
  const nested = Buffer.alloc(1_000_000);
  for (let at = 0; at + 4 <= nested.length; at += 4) nested.set([0x0d, 0xff, 0xff, 0x03], at);
  decodeOrRefuse(nested);
  const after = process.memoryUsage();
  assert.ok(after.heapTotal + after.arrayBuffers - before.heapTotal - before.arrayBuffers < 64 * 1024 * 1024);
});
