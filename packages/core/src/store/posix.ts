/**
 * The few calls of the C library that Node does not have: mapped memory, anonymous files, locks, death with the parent. They
 * are bound at the first use of each, because loading the foreign-function library costs 4 to 15 ms that a driver with
 * small values never needs to pay. Addresses are BigInt.
 */
import { createRequire } from "node:module";
import { RaiaError } from "../base/errors.ts";

type Koffi = typeof import("koffi");
type Address = bigint;

const linux = process.platform === "linux";

/** Numbers of <sys/mman.h> and <sys/prctl.h>; where systems differ, Linux first. */
const PROT_READ_WRITE = 1 | 2;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
/** The arena is larger than what is used of it: reserve addresses, not memory. */
const MAP_NORESERVE = linux ? 0x4000 : 0x40;
const MADV_DONTNEED = 4;
const MADV_REMOVE = 9;
const MADV_POPULATE_WRITE = 23;
const MFD_CLOEXEC = 1;
const PR_SET_PDEATHSIG = 1;
const SC_PAGESIZE = 30;

/** Numbers of <linux/fs.h>, `PAGEMAP_SCAN` (Linux 6.7). */
const PAGEMAP_SCAN = 0xc0606610;
const PAGE_IS_FILE = 1n << 2n;
const PAGE_IS_PRESENT = 1n << 3n;
const PAGE_IS_SWAPPED = 1n << 4n;
const WORDS_PER_REGION = 3;

let koffi: Koffi | undefined;
const bound = new Map<string, unknown>();

/** Loads the foreign-function library now, for a program that is about to wait anyway. */
export function warmPosix(): void {
  library();
}

function library(): Koffi {
  koffi ??= load();
  return koffi;
}

/** The library's own door looks for its binary in many ways, which takes as long again as to load it: 4 ms of each process. */
function load(): Koffi {
  const require = createRequire(import.meta.url);
  try {
    return createRequire(require.resolve("koffi"))(`@koromix/koffi-${process.platform}-${process.arch}`) as Koffi;
  } catch {
    // Built from source, or for a platform whose binary lies elsewhere: the library knows.
    return require("koffi") as Koffi;
  }
}

function bind<F extends (...args: never[]) => unknown>(declaration: string): F & { async: (...args: unknown[]) => void } {
  const known = bound.get(declaration) ?? library().load(null).func(declaration);
  bound.set(declaration, known);
  return known as F & { async: (...args: unknown[]) => void };
}

function failed(call: string, facts: Readonly<Record<string, string | number>> = {}): RaiaError {
  const { errno, os } = library();
  const number = errno();
  const name = Object.entries(os.errno).find(([, value]) => value === number)?.[0];
  return new RaiaError("SYSTEM_CALL_FAILED", { call, errno: name ?? number, ...facts });
}

/** A file without a name that vanishes with its last user; others open `/proc/<pid>/fd/<n>`. Linux only. */
export function createMemoryFile(name: string): number {
  const descriptor = bind<(name: string, flags: number) => number>("int memfd_create(const char *name, unsigned int flags)")(
    name,
    MFD_CLOEXEC,
  );
  if (descriptor < 0) throw failed("memfd_create");
  return descriptor;
}

/** Maps `bytes` of a file from `offset` on (a multiple of the page size). */
export function map(descriptor: number, offset: number, bytes: number, sharing: "shared" | "private"): Address {
  return mapAt(0n, descriptor, offset, bytes, sharing === "shared" ? MAP_SHARED : MAP_PRIVATE);
}

/** Puts a new private mapping where an old one is, which drops every page that was written there. */
export function remapPrivate(address: Address, descriptor: number, offset: number, bytes: number): void {
  mapAt(address, descriptor, offset, bytes, MAP_PRIVATE | MAP_FIXED);
}

function mapAt(wanted: Address, descriptor: number, offset: number, bytes: number, flags: number): Address {
  const mmap = bind<(wanted: Address, bytes: number, protection: number, flags: number, descriptor: number, offset: number) => Address>(
    "uintptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int descriptor, int64_t offset)",
  );
  const address = BigInt(mmap(wanted, bytes, PROT_READ_WRITE, flags | MAP_NORESERVE, descriptor, offset));
  if (address === 2n ** 64n - 1n) throw failed("mmap", { bytes });
  return address;
}

export function unmap(address: Address, bytes: number): void {
  if (bind<(address: Address, bytes: number) => number>("int munmap(uintptr_t address, size_t length)")(address, bytes) !== 0)
    throw failed("munmap");
}

let knownPageBytes: number | undefined;

