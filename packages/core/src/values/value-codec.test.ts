import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import { ByteWriter } from "../base/byte-writer.ts";
import { RaiaError } from "../base/errors.ts";
import {
  decodeStored,
  decodeImmediate,
  decodeValue,
  encodeValue,
  isImmediate,
  packValue,
  tryEncodeSmall,
  type ValueHooks,
} from "./value-codec.ts";
import { memoryOf, noHooks, packed } from "./value-fixture.ts";

function throughPacked<T>(value: T, { share = true, withHooks = noHooks } = {}): T {
  const bytes = packed(value, withHooks);
  return (share ? decodeStored(memoryOf(bytes), withHooks) : decodeValue(bytes, 0, bytes.length, withHooks)) as T;
}

/** Undefined when the value is not for the small form. */
function smallBytes(value: unknown): Uint8Array | undefined {
  const writer = new ByteWriter(16);
  writer.u8(0xaa);
  if (tryEncodeSmall(writer, value)) return writer.buffer.subarray(1, writer.position);
  assert.equal(writer.position, 1, "the position is restored");
  return undefined;
}

function throughSmall<T>(value: T): T {
  const bytes = smallBytes(value);
  assert.ok(bytes !== undefined, "the value takes the small form");
  return decodeValue(bytes, 0, bytes.length, noHooks) as T;
}

function refused(value: unknown, expected: Record<string, unknown>): RaiaError {
  assert.equal(smallBytes(value), undefined);
  let caught: unknown;
  assert.throws(
    () => encodeValue(value, noHooks),
    (error) => {
      caught = error;
      return RaiaError.is(error, "UNSERIALIZABLE");
    },
  );
  const { facts } = caught as RaiaError;
  for (const [name, fact] of Object.entries(expected)) {
    if (fact instanceof RegExp) assert.match(facts[name] as string, fact);
    else assert.equal(facts[name], fact);
  }
  return caught as RaiaError;
}

const scalars: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  ...[
    0,
    -0,
    1,
    -1,
    127,
    128,
    -128,
    2 ** 31 - 1,
    -(2 ** 31),
    2 ** 31,
    2 ** 53,
    0.1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    5e-324,
  ],
  ...[0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)],
  ...[
    "",
    "a",
    "ok",
    "12345678",
    "123456789",
    "é",
    "ÿ",
    "x".repeat(64),
    "x".repeat(65),
    "é".repeat(65),
    "日本語",
    "🙂",
    "a\ud800b",
    "\udc00",
    "\0",
    "x".repeat(20_000),
  ],
];

test("values: scalars survive both forms", () => {
  for (const value of scalars) {
    assert.ok(Object.is(throughSmall(value), value), `small: ${String(value).slice(0, 20)}`);
    assert.ok(Object.is(throughPacked(value), value), `packed: ${String(value).slice(0, 20)}`);
  }
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 4000n, -(2n ** 4001n) + 12345n]) {
    assert.equal(smallBytes(value), undefined);
    assert.equal(throughPacked(value), value);
  }
});

test("values: primitives are told from the rest by their first byte", () => {
  for (const value of scalars) {
    const bytes = smallBytes(value) as Uint8Array;
    assert.equal(isImmediate(bytes, 0, bytes.length), true);
    assert.ok(Object.is(decodeImmediate(bytes, 0, bytes.length), value));
  }
  for (const value of [[], {}, Buffer.from("a"), new Uint8Array(1)]) {
    const bytes = smallBytes(value) as Uint8Array;
    assert.equal(isImmediate(bytes, 0, bytes.length), false);
  }
  const bytes = packed(new Map());
  assert.equal(isImmediate(bytes, 0, bytes.length), false);
  assert.equal(isImmediate(bytes, 0, 0), false);
});

