export interface FunctionEntry {
  readonly hash: string;
  readonly code: Uint8Array;
  /** The jobs that put it. It goes with the last of them. */
  readonly jobIds: Set<string>;
}

/** Code by its hash, and who needs it. */
export class FunctionTable {
  readonly #entries = new Map<string, FunctionEntry>();
  readonly #ofJob = new Map<string, Set<FunctionEntry>>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(hash: string): FunctionEntry | undefined {
    return this.#entries.get(hash);
  }

  add(hash: string, code: Uint8Array): FunctionEntry {
    const known = this.#entries.get(hash);
    if (known !== undefined) return known;
    const entry: FunctionEntry = { hash, code, jobIds: new Set() };
    this.#entries.set(hash, entry);
    this.#bytes += code.byteLength;
    return entry;
  }

  hold(entry: FunctionEntry, jobId: string): void {
    entry.jobIds.add(jobId);
    const held = this.#ofJob.get(jobId) ?? new Set();
    this.#ofJob.set(jobId, held.add(entry));
  }

  /** The job needs none of its functions any more. Returns those that are gone, and those that others still need. */
  releaseJob(jobId: string): { readonly freed: readonly FunctionEntry[]; readonly kept: readonly FunctionEntry[] } {
    const held = [...(this.#ofJob.get(jobId) ?? [])];
    this.#ofJob.delete(jobId);
    for (const entry of held) entry.jobIds.delete(jobId);
    const freed = held.filter(({ jobIds }) => jobIds.size === 0);
    for (const { hash, code } of freed) {
      this.#entries.delete(hash);
      this.#bytes -= code.byteLength;
    }
    return { freed, kept: held.filter(({ jobIds }) => jobIds.size > 0) };
  }
}
