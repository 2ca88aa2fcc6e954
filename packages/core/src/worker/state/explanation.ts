/** Why something stands as it does, as people are told. */
export interface Explanation {
  /** One word: ready, failed, waiting, queued, assigned, running, deadlocked, or an actor's state. */
  readonly state: string;
  /** Why it stands so, for people; the nearest cause first. */
  readonly reasons: readonly string[];
}

/** Longer than any loop that lives takes for an answer. */
export const OWNER_ANSWER_MS = 1_000;

/**
 * How long whoever is asked may ask others in turn: less than it is waited for itself, else the silence of the last in the chain
 * would be taken for that of the first.
 */
export function innerAnswerMs(withinMs: number): number {
  return Math.ceil(withinMs * 0.8);
}
