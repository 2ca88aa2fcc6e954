/** Lets something happen so often and no more: `burst` at once, and then `perMinute`. */
export interface RateLimits {
  readonly burst: number;
  readonly perMinute: number;
}

/** A rack of machines may join at once; whoever guesses tokens of 128 bits gets nowhere, but should not cost anything either. */
export const defaultJoinRate: RateLimits = { burst: 100, perMinute: 300 };

export class Rate {
  readonly #limits: RateLimits;
  #left: number;
  #atMs: number;

  constructor(limits: RateLimits, nowMs: number) {
    this.#limits = limits;
    this.#left = limits.burst;
    this.#atMs = nowMs;
  }

  take(nowMs: number): boolean {
    const { burst, perMinute } = this.#limits;
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#atMs) * perMinute) / 60_000);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
