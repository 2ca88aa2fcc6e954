import { findStanding, stopStanding } from "@raia/core/cluster";
import { say } from "../print.ts";

export interface StopOptions {
  readonly force?: boolean;
}

export async function stop({ force = false }: StopOptions): Promise<void> {
  const found = await findStanding();
  if (found.length === 0) say("No cluster of this user is standing.");
  for (const session of found) {
    const wasKilled = await stopStanding(session, force ? { graceMs: 0 } : {});
    say(`${wasKilled ? "Killed" : "Stopped"} process ${session.pid}, session ${session.path}`);
  }
}
