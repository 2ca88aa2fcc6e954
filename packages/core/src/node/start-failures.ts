/**
 * Worker processes that ended before they could take work. When it is their environment that does not let them start, the
 * next one would not either: what waits for such a process is told why. When the machine is short of something, the next
 * start waits a little longer each time; when it stays short, what waits is told so.
 */
import { LruMap } from "../base/lru-map.ts";
import type { DeathCause } from "../messages/common.ts";

/** Ways of starting that are remembered; each stands for processes that are started now. */
const MAX_REMEMBERED = 1000;
/** A machine under load may fail the first time; the environment fails every time. */
const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;

/** A machine that has refused every start for so long is not under a passing load: a limit of the user or its container is met. */
const SHORT_FOR_MS = 10_000;

interface Failures {
  readonly count: number;
  readonly sinceMs: number;
  readonly retryAtMs: number;
}

/** How a process ends that could not do with what it found; others (signals, a full machine) say nothing of the next one. */
const OWN_FAULT: ReadonlySet<string> = new Set(["exit", "native-abort", "oom-heap"]);
/** What a worker says when its set-up hook threw: there is no need to try again. */
export const SETUP_FAILED_EXIT_CODE = 78;

export class StartFailures {
  readonly #failures = new LruMap<string, Failures>(MAX_REMEMBERED);

  /** @returns whether no further start is worth trying */
  failed(launchKey: string, cause: DeathCause, nowMs: number): boolean {
    const { count: before, sinceMs } = this.#failures.get(launchKey) ?? { count: 0, sinceMs: nowMs };
    const count = before + 1;
    const isHopeless = OWN_FAULT.has(cause.kind)
      ? count >= ATTEMPTS || cause.exitCode === SETUP_FAILED_EXIT_CODE
      : cause.kind === "start-failed" && nowMs - sinceMs >= SHORT_FOR_MS;
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(count - 1, 20));
    if (isHopeless) this.#failures.delete(launchKey);
    else this.#failures.set(launchKey, { count, sinceMs, retryAtMs: nowMs + pauseMs });
    return isHopeless;
  }

  started(launchKey: string): void {
    this.#failures.delete(launchKey);
  }

  /** Milliseconds until the next start of this kind. */
  pauseMs(launchKey: string, nowMs: number): number {
    return Math.max(0, (this.#failures.get(launchKey)?.retryAtMs ?? 0) - nowMs);
  }
}
