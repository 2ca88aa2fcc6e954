import { findStanding, stopStanding } from "@raia/core/cluster";
import { say } from "../print.ts";

export async function stop(): Promise<void> {
  const found = await findStanding();
  if (found.length === 0) say("No cluster of yours is running.");
  for (const session of found) {
    await stopStanding(session);
    say(`Stopped process ${session.pid}, session ${session.path}`);
  }
}
