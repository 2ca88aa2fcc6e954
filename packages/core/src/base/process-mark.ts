import { readFileSync } from "node:fs";

/**
 * Tells one process from a later one with the same pid: pid, when it started (in ticks since the machine started), and
 * which start of the machine that was. An adapter: it reads `/proc`.
 */
export interface ProcessMark {
  readonly pid: number;
  /** Absent where there is no `/proc`; a pid alone then proves nothing, and a live probe must decide. */
  readonly startTicks?: number;
  readonly bootId?: string;
}

export function processMark(pid: number): ProcessMark {
  const startTicks = startTicksOf(pid);
  const bootId = read("/proc/sys/kernel/random/boot_id")?.trim();
  return { pid, ...(startTicks === undefined ? {} : { startTicks }), ...(bootId === undefined ? {} : { bootId }) };
}

/** Whether the very process that was marked still runs. `false` where that cannot be known. */
export function isSameProcess(mark: ProcessMark): boolean {
  if (mark.startTicks === undefined) return false;
  const now = processMark(mark.pid);
  return now.startTicks === mark.startTicks && now.bootId === mark.bootId;
}

/** Field 22 of `/proc/pid/stat`; the command name before it is in brackets and may hold anything. A zombie is gone. */
function startTicksOf(pid: number): number | undefined {
  const text = read(`/proc/${pid}/stat`);
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  if (fields === undefined || fields[0] === "Z" || fields[0] === "X") return undefined;
  const ticks = Number(fields[19]);
  return Number.isSafeInteger(ticks) ? ticks : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined; // No such process, or no /proc: the same answer, nothing is known.
  }
}
