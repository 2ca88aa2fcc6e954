/** `await using` of an actor: when its disposal is done. */
import type { Clock } from "../../base/clock.ts";
import { type ObjectEntry } from "../objects/object-entry.ts";
import type { ActorClient } from "./actor-client.ts";

/** An actor's node gives it as long, from when its last call is done. */
const DISPOSAL_MS = 30_000;

/**
 * Resolves when an actor of which a handle was just given up has done what it does at its end. At once where there is
 * nothing to wait for: others hold it, or its class has no disposal.
 *
 * @param scope counts its handles
 */
export function whenDisposed(client: ActorClient, scope: ObjectEntry, clock: Clock): Promise<void> {
  if (!isWorthWaiting(client, scope)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      stopListening();
      resolve();
    };
    const timer = clock.after(DISPOSAL_MS, done);
    const stopListening = client.listen(() => {
      if (!isWorthWaiting(client, scope)) done();
    });
  });
}

function isWorthWaiting({ endsWithHandles, isOver, pending, view }: ActorClient, { gone, handles, borrowers }: ObjectEntry): boolean {
  if (!endsWithHandles || isOver || view?.state === "dead") return false;
  const isAlive = view?.state === "alive";
  if (isAlive && view.disposes !== true) return false;
  // Of one that is not alive there is nothing to dispose.
  if (gone) return isAlive;
  // It ends after its calls, unless somebody else has a handle.
  return pending > 0 && handles === 0 && (borrowers?.size ?? 0) === 0;
}
