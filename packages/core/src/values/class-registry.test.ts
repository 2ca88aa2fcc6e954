import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { registerCodec } from "./class-registry.ts";
import { decodeValue, encodeValue, packValue, type ValueHooks } from "./value-codec.ts";

const hooks: ValueHooks = { replace: () => undefined, revive: () => undefined };

function trip(value: unknown): unknown {
  const encoded = encodeValue(value, hooks);
  const bytes = new Uint8Array(encoded.byteLength);
  packValue(encoded, bytes);
  return decodeValue(bytes, 0, bytes.length, hooks, false);
}

class Money {
  readonly #cents: bigint;
  readonly currency: string;
  constructor(cents: bigint, currency: string) {
    this.#cents = cents;
    this.currency = currency;
  }
  get cents(): bigint {
    return this.#cents;
  }
}
registerCodec(Money, {
  id: "test.Money",
  version: 2,
  encode: ({ cents, currency }) => ({ cents, currency }),
  decode: ({ cents, currency }, version) => {
    assert.equal(version, 2);
    return new Money(cents, currency);
  },
});

test("codecs: instances keep their class and their identity", () => {
  const price = new Money(5n, "EUR");
  const copy = trip({ price, list: [price], map: new Map([[price, 1]]) }) as { price: Money; list: [Money]; map: Map<Money, number> };
  assert.ok(copy.price instanceof Money);
  assert.equal(copy.price.cents, 5n);
  assert.equal(copy.list[0], copy.price);
  assert.equal(copy.map.get(copy.price), 1);
});

test("codecs: what encode gives may hold further instances and binary data", () => {
  class Cart {
    items: Money[] = [];
    bytes = new Float64Array([1, 2]);
  }
  registerCodec(Cart, { id: "test.Cart", version: 1, encode: (cart) => ({ ...cart }), decode: (plain) => Object.assign(new Cart(), plain) });
  const cart = new Cart();
  cart.items.push(new Money(1n, "USD"));
  const copy = trip(cart) as Cart;
  assert.equal(copy.items[0]?.currency, "USD");
  assert.deepEqual(copy.bytes, new Float64Array([1, 2]));
});

test("codecs: a subclass is not covered by the codec of its parent", () => {
  class Discount extends Money {}
  assert.throws(() => trip([new Discount(1n, "EUR")]), (error) => RaiaError.is(error, "UNSERIALIZABLE") && error.facts["path"] === "$[0]" && /test\.Money/.test(error.message));
});

test("codecs: an object inside its own encoding is refused", () => {
  class Node {
    readonly children: unknown[] = [];
  }
  registerCodec(Node, { id: "test.Node", version: 1, encode: ({ children }) => children, decode: () => new Node() });
  const node = new Node();
  node.children.push(node);
  assert.throws(() => trip({ node }), (error) => RaiaError.is(error, "UNSERIALIZABLE"));
});

test("codecs: encode and decode that throw are errors that name the codec", () => {
  class Bad {}
  let isEncoding = true;
  const fail = (): never => {
    throw new Error("broken");
  };
  registerCodec(Bad, { id: "test.Bad", version: 1, encode: () => (isEncoding ? fail() : 1), decode: fail });
  assert.throws(() => trip({ a: new Bad() }), (error) => RaiaError.is(error, "UNSERIALIZABLE") && error.facts["path"] === "$.a" && /broken/.test(error.message));
  isEncoding = false;
  assert.throws(() => trip({ a: new Bad() }), (error) => RaiaError.is(error) && error.facts["codec"] === "test.Bad" && /broken/.test(error.message));
});

test("codecs: a receiver without the codec says so", () => {
  const encoded = encodeValue(new Money(1n, "EUR"), hooks);
  const bytes = new Uint8Array(encoded.byteLength);
  packValue(encoded, bytes);
  bytes[Buffer.from(bytes).indexOf("Money")] = 0x4e;
  assert.throws(() => decodeValue(bytes, 0, bytes.length, hooks, false), (error) => RaiaError.is(error, "CODEC_MISSING") && error.facts["codec"] === "test.Noney");
});

test("codecs: an id belongs to one class", () => {
  const codec = { id: "test.Money", version: 1, encode: () => 1, decode: () => new Other() };
  class Other {}
  assert.throws(() => registerCodec(Other, codec), (error) => RaiaError.is(error, "INVALID_ARGUMENT"));
  assert.throws(() => registerCodec(Other, { ...codec, id: "" }), (error) => RaiaError.is(error, "INVALID_ARGUMENT"));
  assert.throws(() => registerCodec(Other, { ...codec, id: "raia.Other" }), (error) => RaiaError.is(error, "INVALID_ARGUMENT"));
  assert.throws(() => registerCodec(Other, { ...codec, id: "test.Other", version: 1.5 }), (error) => RaiaError.is(error, "INVALID_ARGUMENT"));
  assert.throws(() => registerCodec(Object as never, { ...codec, id: "test.Object" }), (error) => RaiaError.is(error, "INVALID_ARGUMENT"));
});
