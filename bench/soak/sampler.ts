/** All figures that must stay flat, at one moment. */
import { storeUsage } from "@raia/core";
import { currentRuntime } from "@raia/core/internal";
import { sharedMemoryFiles } from "@raia/testing/fixtures/leak-check";
import type { Series, Tolerance } from "./gates.ts";
import { descendantsOf, descriptorsOf, memoryOf, sizeOf } from "./process-figures.ts";

const MEBIBYTE = 1024 * 1024;

/** Of each figure: its unit, and how much it may grow after warm-up. */
export const figures = {
  driverResident: { unit: "bytes", relative: 0.15, absolute: 48 * MEBIBYTE },
  driverPrivate: { unit: "bytes", relative: 0.1, absolute: 24 * MEBIBYTE },
  driverHeap: { unit: "bytes", relative: 0.1, absolute: 12 * MEBIBYTE },
  headPrivate: { unit: "bytes", relative: 0.1, absolute: 24 * MEBIBYTE },
  workersPrivate: { unit: "bytes", relative: 0.15, absolute: 384 * MEBIBYTE },
  workerHighestPrivate: { unit: "bytes", relative: 0.15, absolute: 32 * MEBIBYTE },
  processes: { unit: "count", relative: 0.1, absolute: 16 },
  driverDescriptors: { unit: "count", relative: 0.1, absolute: 16 },
  headDescriptors: { unit: "count", relative: 0.1, absolute: 48 },
  arenaUsed: { unit: "bytes", relative: 0.1, absolute: 16 * MEBIBYTE },
  arenaPinned: { unit: "bytes", relative: 0.1, absolute: 16 * MEBIBYTE },
  spilled: { unit: "bytes", relative: 0.1, absolute: 16 * MEBIBYTE },
  sessionDisk: { unit: "bytes", relative: 0.1, absolute: 16 * MEBIBYTE },
  sessionFiles: { unit: "count", relative: 0.1, absolute: 32 },
  logDisk: { unit: "bytes", relative: 0.1, absolute: 4 * MEBIBYTE },
  logFiles: { unit: "count", relative: 0.1, absolute: 16 },
  sharedMemoryFiles: { unit: "count", relative: 0, absolute: 0 },
  pendingCalls: { unit: "count", relative: 0.1, absolute: 300 },
  ownedObjects: { unit: "count", relative: 0.1, absolute: 600 },
  borrowedObjects: { unit: "count", relative: 0.1, absolute: 20 },
  exportedObjects: { unit: "count", relative: 0.1, absolute: 50 },
} as const satisfies { readonly [name: string]: Tolerance & { readonly unit: Series["unit"] } };

export type Figure = keyof typeof figures;
export type Sample = { readonly [name in Figure]: number };
export const figureNames = Object.keys(figures) as Figure[];

export interface Places {
  readonly headPid: number;
  readonly sessionDirectory: string;
  readonly logDirectory: string;
  readonly sharedMemoryBefore: ReadonlySet<string>;
}

export async function takeSample({ headPid, sessionDirectory, logDirectory, sharedMemoryBefore }: Places): Promise<Sample> {
  const [store] = await storeUsage();
  const held = currentRuntime()?.inspect();
  const driver = memoryOf(process.pid);
  const workers = descendantsOf(headPid).map((pid) => memoryOf(pid)?.privateBytes ?? 0);
  const session = sizeOf(sessionDirectory);
  const logs = sizeOf(logDirectory);
  return {
    driverResident: driver?.residentBytes ?? 0,
    driverPrivate: driver?.privateBytes ?? 0,
    driverHeap: process.memoryUsage().heapUsed,
    headPrivate: memoryOf(headPid)?.privateBytes ?? 0,
    workersPrivate: workers.reduce((sum, bytes) => sum + bytes, 0),
    workerHighestPrivate: Math.max(0, ...workers),
    processes: workers.length,
    driverDescriptors: descriptorsOf(process.pid),
    headDescriptors: descriptorsOf(headPid),
    arenaUsed: store?.usage.usedBytes ?? 0,
    arenaPinned: store?.usage.pinnedBytes ?? 0,
    spilled: store?.usage.spilledBytes ?? 0,
    sessionDisk: session.bytes,
    sessionFiles: session.files,
    logDisk: logs.bytes,
    logFiles: logs.files,
    sharedMemoryFiles: sharedMemoryFiles().filter((name) => !sharedMemoryBefore.has(name)).length,
    pendingCalls: held?.pendingCalls ?? 0,
    ownedObjects: held?.owned ?? 0,
    borrowedObjects: held?.borrowed ?? 0,
    exportedObjects: held?.exported ?? 0,
  };
}
