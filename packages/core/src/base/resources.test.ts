import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RaiaError } from "./errors.ts";
import {
  fits,
  lacking,
  parseResources,
  type ResourceOptions,
  type ResourceSet,
  resourceSet,
  shapeKey,
  showLack,
  toCounts,
} from "./resources.ts";

const sets = fc
  .dictionary(fc.constantFrom("CPU", "GPU", "memory", "disk"), fc.nat(100_000))
  .map((units) => resourceSet(Object.entries(units)));

test("resources: options become whole units, in order of name, without zeros", () => {
  const set = parseResources({ numCpus: 0.1, numGpus: 2, memory: 1024, resources: { disk: 0.0001, none: 0 }, acceleratorType: "A100" });

  assert.deepEqual(set, { CPU: 1000, GPU: 20_000, "accelerator_type:A100": 10, disk: 1, memory: 1024 });
  assert.deepEqual(Object.keys(set), ["CPU", "GPU", "accelerator_type:A100", "disk", "memory"]);
  assert.deepEqual(parseResources({ numCpus: 0 }), {});
  assert.ok(Object.isFrozen(set));
});

test("resources: what binary fractions are off by is forgiven, a finer share is not", () => {
  assert.deepEqual(parseResources({ numCpus: 0.1 + 0.2 }), { CPU: 3000 });
  assert.deepEqual(parseResources({ numCpus: 1000.0001 }), { CPU: 10_000_001 });
  assert.throws(() => parseResources({ numCpus: 1000.00005 }), { code: "INVALID_OPTION" });
});

test("resources: every wrong option is refused by name and value", () => {
  const wrong: [ResourceOptions, string, string][] = [
    [{ numCpus: Number.NaN }, "numCpus", "NaN"],
    [{ numCpus: -1 }, "numCpus", "-1"],
    [{ numCpus: Number.POSITIVE_INFINITY }, "numCpus", "Infinity"],
    [{ numCpus: 0.00001 }, "numCpus", "0.00001"],
    [{ numCpus: 1e300 }, "numCpus", "1e+300"],
    [{ numCpus: "2" as unknown as number }, "numCpus", '"2"'],
    [{ numCpus: null as unknown as number }, "numCpus", "null"],
    [{ numGpus: 1.5 }, "numGpus", "1.5"],
    [{ memory: 0.5 }, "memory", "0.5"],
    [{ resources: { CPU: 1 } }, "resources.CPU", "1"],
    [{ resources: { GPU: 1 } }, "resources.GPU", "1"],
    [{ resources: { memory: 1 } }, "resources.memory", "1"],
    [{ resources: { TPU: 3 } }, "resources.TPU", "3"],
    [{ resources: { HPU: 0.5 } }, "resources.HPU", "0.5"],
    [{ resources: { "": 1 } }, "resources.", "1"],
    [{ resources: JSON.parse('{"__proto__": 1}') as Record<string, number> }, "resources.__proto__", "1"],
    [{ resources: [1] as never }, "resources", "[1]"],
    [{ acceleratorType: "" }, "acceleratorType", '""'],
  ];
  for (const [options, option, value] of wrong) {
    assert.throws(
      () => parseResources(options),
      (error: unknown) => {
        assert.ok(RaiaError.is(error, "INVALID_OPTION"), `${option}: ${String(error)}`);
        assert.equal(error.facts["option"], option);
        assert.equal(error.facts["value"], value);
        return true;
      },
    );
  }
});

test("resources: names that every object inherits are plain names", () => {
  assert.deepEqual({ ...parseResources({ resources: { constructor: 1, toString: 2 } }) }, { constructor: 10_000, toString: 20_000 });
  assert.equal(fits(resourceSet([["hasOwnProperty", 1]]), resourceSet([])), false);
});

test("resources: equal sets have one order and one shape", () => {
  fc.assert(
    fc.property(sets, sets, (a: ResourceSet, b: ResourceSet) => {
      assert.equal(shapeKey(a) === shapeKey(b), JSON.stringify(a) === JSON.stringify(b));
      assert.deepEqual(resourceSet(Object.entries(a).reverse()), a);
    }),
  );
});

test("resources: what is lacking is told with numbers", () => {
  const lack = lacking(
    parseResources({ numCpus: 4, numGpus: 1, memory: 10 }),
    parseResources({ numCpus: 2, memory: 100 }),
    parseResources({ numCpus: 1, memory: 10 }),
  );

  assert.deepEqual(lack.map(showLack), ["needs CPU 4, node has 2 in total, 1 free", "needs GPU 1, node has 0 in total, 0 free"]);
  assert.deepEqual(toCounts(parseResources({ numCpus: 0.5, memory: 7 })), { CPU: 0.5, memory: 7 });
});
