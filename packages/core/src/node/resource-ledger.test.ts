import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseResources, type ResourceOptions, type ResourceSet, resourceSet, unitsOf } from "../base/resources.ts";
import { ResourceLedger } from "./resource-ledger.ts";

function ledger(options: ResourceOptions): ResourceLedger {
  return new ResourceLedger(parseResources(options));
}

function indices(book: ResourceLedger, leaseId: string, name = "GPU"): number[] | undefined {
  return book.holds(leaseId)?.devices[name]?.map((share) => share.index);
}

test("ledger: all or nothing", () => {
  const book = ledger({ numCpus: 2, resources: { disk: 1 } });

  assert.ok(book.acquire("a", parseResources({ numCpus: 1, resources: { disk: 1 } })));
  assert.equal(book.acquire("b", parseResources({ numCpus: 1, resources: { disk: 0.1 } })), undefined);
  assert.equal(unitsOf(book.available, "CPU"), 10_000);
  book.release("a");
  assert.deepEqual(book.available, book.total);
});

test("ledger: a lease that goes on with less keeps its devices, whatever came back meanwhile", () => {
  const book = ledger({ numCpus: 2, numGpus: 2 });
  book.acquire("a", parseResources({ numGpus: 1 }));
  book.acquire("b", parseResources({ numCpus: 1, numGpus: 1 }));
  book.release("a");

  book.shrink("b", parseResources({ numGpus: 1 }));

  assert.deepEqual(indices(book, "b"), [1]);
  assert.equal(unitsOf(book.available, "CPU"), 20_000);
  assert.throws(() => book.shrink("b", parseResources({ numGpus: 2 })), /cannot go on with more/);
  book.release("b");
  assert.deepEqual(book.available, book.total);
});

test("ledger: releasing twice, or blocking what is not lent, stops at once", () => {
  const book = ledger({ numCpus: 1 });
  book.acquire("a", parseResources({ numCpus: 1 }));
  book.release("a");

  assert.throws(() => book.release("a"), /lease a holds nothing/);
  assert.throws(() => book.block("a"), /lease a holds nothing/);
});

test("ledger: shares of a GPU share one device and leave the others whole", () => {
  const book = ledger({ numGpus: 2 });
  book.acquire("a", parseResources({ numGpus: 0.5 }));
  book.acquire("b", parseResources({ numGpus: 0.25 }));
  assert.deepEqual([indices(book, "a"), indices(book, "b")], [[0], [0]]);

  assert.ok(book.acquire("c", parseResources({ numGpus: 1 })));
  assert.deepEqual(indices(book, "c"), [1]);
  assert.equal(book.acquire("d", parseResources({ numGpus: 0.5 })), undefined);
  book.release("a");
  assert.ok(book.acquire("d", parseResources({ numGpus: 0.75 })));
  assert.deepEqual(indices(book, "d"), [0]);
});

test("ledger: one GPU in two halves on two devices is not one GPU", () => {
  const book = ledger({ numGpus: 2 });
  book.acquire("a", parseResources({ numGpus: 0.6 }));
  book.acquire("b", parseResources({ numGpus: 0.6 }));

  assert.equal(unitsOf(book.available, "GPU"), 8_000);
  assert.equal(book.canGrant(parseResources({ numGpus: 0.5 })), false);
  assert.equal(book.acquire("c", parseResources({ numGpus: 0.5 })), undefined);
  assert.equal(unitsOf(book.available, "GPU"), 8_000);
});

test("ledger: a bundle is a ledger over its own grant, with its devices", () => {
  const node = ledger({ numCpus: 4, numGpus: 4 });
  node.acquire("other", parseResources({ numGpus: 2 }));
  const grant = node.acquire("bundle", parseResources({ numCpus: 1, numGpus: 2 }));
  assert.ok(grant);
  const bundle = new ResourceLedger(grant.resources, grant.devices);

  bundle.acquire("a", parseResources({ numGpus: 1 }));
  bundle.acquire("b", parseResources({ numGpus: 1 }));

  assert.deepEqual([indices(bundle, "a"), indices(bundle, "b")], [[2], [3]]);
});

