/** Replaces a certificate in good time, for as long as it takes. */
import { type Clock, sleep } from "../base/clock.ts";
import { type Random, randomBelow } from "../base/random.ts";
import { type Credentials, factsOf, renewAtMs } from "./credentials.ts";

export interface RenewalDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Makes the next ones. */
  renew(current: Credentials): Promise<Credentials>;
  /** Takes them into use. */
  renewed(next: Credentials): void;
  /** Told of each try that failed; it goes on trying. */
  failed(error: unknown): void;
}

/** A timer of the system holds no longer than 24 days, and the wall clock may be set meanwhile: it is looked at again. */
const MAX_SLEEP_MS = 3_600_000;
/** Tries in what is left of a certificate's life once it should be replaced: an hour apart for a day's. */
const TRIES = 16;
const MIN_PAUSE_MS = 50;

/** Runs until `signal` aborts. One try at a time. */
export async function renewalLoop(first: Credentials, deps: RenewalDeps, signal: AbortSignal): Promise<void> {
  let current = first;
  while (!signal.aborted) {
    const facts = factsOf(current.certificate);
    const dueInMs = renewAtMs(facts) - deps.clock.wallMs();
    if (dueInMs > 0) {
      await sleep(deps.clock, Math.min(dueInMs, MAX_SLEEP_MS), signal);
      continue;
    }
    try {
      const next = await deps.renew(current);
      if (signal.aborted) return;
      current = next;
      deps.renewed(next);
    } catch (error) {
      deps.failed(error);
      const spareMs = facts.validToMs - renewAtMs(facts);
      const pauseMs = Math.max(MIN_PAUSE_MS, spareMs / TRIES);
      // Machines that joined together do not ask together again.
      await sleep(deps.clock, pauseMs / 2 + randomBelow(deps.random, Math.ceil(pauseMs / 2)), signal);
    }
  }
}
