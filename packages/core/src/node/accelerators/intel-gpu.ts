import { type Accelerator, numberedNames } from "./accelerator.ts";

const DRM = "/sys/class/drm";
/** Where the graphics that are part of a processor always are. They share its memory and are nobody's accelerator. */
const INTEGRATED_SLOT = "0000:00:02.0";

const TYPES: { readonly [deviceId: string]: string } = { "0BD5": "Intel-GPU-Max-1550", "0BDA": "Intel-GPU-Max-1100" };

/** Intel's discrete GPUs, by the kernel's driver and device id. */
export const intelGpu: Accelerator = {
  vendor: "Intel",
  resource: "GPU",
  visibilityVariable: "ONEAPI_DEVICE_SELECTOR",
  async detect(probe) {
    const events = numberedNames(probe, DRM, /^renderD(\d+)$/)
      .map(({ name }) => probe.readFile(`${DRM}/${name}/device/uevent`) ?? "")
      .filter((event) => /^DRIVER=(i915|xe)$/m.test(event) && !event.includes(`PCI_SLOT_NAME=${INTEGRATED_SLOT}`));
    if (events.length === 0) return undefined;
    const deviceId = /^PCI_ID=8086:([0-9A-F]+)$/m.exec(events[0]!)?.[1] ?? "";
    return { ids: events.map((_, index) => String(index)), type: TYPES[deviceId] };
  },
  formatVisible: (ids) => (ids.length === 0 ? "*:cpu" : `level_zero:${ids.join(",")}`),
  /** `level_zero:0,1` names two, `level_zero:*` and `*:gpu` all, and `*:cpu` none. */
  parseVisible(text) {
    if (/(^|;)(\*|level_zero|opencl):(\*|gpu)(;|$)/.test(text)) return "all";
    return /(?:level_zero|opencl):(\d[\d,]*)/.exec(text)?.[1]?.split(",") ?? [];
  },
};
