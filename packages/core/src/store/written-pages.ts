/**
 * Which pages of a private mapping this process has written to. A page of the file is a page of the file until the
 * first write; then it is an anonymous copy, and the kernel tells in `/proc/self/pagemap`: by a scan (Linux 6.7), or
 * entry by entry. Dropping only those keeps the others mapped, so that the next reader of a gigabyte does not fault it
 * in again.
 */
import { openSync, readSync } from "node:fs";
import { scanWrittenPages } from "./posix.ts";

export interface Run {
  /** Bytes from the start of the range. */
  readonly offset: number;
  readonly bytes: number;
}

/** Below this, asking costs more than faulting the pages in again. */
const ASK_FROM_BYTES = 1024 * 1024;
/** Past this many separate runs one call for all is quicker. */
const MAX_RUNS = 1024;

/** Pages are 4 KiB or a power of two above; one entry of 8 bytes each. */
const ENTRY_BYTES = 8;
const CHUNK_ENTRIES = 32 * 1024;
/** In the upper half of an entry: bit 63 present, 62 swapped out, 61 of a file or shared. */
const PRESENT_OR_SWAPPED = 0xc0000000 | 0;
const OF_A_FILE = 0x20000000;

let pagemap = -1;
const chunk = new Int32Array((CHUNK_ENTRIES * ENTRY_BYTES) / Int32Array.BYTES_PER_ELEMENT);

/**
 * @param address of the range, on a page boundary
 * @returns runs that cover at least every written page; the whole range when the system does not tell
 */
export function writtenRuns(address: bigint, bytes: number, pageBytes: number): readonly Run[] {
  const whole = [{ offset: 0, bytes }];
  if (bytes < ASK_FROM_BYTES || !openPagemap()) return whole;
  const scanned = scanWrittenPages(pagemap, address, bytes, MAX_RUNS);
  if (scanned !== undefined) return scanned.map(([from, to]) => ({ offset: Number(from - address), bytes: Number(to - from) }));
  return readWrittenRuns(address, bytes, pageBytes) ?? whole;
}

function openPagemap(): boolean {
  if (pagemap >= 0) return true;
  try {
    pagemap = openSync("/proc/self/pagemap", "r");
    return true;
  } catch {
    // Hidden by some sandboxes: then all pages count as written.
    return false;
  }
}

/** The slow way, for older kernels. @returns undefined when there are too many, or the system does not tell */
export function readWrittenRuns(address: bigint, bytes: number, pageBytes: number): readonly Run[] | undefined {
  if (!openPagemap()) return undefined;
  const runs: { offset: number; bytes: number }[] = [];
  const pageCount = Math.ceil(bytes / pageBytes);
  const firstPage = Number(address / BigInt(pageBytes));
  for (let done = 0; done < pageCount; done += CHUNK_ENTRIES) {
    const count = Math.min(CHUNK_ENTRIES, pageCount - done);
    if (!readEntries(firstPage + done, count)) return undefined;
    addRuns(runs, done, count, pageBytes);
    if (runs.length > MAX_RUNS) return undefined;
  }
  return runs;
}

function readEntries(page: number, count: number): boolean {
  return readSync(pagemap, chunk, 0, count * ENTRY_BYTES, page * ENTRY_BYTES) === count * ENTRY_BYTES;
}

function addRuns(runs: { offset: number; bytes: number }[], done: number, count: number, pageBytes: number): void {
  for (let entry = 0; entry < count; entry++) {
    const upper = chunk[2 * entry + 1] ?? 0;
    if ((upper & PRESENT_OR_SWAPPED) === 0 || (upper & OF_A_FILE) !== 0) continue;
    const offset = (done + entry) * pageBytes;
    const last = runs.at(-1);
    if (last !== undefined && last.offset + last.bytes === offset) last.bytes += pageBytes;
    else runs.push({ offset, bytes: pageBytes });
  }
}
