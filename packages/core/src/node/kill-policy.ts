/**
 * Whom to kill when memory runs out, before the kernel chooses: the newest work that may be run again, of the job that
 * holds most. Killing the newest loses least; taking it from the largest job keeps a small one from paying for a large
 * one. Only when nothing may be run again does work die for good. The daemon and the drivers are never candidates.
 */
export interface Victim {
  readonly workerId: string;
  readonly jobId: string;
  /** Its task or actor runs again if it dies. */
  readonly isRetriable: boolean;
  /** When its present work began, on the node's clock. */
  readonly startedAtMs: number;
  /** Bytes that its death frees. */
  readonly privateBytes: number;
}

/** Killing what holds next to nothing frees nothing: workers below this share of the largest are passed over. */
const WORTHWHILE_SHARE = 0.1;

/** @returns `undefined` only when there is no candidate */
export function pickVictim(candidates: readonly Victim[]): Victim | undefined {
  const retriable = candidates.filter((candidate) => candidate.isRetriable);
  const eligible = retriable.length > 0 ? retriable : candidates;
  const job = largestJob(eligible, candidates);
  const ofJob = eligible.filter((candidate) => candidate.jobId === job);
  const largestBytes = Math.max(...ofJob.map((candidate) => candidate.privateBytes));
  return ofJob.filter((candidate) => candidate.privateBytes >= largestBytes * WORTHWHILE_SHARE).sort(newestFirst)[0];
}

/** Among the jobs with an eligible worker, the one whose workers hold most in all. */
function largestJob(eligible: readonly Victim[], all: readonly Victim[]): string | undefined {
  const bytes = new Map(eligible.map((candidate) => [candidate.jobId, 0]));
  for (const { jobId, privateBytes } of all) {
    const sum = bytes.get(jobId);
    if (sum !== undefined) bytes.set(jobId, sum + privateBytes);
  }
  return [...bytes].sort(([a, aBytes], [b, bBytes]) => bBytes - aBytes || (a < b ? -1 : 1))[0]?.[0];
}

function newestFirst(a: Victim, b: Victim): number {
  return b.startedAtMs - a.startedAtMs || b.privateBytes - a.privateBytes || (a.workerId < b.workerId ? -1 : 1);
}
