import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import * as flechette from "@uwdata/flechette";
import * as arrow from "apache-arrow";
import { RaiaError } from "../base/errors.ts";
import { useArrowLibrary } from "./value-arrow.ts";
import { decodeStored, decodeValue, encodeValue } from "./value-codec.ts";
import { memoryOf, noHooks, packed } from "./value-fixture.ts";

const delays = Float64Array.from({ length: 10_000 }, (_, index) => index / 7);
const origins = Array.from({ length: 10_000 }, (_, index) => (index % 3 === 0 ? null : `A${index % 50}`));

test("arrow: a table of apache-arrow is opened in place", () => {
  const table = new arrow.Table({
    delay: arrow.makeVector(delays),
    origin: arrow.vectorFromArray(origins, new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32())),
  });
  const bytes = packed({ name: "flights", table, again: [table] });
  const memory = memoryOf(bytes);
  const back = decodeStored(memory, noHooks) as { table: arrow.Table; again: arrow.Table[] };
  assert.ok(back.table instanceof arrow.Table);
  assert.equal(back.again[0], back.table);
  const column = back.table.getChild("delay")?.toArray() as Float64Array;
  assert.ok(memory.gave(column.buffer));
  assert.deepEqual(column, delays);
  assert.deepEqual([...(back.table.getChild("origin") as Iterable<unknown>)].slice(0, 4), [null, "A1", "A2", null]);
});

test("arrow: a vector, and a table of several batches", () => {
  const bytes = packed(arrow.vectorFromArray([1, null, 3], new arrow.Int32()));
  const vector = decodeStored(memoryOf(bytes), noHooks) as arrow.Vector;
  assert.deepEqual([...vector], [1, null, 3]);
  const batches = new arrow.Table({ x: arrow.makeVector(Int32Array.of(1, 2)) }).concat(
    new arrow.Table({ x: arrow.makeVector(Int32Array.of(3)) }),
  );
  const combined = packed(batches);
  const back = decodeValue(combined, 0, combined.length, noHooks) as arrow.Table;
  assert.deepEqual([back.batches.length, ...(back.getChild("x") as Iterable<unknown>)], [2, 1, 2, 3]);
});

test("arrow: a table made by the copy for require is accepted too", () => {
  const required = createRequire(import.meta.url)("apache-arrow") as typeof arrow;
  const bytes = packed(new required.Table({ x: required.makeVector(Int32Array.of(1, 2)) }));
  const back = decodeStored(memoryOf(bytes), noHooks);
  assert.ok(back instanceof arrow.Table);
});

test("arrow: a table and a column of flechette", () => {
  const table = flechette.tableFromArrays({ delay: delays, origin: origins });
  const bytes = packed([table, table.getChild("delay")]);
  const memory = memoryOf(bytes);
  const [back, column] = decodeStored(memory, noHooks) as [flechette.Table, flechette.Column<number>];
  assert.ok(back instanceof flechette.Table);
  assert.deepEqual(back.getChild("delay").toArray(), delays);
  assert.deepEqual([...back.getChild("origin")].slice(0, 2), [null, "A1"]);
  assert.ok(column instanceof flechette.Column);
  assert.ok(memory.gave((column.toArray() as Float64Array).buffer));
});

test("arrow: what only looks like a table is a class like any other", () => {
  class Lookalike {
    schema = {};
    batches = [];
  }
  assert.throws(
    () => encodeValue(new Lookalike(), noHooks),
    (error) => RaiaError.is(error, "UNSERIALIZABLE"),
  );
  assert.throws(
    () => useArrowLibrary({}),
    (error) => RaiaError.is(error, "INVALID_ARGUMENT"),
  );
});