test("values: small plain data takes the small form", () => {
  const values: unknown[] = [
    [],
    {},
    [1, "a"],
    [undefined, null, [[]], {}],
    { x: 1, y: { z: [true, -0] }, "": 1, "key with é": 1, 键: 2, ["long".repeat(40)]: 3, 7: "number" },
    Array.from({ length: 10 }, (_, index) => ({ index })),
    { bytes: Buffer.from("ok"), more: new Uint8Array([1, 2, 3]), empty: new Uint8Array(0) },
  ];
  for (const value of values) {
    assert.deepStrictEqual(throughSmall(value), value);
    assert.deepStrictEqual(throughPacked(value), value);
  }
});

test("values: what the small form cannot keep takes the packed form", () => {
  const shared = {};
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const bytes = new Uint8Array(8);
  const values: unknown[] = [
    [shared, shared],
    cyclic,
    // oxlint-disable-next-line no-sparse-arrays -- holes are what is tested
    [1, , 3],
    Object.assign([1], { named: 2 }),
    Object.create(null),
    { ["__proto__"]: 1 },
    [bytes, bytes],
    [bytes.subarray(0, 4), bytes.subarray(2)],
    [[[[[[[[[1]]]]]]]]],
    "x".repeat(100_000),
    new Uint8Array(100_000),
    Array.from({ length: 10_000 }, () => "some text"),
    Array.from({ length: 300 }, (_, index) => index),
    Array.from({ length: 20 }, (_, index) => ({ index })),
    new Float64Array(1),
    new Date(),
    new Proxy({}, {}),
  ];
  for (const value of values) assert.equal(smallBytes(value), undefined);
});

