import type { HostProbe } from "../host-probe.ts";

/**
 * One vendor's devices: how to find them and how to show a worker its own and no others. Finding must cost nothing where
 * there are none: names in `/dev` and `/sys` first, a vendor's tool only when a device is there and the kernel does not say enough.
 */
export interface Accelerator {
  readonly vendor: string;
  /** As in options: `GPU`, `TPU`, `NPU`, `HPU`, `neuron_cores`. */
  readonly resource: string;
  /** The variable that hides all devices but those it names. When the node's own environment has it, only those count. */
  readonly visibilityVariable: string;
  detect(probe: HostProbe): Promise<DetectedDevices | undefined>;
  /** Further variables that the vendor wants for a share of the devices. */
  companionVariables?(visible: readonly string[], all: readonly string[]): { readonly [name: string]: string };
  /** How the variable is written. Default: ids with commas. */
  formatVisible?(ids: readonly string[]): string;
  /** How the variable is read. Default: ids with commas. */
  parseVisible?(text: string): readonly string[] | "all";
}

export interface DetectedDevices {
  /** What the vendor calls each device; the position in this list is the index that leases speak of. */
  readonly ids: readonly string[];
  /** As in `acceleratorType`: `A100`; `undefined` when it could not be told. */
  readonly type: string | undefined;
  /** Resources besides, such as a TPU slice's head. Counts as users write them. */
  readonly extraResources?: { readonly [name: string]: number };
}

/** A vendor's tool that hangs must not hold up the node's start for long; detection goes on without its answer. */
export const TOOL_TIMEOUT_MS = 2_000;

/** Names in a directory that match, in order of their number: `nvidia2` before `nvidia10`. */
export function numberedNames(probe: HostProbe, directory: string, pattern: RegExp): { readonly name: string; readonly number: number }[] {
  return probe
    .listDirectory(directory)
    .flatMap((name) => {
      const number = pattern.exec(name)?.[1];
      return number === undefined ? [] : [{ name, number: Number(number) }];
    })
    .sort((a, b) => a.number - b.number);
}

/** `NVIDIA A100-SXM4-40GB` -> `A100`: the word that people ask for, as Ray names it. Without a match the words joined by `-`. */
export function shortType(name: string, pattern: RegExp): string {
  return pattern.exec(name)?.[1] ?? name.trim().replaceAll(/\s+/g, "-");
}
