import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPermission } from "./node-permission.ts";

const everyFlag = ["fs-read", "fs-write", "child-process", "addons", "net", "inspector"].map((name) => `--allow-${name}`);

function missing(allowedScopes: readonly string[], knownFlags: readonly string[] = everyFlag): unknown {
  try {
    checkPermission({ has: (scope) => allowedScopes.includes(scope) }, new Set(knownFlags));
  } catch (error) {
    const { code, facts } = error as { code: string; facts: { missing: string } };
    assert.equal(code, "CLUSTER_START_FAILED");
    return facts.missing;
  }
  return undefined;
}

test("what Node's permission model withholds is told together, as far as this Node knows of it", () => {
  checkPermission(undefined);
  assert.equal(missing(["fs.read", "fs.write", "child", "addon", "net", "inspector"]), undefined);
  assert.equal(missing(["fs.read", "net"]), "--allow-fs-write=* --allow-child-process --allow-addons --allow-inspector");
  assert.equal(missing(["child"], everyFlag.slice(0, 4)), "--allow-fs-read=* --allow-fs-write=* --allow-addons");
});
