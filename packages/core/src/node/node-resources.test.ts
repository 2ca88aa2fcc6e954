import assert from "node:assert/strict";
import { test } from "node:test";
import { toCounts } from "../base/resources.ts";
import type { NodeDevices } from "./accelerators/detect-accelerators.ts";
import { nvidia } from "./accelerators/nvidia.ts";
import { tpu } from "./accelerators/tpu.ts";
import { nodeResources } from "./node-resources.ts";

const capacity = { cpus: 8, memoryBytes: 1000 };
const gpus: NodeDevices = { accelerator: nvidia, ids: ["0", "1", "2", "3"], type: "A100", extraResources: {} };
const chips: NodeDevices = { accelerator: tpu, ids: ["0", "1"], type: "TPU-V4", extraResources: { "TPU-v4-16-head": 1 } };

test("node resources: what was found", () => {
  const { total, devices } = nodeResources({ objectStoreMemory: 300 }, capacity, [gpus, chips]);

  assert.deepEqual(toCounts(total), {
    CPU: 8,
    GPU: 4,
    TPU: 2,
    "TPU-v4-16-head": 1,
    "accelerator_type:A100": 1,
    "accelerator_type:TPU-V4": 1,
    memory: 630,
    object_store_memory: 300,
  });
  assert.deepEqual(devices, [gpus, chips]);
});

test("node resources: what the user says instead, a zero included", () => {
  const { total, devices } = nodeResources(
    { objectStoreMemory: 0, numCpus: 1.5, numGpus: 1, memory: 5, resources: { disk: 2, TPU: 0 } },
    capacity,
    [gpus, chips],
  );

  assert.deepEqual(toCounts(total), { CPU: 1.5, GPU: 1, "accelerator_type:A100": 1, disk: 2, memory: 5 });
  assert.deepEqual(
    devices.map(({ ids }) => ids),
    [["0"]],
  );
  assert.deepEqual(toCounts(nodeResources({ objectStoreMemory: 0, numCpus: 0, memory: 0, numGpus: 0 }, capacity, [gpus]).total), {});
});

test("node resources: devices that are not there may be said to be", () => {
  const { total, devices } = nodeResources({ objectStoreMemory: 0, numGpus: 2 }, capacity, []);

  assert.equal(toCounts(total)["GPU"], 2);
  assert.deepEqual(devices, []);
});

test("node resources: wrong options are named", () => {
  assert.throws(() => nodeResources({ objectStoreMemory: 0, numCpus: -1 }, capacity, []), { code: "INVALID_OPTION" });
});
