import type { HostProbe } from "./host-probe.ts";

/**
 * Where this process stands among control groups. A group's limit binds everything below it, so what counts is the
 * tightest one between the process and the root. In a container the path that the kernel names is often the host's and not
 * visible; the root of the mounted tree is then the container's own group.
 */
export interface ControlGroup {
  readonly version: 1 | 2;
  /** The group's directory, own group first, root last. Only those that can be read. */
  readonly directories: readonly string[];
}

const ROOT = "/sys/fs/cgroup";

/** @param controller `memory` or `cpu` @param landmark a file that every directory with this controller has */
export function findControlGroup(probe: HostProbe, controller: string, landmark: { v1: string; v2: string }): ControlGroup | undefined {
  const lines = (probe.readFile("/proc/self/cgroup") ?? "").split("\n");
  for (const line of lines) {
    const [, controllers = "", ...rest] = line.split(":");
    const path = rest.join(":");
    if (controllers.split(",").includes(controller)) {
      const found = directoriesOf(probe, [`${ROOT}/${controllers}`, `${ROOT}/${controller}`], path, landmark.v1);
      if (found.length > 0) return { version: 1, directories: found };
    }
  }
  const unified = lines.find((line) => line.startsWith("0::"));
  if (unified === undefined) return undefined;
  const found = directoriesOf(probe, [ROOT, `${ROOT}/unified`], unified.slice("0::".length), landmark.v2);
  return found.length > 0 ? { version: 2, directories: found } : undefined;
}

function directoriesOf(probe: HostProbe, mounts: readonly string[], path: string, landmark: string): string[] {
  for (const mount of new Set(mounts)) {
    const found = ancestors(path)
      .map((ancestor) => mount + ancestor)
      .filter((directory) => probe.readFile(`${directory}/${landmark}`) !== undefined);
    if (found.length > 0) return found;
  }
  return [];
}

/** `/a/b` -> `/a/b`, `/a`, and the root as "". */
function ancestors(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== "..");
  return Array.from({ length: names.length + 1 }, (_, up) =>
    names
      .slice(0, names.length - up)
      .map((name) => `/${name}`)
      .join(""),
  );
}

/** The memory limit that binds this process, with the files that say how much is in use. */
export interface MemoryLimit {
  readonly version: 1 | 2;
  readonly limitBytes: number;
  readonly usageFile: string;
  readonly statFile: string;
}

/** @returns the tightest limit; `undefined` when no group limits memory below what the machine has */
export function findMemoryLimit(probe: HostProbe, hostTotalBytes: number): MemoryLimit | undefined {
  const group = findControlGroup(probe, "memory", { v1: "memory.usage_in_bytes", v2: "memory.current" });
  if (group === undefined) return undefined;
  const [limitName, usageName] =
    group.version === 2 ? ["memory.max", "memory.current"] : ["memory.limit_in_bytes", "memory.usage_in_bytes"];
  let tightest: MemoryLimit | undefined;
  for (const directory of group.directories) {
    const limitBytes = Number.parseInt(probe.readFile(`${directory}/${limitName}`) ?? "", 10); // "max" is not a number: no limit.
    if (!(limitBytes > 0 && limitBytes < hostTotalBytes) || limitBytes >= (tightest?.limitBytes ?? Number.POSITIVE_INFINITY)) continue;
    tightest = { version: group.version, limitBytes, usageFile: `${directory}/${usageName}`, statFile: `${directory}/memory.stat` };
  }
  return tightest;
}

/**
 * A file that counts processes killed by the kernel for want of memory: the own group's where it has one, else the machine's.
 *
 * @returns reads the count; `undefined` where the kernel does not tell
 */
export function oomKillCounter(probe: HostProbe): () => number | undefined {
  const group = findControlGroup(probe, "memory", { v1: "memory.oom_control", v2: "memory.events" });
  const name = group?.version === 1 ? "memory.oom_control" : "memory.events";
  const file = group === undefined ? "/proc/vmstat" : `${group.directories[0]}/${name}`;
  return () => numberAfter(probe.readFile(file), "oom_kill");
}

/** The number on the line `name 123`. */
export function numberAfter(text: string | undefined, name: string): number | undefined {
  const match = text === undefined ? null : new RegExp(`^${name}:?\\s+(\\d+)`, "m").exec(text);
  return match === null ? undefined : Number(match[1]);
}
