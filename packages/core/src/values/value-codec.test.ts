import assert from "node:assert/strict";
import { describe, test } from "node:test";
import vm from "node:vm";
import fc from "fast-check";
import { ByteWriter } from "../base/byte-writer.ts";
import { RaiaError } from "../base/errors.ts";
import { decodeImmediate, decodeValue, encodeValue, isImmediate, packValue, tryEncodeSmall, type ValueHooks } from "./value-codec.ts";

const noHooks: ValueHooks = { replace: () => undefined, revive: () => assert.fail("nothing to revive") };

function viaPacked(value: unknown, share = false, hooks = noHooks): unknown {
  const bytes = packedBytes(value, hooks);
  return decodeValue(bytes, 0, bytes.length, hooks, share);
}

function packedBytes(value: unknown, hooks = noHooks): Uint8Array {
  const encoded = encodeValue(value, hooks);
  const bytes = new Uint8Array(encoded.byteLength).fill(0xaa);
  packValue(encoded, bytes);
  return bytes;
}

/** Through the small form, in the middle of other bytes; undefined when it has none. */
function viaSmall(value: unknown): { readonly decoded: unknown } | undefined {
  const writer = new ByteWriter(16);
  writer.u32(0xffffffff);
  const start = writer.position;
  if (!tryEncodeSmall(writer, value)) {
    assert.equal(writer.position, start, "nothing is written");
    return undefined;
  }
  const end = writer.position;
  writer.u32(0xffffffff);
  return { decoded: decodeValue(writer.buffer, start, end, noHooks, false) };
}

function assertTrip(value: unknown): void {
  assert.deepStrictEqual(viaPacked(value, false), value);
  assert.deepStrictEqual(viaPacked(value, true), value);
  const small = viaSmall(value);
  if (small !== undefined) assert.deepStrictEqual(small.decoded, value);
}

function refusal(value: unknown, hooks = noHooks): { readonly path: unknown; readonly type: unknown; readonly reason: unknown } {
  assert.equal(viaSmall(value), undefined);
  try {
    encodeValue(value, hooks);
  } catch (error) {
    assert.ok(RaiaError.is(error, "UNSERIALIZABLE"), String(error));
    const { path, type, reason } = error.facts;
    return { path, type, reason };
  }
  return assert.fail("it was encoded");
}

describe("values: primitives", () => {
  for (const value of [undefined, null, true, false, 0, -0, 1, 127, 128, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 1.5, Number.NaN, Infinity, 5e-324]) {
    test(`${Object.is(value, -0) ? "-0" : String(value)} is small and immediate`, () => {
      const writer = new ByteWriter(16);
      assert.ok(tryEncodeSmall(writer, value));
      assert.ok(isImmediate(writer.buffer, 0, writer.position));
      assert.ok(Object.is(decodeImmediate(writer.buffer, 0, writer.position), value));
      assert.ok(Object.is(viaPacked(value), value));
    });
  }

  for (const value of [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, -(2n ** 64n), 2n ** 4000n + 7n]) {
    test(`a bigint of ${value.toString(2).length} digits`, () => assertTrip(value));
  }

  for (const value of ["", "a", "é", "ÿĀ", "日本語", "🎉", "\ud800 alone", "\udc00", "nul \0 inside", "x".repeat(64), "x".repeat(65), "é".repeat(200), "日".repeat(70_000)]) {
    test(`a string of ${value.length} that begins ${JSON.stringify(value.slice(0, 6))}`, () => assertTrip(value));
  }

  test("objects are not immediate", () => {
    const writer = new ByteWriter(16);
    assert.ok(tryEncodeSmall(writer, [1]));
    assert.equal(isImmediate(writer.buffer, 0, writer.position), false);
    assert.equal(isImmediate(writer.buffer, 0, 0), false);
    const packed = packedBytes(1);
    assert.equal(isImmediate(packed, 0, packed.length), false);
  });
});

