import type { HostProbe } from "../host-probe.ts";
import type { Accelerator } from "./accelerator.ts";
import { amd } from "./amd.ts";
import { ascend } from "./ascend.ts";
import { gaudi } from "./gaudi.ts";
import { intelGpu } from "./intel-gpu.ts";
import { neuron } from "./neuron.ts";
import { nvidia } from "./nvidia.ts";
import { tpu } from "./tpu.ts";

/** In order of preference where several vendors offer the same resource: a node's GPUs are of one vendor. */
export const accelerators: readonly Accelerator[] = [nvidia, amd, intelGpu, tpu, neuron, gaudi, ascend];

/** The devices of one resource on this node, as leases use them: index i is `ids[i]` to the vendor. */
export interface NodeDevices {
  readonly accelerator: Accelerator;
  readonly ids: readonly string[];
  readonly type: string | undefined;
  readonly extraResources: { readonly [name: string]: number };
}

/** Finds every device that this process may use: what is there, less what the environment hides. Reads a few directories when nothing is there. */
export async function detectAccelerators(probe: HostProbe, vendors: readonly Accelerator[] = accelerators): Promise<NodeDevices[]> {
  const shared = remembering(probe);
  const found = await Promise.all(vendors.map((accelerator) => detectOne(accelerator, shared)));
  const byResource = new Map<string, NodeDevices>();
  for (const devices of found)
    if (devices !== undefined && !byResource.has(devices.accelerator.resource)) byResource.set(devices.accelerator.resource, devices);
  return [...byResource.values()];
}

/**
 * The variables that show a worker the devices of its lease, and hide the rest.
 *
 * @param indices as leases have them; none hides all
 */
export function visibilityOf({ accelerator, ids }: NodeDevices, indices: readonly number[]): { [variable: string]: string } {
  const visible = indices.map((index) => ids[index] ?? String(index));
  const text = accelerator.formatVisible?.(visible) ?? visible.join(",");
  return { ...accelerator.companionVariables?.(visible, ids), [accelerator.visibilityVariable]: text };
}

async function detectOne(accelerator: Accelerator, probe: HostProbe): Promise<NodeDevices | undefined> {
  const detected = await accelerator.detect(probe);
  if (detected === undefined) return undefined;
  const ids = restrict(accelerator, detected.ids, probe.env[accelerator.visibilityVariable]);
  if (ids.length === 0) return undefined;
  return { accelerator, ids, type: detected.type, extraResources: detected.extraResources ?? {} };
}

/** What a parent left visible: positions, or the vendor's own names. As the runtimes do, the list ends at the first that names nothing (`-1`, `NoDevFiles`). */
function restrict(accelerator: Accelerator, ids: readonly string[], variable: string | undefined): readonly string[] {
  if (variable === undefined) return ids;
  const visible = accelerator.parseVisible?.(variable) ?? variable.split(",").map((id) => id.trim());
  if (visible === "all") return ids;
  const end = visible.findIndex((id) => !ids.includes(id) && !VENDOR_NAME.test(id));
  return [...new Set(end < 0 ? visible : visible.slice(0, end))];
}

/** `GPU-5f1c...`, `MIG-...`: not checked against the list, since only the vendor's runtime knows them. */
const VENDOR_NAME = /^(GPU|MIG)-[0-9a-zA-Z][0-9a-zA-Z/-]*$/;

/** Several vendors look into `/dev`: each directory is read once. */
function remembering(probe: HostProbe): HostProbe {
  const listings = new Map<string, readonly string[]>();
  return {
    env: probe.env,
    readFile: (path) => probe.readFile(path),
    run: (command, args, timeoutMs) => probe.run(command, args, timeoutMs),
    availableCpus: () => probe.availableCpus(),
    listDirectory(path) {
      const names = listings.get(path) ?? probe.listDirectory(path);
      listings.set(path, names);
      return names;
    },
  };
}
