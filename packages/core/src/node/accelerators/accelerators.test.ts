import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeHost, FakeHostProbe } from "../fake-host-probe.ts";
import { realHostProbe } from "../real-host-probe.ts";
import { detectAccelerators, type NodeDevices, visibilityOf } from "./detect-accelerators.ts";

/** The shape of what each vendor's driver and tool say, on machines that have the device. */
const machines = {
  twoA100: {
    files: {
      "/dev/nvidiactl": "",
      "/dev/nvidia0": "",
      "/dev/nvidia1": "",
      "/dev/nvidia-uvm": "",
      "/proc/driver/nvidia/gpus/0000:07:00.0/information": nvidiaInformation("NVIDIA A100-SXM4-40GB", 0),
      "/proc/driver/nvidia/gpus/0000:0f:00.0/information": nvidiaInformation("NVIDIA A100-SXM4-40GB", 1),
    },
  },
  containerWithOneOfTwo: {
    files: {
      "/dev/nvidiactl": "",
      "/dev/nvidia1": "",
      "/proc/driver/nvidia/gpus/0000:07:00.0/information": nvidiaInformation("Tesla T4", 0),
      "/proc/driver/nvidia/gpus/0000:0f:00.0/information": nvidiaInformation("Tesla T4", 1),
    },
  },
  wsl: {
    files: { "/dev/dxg": "" },
    commands: { "nvidia-smi --query-gpu=index,name --format=csv,noheader": "0, NVIDIA GeForce RTX 3090\n" },
  },
  mi300x: {
    files: {
      "/dev/kfd": "",
      "/dev/dri/renderD128": "",
      "/dev/dri/renderD136": "",
      "/sys/class/kfd/kfd/topology/nodes/0/properties": kfdProperties({
        cpu_cores_count: 96,
        simd_count: 0,
        device_id: 0,
        drm_render_minor: 0,
      }),
      "/sys/class/kfd/kfd/topology/nodes/1/properties": kfdProperties({
        cpu_cores_count: 0,
        simd_count: 1216,
        device_id: 0x74a1,
        drm_render_minor: 128,
      }),
      "/sys/class/kfd/kfd/topology/nodes/2/properties": kfdProperties({
        cpu_cores_count: 0,
        simd_count: 1216,
        device_id: 0x74a1,
        drm_render_minor: 136,
      }),
      "/sys/class/kfd/kfd/topology/nodes/10/properties": kfdProperties({
        cpu_cores_count: 0,
        simd_count: 1216,
        device_id: 0x74a1,
        drm_render_minor: 144,
      }),
    },
  },
  intelMax: {
    files: {
      "/sys/class/drm/card0/device/uevent": "",
      "/sys/class/drm/renderD128/device/uevent": intelEvent("i915", "46A6", "0000:00:02.0"),
      "/sys/class/drm/renderD129/device/uevent": intelEvent("i915", "0BD5", "0000:9A:00.0"),
      "/sys/class/drm/renderD130/device/uevent": intelEvent("xe", "0BD5", "0000:CA:00.0"),
    },
  },
  laptop: { files: { "/sys/class/drm/renderD128/device/uevent": intelEvent("i915", "46A6", "0000:00:02.0") } },
  tpuV4: {
    files: { "/dev/accel0": "", "/dev/accel1": "", "/dev/accel2": "", "/dev/accel3": "" },
    env: { TPU_ACCELERATOR_TYPE: "v4-16", TPU_WORKER_ID: "0", TPU_NAME: "slice-7" },
  },
  tpuV5eWorker1: {
    files: { "/dev/vfio/vfio": "", "/dev/vfio/0": "", "/dev/vfio/1": "" },
    env: { TPU_ACCELERATOR_TYPE: "v5litepod-8", TPU_WORKER_ID: "1" },
  },
  tpuBareMachine: {
    files: {
      "/dev/vfio/vfio": "",
      "/dev/vfio/12": "",
      "/dev/vfio/13": "",
      "/sys/kernel/iommu_groups/12/devices/0000:00:05.0/vendor": "0x1ae0\n",
      "/sys/kernel/iommu_groups/13/devices/0000:00:06.0/vendor": "0x8086\n",
    },
  },
  trainium: {
    files: { "/dev/neuron0": "", "/dev/neuron1": "", ...neuronCounts(["2\n", "2\n"]) },
  },
  inferentiaOldDriver: {
    files: { "/dev/neuron0": "" },
    commands: {
      "/opt/aws/neuron/bin/neuron-ls --json-output": JSON.stringify([
        { neuron_device: 0, bdf: "00:1f.0", connected_to: null, nc_count: 4, memory_size: 8589934592, neuron_processes: [] },
      ]),
    },
  },
  gaudi2: {
    files: {
      "/dev/accel/accel0": "",
      "/dev/accel/accel1": "",
      "/dev/accel/accel_controlD0": "",
      "/sys/class/accel/accel0/device/vendor": "0x1da3\n",
      "/sys/class/accel/accel1/device/vendor": "0x1da3\n",
    },
    commands: { "hl-smi -Q module_id,name -f csv,noheader": "3, HL-225\n1, HL-225\n" },
  },
  intelNpuLaptop: { files: { "/dev/accel/accel0": "", "/sys/class/accel/accel0/device/vendor": "0x8086\n" } },
  ascend910b: {
    files: { "/dev/davinci0": "", "/dev/davinci1": "", "/dev/davinci_manager": "" },
    commands: {
      "npu-smi info": `
+------------------------------------------------------------------------------------------------+
| npu-smi 23.0.rc3                 Version: 23.0.rc3                                             |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B3               | OK            | 91.7        42                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          3317 / 65536         |
+===========================+===============+====================================================+
`,
    },
  },
} satisfies Record<string, FakeHost>;

