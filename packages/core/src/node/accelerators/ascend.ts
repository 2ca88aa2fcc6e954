import { type Accelerator, numberedNames, TOOL_TIMEOUT_MS } from "./accelerator.ts";

/** Huawei Ascend, by its device files; the model by `npu-smi`. */
export const ascend: Accelerator = {
  vendor: "Huawei",
  resource: "NPU",
  visibilityVariable: "ASCEND_RT_VISIBLE_DEVICES",
  async detect(probe) {
    const devices = numberedNames(probe, "/dev", /^davinci(\d+)$/);
    if (devices.length === 0) return undefined;
    const text = await probe.run("npu-smi", ["info"], TOOL_TIMEOUT_MS);
    // The first line of each device's two: | 0     910B3    | OK    | 93.4  42  0 / 0 |
    const model = /^\|\s*\d+\s+(\S+)\s*\|\s*(?:OK|Warning|Alarm|Critical|UNKNOWN)\s*\|/m.exec(text ?? "")?.[1];
    return {
      ids: devices.map((_, index) => String(index)),
      type: model === undefined ? undefined : `Ascend${model.replace(/^Ascend/, "")}`,
    };
  },
};
