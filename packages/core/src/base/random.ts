import { closeSync, openSync, readSync } from "node:fs";
import { crypto } from "./late-modules.ts";

/** Chance comes in through this interface, so that a simulated run repeats. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** `count` bytes. From `realRandom` they are fit for secrets. */
  bytes(count: number): Uint8Array;
}

export const realRandom: Random = {
  next: Math.random,
  bytes: (count) => takeBytes(count),
};

/** The system's own source, as `crypto` would ask it: without loading that, and for many ids at a time. */
const SOURCE = "/dev/urandom";
const POOL_BYTES = 1024;
let pool = new Uint8Array(0);
let taken = 0;

function takeBytes(count: number): Uint8Array {
  if (taken + count > pool.length) {
    pool = readSource(Math.max(POOL_BYTES, count));
    taken = 0;
  }
  const bytes = pool.slice(taken, taken + count);
  // Nothing keeps what was given away.
  pool.fill(0, taken, taken + count);
  taken += count;
  return bytes;
}

function readSource(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  try {
    const descriptor = openSync(SOURCE, "r");
    try {
      if (readSync(descriptor, bytes) === count) return bytes;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // No such device, or no descriptor left: `crypto` has ways of its own.
  }
  crypto().getRandomValues(bytes);
  return bytes;
}

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