test("values: everything the structured clone knows", () => {
  const regExp = /a(?<b>c)/giu;
  const values: unknown[] = [
    new Map<unknown, unknown>([
      ["a", 1],
      [{ k: 1 }, new Map()],
    ]),
    new Set<unknown>([1, "a", [2]]),
    new Date(1_700_000_000_123),
    new Date(Number.NaN),
    regExp,
    [Object(1), Object("text"), Object(true), Object(12n)],
    // oxlint-disable-next-line no-sparse-arrays -- holes are what is tested
    [1, , 3, ,],
    // oxlint-disable-next-line no-sparse-arrays -- holes are what is tested
    Object.assign([1, , 2], { named: [3], "-1": 4 }),
    Object.assign(Object.create(null) as object, { a: 1 }),
    { ["__proto__"]: { polluted: true }, constructor: 1, hasOwnProperty: 2 },
    "aXb".match(/(?<middle>X)/),
    new Array<unknown>(5),
  ];
  for (const value of values) assert.deepStrictEqual(throughPacked(value), value);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("values: a sparse array of any length costs what it holds", () => {
  const sparse: unknown[] = [1];
  sparse[2 ** 32 - 2] = 2;
  const bytes = packed(sparse);
  assert.ok(bytes.length < 100);
  const back = decodeStored(memoryOf(bytes), noHooks) as unknown[];
  assert.equal(back.length, 2 ** 32 - 1);
  assert.deepEqual(Object.keys(back), ["0", "4294967294"]);
  const empty = throughPacked(new Array<unknown>(2 ** 31));
  assert.deepEqual([empty.length, Object.keys(empty).length], [2 ** 31, 0]);
});

test("values: identity and cycles", () => {
  const inner = { name: "inner" };
  const list: unknown[] = [inner];
  const map = new Map<unknown, unknown>([[inner, list]]);
  map.set(map, new Set([map, inner]));
  list.push(list, map, inner);
  const [first, self, sameMap, again] = throughPacked(list) as [object, unknown[], Map<unknown, unknown>, object];
  assert.equal(first, again);
  assert.equal(self[1], self);
  assert.equal(sameMap.get(first), self);
  assert.deepEqual([...(sameMap.get(sameMap) as Set<unknown>)], [sameMap, first]);
});

test("values: rows of one shape name their keys once", () => {
  const rows = Array.from({ length: 10_000 }, (_, identifier) => ({ identifier, description: "d", measurement: 0.5 }));
  rows.push({ description: "other order", measurement: 1, identifier: 1 });
  const bytes = packed(rows);
  assert.ok(bytes.length < rows.length * 25, `${bytes.length} bytes`);
  assert.deepStrictEqual(decodeStored(memoryOf(bytes), noHooks), rows);
});

test("values: a million levels deep", () => {
  let list: { next?: unknown } = {};
  for (let i = 0; i < 1_000_000; i++) list = { next: list };
  let levels = 0;
  for (let at: unknown = throughPacked(list); (at as { next?: unknown }).next !== undefined; at = (at as { next: unknown }).next) levels++;
  assert.equal(levels, 1_000_000);
});

test("values: every container and error may be deep inside others", () => {
  const wrap: ((value: unknown) => unknown)[] = [
    (value) => [value],
    (value) => ({ value }),
    (value) => new Map([[value, 1]]),
    (value) => new Set([value]),
    (value) => Object.assign(Object.create(null) as object, { value }),
    // oxlint-disable-next-line no-sparse-arrays -- holes are what is tested
    (value) => [, value],
    (value) => new Error("outer", { cause: value }),
  ];
  let value: unknown = "core";
  for (let i = 0; i < 3000; i++) value = (wrap[i % wrap.length] as (value: unknown) => unknown)(value);
  let back = throughPacked(value);
  for (let i = 2999; i >= 0; i--) {
    if (back instanceof Map) back = [...back.keys()][0];
    else if (back instanceof Set) back = [...back][0];
    else if (back instanceof Error) back = back.cause;
    else if (Array.isArray(back)) back = back.at(-1);
    else back = (back as { value: unknown }).value;
  }
  assert.equal(back, "core");
});

test("values: binary data is not copied by the encoder and is read in place", () => {
  const numbers = Float64Array.from({ length: 10_000 }, (_, index) => index);
  const encoded = encodeValue({ before: "x", numbers }, noHooks);
  assert.equal(encoded.parts.length, 1);
  assert.equal(encoded.parts[0]?.buffer, numbers.buffer);
  const bytes = packed({ before: "x", numbers });
  const memory = memoryOf(bytes);
  const shared = decodeStored(memory, noHooks) as { numbers: Float64Array };
  assert.ok(memory.gave(shared.numbers.buffer));
  assert.deepEqual([shared.numbers.byteOffset, shared.numbers.buffer.byteLength], [0, numbers.byteLength], "just its own bytes");
  assert.deepEqual(shared.numbers, numbers);
  const copied = decodeValue(bytes, 0, bytes.length, noHooks) as { numbers: Float64Array };
  assert.equal(copied.numbers.buffer.byteLength, numbers.byteLength);
  assert.deepEqual(copied.numbers, numbers);
});

test("values: bytes that begin anywhere are read", () => {
  const bytes = packed(new Float64Array([1, 2, 3]));
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  assert.deepEqual(decodeValue(shifted, 3, shifted.length, noHooks), new Float64Array([1, 2, 3]));
});

test("values: every kind of view", () => {
  const source = new Uint8Array(64).map((_, index) => index * 3);
  const classes = [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ];
  for (const viewClass of classes) {
    const view = new viewClass(source.buffer, 16, 3);
    for (const share of [true, false]) assert.deepStrictEqual(throughPacked(view, { share }), view);
  }
  const dataView = throughPacked(new DataView(source.buffer, 5, 7));
  assert.deepEqual([dataView.byteLength, dataView.getUint8(0)], [7, 15]);
  assert.ok(Buffer.isBuffer(throughPacked(Buffer.from("x".repeat(70_000)))));
  assert.deepStrictEqual(throughPacked(source.buffer), source.buffer);
  assert.deepStrictEqual(throughPacked([new Uint8Array(0), new Float64Array(0), new ArrayBuffer(0)]), [
    new Uint8Array(0),
    new Float64Array(0),
    new ArrayBuffer(0),
  ]);
});

test("values: a resizable buffer stays one, and its views see it", () => {
  const buffer = new ArrayBuffer(8, { maxByteLength: 32 });
  const [view, back] = throughPacked([new Uint8Array(buffer, 0, 8), buffer] as const);
  assert.equal(view.buffer, back);
  assert.deepEqual([back.resizable, back.byteLength, back.maxByteLength], [true, 8, 32]);
});

test("values: views over one memory stay so, and views apart bring nothing along", () => {
  const memory = new ArrayBuffer(1_000_000);
  const overlapping = throughPacked([new Uint8Array(memory, 3, 20), new Float64Array(memory, 8, 2)] as const, { share: false });
  overlapping[0].fill(255);
  assert.equal(overlapping[0].buffer, overlapping[1].buffer);
  assert.ok(Number.isNaN(overlapping[1][0]));
  assert.equal(overlapping[1][1], new Float64Array(new Uint8Array(8).fill(255, 0, 7).buffer)[0]);

  assert.ok(packed([new Uint8Array(memory, 0, 10), new Uint8Array(memory, 900_000, 10)]).length < 200);
  assert.ok(packed([Buffer.from("a"), Buffer.from("b")]).length < 200);
  assert.equal(throughPacked(Buffer.from("ab"), { share: false }).buffer.byteLength, 2);

  const [whole, part] = throughPacked([memory, new Uint8Array(memory, 500, 1)] as const);
  assert.equal(part.buffer, whole);
  assert.equal(part.byteOffset, 500);
  const same = new Int16Array(5);
  const [one, two] = throughPacked([same, same]);
  assert.equal(one, two);
});

test("values: all bytes of the target are written", () => {
  const value = [new Uint8Array(5), new Float64Array(500), "text"];
  assert.deepEqual(packed(value), packed(value).fill(0, 0, 0));
  const encoded = encodeValue(value, noHooks);
  const [zeros, ones] = [new Uint8Array(encoded.byteLength), new Uint8Array(encoded.byteLength).fill(255)];
  packValue(encoded, zeros);
  packValue(encoded, ones);
  assert.deepEqual(zeros, ones);
});

test("values: objects of another realm are what they are", () => {
  const foreign = vm.runInNewContext(
    "({ list: [1, { a: 2 }], map: new Map([[1, 2]]), date: new Date(5), bytes: new Uint16Array([1, 2]), error: new RangeError('far'), re: /x/g })",
  ) as Record<string, unknown>;
  const back = throughPacked(foreign) as { list: unknown; map: unknown; date: unknown; bytes: unknown; error: Error; re: unknown };
  assert.deepStrictEqual(back.list, [1, { a: 2 }]);
  assert.deepStrictEqual(back.map, new Map([[1, 2]]));
  assert.deepStrictEqual(back.date, new Date(5));
  assert.deepStrictEqual(back.bytes, new Uint16Array([1, 2]));
  assert.ok(back.error instanceof RangeError);
  assert.deepStrictEqual(back.re, /x/g);
});

test("values: classes of the platform that are their text", () => {
  const url = new URL("https://example.org/a?b=c#d");
  const back = throughPacked({ url, again: url, params: new URLSearchParams("a=1&a=2") });
  assert.equal(back.url.href, url.href);
  assert.equal(back.url, back.again);
  assert.deepEqual(back.params.getAll("a"), ["1", "2"]);
  // Node 24 has it behind a flag only.
  const { Temporal } = globalThis as { Temporal?: { Instant: { from(text: string): { toString(): string } } } };
  const instant = Temporal?.Instant.from("2026-01-01T00:00:00Z");
  if (instant !== undefined) assert.equal(String(throughPacked(instant)), String(instant));
});

class Repo {
  name = "repo";
}

test("values: what cannot be sent is refused with path, type and reason", () => {
  refused({ user: { repo: [1, 2, 3, new Repo()] } }, { path: "$.user.repo[3]", type: "Repo", reason: /instance of Repo/ });
  refused({ f: function run() {} }, { path: "$.f", type: "function run", reason: /function/ });
  refused([Symbol("s")], { path: "$[0]", type: "symbol" });
  refused(new Map([["k", { "odd key": Promise.resolve() }]]), { path: '$.get("k")["odd key"]', type: "Promise", reason: /promise/ });
  refused(new Set([new WeakMap()]), { path: "$.values()[0]", type: "WeakMap" });
  refused([new Proxy({}, {})], { path: "$[0]", type: "Proxy" });
  refused({ memory: new SharedArrayBuffer(8) }, { path: "$.memory", reason: /shared between threads/ });
  refused(new (class MyMap extends Map {})(), { path: "$", type: "MyMap" });
  refused(new (class Bytes extends Uint8Array {})(4), { path: "$", type: "Bytes" });
  refused(
    {
      a: {
        get b() {
          throw new Error("no");
        },
      },
    },
    { path: "$.a.b", reason: /no/ },
  );
  const moved = new Uint8Array(8);
  structuredClone(moved.buffer, { transfer: [moved.buffer] });
  refused({ moved }, { path: "$.moved", reason: /transferred/ });
});

test("values: the path of an obstacle is found however deep it is", () => {
  let list: unknown = () => 1;
  for (let i = 0; i < 20_000; i++) list = { next: list };
  const { facts } = refused(list, { type: "function list" });
  assert.match(facts["path"] as string, /^\$\.next.*\(20000 steps\).*\.next$/);
});

test("values: brands are replaced before anything looks inside", () => {
  const brand = Symbol.for("raia.brand");
  class Handle {
    readonly #id: number;
    constructor(id: number) {
      this.#id = id;
    }
    get [brand](): string {
      return "handle";
    }
    get id(): number {
      return this.#id;
    }
  }
  const handleHooks: ValueHooks = {
    replace: (value) =>
      value instanceof Handle
        ? { kind: "handle", payload: { id: value.id, inner: value.id > 0 ? new Handle(value.id - 1) : null } }
        : undefined,
    revive: (kind, payload) => ({ kind, payload }),
  };
  const handle = new Handle(1);
  const [first, second] = throughPacked([handle, handle, {}], { withHooks: handleHooks }) as unknown as [unknown, unknown];
  assert.deepEqual(first, { kind: "handle", payload: { id: 1, inner: { kind: "handle", payload: { id: 0, inner: null } } } });
  assert.equal(first, second);
  refused([handle], { path: "$[0]", type: "Handle" });
  const failing: ValueHooks = {
    ...noHooks,
    replace: () => {
      throw new RaiaError("OBJECT_FREED", {});
    },
  };
  assert.throws(
    () => encodeValue(handle, failing),
    (error) => RaiaError.is(error, "OBJECT_FREED"),
  );
});

test("values: a getter that encodes meanwhile disturbs nothing", () => {
  const writer = new ByteWriter(16);
  const value = {
    a: [1],
    get b(): number {
      const inner = new ByteWriter(16);
      if (!tryEncodeSmall(inner, [7])) packed([7, new Map()]);
      return 2;
    },
    c: [3],
  };
  assert.equal(tryEncodeSmall(writer, value), true);
  assert.deepEqual(decodeValue(writer.buffer, 0, writer.position, noHooks), { a: [1], b: 2, c: [3] });
  assert.deepEqual(throughPacked([value, new Map()]), [{ a: [1], b: 2, c: [3] }, new Map()]);
});

test("values: bytes that are cut short are refused", () => {
  for (const bytes of [
    smallBytes({ a: [1, "text", 2n, 0.5, Buffer.from("bytes")] }) as Uint8Array,
    packed({ m: new Map([[1, new Float64Array(3)]]), e: new Error("x") }),
  ]) {
    for (let end = 0; end < bytes.length; end++) {
      assert.throws(
        () => decodeStored(memoryOf(bytes.subarray(0, end)), noHooks),
        (error) => RaiaError.is(error, "PROTOCOL"),
        `${end} of ${bytes.length}`,
      );
    }
  }
});
