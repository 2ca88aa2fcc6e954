import { randomBytes } from "node:crypto";

/** Chance comes in through this interface, so that a simulated run repeats. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** `count` bytes. From `realRandom` they are fit for secrets. */
  bytes(count: number): Uint8Array;
}

export const realRandom: Random = {
  next: Math.random,
  bytes: (count) => randomBytes(count),
};

/** A repeatable generator: the same seed gives the same numbers. Not for secrets. @source splitmix32 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  function word(): number {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }
  return {
    next: () => word() / 2 ** 32,
    bytes: (count) => Uint8Array.from({ length: count }, () => word() & 0xff),
  };
}

/** An integer in [0, below). */
export function randomBelow(random: Random, below: number): number {
  return Math.floor(random.next() * below);
}
