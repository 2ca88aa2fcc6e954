import { shortId } from "@raia/core/cluster";
import { type AddressOption, observe } from "../observe.ts";
import { type Format, plural, say, sayJson, showBytes, table } from "../print.ts";

/** Resources that count bytes. */
const IN_BYTES = new Set(["memory", "object_store_memory"]);

export interface StatusOptions extends AddressOption {
  readonly format: Format;
}

export function status({ format, ...options }: StatusOptions): Promise<void> {
  return observe(options, async ({ state, path }) => {
    const [nodes, workers, actors, groups, jobs, pending, stores] = await Promise.all([
      state.nodes(),
      state.workers(),
      state.actors({ limit: 100_000 }),
      state.placementGroups({ limit: 100_000 }),
      state.jobs(),
      state.pendingRequests(),
      state.storeUsage(),
    ]);
    const processes = workers.filter(({ kind }) => kind !== "driver");
    const alive = actors.rows.filter((actor) => actor.state === "alive").length;
    const running = jobs.filter((job) => job.state === "running");
    const living = groups.rows.filter((group) => group.state !== "removed");
    if (format === "json")
      return sayJson({
        session: path,
        nodes,
        workers: processes,
        actorsAlive: alive,
        placementGroups: living,
        pendingRequests: pending,
        stores,
        jobs: running,
      });
    say(`session ${path}`);
    for (const { nodeId, state: nodeState, total, available, labels } of nodes) {
      const shown = Object.entries(labels).map(([key, value]) => ` ${key}=${value}`);
      say("");
      say(`node ${shortId(nodeId)}: ${nodeState}${shown.join("")}`);
      const rows = Object.entries(total).map(([name, all]) => resourceRow(name, all, available[name] ?? 0));
      say(table(["resource", "used", "total"], rows));
    }
    say("");
    say(
      `${plural(processes.length, "worker")}, ${processes.filter((worker) => worker.state === "busy").length} busy; ${plural(alive, "actor")} alive`,
    );
    if (living.length > 0) {
      const waiting = living.filter((group) => group.state !== "created").length;
      say(`${plural(living.length, "placement group")}, ${waiting} waiting for places${waiting > 0 ? "; raia explain says for what" : ""}`);
    }
    say(
      `${plural(pending, "request")} for workers ${pending === 1 ? "waits" : "wait"}${pending > 0 ? "; raia list tasks and raia explain say for what" : ""}`,
    );
    for (const { usage } of stores) {
      const { usedBytes, capacityBytes, spilledBytes } = usage;
      say(`shared memory: ${showBytes(usedBytes)} of ${showBytes(capacityBytes)} in objects, ${showBytes(spilledBytes)} on disk`);
    }
    say(`${plural(running.length, "job")} running`);
    for (const { jobId, driverPid, entrypoint } of running) say(`  ${jobId}: process ${driverPid}, ${entrypoint}`);
  });
}

function resourceRow(name: string, total: number, available: number): string[] {
  const show = (amount: number): string => (IN_BYTES.has(name) ? showBytes(amount) : String(Number(amount.toFixed(4))));
  return [name, show(total - available), show(total)];
}
