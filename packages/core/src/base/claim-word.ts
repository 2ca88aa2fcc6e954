/**
 * One word of shared memory for each slot of a lease: who has taken the call. Owner, node and worker settle by
 * compare-exchange whether it runs, so a worker in a busy loop cannot hold back what it has not begun, and after a death
 * everybody can see what it had begun. The generation in the upper bits keeps a late reader from taking a slot's next call.
 */
const claimState = { queued: 1, started: 2, recalled: 3 } as const;

const STATE_BITS = 2;
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

/**
 * Whether the call may have begun. A word that has gone on to another generation says nothing about it (the process died
 * and its words were lent again), so it counts as begun: a call that may run once only must not run again.
 */
export function hasStarted(words: Int32Array, slot: number, queued: number): boolean {
  const word = Atomics.load(words, slot);
  return word !== queued && word !== queued + (claimState.recalled - claimState.queued);
}

/**
 * The highest generation that any of the words has seen. Words are lent one lease after another and are never cleared: the
 * next lease goes on from here, so a push of an earlier lease that is still on its way finds no word of its generation.
 */
export function latestGeneration(words: Int32Array): number {
  let latest = 0;
  for (let slot = 0; slot < words.length; slot++) latest = Math.max(latest, Atomics.load(words, slot) >>> STATE_BITS);
  return latest;
}
