import type { HostProbe } from "../host-probe.ts";
import { type Accelerator, type DetectedDevices, numberedNames, shortType, TOOL_TIMEOUT_MS } from "./accelerator.ts";

const DRIVER = "/proc/driver/nvidia/gpus";
/** Ray's name: the first word after the maker's and the product line's, up to its form factor: `A100`, `H100`, `T4`, `V100`, `L40S`. */
const MODEL = /(?:NVIDIA |Tesla |GeForce |Quadro )*((?:RTX |GTX )?[A-Z0-9][A-Za-z0-9]*)/;

/** NVIDIA GPUs, counted by what the driver says; WSL and drivers without `/proc` are asked through `nvidia-smi`. */
export const nvidia: Accelerator = {
  vendor: "NVIDIA",
  resource: "GPU",
  visibilityVariable: "CUDA_VISIBLE_DEVICES",
  async detect(probe) {
    return fromDriver(probe) ?? (await fromTool(probe));
  },
};

function fromDriver(probe: HostProbe): DetectedDevices | undefined {
  const texts = probe.listDirectory(DRIVER).map((bus) => probe.readFile(`${DRIVER}/${bus}/information`) ?? "");
  const minors = new Set(numberedNames(probe, "/dev", /^nvidia(\d+)$/).map((device) => device.number));
  // A container may see all of the host's GPUs in /proc and have device files for its own only.
  const own = texts.filter((text) => minors.has(Number(/^Device Minor:\s*(\d+)/m.exec(text)?.[1] ?? -1)));
  if (own.length === 0) return undefined;
  const model = /^Model:\s*(.+)$/m.exec(own[0]!)?.[1];
  return { ids: own.map((_, index) => String(index)), type: model === undefined ? undefined : typeOf(model) };
}

async function fromTool(probe: HostProbe): Promise<DetectedDevices | undefined> {
  const hasDevice = probe.listDirectory("/dev").some((name) => name === "dxg" || name === "nvidiactl");
  if (!hasDevice) return undefined;
  const text = await probe.run("nvidia-smi", ["--query-gpu=index,name", "--format=csv,noheader"], TOOL_TIMEOUT_MS);
  const rows = [...(text ?? "").matchAll(/^(\d+), (.+)$/gm)];
  if (rows.length === 0) return undefined;
  return { ids: rows.map((row) => row[1]!), type: typeOf(rows[0]![2]!) };
}

function typeOf(model: string): string {
  return shortType(model, MODEL).replaceAll(" ", "-");
}
