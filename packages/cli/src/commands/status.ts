import { availableResources, clusterResources, listActors, listJobs, listWorkers } from "@raia/core";
import { say, table } from "../print.ts";
import { asGuest } from "./connect.ts";

export async function status(options: Readonly<Record<string, unknown>>): Promise<void> {
  await asGuest(options, async () => {
    const [total, available, workers, actors, jobs] = await Promise.all([
      clusterResources(),
      availableResources(),
      listWorkers(),
      listActors(),
      listJobs(),
    ]);
    say(
      table(
        ["resource", "total", "free"],
        Object.keys(total).map((name) => [name, String(total[name]), String(available[name] ?? 0)]),
      ),
    );
    const own = process.pid;
    const busy = workers.filter(({ kind, state }) => kind !== "driver" && state === "busy").length;
    say("");
    say(`workers: ${workers.filter(({ kind }) => kind !== "driver").length}, ${busy} busy`);
    say(`actors: ${actors.filter(({ state }) => state === "alive").length} alive`);
    say(`jobs: ${jobs.filter(({ state, driverPid }) => state === "running" && driverPid !== own).length} running`);
  });
}