describe("values: what the structured clone knows", () => {
  const values: Readonly<Record<string, unknown>> = {
    "an empty array": [],
    "an array with holes": [, 1, , 2, ,],
    "undefined is not a hole": [undefined, , undefined],
    "a sparse array": Object.assign([], { 5: 1, 100_000: 2, length: 2 ** 32 - 1 }),
    "an array with names": Object.assign([1, 2], { index: 0, "-1": "x", "01": 2 }),
    "a match": /(?<year>\d+)/d.exec("in 1984"),
    "numeric and unusual keys": { 1: "a", "": "b", "日": "c", ["k".repeat(300)]: 1, constructor: 1, toString: 2 },
    "a key __proto__": JSON.parse('{"__proto__": {"polluted": true}, "a": 1}'),
    "no prototype": Object.assign(Object.create(null) as object, { a: 1, b: { c: 2 } }),
    "a map": new Map<unknown, unknown>([[{ a: 1 }, new Map([[1, 2]])], ["k", Number.NaN]]),
    "a set": new Set<unknown>([1, "a", { b: 1 }, new Set([2])]),
    "dates": [new Date(0), new Date(Number.NaN), new Date(8.64e15)],
    "regular expressions": [/a\/b/giu, /[^]/v, new RegExp("")],
    "boxed primitives": [Object(1), Object("s"), Object(false), Object(10n)],
    "rows of one shape": Array.from({ length: 50 }, (_, id) => ({ id, name: `n${id}` })),
    "rows of many shapes": Array.from({ length: 2000 }, (_, id) => ({ [`k${id % 1500}`]: id })),
    "urls": [new URL("https://example.org/a?b=c#d")],
  };
  for (const [name, value] of Object.entries(values)) test(name, () => assertTrip(value));

  test("a key __proto__ changes no prototype", () => {
    const value: unknown = JSON.parse('[{"__proto__": {"polluted": true}}, 1]');
    for (const decoded of [viaPacked(value), viaSmall(value)?.decoded ?? viaPacked(value)]) {
      const [first] = decoded as [object];
      assert.equal(Object.getPrototypeOf(first), Object.prototype);
      assert.ok(Object.hasOwn(first, "__proto__"));
    }
  });

  test("identity and cycles", () => {
    const shared = { x: 1 };
    const root: Record<string, unknown> = { a: shared, b: [shared], m: new Map(), s: new Set() };
    root["self"] = root;
    (root["m"] as Map<unknown, unknown>).set(root, shared);
    (root["s"] as Set<unknown>).add(root["m"]);
    assert.equal(viaSmall(root), undefined);
    const copy = viaPacked(root) as { a: object; b: [object]; m: Map<unknown, unknown>; s: Set<unknown>; self: unknown };
    assert.equal(copy.a, copy.b[0]);
    assert.equal(copy.self, copy);
    assert.equal(copy.m.get(copy), copy.a);
    assert.ok(copy.s.has(copy.m));
  });

  test("an object mentioned twice in a small value stays one", () => {
    const shared = [1];
    const copy = viaPacked([shared, shared]) as [unknown, unknown];
    assert.equal(viaSmall([shared, shared]), undefined);
    assert.equal(copy[0], copy[1]);
  });

  test("plain values of another realm", () => {
    const value: unknown = vm.runInNewContext("({ list: [1, { a: new Date(5) }], map: new Map([[1, 2]]), bytes: new Uint8Array([1, 2]), error: new TypeError('t') })");
    const copy = viaPacked(value) as { list: unknown; map: Map<number, number>; bytes: Uint8Array; error: Error };
    assert.deepStrictEqual(copy.list, [1, { a: new Date(5) }]);
    assert.equal(copy.map.get(1), 2);
    assert.deepStrictEqual(copy.bytes, new Uint8Array([1, 2]));
    assert.ok(copy.error instanceof TypeError);
  });

  for (const depth of [9, 250, 10_000, 200_000]) {
    test(`${depth} deep`, () => {
      for (const wrap of [(inner: unknown) => [inner], (inner: unknown) => ({ inner, x: 1 }), (inner: unknown) => new Map([["k", inner]]), (inner: unknown) => new Error("e", { cause: inner })]) {
        if (depth > 10_000 && wrap([]) instanceof Error) continue;
        let value: unknown = "bottom";
        for (let i = 0; i < depth; i++) value = wrap(value);
        let copy = viaPacked(value);
        for (let i = 0; i < depth; i++) copy = inside(copy);
        assert.equal(copy, "bottom");
      }
    });
  }
});