test("ledger: a waiting task gives back its CPU and nothing else", () => {
  const book = ledger({ numCpus: 1, numGpus: 1 });
  book.acquire("parent", parseResources({ numCpus: 1, numGpus: 1 }));
  book.block("parent");
  book.block("parent");

  assert.deepEqual(book.available, resourceSet([["CPU", 10_000]]));
  assert.ok(book.acquire("child", parseResources({ numCpus: 1 })));
});

test("ledger: a CPU that is owed is paid before anything new is granted", () => {
  const book = ledger({ numCpus: 1 });
  book.acquire("parent", parseResources({ numCpus: 1 }));
  book.block("parent");
  book.acquire("child", parseResources({ numCpus: 1 }));

  assert.equal(book.unblock("parent"), 10_000);
  assert.equal(book.owedCpu, 10_000);
  book.release("child");

  assert.equal(book.owedCpu, 0);
  assert.equal(book.acquire("next", parseResources({ numCpus: 1 })), undefined);
  book.release("parent");
  assert.deepEqual(book.available, book.total);
});

test("ledger: a lease that ends, or waits again, while it is owed leaves nothing owed", () => {
  for (const end of ["release", "block"] as const) {
    const book = ledger({ numCpus: 2 });
    book.acquire("parent", parseResources({ numCpus: 2 }));
    book.block("parent");
    book.acquire("child", parseResources({ numCpus: 1 }));
    assert.equal(book.unblock("parent"), 10_000);
    book[end]("parent");

    assert.equal(book.owedCpu, 0);
    assert.equal(unitsOf(book.available, "CPU"), 10_000);
  }
});

test("ledger: whatever happens in whatever order, grants and what is free add up and no device is lent twice", () => {
  const total = parseResources({ numCpus: 4, numGpus: 3, memory: 100, resources: { disk: 2 } });
  const request = fc.record({
    numCpus: fc.constantFrom(0, 0.5, 1, 2),
    numGpus: fc.constantFrom(0, 0.3, 0.5, 1, 2),
    memory: fc.nat(60),
    resources: fc.record({ disk: fc.constantFrom(0, 0.1, 1) }),
  });
  const step = fc.record({ what: fc.constantFrom("acquire", "release", "block", "unblock"), lease: fc.nat(7).map(String), request });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const book = new ResourceLedger(total);
      const waiting = new Set<string>();
      for (const { what, lease, request: options } of steps) {
        const held = book.holds(lease) !== undefined;
        if (what === "acquire" && !held) {
          const set = parseResources(options);
          const could = book.canGrant(set);
          assert.equal(book.acquire(lease, set) !== undefined, could);
        } else if (what !== "acquire" && held) {
          book[what](lease);
          if (what === "block") waiting.add(lease);
          else waiting.delete(lease);
        }
        checkSums(book, waiting);
      }
      for (const lease of book.leaseIds()) book.release(lease);
      assert.deepEqual(book.available, total);
      assert.ok(book.canGrant(parseResources({ numGpus: 3 })));
    }),
    { numRuns: 300 },
  );
});

function checkSums(book: ResourceLedger, waiting: ReadonlySet<string>): void {
  let used: ResourceSet = book.available;
  const perDevice = new Map<number, number>();
  for (const lease of book.leaseIds()) {
    const grant = book.holds(lease)!;
    const held = Object.entries(grant.resources).filter(([name]) => !(name === "CPU" && waiting.has(lease)));
    used = addResources(used, resourceSet(held));
    const shares = grant.devices["GPU"] ?? [];
    assert.equal(
      shares.reduce((sum, share) => sum + share.units, 0),
      unitsOf(grant.resources, "GPU"),
    );
    for (const { index, units } of shares) perDevice.set(index, (perDevice.get(index) ?? 0) + units);
  }
  assert.deepEqual(used, addResources(book.total, resourceSet([["CPU", book.owedCpu]])));
  for (const units of perDevice.values()) assert.ok(units <= 10_000);
  // Owed and free at once would mean that a task runs unpaid while new work could be granted.
  assert.ok(book.owedCpu === 0 || unitsOf(book.available, "CPU") === 0);
}

function addResources(a: ResourceSet, b: ResourceSet): ResourceSet {
  return resourceSet([...Object.entries(a), ...Object.entries(b)]);
}
