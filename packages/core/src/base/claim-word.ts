/**
 * One word of shared memory for each slot of a lease: who has taken the call. Owner, node and worker settle by
 * compare-exchange whether it runs, so a worker in a busy loop cannot hold back what it has not begun, and after a death
 * everybody can see what it had begun. The generation in the upper bits keeps a late reader from taking a slot's next call.
 */
export const claimState = { queued: 1, started: 2, recalled: 3 } as const;

const STATE_BITS = 2;
const STATE_MASK = 3;
const MAX_GENERATION = 2 ** 29;

export function nextGeneration(generation: number): number {
  return (generation + 1) % MAX_GENERATION;
}

/** The word of a queued call: what the push carries and the worker must find. */
export function queuedWord(generation: number): number {
  return (generation << STATE_BITS) | claimState.queued | 0;
}

/** Worker: begins the call. False when it was recalled. */
export function claimStart(words: Int32Array, slot: number, queued: number): boolean {
  return Atomics.compareExchange(words, slot, queued, queued + (claimState.started - claimState.queued)) === queued;
}

/** Owner or node: takes the call back. False when the worker has begun it. */
export function claimRecall(words: Int32Array, slot: number, queued: number): boolean {
  return Atomics.compareExchange(words, slot, queued, queued + (claimState.recalled - claimState.queued)) === queued;
}

export function hasStarted(words: Int32Array, slot: number, queued: number): boolean {
  const word = Atomics.load(words, slot);
  return word === queued + (claimState.started - claimState.queued) && (word & STATE_MASK) === claimState.started;
}