function inside(value: unknown): unknown {
  if (value instanceof Map) return value.get("k");
  if (value instanceof Error) return value.cause;
  return Array.isArray(value) ? value[0] : (value as { inner: unknown }).inner;
}

describe("values: binary data", () => {
  const big = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array];
  for (const type of big) {
    test(`${type.name} keeps its elements, in place when shared`, () => {
      const value = new type(1000) as Uint8Array;
      new Uint8Array(value.buffer).forEach((_, index, bytes) => (bytes[index] = index * 7));
      const bytes = packedBytes(["head", value]);
      const [, shared] = decodeValue(bytes, 0, bytes.length, noHooks, true) as [string, Uint8Array];
      assert.deepStrictEqual(shared, value);
      assert.equal(shared.buffer, bytes.buffer);
      const [, copied] = decodeValue(bytes, 0, bytes.length, noHooks, false) as [string, Uint8Array];
      assert.deepStrictEqual(copied, value);
      assert.equal(copied.buffer.byteLength, value.byteLength);
    });
  }

  test("DataView, ArrayBuffer, resizable ArrayBuffer, Buffer, empty ones", () => {
    assertTrip([new DataView(new ArrayBuffer(9), 3, 5), new Uint8Array([1, 2, 3]).buffer, Buffer.from("text"), new Uint8Array(0), Buffer.alloc(0), new ArrayBuffer(0)]);
    const resizable = new ArrayBuffer(4, { maxByteLength: 64 });
    const copy = viaPacked(resizable) as ArrayBuffer;
    assert.ok(copy.resizable);
    assert.equal(copy.maxByteLength, 64);
    assert.equal(copy.byteLength, 4);
  });

  test("parts are not copied before they are packed, and large ones begin on 64 bytes", () => {
    const value = new Float64Array(4096).fill(1);
    const encoded = encodeValue({ value }, noHooks);
    value[0] = 2;
    assert.equal(encoded.parts.length, 1);
    assert.equal(encoded.parts[0]?.buffer, value.buffer);
    const bytes = new Uint8Array(encoded.byteLength);
    packValue(encoded, bytes);
    const shared = (decodeValue(bytes, 0, bytes.length, noHooks, true) as { value: Float64Array }).value;
    assert.equal(shared[0], 2);
    assert.equal(shared.byteOffset % 64, 0);
  });

  test("a block at an odd place is read by copies where views could not lie", () => {
    const packed = packedBytes([new Float64Array([1, 2, 3]), new Uint8Array([1])]);
    const bytes = new Uint8Array(packed.length + 3);
    bytes.set(packed, 3);
    assert.deepStrictEqual(decodeValue(bytes, 3, bytes.length, noHooks, true), [new Float64Array([1, 2, 3]), new Uint8Array([1])]);
  });

  test("every byte of the target is written", () => {
    const bytes = packedBytes(["x", new Uint8Array(2000), new Uint8Array(3), new Float64Array(500)]);
    assert.equal(bytes.includes(0xaa), false);
  });

  test("views of one buffer share it afterwards", () => {
    const buffer = new ArrayBuffer(64);
    const value = { all: new Uint8Array(buffer), some: new Float64Array(buffer, 8, 2), buffer };
    for (const share of [true, false]) {
      const copy = viaPacked(value, share) as typeof value;
      copy.some[0] = 1;
      assert.equal(copy.all[15], 0x3f);
      assert.equal(copy.all.buffer, copy.buffer);
      assert.equal(copy.some.byteOffset - copy.all.byteOffset, 8);
    }
  });

  test("overlapping views of which each is small share memory afterwards", () => {
    const all = new Uint8Array([1, 2, 3, 4]);
    assert.equal(viaSmall([all, all.subarray(1)]), undefined);
    const [first, second] = viaPacked([all, all.subarray(1)]) as [Uint8Array, Uint8Array];
    second[0] = 9;
    assert.equal(first[1], 9);
  });

  test("small Buffers leave their pool at home", () => {
    const secret = Buffer.from("secret of a neighbour");
    const value = [Buffer.from("one"), secret.length, Buffer.from("two")];
    const bytes = Buffer.from(packedBytes(value));
    assert.ok(bytes.length < 100);
    assert.equal(bytes.includes("secret"), false);
    const [one] = decodeValue(bytes, 0, bytes.length, noHooks, false) as [Buffer];
    assert.equal(one.buffer.byteLength, 3);
  });

  test("memory that was transferred away is refused", () => {
    const view = new Uint8Array(8);
    const { buffer } = view;
    structuredClone(buffer, { transfer: [buffer] });
    assert.equal(refusal({ a: [view] }).path, "$.a[0]");
    assert.equal(refusal({ buffer }).path, "$.buffer");
  });
});

