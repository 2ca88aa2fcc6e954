import type { Accelerators } from "../../messages/common.ts";
import type { NodeDevices } from "./detect-accelerators.ts";
import { visibilityOf } from "./detect-accelerators.ts";
import { nvidia } from "./nvidia.ts";

/** The variables that show a process its share of the node's devices; undefined where the node has none to show or hide. */
export type DeviceVariables = (granted: Accelerators) => { readonly [variable: string]: string } | undefined;

/**
 * @param devices what was found and is offered
 * @param offeredGpus GPUs that the node offers; those that nobody found are shown as NVIDIA's, whose variable most programs read
 */
export function deviceVariablesOf(devices: readonly NodeDevices[], offeredGpus: number): DeviceVariables {
  const isFound = devices.some(({ accelerator }) => accelerator.resource === nvidia.resource);
  const pretended: NodeDevices = { accelerator: nvidia, ids: [], type: undefined, extraResources: {} };
  const shown = isFound || offeredGpus === 0 ? devices : [...devices, pretended];
  if (shown.length === 0) return () => undefined;
  return (granted) =>
    Object.fromEntries(shown.flatMap((each) => Object.entries(visibilityOf(each, granted[each.accelerator.resource] ?? []))));
}
