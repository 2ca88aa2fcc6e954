/** What actors do at their end, when they end because their job does. */
import { type Clock, sleep } from "../base/clock.ts";
import type { ActorEntry } from "./actor-table.ts";
import type { MembershipServer } from "./membership-server.ts";

/** A program that ends waits no longer than this for all its actors together. */
const JOB_DISPOSAL_MS = 5_000;

interface Deps {
  readonly clock: Clock;
  readonly membership: Pick<MembershipServer, "askNow">;
}

/**
 * Ends the actors of a job that go with it and have a disposal, each after the calls that it has. The others die with the
 * job, in no time. Resolves when all have, or their time is over; safe to repeat.
 */
export async function disposeActors({ clock, membership }: Deps, actors: readonly ActorEntry[]): Promise<Record<string, never>> {
  const stopping: Promise<unknown>[] = [];
  for (const { spec, machine, outlivesJob } of actors) {
    const { state } = machine;
    if (outlivesJob || (state.kind !== "alive" && state.kind !== "leaving") || state.home.disposes !== true) continue;
    const stop = { actorId: spec.actorId, incarnation: state.life.incarnation, graceMs: JOB_DISPOSAL_MS, kind: "job-ended" };
    stopping.push(membership.askNow(state.home.nodeId, (node) => node.stopActor(stop)));
  }
  if (stopping.length === 0) return {};
  const over = new AbortController();
  await Promise.race([Promise.all(stopping), sleep(clock, JOB_DISPOSAL_MS, over.signal)]);
  over.abort();
  return {};
}
