import type { HostProbe } from "./host-probe.ts";
import { findControlGroup, findMemoryLimit, numberAfter } from "./memory-cgroup.ts";

/** What this process may use of the machine it is on. */
export interface Capacity {
  /** Whole CPUs, at least 1: the smaller of the affinity mask and the quota of the control group. */
  readonly cpus: number;
  /** Memory of the machine, or of the control group where that is less. 0 where neither tells. */
  readonly memoryBytes: number;
}

/** Reads affinity, quota and limit; about ten small files. */
export function readCapacity(probe: HostProbe): Capacity {
  const quota = cpuQuota(probe);
  // A logical CPU is an event loop, so half a CPU more is no further loop.
  const cpus = Math.max(1, Math.floor(Math.min(probe.availableCpus(), quota ?? Number.POSITIVE_INFINITY)));
  const machineBytes = (numberAfter(probe.readFile("/proc/meminfo"), "MemTotal") ?? 0) * 1024;
  const limitBytes = findMemoryLimit(probe, machineBytes || Number.POSITIVE_INFINITY)?.limitBytes;
  return { cpus, memoryBytes: limitBytes ?? machineBytes };
}

/** CPUs that the tightest control group allows, perhaps a fraction; `undefined` without a quota. */
function cpuQuota(probe: HostProbe): number | undefined {
  const group = findControlGroup(probe, "cpu", { v1: "cpu.cfs_quota_us", v2: "cpu.max" });
  const quotas = (group?.directories ?? []).map((directory) => {
    const [quota, period] =
      group?.version === 2
        ? (probe.readFile(`${directory}/cpu.max`) ?? "").trim().split(" ")
        : [probe.readFile(`${directory}/cpu.cfs_quota_us`), probe.readFile(`${directory}/cpu.cfs_period_us`)];
    return Number.parseInt(quota ?? "", 10) / Number.parseInt(period ?? "100000", 10); // "max" is not a number; -1 is below zero: no quota.
  });
  const tightest = Math.min(...quotas.filter((quota) => quota > 0));
  return Number.isFinite(tightest) ? tightest : undefined;
}
