import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { printTable } from "../base/machine.ts";
import { parseResources, type ResourceOptions, toCounts } from "../base/resources.ts";
import { bundleEvents, bundleTable } from "./bundle-machine.ts";
import { BundleTable } from "./bundle-table.ts";
import { ResourceLedger } from "./resource-ledger.ts";

function newNode(total: ResourceOptions = { numCpus: 4, numGpus: 2 }): { ledger: ResourceLedger; bundles: BundleTable } {
  const ledger = new ResourceLedger(parseResources(total));
  return { ledger, bundles: new BundleTable(ledger) };
}

const wanted = (...asked: ResourceOptions[]) => asked.map((options, index) => ({ index, resources: parseResources(options) }));

test("bundle machine: the table is the one that was reviewed", () => {
  const path = new URL("bundle-machine.golden.txt", import.meta.url);
  const printed = printTable(bundleTable, bundleEvents);
  if (process.env["RAIA_WRITE_GOLDEN"] === "1") writeFileSync(path, printed);
  assert.equal(printed, readFileSync(path, "utf8"), "run with RAIA_WRITE_GOLDEN=1 if the change is meant");
});

test("bundles of a node: all of a request or none, with the reason in numbers", () => {
  const { ledger, bundles } = newNode();

  assert.deepEqual(bundles.prepare("g", 1, wanted({ numCpus: 3 }, { numCpus: 2 })), ["bundle 1: needs CPU 2, node has 4 in total, 1 free"]);
  assert.deepEqual(toCounts(ledger.available), { CPU: 4, GPU: 2 });
  assert.equal(bundles.prepare("g", 1, wanted({ numCpus: 3 }, { numCpus: 1, numGpus: 1 })), undefined);
  assert.deepEqual(toCounts(ledger.available), { GPU: 1 });
});

test("bundles of a node: the same request again takes nothing more; what comes after the end of its attempt takes nothing", () => {
  const { ledger, bundles } = newNode();
  bundles.prepare("g", 1, wanted({ numCpus: 1 }));

  assert.equal(bundles.prepare("g", 1, wanted({ numCpus: 1 })), undefined);
  assert.deepEqual(toCounts(ledger.available), { CPU: 3, GPU: 2 });
  bundles.fence("g", 1);
  for (const bundle of bundles.bundlesOf("g")) bundles.release(bundle);
  assert.deepEqual(bundles.prepare("g", 1, wanted({ numCpus: 1 })), ["that attempt is over"]);
  assert.deepEqual(toCounts(ledger.available), { CPU: 4, GPU: 2 });
  assert.equal(bundles.prepare("g", 2, wanted({ numCpus: 1 })), undefined);
});

test("bundles of a node: only what is open serves, with the devices that are its own", () => {
  const { bundles } = newNode();
  bundles.prepare("g", 1, wanted({ numCpus: 1, numGpus: 1 }, { numCpus: 1, numGpus: 1 }));
  assert.deepEqual(bundles.open("g", -1), []);

  for (const bundle of bundles.bundlesOf("g")) bundle.machine.handle({ kind: "commit" }, 0);
  const [first, second] = bundles.open("g", -1);
  const gpu = parseResources({ numGpus: 1 });
  assert.deepEqual(first?.ledger.acquire("one", gpu)?.devices, { GPU: [{ index: 0, units: 10_000 }] });
  assert.deepEqual(second?.ledger.acquire("two", gpu)?.devices, { GPU: [{ index: 1, units: 10_000 }] });
  assert.equal(first?.ledger.canGrant(gpu), false);
  assert.deepEqual(
    bundles.open("g", 1).map(({ index }) => index),
    [1],
  );
  assert.deepEqual(bundles.held(), [{ groupId: "g", epoch: 1, indices: [0, 1], isCommitted: true }]);
});
