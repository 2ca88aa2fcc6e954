/**
 * Shoots a random worker every second, the way a kernel out of memory or an impatient colleague would; but never twice without a
 * task having finished in between, or a machine on which a worker takes a second to start would never get anything done.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { listWorkers, RaiaError } from "raia";

const intervalMs = 1000;

export class Chaos {
  #shot = 0;
  readonly #finished: () => number;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  /** @param finished tasks that have finished so far */
  constructor(finished: () => number) {
    this.#finished = finished;
    this.#ended = this.#shootUntilStopped(this.#stop.signal);
  }

  /** Workers killed so far. */
  get shot(): number {
    return this.#shot;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #shootUntilStopped(signal: AbortSignal): Promise<void> {
    let finishedAtLastShot = 0;
    while (await pause(intervalMs, signal)) {
      const finished = this.#finished();
      if (finished === finishedAtLastShot) continue;
      const workers = await workerPids();
      const pid = workers[Math.floor(Math.random() * workers.length)];
      if (!signal.aborted && pid !== undefined && kill(pid)) {
        this.#shot++;
        finishedAtLastShot = finished;
      }
    }
  }
}

/**
 * The processes that run tasks. The actor behind the progress line is spared: it would start again, but one that dies every few
 * seconds does so ever more slowly, and the line would stand still.
 */
async function workerPids(): Promise<number[]> {
  try {
    return (await listWorkers()).filter(({ kind }) => kind === "task").map(({ pid }) => pid);
  } catch (error) {
    if (error instanceof RaiaError) return [];
    throw error;
  }
}

/** @returns false when `signal` aborted */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal });
    return true;
  } catch {
    // Only the signal ends a pause early.
    return false;
  }
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    // It was gone before the shot.
    return false;
  }
}