async function detect(host: FakeHost, env: Record<string, string> = {}): Promise<NodeDevices[]> {
  return detectAccelerators(new FakeHostProbe({ ...host, env: { ...host.env, ...env } }));
}

async function summary(host: FakeHost, env?: Record<string, string>): Promise<unknown[]> {
  return (await detect(host, env)).map(({ accelerator, ids, type }) => [accelerator.resource, ids, type]);
}

test("accelerators: every vendor by what its machine says", async () => {
  assert.deepEqual(await summary(machines.twoA100), [["GPU", ["0", "1"], "A100"]]);
  assert.deepEqual(await summary(machines.containerWithOneOfTwo), [["GPU", ["0"], "T4"]]);
  assert.deepEqual(await summary(machines.wsl), [["GPU", ["0"], "RTX-3090"]]);
  assert.deepEqual(await summary(machines.mi300x), [["GPU", ["0", "1"], "AMD-Instinct-MI300X-OAM"]]);
  assert.deepEqual(await summary(machines.intelMax), [["GPU", ["0", "1"], "Intel-GPU-Max-1550"]]);
  assert.deepEqual(await summary(machines.tpuV4), [["TPU", ["0", "1", "2", "3"], "TPU-V4"]]);
  assert.deepEqual(await summary(machines.tpuV5eWorker1), [["TPU", ["0", "1"], "TPU-V5E"]]);
  assert.deepEqual(await summary(machines.tpuBareMachine), [["TPU", ["0"], undefined]]);
  assert.deepEqual(await summary(machines.trainium), [["neuron_cores", ["0", "1", "2", "3"], "aws-neuron-core"]]);
  assert.deepEqual(await summary(machines.inferentiaOldDriver), [["neuron_cores", ["0", "1", "2", "3"], "aws-neuron-core"]]);
  assert.deepEqual(await summary(machines.gaudi2), [["HPU", ["1", "3"], "Intel-GAUDI2"]]);
  assert.deepEqual(await summary(machines.ascend910b), [["NPU", ["0", "1"], "Ascend910B3"]]);
});

test("accelerators: what is no accelerator is not counted", async () => {
  assert.deepEqual(await summary(machines.laptop), []);
  assert.deepEqual(await summary(machines.intelNpuLaptop), []);
});

test("accelerators: NVIDIA's names become the words that people ask for", async () => {
  const names: [string, string][] = [
    ["NVIDIA H100 80GB HBM3", "H100"],
    ["Tesla V100-SXM2-16GB", "V100"],
    ["NVIDIA L40S", "L40S"],
    ["NVIDIA GB200", "GB200"],
    ["NVIDIA RTX A6000", "RTX-A6000"],
    ["Quadro P5000", "P5000"],
  ];
  for (const [name, type] of names) {
    const files = { "/dev/nvidia0": "", "/proc/driver/nvidia/gpus/0000:07:00.0/information": nvidiaInformation(name, 0) };
    assert.deepEqual(await summary({ files }), [["GPU", ["0"], type]]);
  }
});

test("accelerators: a tool that fails costs the type, or the devices only where nothing else counts them", async () => {
  assert.deepEqual(await summary({ files: machines.gaudi2.files }), [["HPU", ["0", "1"], undefined]]);
  assert.deepEqual(await summary({ files: machines.ascend910b.files }), [["NPU", ["0", "1"], undefined]]);
  assert.deepEqual(await summary({ files: machines.wsl.files }), []);
});

