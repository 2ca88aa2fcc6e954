import { type Clock, sleep } from "../base/clock.ts";
import { pickVictim, type Victim } from "./kill-policy.ts";
import type { NodeMemory } from "./memory-reader.ts";

export interface MemoryLoopDeps {
  readonly clock: Clock;
  readonly memory: { read(): NodeMemory | undefined };
  /** Workers that may be killed, with their memory read now. Called only under pressure. */
  victims(): readonly Victim[];
  /** Kills with SIGKILL and resolves when the process is gone and its memory free. */
  kill(victim: Victim, memory: NodeMemory): Promise<void>;
  /** Memory is short and nobody is left to kill. At most once per pause. */
  nobodyToKill?(memory: NodeMemory): void;
}

export interface MemoryLoopOptions {
  /** Share of memory above which a worker dies. Default 0.95. */
  readonly killAbove?: number;
  /** Default 250. */
  readonly pauseMs?: number;
}

const KILL_ABOVE = 0.95;
const PAUSE_MS = 250;
/** A process can fill gigabytes in a second: near the edge the loop looks more often. */
const NEAR_SHARE = 0.85;
const NEAR_PAUSE_MS = 50;
/** SIGKILL ends a process at once unless it sits in the kernel; then waiting longer would let the kernel choose. */
const KILL_WAIT_MS = 2000;

/** Watches memory until `signal` aborts, and kills one worker at a time while it is short. Idle, it reads one small file four times a second. */
export async function memoryLoop(deps: MemoryLoopDeps, options: MemoryLoopOptions, signal: AbortSignal): Promise<void> {
  const killAbove = options.killAbove ?? KILL_ABOVE;
  const pauseMs = options.pauseMs ?? PAUSE_MS;
  while (!signal.aborted) {
    const memory = deps.memory.read();
    const share = memory === undefined ? 0 : memory.usedBytes / memory.totalBytes;
    if (memory !== undefined && share > killAbove) {
      const victim = pickVictim(deps.victims());
      if (victim !== undefined) {
        await Promise.race([deps.kill(victim, memory), sleep(deps.clock, KILL_WAIT_MS, signal)]);
        continue; // Look again at once: one death may not be enough.
      }
      deps.nobodyToKill?.(memory);
    }
    await sleep(deps.clock, share > NEAR_SHARE ? Math.min(NEAR_PAUSE_MS, pauseMs) : pauseMs, signal);
  }
}
