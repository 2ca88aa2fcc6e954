import type { HostProbe } from "../host-probe.ts";
import { type Accelerator, numberedNames } from "./accelerator.ts";

const GOOGLE = "0x1ae0";

/**
 * Google TPU chips of this host: `/dev/accel0`, or for newer generations a device group in `/dev/vfio`. A group may also hold
 * a network card that somebody passes through, so it counts only when its device is Google's or the environment speaks of a TPU.
 */
export const tpu: Accelerator = {
  vendor: "Google",
  resource: "TPU",
  visibilityVariable: "TPU_VISIBLE_CHIPS",
  async detect(probe) {
    const chips = chipCount(probe);
    if (chips === 0) return undefined;
    const { env } = probe;
    const podType = env["TPU_ACCELERATOR_TYPE"]; // GKE: v4-16, v5litepod-8, v6e-4.
    const generation = podType?.split("-")[0];
    const isHead = podType !== undefined && (env["TPU_WORKER_ID"] ?? "0") === "0";
    return {
      ids: Array.from({ length: chips }, (_, index) => String(index)),
      type: generation === undefined ? undefined : `TPU-${generation.replace("litepod", "e").toUpperCase()}`,
      // One host of a slice holds the slice's head: asking for it asks for the slice.
      extraResources: {
        ...(isHead ? { [`TPU-${podType}-head`]: 1 } : {}),
        ...(env["TPU_NAME"] ? { [env["TPU_NAME"]]: 1 } : {}),
      },
    };
  },
  /** A part of a host's chips is a small host of its own to the TPU runtime. */
  companionVariables(visible, all) {
    const bounds = visible.length === all.length ? undefined : { 1: "1,1,1", 2: "1,2,1" }[visible.length];
    return bounds === undefined ? {} : { TPU_CHIPS_PER_HOST_BOUNDS: bounds, TPU_HOST_BOUNDS: "1,1,1" };
  },
};

function chipCount(probe: HostProbe): number {
  const accel = numberedNames(probe, "/dev", /^accel(\d+)$/);
  if (accel.length > 0) return accel.length;
  const isTpuHost = probe.env["TPU_ACCELERATOR_TYPE"] !== undefined || probe.env["TPU_WORKER_ID"] !== undefined;
  return numberedNames(probe, "/dev/vfio", /^(\d+)$/).filter(({ name }) => isTpuHost || isGoogle(probe, name)).length;
}

function isGoogle(probe: HostProbe, group: string): boolean {
  const directory = `/sys/kernel/iommu_groups/${group}/devices`;
  return probe.listDirectory(directory).some((device) => probe.readFile(`${directory}/${device}/vendor`)?.trim() === GOOGLE);
}
