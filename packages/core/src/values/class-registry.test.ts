import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { registerCodec } from "./class-registry.ts";
import { decodeStored, encodeValue } from "./value-codec.ts";
import { memoryOf, noHooks, packed } from "./value-fixture.ts";

function through<T>(value: T): T {
  const bytes = packed(value);
  return decodeStored(memoryOf(bytes), noHooks) as T;
}

class Money {
  readonly #cents: number;
  constructor(cents: number) {
    this.#cents = cents;
  }
  get cents(): number {
    return this.#cents;
  }
}

class Tree {
  readonly children: readonly Tree[];
  constructor(children: readonly Tree[]) {
    this.children = children;
  }
}

test("codecs: an instance arrives as an instance, once for each identity", () => {
  registerCodec(Money, {
    id: "test.Money",
    version: 2,
    encode: (money) => money.cents,
    decode: (cents, version) => new Money(cents * (version === 2 ? 1 : 100)),
  });
  const price = new Money(250);
  const back = through({ price, list: [price, new Money(1)] });
  assert.ok(back.price instanceof Money);
  assert.equal(back.price.cents, 250);
  assert.equal(back.list[0], back.price);
});

test("codecs: payloads hold further instances", () => {
  registerCodec(Tree, { id: "test.Tree", version: 1, encode: ({ children }) => children, decode: (children) => new Tree(children) });
  const back = through(new Tree([new Tree([]), new Tree([new Tree([])])]));
  assert.ok(back.children[1]?.children[0] instanceof Tree);
});

test("codecs: too deep and cyclic payloads are refused with the path", () => {
  let deep = new Tree([]);
  for (let i = 0; i < 10_000; i++) deep = new Tree([deep]);
  assert.throws(
    () => encodeValue({ deep }, noHooks),
    (error) => RaiaError.is(error, "UNSERIALIZABLE") && (error.facts["path"] as string).startsWith("$.deep (encoded)[0]"),
  );

  const children: Tree[] = [];
  const cyclic = new Tree(children);
  children.push(cyclic);
  assert.throws(
    () => encodeValue([cyclic], noHooks),
    (error) => RaiaError.is(error, "UNSERIALIZABLE") && /contains the object itself/.test(error.facts["reason"] as string),
  );

  const odd = new Tree([{ notATree: () => 1 } as unknown as Tree]);
  assert.throws(
    () => encodeValue([odd], noHooks),
    (error) => RaiaError.is(error, "UNSERIALIZABLE") && error.facts["path"] === "$[0] (encoded)[0].notATree",
  );
});

test("codecs: a subclass is not its parent", () => {
  class Discount extends Money {}
  assert.throws(
    () => encodeValue(new Discount(1), noHooks),
    (error) => RaiaError.is(error, "UNSERIALIZABLE") && /test\.Money/.test(error.facts["reason"] as string),
  );
});

test("codecs: what throws says whose codec it was", () => {
  class Moody {}
  let mood = "";
  registerCodec(Moody, {
    id: "test.Moody",
    version: 0,
    encode: () => {
      if (mood === "encode") throw new Error("not today");
      return null;
    },
    decode: () => {
      throw new Error("nor today");
    },
  });
  assert.throws(
    () => through(new Moody()),
    (error) => RaiaError.is(error, "UNSERIALIZABLE") && error.facts["codec"] === "test.Moody" && error.cause instanceof Error,
  );
  mood = "encode";
  assert.throws(
    () => encodeValue({ a: new Moody() }, noHooks),
    (error) => RaiaError.is(error, "UNSERIALIZABLE") && error.facts["path"] === "$.a" && /not today/.test(error.facts["reason"] as string),
  );
});

test("codecs: one that is not here is named", () => {
  const bytes = packed(new Money(1));
  const at = Buffer.from(bytes.buffer).indexOf("test.Money");
  bytes.set(Buffer.from("test.Maney"), at);
  assert.throws(
    () => decodeStored(memoryOf(bytes), noHooks),
    (error) => RaiaError.is(error, "CODEC_MISSING") && error.facts["codec"] === "test.Maney",
  );
});

test("codecs: malformed registrations are refused", () => {
  const codec = { id: "test.Other", version: 1, encode: () => null, decode: () => new Money(1) };
  const bad: [unknown, unknown][] = [
    [{}, codec],
    [() => 1, codec],
    [Object, codec],
    [Money, { ...codec, id: "" }],
    [Money, { ...codec, id: "raia.Money" }],
    [Money, { ...codec, version: -1 }],
    [Money, { ...codec, version: 1.5 }],
    [Money, { ...codec, encode: undefined }],
    [Tree, { ...codec, id: "test.Money" }],
    [Money, undefined],
  ];
  for (const [valueClass, wrong] of bad) {
    assert.throws(
      () => registerCodec(valueClass as typeof Money, wrong as typeof codec),
      (error) => RaiaError.is(error, "INVALID_ARGUMENT"),
    );
  }
});

test("codecs: a class that is defined again takes the place of the old one", () => {
  const [first, second] = [1, 2].map((generation) => {
    class Cell {
      generation = generation;
    }
    registerCodec(Cell, { id: "test.Cell", version: 1, encode: () => null, decode: () => new Cell() });
    return Cell;
  }) as [new () => { generation: number }, new () => { generation: number }];
  assert.equal(through(new first()).generation, 2);
  assert.ok(through(new first()) instanceof second);
});
