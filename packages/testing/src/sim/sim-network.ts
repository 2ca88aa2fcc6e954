/**
 * Delivery between the processes of a simulation: each direction of a stream keeps its order, different ones overtake each
 * other. Delays are the seed's: mostly short, now and then long. Everything delivered goes into the hash of the run.
 */
import { type Clock, MemoryTransport, type Random } from "@raia/core/internal";
import type { TraceHash } from "./trace-hash.ts";

export interface NetworkFaults {
  /** Usual delay, at most. */
  readonly delayMs: number;
  /** Share of deliveries that take up to `slowMs`. */
  readonly slowShare: number;
  readonly slowMs: number;
}

/** A power of two: sums of such times are exact, so rounding never swaps two deliveries. */
const TICKS_PER_MS = 1024;

export function simTransport(clock: Clock, random: Random, faults: NetworkFaults, trace: TraceHash): MemoryTransport {
  const lastMs = new Map<string, number>();
  return new MemoryTransport((link, deliver) => {
    const limitMs = random.next() < faults.slowShare ? faults.slowMs : faults.delayMs;
    const drawnMs = Math.round(random.next() * limitMs * TICKS_PER_MS) / TICKS_PER_MS;
    const nowMs = clock.nowMs();
    const delayMs = Math.max(drawnMs, (lastMs.get(link) ?? 0) - nowMs);
    lastMs.set(link, nowMs + delayMs);
    clock.after(delayMs, () => {
      trace.add(link, clock.nowMs());
      deliver();
    });
  });
}
