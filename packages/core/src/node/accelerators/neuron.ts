import type { HostProbe } from "../host-probe.ts";
import { type Accelerator, numberedNames, TOOL_TIMEOUT_MS } from "./accelerator.ts";

const SYSFS = "/sys/devices/virtual/neuron_device";
const TOOL = "/opt/aws/neuron/bin/neuron-ls";

/** AWS Inferentia and Trainium, counted in cores: by the driver's files, for older drivers by `neuron-ls`. */
export const neuron: Accelerator = {
  vendor: "AWS",
  resource: "neuron_cores",
  visibilityVariable: "NEURON_RT_VISIBLE_CORES",
  async detect(probe) {
    const devices = numberedNames(probe, "/dev", /^neuron(\d+)$/);
    if (devices.length === 0) return undefined;
    const counts = devices.map(({ name }) => Number(probe.readFile(`${SYSFS}/${name}/core_count`) ?? 0));
    const cores = counts.every((count) => count > 0) ? counts.reduce((sum, count) => sum + count, 0) : await coresFromTool(probe);
    if (cores === 0) return undefined;
    return { ids: Array.from({ length: cores }, (_, index) => String(index)), type: "aws-neuron-core" };
  },
  /** `0-3,8` */
  parseVisible: (text) =>
    text.split(",").flatMap((part) => {
      const range = /^\s*(\d+)-(\d+)\s*$/.exec(part);
      if (range === null) return part.trim() === "" ? [] : [part.trim()];
      const first = Number(range[1]);
      const count = Math.min(MAX_CORES, Number(range[2]) - first + 1);
      return Array.from({ length: Math.max(0, count) }, (_, index) => String(first + index));
    }),
};

/** More than any host has; keeps `0-999999999` from filling memory. */
const MAX_CORES = 4096;

async function coresFromTool(probe: HostProbe): Promise<number> {
  const text = (await probe.run(TOOL, ["--json-output"], TOOL_TIMEOUT_MS)) ?? "";
  return [...text.matchAll(/"nc_count":\s*(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}
