/**
 * The effects of one life, performed in the order in which they were decided. What follows a write waits until it is durable,
 * however often it must be tried: going on without would break what the record promises to the next control process.
 */
import { type Clock, sleep } from "../base/clock.ts";
import type { RecordChange, RecordStore } from "./record-store.ts";

/** Stands among the effects where the record is to be written. */
export const WRITE: unique symbol = Symbol("write");

export interface DurableEffectsOptions<Effect> {
  readonly clock: Clock;
  readonly store: RecordStore;
  /** What a write writes, asked when its turn has come. */
  readonly changes: () => readonly RecordChange[];
  readonly perform: (effect: Effect) => void;
  readonly onStoreFailure: () => void;
}

/** Pause before a write that failed is tried again: a full disk may be given room. */
const STORE_RETRY_MS = 1_000;

export class DurableEffects<Effect> {
  readonly #options: DurableEffectsOptions<Effect>;
  readonly #queue: (Effect | typeof WRITE)[] = [];
  #isDraining = false;
  #registered: Promise<void> = Promise.resolve();
  /** Those who wait until all that was decided is durable. */
  #waiting: PromiseWithResolvers<void>[] = [];

  constructor(options: DurableEffectsOptions<Effect>) {
    this.#options = options;
  }

  /** Writes the first record. @throws {RaiaError} CONTROL_STORE_FAILED */
  register(changes: readonly RecordChange[]): Promise<void> {
    const written = this.#options.store.write(changes);
    this.#registered = written.catch(() => {
      // Whoever registers it is told.
    });
    return written;
  }

  /** Resolves when the first record is written, or could not be; the state then says which. */
  get registered(): Promise<void> {
    return this.#registered;
  }

  add(effects: Iterable<Effect | typeof WRITE>): void {
    this.#queue.push(...effects);
    if (!this.#isDraining) void this.#drain();
  }

  /**
   * Resolves when what was decided so far is durable and done.
   *
   * @throws {RaiaError} CONTROL_STORE_FAILED when it cannot be written now; it is tried again all the same
   */
  settled(): Promise<void> {
    if (!this.#isDraining) return Promise.resolve();
    const waiting = Promise.withResolvers<void>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  async #drain(): Promise<void> {
    const { perform } = this.#options;
    this.#isDraining = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (next === WRITE) await this.#write();
      else perform(next);
    }
    this.#isDraining = false;
    for (const waiting of this.#waiting.splice(0)) waiting.resolve();
  }

  async #write(): Promise<void> {
    const { clock, store, changes, onStoreFailure } = this.#options;
    for (;;) {
      try {
        await store.write(changes());
        return;
      } catch (error) {
        onStoreFailure();
        for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
        await sleep(clock, STORE_RETRY_MS);
      }
    }
  }
}
