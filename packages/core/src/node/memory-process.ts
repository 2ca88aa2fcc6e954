import type { HostProbe } from "./host-probe.ts";
import { numberAfter } from "./memory-cgroup.ts";

/**
 * Memory that would be free if this process were gone: its anonymous pages. Mapped files and shared memory, the arena among
 * them, stay when it goes.
 *
 * @returns bytes; `undefined` when the process is gone or the machine does not tell
 */
export function privateBytesOf(probe: HostProbe, pid: number): number | undefined {
  const kib = numberAfter(probe.readFile(`/proc/${pid}/status`), "RssAnon");
  return kib === undefined ? undefined : kib * 1024;
}