describe("values: what cannot be sent", () => {
  class Repo {
    name = "r";
  }
  const cases: Readonly<Record<string, readonly [value: unknown, path: string, type: string]>> = {
    "an unknown class": [{ user: { repo: [1, 2, 3, new Repo()] } }, "$.user.repo[3]", "Repo"],
    "a function": [{ "on-click": (): void => {} }, '$["on-click"]', "function on-click"],
    "a symbol": [[Symbol("s")], "$[0]", "symbol"],
    "a promise": [{ a: Promise.resolve(1) }, "$.a", "Promise"],
    "a weak map": [new Map([["k", new WeakMap()]]), '$.get("k")', "WeakMap"],
    "a proxy": [[new Proxy({ a: 1 }, {})], "$[0]", "Proxy"],
    "a subclass of Map": [new Set([new (class Index extends Map {})()]), "$.values()[0]", "Index"],
    "a subclass of Array": [{ a: new (class List extends Array {})() }, "$.a", "List"],
    "a generator": [[(function* () {})()], "$[0]", "object of no named class"],
    "shared memory": [{ a: new SharedArrayBuffer(8) }, "$.a", "SharedArrayBuffer"],
    "something inside the cause of an error": [new Error("e", { cause: { at: [new Repo()] } }), "$.cause.at[0]", "Repo"],
    "the key of a map": [new Map([[new Repo(), 1]]), "$.keys()[0]", "Repo"],
  };
  for (const [name, [value, path, type]] of Object.entries(cases)) {
    test(name, () => {
      const facts = refusal(value);
      assert.equal(facts.path, path);
      assert.equal(facts.type, type);
    });
  }

  test("a getter that throws", () => {
    const facts = refusal({
      deep: {
        get wrong(): never {
          throw new TypeError("not now");
        },
      },
    });
    assert.equal(facts.path, "$.deep.wrong");
    assert.match(String(facts.reason), /not now/);
  });

  test("a value in the depths is still named, and the stack holds", () => {
    let value: unknown = new Repo();
    for (let i = 0; i < 50_000; i++) value = { value };
    const { path } = refusal(value);
    assert.match(String(path), /^\$\.value\.value.*\(50000 steps\)/);
  });

  test("after a refusal the next value is encoded as ever", () => {
    refusal([() => {}]);
    assertTrip([1, { a: 2 }]);
  });
});

