/** What the kernel says of a process. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export interface ProcessMemory {
  readonly residentBytes: number;
  /** Not shared with others and not a file's: what a leak grows. */
  readonly privateBytes: number;
}

/** Nothing when the process is gone. */
export function memoryOf(pid: number): ProcessMemory | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const bytes = (name: string): number => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
    return { residentBytes: bytes("VmRSS"), privateBytes: bytes("RssAnon") };
  } catch {
    return undefined; // It has ended.
  }
}

export function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0; // It has ended.
  }
}

export function descendantsOf(pid: number): number[] {
  const found: number[] = [];
  const pending = [pid];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    const children = childrenOf(parent);
    found.push(...children);
    pending.push(...children);
  }
  return found;
}

export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return []; // It has ended.
  }
}

export interface DirectorySize {
  readonly files: number;
  readonly bytes: number;
}

export function sizeOf(directory: string): DirectorySize {
  let [files, bytes] = [0, 0];
  for (const name of namesIn(directory)) {
    try {
      const entry = statSync(join(directory, name));
      files++;
      if (entry.isFile()) bytes += entry.size;
    } catch {
      // It was removed since the listing.
    }
  }
  return { files, bytes };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: "utf8" });
  } catch {
    return []; // It was removed, or a folder in it while it was listed.
  }
}
