/** What an owner learns of the end of a worker whose connection is gone: why it died, and with how much begun. */
import { type Clock, sleep } from "../../base/clock.ts";
import type { LeaseChannel } from "./lease-channel.ts";
import type { WorkerLink } from "./worker-link.ts";

/** How long to wait for the node's word on why a worker died, once its connection is gone. */
const DEATH_WORD_MS = 2000;
/** How long it may take from there until a process that was to be killed is gone. */
const KILL_WORD_MS = 10_000;

export class WorkerDeaths {
  readonly #clock: Clock;
  readonly #kill: (leaseId: string, graceMs: number, reason: string) => void;
  readonly #isWaiting: () => boolean;
  readonly #wakes = new Map<LeaseChannel, () => void>();
  /** What a lost worker had begun, over all its leases: counted when the first is told, before any of it is taken. */
  readonly #begunTogether = new WeakMap<WorkerLink, number>();

  /**
   * @param kill stops the worker of a lease
   * @param isWaiting false once this process shuts down: then nothing is waited for
   */
  constructor(clock: Clock, kill: (leaseId: string, graceMs: number, reason: string) => void, isWaiting: () => boolean) {
    this.#clock = clock;
    this.#kill = kill;
    this.#isWaiting = isWaiting;
  }

  /** The node has said why: the lease has its cause. */
  told(lease: LeaseChannel): void {
    this.#wakes.get(lease)?.();
  }

  /** How many calls the worker of this lease had begun, on all its leases. */
  countBegun({ link }: LeaseChannel, leases: Iterable<LeaseChannel>): number {
    let count = this.#begunTogether.get(link);
    if (count === undefined) {
      count = [...leases].reduce((sum, lease) => sum + (lease.link === link ? lease.begunCount : 0), 0);
      this.#begunTogether.set(link, count);
    }
    return count;
  }

  /** Resolves when the node has said why the worker died, or will not. */
  async awaitCause(lease: LeaseChannel): Promise<void> {
    await this.#awaitWord(lease, DEATH_WORD_MS);
    if (lease.deathCause !== undefined || !this.#isWaiting()) return;
    // The process lives, and cannot be reached: no second attempt may begin before the first is sure to be over.
    this.#kill(lease.grant.leaseId, 0, "its connection was lost");
    await this.#awaitWord(lease, KILL_WORD_MS);
  }

  async #awaitWord(lease: LeaseChannel, longestMs: number): Promise<void> {
    if (lease.deathCause !== undefined || !this.#isWaiting()) return;
    const stop = new AbortController();
    this.#wakes.set(lease, () => stop.abort());
    await sleep(this.#clock, longestMs, stop.signal);
    this.#wakes.delete(lease);
  }
}
