import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterAddress } from "./cluster-address.ts";

test("cluster address: what the program says, then RAIA_ADDRESS, then RAY_ADDRESS", () => {
  const env = { RAIA_ADDRESS: "/run/raia/s-1", RAY_ADDRESS: "auto" };

  assert.deepEqual(clusterAddress("local", env), { kind: "local" });
  assert.deepEqual(clusterAddress(undefined, env), { kind: "session", path: "/run/raia/s-1", asked: "RAIA_ADDRESS=/run/raia/s-1" });
  assert.deepEqual(clusterAddress(undefined, { RAY_ADDRESS: "auto" }), { kind: "running", asked: "RAY_ADDRESS=auto" });
});

test("cluster address: empty is as good as unset, and nothing at all means any", () => {
  assert.deepEqual(clusterAddress("", { RAIA_ADDRESS: "", RAY_ADDRESS: "" }), { kind: "any" });
  assert.deepEqual(clusterAddress(undefined, {}), { kind: "any" });
});

test("cluster address: the head's socket names its session", () => {
  assert.deepEqual(clusterAddress("/run/raia/s-1/head", {}), {
    kind: "session",
    path: "/run/raia/s-1",
    asked: "address=/run/raia/s-1/head",
  });
  assert.deepEqual(clusterAddress("/run/raia/s-1/", {}), { kind: "session", path: "/run/raia/s-1", asked: "address=/run/raia/s-1/" });
});

test("cluster address: one of Ray's own is refused, and the error names the variable and its value", () => {
  for (const address of ["10.0.0.1:6379", "ray://head:10001", "local:1", "./session"]) {
    assert.throws(() => clusterAddress(undefined, { RAY_ADDRESS: address }), {
      code: "CLUSTER_NOT_FOUND",
      message: new RegExp(`asked=RAY_ADDRESS=${address.replaceAll(".", "\\.")} `),
    });
  }
});
