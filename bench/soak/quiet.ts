/** Whether everything is given back once nobody asks for anything. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { kill, listActors, getActor } from "@raia/core";
import { sharedActorName } from "./actor-operations.ts";
import { type Places, type Sample, takeSample } from "./sampler.ts";

const QUIET_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 250;

/** Full collections on demand: what is still held after one is held by somebody. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/** @returns what is still held after the time; nothing when all is well */
export async function whenQuiet(places: Places, before: Sample): Promise<string[]> {
  const shared = await getActor(sharedActorName).catch(() => undefined); // Nobody has made it, or it was never asked for.
  if (shared !== undefined) await kill(shared);
  const untilMs = performance.now() + QUIET_WITHIN_MS;
  for (;;) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    const held = await stillHeld(places, before);
    if (held.length === 0 || performance.now() > untilMs) return held;
  }
}

async function stillHeld(places: Places, before: Sample): Promise<string[]> {
  const now = await takeSample(places);
  const alive = (await listActors({ limit: 1_000_000 })).filter(({ state }) => state !== "dead");
  const counts: readonly (readonly [what: string, count: number, allowed: number])[] = [
    ["actors that live", alive.length, 0],
    ["calls pending", now.pendingCalls, 0],
    ["objects owned", now.ownedObjects, before.ownedObjects],
    ["objects borrowed", now.borrowedObjects, 0],
    ["bytes used in the arena", now.arenaUsed, before.arenaUsed],
    ["bytes pinned", now.arenaPinned, 0],
    ["bytes spilled", now.spilled, 0],
    // A connection to each idle worker, and what the runtime opens when it first needs it.
    ["descriptors of the driver", now.driverDescriptors, before.driverDescriptors + now.processes + 8],
    // A connection, two pipes and a handle for each worker.
    ["descriptors of the head", now.headDescriptors, before.headDescriptors + 6 * now.processes + 8],
  ];
  return counts.filter(([, count, allowed]) => count > allowed).map(([what, count, allowed]) => `${what}: ${count}, allowed ${allowed}`);
}