describe("values: brands", () => {
  const brand = Symbol.for("raia.brand");
  class Handle {
    readonly id: number;
    constructor(id: number) {
      this.id = id;
    }
    get [brand](): string {
      return "handle";
    }
  }
  const hooks: ValueHooks = {
    replace: (value) => (value instanceof Handle ? { kind: "handle", payload: { id: value.id, more: [new Date(1)] } } : typeof value === "function" ? { kind: "fn", payload: null } : undefined),
    revive: (kind, payload) => (kind === "handle" ? new Handle((payload as { id: number }).id) : kind),
  };

  test("are replaced before anything looks inside, once for each object", () => {
    const handle = new Handle(7);
    const bytes = packedBytes({ a: handle, b: [handle] }, hooks);
    const copy = decodeValue(bytes, 0, bytes.length, hooks, false) as { a: Handle; b: [Handle] };
    assert.ok(copy.a instanceof Handle);
    assert.equal(copy.a.id, 7);
    assert.equal(copy.a, copy.b[0]);
  });

  test("also proxies and functions that carry one", () => {
    const proxy = new Proxy(new Handle(3), {});
    const fn = Object.assign(() => {}, { [brand]: "fn" });
    const copy = viaPacked([proxy, fn], false, hooks) as [Handle, string];
    assert.equal(copy[0].id, 3);
    assert.equal(copy[1], "fn");
  });

  test("a payload that cannot be sent is named below its owner", () => {
    const broken: ValueHooks = { ...hooks, replace: (value) => (value instanceof Handle ? { kind: "handle", payload: { f: () => {} } } : undefined) };
    assert.equal(refusal({ a: new Handle(1) }, broken).path, "$.a (encoded).f");
  });

  test("a payload that mentions its own object is refused", () => {
    const handle = new Handle(1);
    const cyclic: ValueHooks = { ...hooks, replace: (value) => (value === handle ? { kind: "handle", payload: [handle] } : undefined) };
    assert.match(String(refusal([handle], cyclic).reason), /contains the object itself/);
  });
});

// -- generated values -----------------------------------------------------------------------------------------------------

const strings = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.string({ unit: "grapheme", maxLength: 100 }), fc.constantFrom("\ud800", "__proto__", "length", "constructor"));
const leaf = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.constantFrom(undefined, null, -0), strings) },
  { weight: 1, arbitrary: fc.oneof(fc.bigInt(), fc.date({ noInvalidDate: false }), fc.uint8Array(), fc.float64Array(), fc.int16Array(), fc.uint8Array().map((bytes) => Buffer.from(bytes))) },
);
const { anything } = fc.letrec((tie) => ({
  anything: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("anything")),
    fc.dictionary(strings, tie("anything")),
    fc.dictionary(strings, tie("anything"), { noNullPrototype: true }),
    fc.array(fc.tuple(tie("anything"), tie("anything"))).map((entries) => new Map(entries)),
    fc.array(tie("anything")).map((members) => new Set(members)),
    fc.sparseArray(tie("anything"), { maxLength: 40 }),
    fc.tuple(strings, tie("anything")).map(([message, cause]) => new RangeError(message, { cause })),
    tie("anything").map((shared) => [shared, { shared }]),
  ),
}));

test("values: what is generated comes back equal, in either form", () => {
  fc.assert(
    fc.property(anything, (value) => assertTrip(value)),
    { numRuns: Number(process.env["RAIA_FUZZ_RUNS"] ?? 400), seed: 1 },
  );
});

/** Decoding may refuse, but only with PROTOCOL or with what a codec or library is missing. */
function assertRefusedOrRead(bytes: Uint8Array): void {
  for (const share of [true, false]) {
    try {
      decodeValue(bytes, 0, bytes.length, { ...noHooks, revive: (kind, payload) => ({ kind, payload }) }, share);
    } catch (error) {
      if (!RaiaError.is(error)) throw error;
      assert.ok(["PROTOCOL", "CODEC_MISSING", "UNSERIALIZABLE"].includes(error.code), String(error));
    }
  }
}

test("values: random bytes are refused or read, never more", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => assertRefusedOrRead(bytes)),
    { numRuns: Number(process.env["RAIA_FUZZ_RUNS"] ?? 2000), seed: 2 },
  );
});

test("values: bytes that were changed or cut are refused or read, never more", () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(anything, changes, fc.double({ min: 0, max: 1, noNaN: true }), (value, edits, keep) => {
      const bytes = packedBytes(value);
      for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
      assertRefusedOrRead(bytes);
      assertRefusedOrRead(bytes.subarray(0, Math.floor(bytes.length * keep)));
    }),
    { numRuns: Number(process.env["RAIA_FUZZ_RUNS"] ?? 1000), seed: 3 },
  );
});