/** Bytes of a page. Linux only. */
export function pageBytes(): number {
  knownPageBytes ??= bind<(name: number) => number>("long sysconf(int name)")(SC_PAGESIZE);
  return knownPageBytes;
}

/** An ArrayBuffer over mapped memory, without a copy. Reading it after `unmap` ends the process. */
export function view(address: Address, bytes: number): ArrayBuffer {
  return library().view(address, bytes);
}

const MADVISE = "int madvise(uintptr_t address, size_t length, int advice)";
type Madvise = (address: Address, bytes: number, advice: number) => number;

/** Drops the pages of a private mapping: the next read sees the file again. Linux only. */
export function dropPages(address: Address, bytes: number): void {
  if (bind<Madvise>(MADVISE)(address, bytes, MADV_DONTNEED) !== 0) throw failed("madvise");
}

/** Runs of pages: first address, end address, each. */
export type PageRuns = readonly (readonly [from: Address, to: Address])[];

/**
 * The pages of a private mapping that are no longer the file's, found by the kernel without telling about the others.
 *
 * @param pagemap `/proc/self/pagemap`, open
 * @returns undefined when this kernel cannot, or when there are more than `maxRuns`
 */
export function scanWrittenPages(pagemap: number, address: Address, bytes: number, maxRuns: number): PageRuns | undefined {
  const ioctl = bind<(descriptor: number, request: number, argument: BigUint64Array) => number>(
    "int ioctl(int descriptor, unsigned long request, void *argument)",
  );
  const regions = new BigUint64Array(maxRuns * WORDS_PER_REGION);
  // struct pm_scan_arg: size, flags, start, end, walk_end, vec, vec_len, max_pages, and four masks of categories:
  // inverted, all of, any of, returned. "All of" not-a-file, and present or swapped.
  const present = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
  const range = [address, address + BigInt(bytes)] as const;
  const output = [0n, library().address(regions), BigInt(maxRuns), 0n] as const;
  const argument = BigUint64Array.of(96n, 0n, ...range, ...output, PAGE_IS_FILE, PAGE_IS_FILE, present, PAGE_IS_PRESENT);
  const count = ioctl(pagemap, PAGEMAP_SCAN, argument);
  if (count < 0 || count >= maxRuns) return undefined;
  return Array.from({ length: count }, (_unused, run) => [
    regions[run * WORDS_PER_REGION] ?? 0n,
    regions[run * WORDS_PER_REGION + 1] ?? 0n,
  ]);
}

/** Touches pages of a shared mapping from a thread, so that the first write to them is as quick as later ones. False: not here, or not now. */
export function populate(address: Address, bytes: number): Promise<boolean> {
  return adviseFromThread(address, bytes, MADV_POPULATE_WRITE);
}

/** Gives the memory behind a shared mapping back to the system, from a thread; it reads as zero afterwards. False: not here. */
export function punchHole(address: Address, bytes: number): Promise<boolean> {
  return adviseFromThread(address, bytes, MADV_REMOVE);
}

/** The thread must be done before the process ends or unmaps. */
function adviseFromThread(address: Address, bytes: number, advice: number): Promise<boolean> {
  if (!linux) return Promise.resolve(false);
  const madvise = bind<Madvise>(MADVISE);
  return new Promise((resolve) => {
    madvise.async(address, bytes, advice, (error: unknown, result: number) => resolve(error == null && result === 0));
  });
}

const LOCK_EXCLUSIVE = 2;
const LOCK_AT_ONCE = 4;

/**
 * Takes the lock of an open file or directory, until the descriptor is closed or its process ends.
 *
 * @returns false when another has it; true also where the file system has no locks
 */
export function tryLock(descriptor: number): boolean {
  const flock = bind<(descriptor: number, operation: number) => number>("int flock(int descriptor, int operation)");
  if (flock(descriptor, LOCK_EXCLUSIVE | LOCK_AT_ONCE) === 0) return true;
  const { errno, os } = library();
  return errno() !== os.errno.EAGAIN;
}

/**
 * Asks the kernel to send this process `signal` when its parent dies, so that nothing outlives a parent that was shot.
 * Elsewhere than on Linux it does nothing: the closed connection has to do.
 *
 * @param parentPid who the parent is believed to be
 * @returns false when the parent has died already, and no signal will come
 */
export function dieWithParent(signal: number, parentPid: number): boolean {
  if (linux) {
    const prctl = bind<(option: number, argument: number, ...unused: number[]) => number>(
      "int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)",
    );
    if (prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) !== 0) throw failed("prctl");
  }
  // It may have died before the kernel was asked.
  return process.ppid === parentPid;
}
