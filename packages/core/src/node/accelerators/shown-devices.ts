/** What a process is told of the devices that it was given. */
import type { Accelerators } from "../../messages/common.ts";
import type { Grant } from "../resource-ledger.ts";
import type { DeviceVariables } from "./device-variables.ts";

/** @param variables absent where processes are not shown devices of their own */
export function shownDevices(
  { devices }: Grant,
  variables: DeviceVariables | undefined,
): { readonly accelerators: Accelerators; readonly deviceVariables?: { readonly [variable: string]: string } } {
  const accelerators = Object.fromEntries(Object.entries(devices).map(([name, shares]) => [name, shares.map(({ index }) => index)]));
  const deviceVariables = variables?.(accelerators);
  return { accelerators, ...(deviceVariables !== undefined && { deviceVariables }) };
}