test("accelerators: what the parent's variable hides stays hidden, and indices are positions in what is left", async () => {
  const gpus = (value: string): Promise<unknown> => summary(machines.twoA100, { CUDA_VISIBLE_DEVICES: value });
  assert.deepEqual(await gpus("1"), [["GPU", ["1"], "A100"]]);
  assert.deepEqual(await gpus(" 1, 0 "), [["GPU", ["1", "0"], "A100"]]);
  assert.deepEqual(await gpus("GPU-5f1c0a"), [["GPU", ["GPU-5f1c0a"], "A100"]]);
  assert.deepEqual(await gpus("0,-1,1"), [["GPU", ["0"], "A100"]]);
  for (const none of ["", "-1", "NoDevFiles", "7"]) assert.deepEqual(await gpus(none), [], none);

  assert.deepEqual(await summary(machines.mi300x, { HIP_VISIBLE_DEVICES: "1" }), [["GPU", ["1"], "AMD-Instinct-MI300X-OAM"]]);
  assert.deepEqual(await summary(machines.mi300x, { ROCR_VISIBLE_DEVICES: "1" }), [["GPU", ["0"], "AMD-Instinct-MI300X-OAM"]]);
  assert.deepEqual(await summary(machines.intelMax, { ONEAPI_DEVICE_SELECTOR: "level_zero:1" }), [["GPU", ["1"], "Intel-GPU-Max-1550"]]);
  assert.deepEqual(await summary(machines.intelMax, { ONEAPI_DEVICE_SELECTOR: "*:gpu" }), [["GPU", ["0", "1"], "Intel-GPU-Max-1550"]]);
  assert.deepEqual(await summary(machines.intelMax, { ONEAPI_DEVICE_SELECTOR: "*:cpu" }), []);
  assert.deepEqual(await summary(machines.trainium, { NEURON_RT_VISIBLE_CORES: "1-2" }), [["neuron_cores", ["1", "2"], "aws-neuron-core"]]);
  assert.deepEqual(await summary(machines.trainium, { NEURON_RT_VISIBLE_CORES: "0-999999999" }), [
    ["neuron_cores", ["0", "1", "2", "3"], "aws-neuron-core"],
  ]);
  assert.deepEqual(await summary(machines.gaudi2, { HABANA_VISIBLE_MODULES: "3" }), [["HPU", ["3"], "Intel-GAUDI2"]]);
});

test("accelerators: a worker sees its lease's devices, by the vendor's own names", async () => {
  const visible = async (host: FakeHost, indices: number[], env?: Record<string, string>): Promise<unknown> =>
    visibilityOf((await detect(host, env))[0]!, indices);

  assert.deepEqual(await visible(machines.twoA100, [0], { CUDA_VISIBLE_DEVICES: "1,0" }), { CUDA_VISIBLE_DEVICES: "1" });
  assert.deepEqual(await visible(machines.twoA100, []), { CUDA_VISIBLE_DEVICES: "" });
  assert.deepEqual(await visible(machines.mi300x, [1]), { HIP_VISIBLE_DEVICES: "1" });
  assert.deepEqual(await visible(machines.intelMax, [0, 1]), { ONEAPI_DEVICE_SELECTOR: "level_zero:0,1" });
  assert.deepEqual(await visible(machines.gaudi2, [1]), { HABANA_VISIBLE_MODULES: "3" });
  assert.deepEqual(await visible(machines.ascend910b, [1]), { ASCEND_RT_VISIBLE_DEVICES: "1" });
  assert.deepEqual(await visible(machines.tpuV4, [0, 1, 2, 3]), { TPU_VISIBLE_CHIPS: "0,1,2,3" });
  assert.deepEqual(await visible(machines.tpuV4, [2, 3]), {
    TPU_VISIBLE_CHIPS: "2,3",
    TPU_CHIPS_PER_HOST_BOUNDS: "1,2,1",
    TPU_HOST_BOUNDS: "1,1,1",
  });
});

test("accelerators: the first host of a TPU slice holds its head", async () => {
  assert.deepEqual((await detect(machines.tpuV4))[0]?.extraResources, { "TPU-v4-16-head": 1, "slice-7": 1 });
  assert.deepEqual((await detect(machines.tpuV5eWorker1))[0]?.extraResources, {});
});

test("accelerators: two vendors of GPUs on one node offer the first's", async () => {
  assert.deepEqual(await summary({ files: { ...machines.intelMax.files, ...machines.twoA100.files } }), [["GPU", ["0", "1"], "A100"]]);
});

test("accelerators: where nothing is, nothing is started and no file beyond a few directories is read", async () => {
  const probe = new FakeHostProbe({ files: { "/dev/null": "", "/dev/vfio/vfio": "", "/dev/dri/card0": "" } });
  assert.deepEqual(await detectAccelerators(probe), []);
  assert.deepEqual(probe.commandsRun, []);
});

test("accelerators: this machine answers", async () => {
  for (const { ids } of await detectAccelerators(realHostProbe)) assert.ok(ids.length > 0);
});

function nvidiaInformation(model: string, minor: number): string {
  return `Model: \t\t ${model}\nIRQ:   \t\t 145\nGPU UUID: \t GPU-0c6f7d8e-0000-0000-0000-00000000000${minor}\nBus Type: \t PCIe\nDevice Minor: \t ${minor}\nGPU Excluded:\t No\n`;
}

function kfdProperties(values: Record<string, number>): string {
  return `${Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join("\n")}\n`;
}

function intelEvent(driver: string, deviceId: string, slot: string): string {
  return `DRIVER=${driver}\nPCI_CLASS=38000\nPCI_ID=8086:${deviceId}\nPCI_SUBSYS_ID=8086:0000\nPCI_SLOT_NAME=${slot}\n`;
}

function neuronCounts(counts: string[]): Record<string, string> {
  return Object.fromEntries(counts.map((count, index) => [`/sys/devices/virtual/neuron_device/neuron${index}/core_count`, count]));
}
