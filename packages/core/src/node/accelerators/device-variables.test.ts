import assert from "node:assert/strict";
import { test } from "node:test";
import { amd } from "./amd.ts";
import { deviceVariablesOf } from "./device-variables.ts";
import { tpu } from "./tpu.ts";

const none = { type: undefined, extraResources: {} };

test("device variables: each vendor's own, and a process that holds nothing is shown nothing", () => {
  const variables = deviceVariablesOf([{ accelerator: amd, ids: ["4", "5"], ...none }], 2);

  assert.deepEqual(variables({ GPU: [1] }), { HIP_VISIBLE_DEVICES: "5" });
  assert.deepEqual(variables({}), { HIP_VISIBLE_DEVICES: "" });
});

test("device variables: GPUs that the user said there are, though none was found, are shown as NVIDIA's", () => {
  const variables = deviceVariablesOf([{ accelerator: tpu, ids: ["0", "1", "2", "3"], ...none }], 2);

  assert.deepEqual(variables({ GPU: [0, 1], TPU: [0, 1, 2, 3] }), { CUDA_VISIBLE_DEVICES: "0,1", TPU_VISIBLE_CHIPS: "0,1,2,3" });
});

test("device variables: a node without devices touches nothing", () => {
  assert.equal(deviceVariablesOf([], 0)({}), undefined);
});
