/** The spill disk of a simulation: it takes its time, and where the seed says so it fills up, tears writes and flips bits. */
import { type Clock, type Disk, type DiskFile, FakeDisk, type Random, randomBelow } from "@raia/core/internal";
import type { SimCounts } from "./sim-counts.ts";

export interface DiskFaults {
  /** Share of the operations that fail, each in a way of its own. */
  readonly share: number;
}

const LONGEST_MS = 5;
/** Not a number of the disk's own: what spilling and reading back take for granted is that either works or says why. */
const writeErrors = ["ENOSPC", "EIO"] as const;

export class SimDisk implements Disk {
  readonly #inner = new FakeDisk();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #faults: DiskFaults;
  readonly #counts: SimCounts;
  isBroken = true;

  constructor(clock: Clock, random: Random, faults: DiskFaults, counts: SimCounts) {
    this.#clock = clock;
    this.#random = random;
    this.#faults = faults;
    this.#counts = counts;
  }

  get fileNames(): readonly string[] {
    return [...this.#inner.files.keys()];
  }

  async create(name: string): Promise<DiskFile> {
    await this.#pause();
    this.#counts.add("spilled file");
    return this.#file(await this.#inner.create(name));
  }

  async open(name: string): Promise<DiskFile> {
    await this.#pause();
    return this.#file(await this.#inner.open(name));
  }

  async unlink(name: string): Promise<void> {
    await this.#pause();
    await this.#inner.unlink(name);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#pause();
    await this.#inner.rename(from, to);
  }

  list(): Promise<readonly string[]> {
    return this.#inner.list();
  }

  writeWholeSync(name: string, parts: readonly Uint8Array[]): void {
    if (this.#fails()) throw this.#error();
    this.#counts.add("overflow file");
    this.#inner.writeWholeSync(name, parts);
  }

  #file(inner: DiskFile): DiskFile {
    return {
      write: async (bytes, position) => {
        await this.#pause();
        if (!this.#fails()) return inner.write(bytes, position);
        if (randomBelow(this.#random, 2) === 0) throw this.#error();
        // Torn: a part is there, and nobody hears of it.
        this.#counts.add("fault: torn write");
        return inner.write(bytes.subarray(0, randomBelow(this.#random, bytes.byteLength)), position);
      },
      read: async (into, position) => {
        await this.#pause();
        const isFlipped = this.#fails();
        if (isFlipped && randomBelow(this.#random, 3) === 0) throw this.#error();
        const count = await inner.read(into, position);
        if (isFlipped && count > 0) {
          this.#counts.add("fault: flipped bit");
          into[randomBelow(this.#random, count)]! ^= 1 << randomBelow(this.#random, 8);
        }
        return count;
      },
      close: () => inner.close(),
    };
  }

  #fails(): boolean {
    return this.isBroken && this.#faults.share > 0 && this.#random.next() < this.#faults.share;
  }

  #error(): NodeJS.ErrnoException {
    const code = writeErrors[randomBelow(this.#random, writeErrors.length)] as string;
    this.#counts.add(`fault: disk ${code}`);
    return Object.assign(new Error(`${code}: simulated disk`), { code });
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#clock.after(this.#random.next() * LONGEST_MS, resolve));
  }
}
