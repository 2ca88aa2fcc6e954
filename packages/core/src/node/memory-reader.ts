import type { HostProbe } from "./host-probe.ts";
import { findMemoryLimit, type MemoryLimit, numberAfter } from "./memory-cgroup.ts";

/** How full the tighter of two is: the machine, or the control group that limits this process. */
export interface NodeMemory {
  readonly usedBytes: number;
  readonly totalBytes: number;
  readonly bound: "machine" | "cgroup";
}

const KIB = 1024;
/** Below this share a group's usage is taken as it is; above, file cache that the kernel can drop is taken off, at the price of a second file. */
const EXACT_ABOVE = 0.8;

/** Reads memory of this machine: one small file a time (two inside a limited control group). */
export class MemoryReader {
  readonly #probe: HostProbe;
  readonly #limit: MemoryLimit | undefined;

  constructor(probe: HostProbe) {
    this.#probe = probe;
    this.#limit = findMemoryLimit(probe, readMachine(probe)?.totalBytes ?? Number.POSITIVE_INFINITY);
  }

  /** @returns `undefined` where the machine does not tell (not Linux): nothing is killed for memory there */
  read(): NodeMemory | undefined {
    const machine = readMachine(this.#probe);
    const group = this.#limit && readGroup(this.#probe, this.#limit);
    if (machine === undefined || group === undefined) return group ?? machine;
    return group.usedBytes / group.totalBytes >= machine.usedBytes / machine.totalBytes ? group : machine;
  }
}

function readMachine(probe: HostProbe): NodeMemory | undefined {
  const text = probe.readFile("/proc/meminfo");
  const total = numberAfter(text, "MemTotal");
  const available = numberAfter(text, "MemAvailable");
  if (total === undefined || available === undefined) return undefined;
  return { usedBytes: (total - available) * KIB, totalBytes: total * KIB, bound: "machine" };
}

function readGroup(probe: HostProbe, limit: MemoryLimit): NodeMemory | undefined {
  const usage = Number.parseInt(probe.readFile(limit.usageFile) ?? "", 10);
  if (Number.isNaN(usage)) return undefined;
  const cache = usage < limit.limitBytes * EXACT_ABOVE ? 0 : droppableBytes(probe, limit);
  return { usedBytes: Math.max(0, usage - cache), totalBytes: limit.limitBytes, bound: "cgroup" };
}

function droppableBytes(probe: HostProbe, { version, statFile }: MemoryLimit): number {
  return numberAfter(probe.readFile(statFile), version === 2 ? "inactive_file" : "total_inactive_file") ?? 0;
}
