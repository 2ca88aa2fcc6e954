import type { Clock } from "../base/clock.ts";

const LOOK_EVERY_MS = 3_000;

export interface SessionWatch {
  readonly clock: Clock;
  isThere(): boolean;
  /** Once. */
  gone(): void;
}

/** Tells a head that its session was removed by others, a cleaner of temporary files say: then nobody can find it any more. */
export function watchSession(watch: SessionWatch): void {
  watch.clock.after(LOOK_EVERY_MS, () => (watch.isThere() ? watchSession(watch) : watch.gone()));
}
