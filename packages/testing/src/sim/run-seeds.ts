/**
 * Many seeds, in several processes: a parent that hands out ranges, shows how far it is and adds up, and children that run
 * them. Ctrl-C ends with what was found so far.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SimCounts } from "./sim-counts.ts";

export interface SeedsOptions {
  readonly count: number;
  readonly start: number;
  readonly jobs: number;
  readonly maxFailures: number;
  readonly planted: string | undefined;
  readonly twice: boolean;
}

/** Parent to child. */
export interface SeedRange {
  readonly first: number;
  readonly count: number;
  readonly planted: string | undefined;
  readonly twice: boolean;
}

/** Child to parent, after each seed. */
export interface SeedReport {
  readonly seed: number;
  readonly counts: readonly (readonly [what: string, times: number])[];
  readonly failure: string | undefined;
  readonly isLast: boolean;
}

const RANGE = 10;
const PROGRESS_EVERY_MS = 2000;

/** @returns the exit code */
export function runSeeds(options: SeedsOptions): Promise<number> {
  return new SeedsRun(options).run();
}

class SeedsRun {
  readonly #options: SeedsOptions;
  readonly #counts = new SimCounts();
  readonly #startedAtMs = performance.now();
  readonly #children = new Set<ChildProcess>();
  readonly #ended = Promise.withResolvers<void>();
  #handedOut = 0;
  #done = 0;
  #failures = 0;
  #isStopping = false;
  #lastProgressAtMs = 0;

  constructor(options: SeedsOptions) {
    this.#options = options;
  }

  async run(): Promise<number> {
    const { count, start, jobs } = this.#options;
    const interrupted = (): void => this.#stop();
    process.on("SIGINT", interrupted);
    const children = Math.min(jobs, Math.ceil(count / RANGE));
    console.log(`${count} seeds from ${start}, in ${children} processes`);
    for (let child = 0; child < children; child++) this.#startChild();
    await this.#ended.promise;
    process.removeListener("SIGINT", interrupted);
    return this.#summary();
  }

  #startChild(): void {
    const child = fork(fileURLToPath(new URL("seed-process.ts", import.meta.url)), { stdio: "inherit" });
    this.#children.add(child);
    child.on("message", (report: SeedReport) => this.#reported(child, report));
    child.on("exit", (code, signal) => this.#exited(child, code, signal));
    this.#handOut(child);
  }

  #handOut(child: ChildProcess): void {
    const { count, start, planted, twice } = this.#options;
    const left = Math.min(RANGE, count - this.#handedOut);
    if (left <= 0 || this.#isStopping) {
      child.disconnect();
      return;
    }
    const range: SeedRange = { first: start + this.#handedOut, count: left, planted, twice };
    this.#handedOut += left;
    child.send(range);
  }

  #reported(child: ChildProcess, { seed, counts, failure, isLast }: SeedReport): void {
    this.#done++;
    for (const [what, times] of counts) this.#counts.add(what, times);
    if (failure !== undefined) this.#failed(seed, failure);
    this.#progress();
    if (isLast && child.connected) this.#handOut(child);
  }

  #failed(seed: number, failure: string): void {
    const { maxFailures, planted } = this.#options;
    this.#failures++;
    const plantedOption = planted === undefined ? "" : ` --planted ${planted}`;
    console.log(`npm run sim -- --seed ${seed}${plantedOption}\n  ${failure.slice(0, 1500)}`);
    if (this.#failures >= maxFailures || planted !== undefined) this.#stop();
  }

  #stop(): void {
    this.#isStopping = true;
    for (const child of this.#children) child.kill("SIGKILL");
  }

  #exited(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    this.#children.delete(child);
    if (!this.#isStopping && (code !== 0 || signal !== null)) {
      this.#failures++;
      console.log(`a process that ran seeds ended with ${signal ?? `exit code ${code}`}`);
      this.#stop();
    }
    if (this.#children.size === 0) this.#ended.resolve();
  }

  #progress(): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastProgressAtMs < PROGRESS_EVERY_MS) return;
    this.#lastProgressAtMs = nowMs;
    const { count } = this.#options;
    const seconds = (nowMs - this.#startedAtMs) / 1000;
    const leftSeconds = Math.round((seconds / this.#done) * (count - this.#done));
    if (process.stderr.isTTY)
      process.stderr.write(`\r${this.#done} of ${count} seeds, ${this.#failures} failed, ${leftSeconds} s left \x1b[K`);
  }

  #summary(): number {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    const { planted } = this.#options;
    const seconds = (performance.now() - this.#startedAtMs) / 1000;
    for (const [what, times] of this.#counts.entries) console.log(`  ${what.padEnd(28)} ${times}`);
    console.log(`${this.#done} seeds in ${seconds.toFixed(0)} s (${(this.#done / seconds).toFixed(1)} a second): ${this.#failures} failed`);
    if (planted === undefined) return this.#failures === 0 ? 0 : 1;
    console.log(this.#failures > 0 ? `${planted}: caught` : `${planted}: NOT caught`);
    return this.#failures > 0 ? 0 : 1;
  }
}
