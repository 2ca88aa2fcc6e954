import { type Accelerator, numberedNames } from "./accelerator.ts";

const NODES = "/sys/class/kfd/kfd/topology/nodes";

/** Ray's names by PCI device id. */
const TYPES: { readonly [deviceId: string]: string } = {
  "66a1": "AMD-Instinct-MI50",
  "738c": "AMD-Instinct-MI100",
  "7408": "AMD-Instinct-MI250X",
  "740c": "AMD-Instinct-MI250X-MI250",
  "740f": "AMD-Instinct-MI210",
  "74a0": "AMD-Instinct-MI300A",
  "74a1": "AMD-Instinct-MI300X-OAM",
  "74a2": "AMD-Instinct-MI308X-OAM",
  "74a5": "AMD-Instinct-MI325X-OAM",
  "74a9": "AMD-Instinct-MI300X-HF",
};

/** AMD GPUs: nodes of the compute driver's topology that have vector units and a render device that we were given. */
export const amd: Accelerator = {
  vendor: "AMD",
  resource: "GPU",
  visibilityVariable: "HIP_VISIBLE_DEVICES",
  async detect(probe) {
    const nodes = numberedNames(probe, NODES, /^(\d+)$/).map(({ name }) => probe.readFile(`${NODES}/${name}/properties`) ?? "");
    const renderDevices = new Set(probe.listDirectory("/dev/dri"));
    const own = nodes.filter(
      (text) => property(text, "simd_count") > 0 && renderDevices.has(`renderD${property(text, "drm_render_minor")}`),
    );
    if (own.length === 0) return undefined;
    // The lower layer's variable hides devices first; positions count among what it leaves.
    const left = probe.env["ROCR_VISIBLE_DEVICES"]?.split(",").filter((id) => id.trim() !== "").length ?? own.length;
    return { ids: own.slice(0, left).map((_, index) => String(index)), type: TYPES[property(own[0]!, "device_id").toString(16)] };
  },
};

function property(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}
