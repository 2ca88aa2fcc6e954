/** What must hold between any two events of a simulation, and what must be left when everything was dropped: nothing. */
import { ObjectEntry, type World, type WorkerRuntime } from "@raia/core/internal";

export class BrokenInvariant extends Error {
  override readonly name = "BrokenInvariant";
}

/**
 * Each object is settled once; only `free` may take back what was there.
 *
 * @returns what ends the watch
 */
export function watchSettling(fail: (error: Error) => void): () => void {
  const settle = Reflect.get(ObjectEntry.prototype, "settle");
  ObjectEntry.prototype.settle = function (this: ObjectEntry, state, payload) {
    const code = (payload as { code?: string } | undefined)?.code;
    if (this.isSettled && code !== "OBJECT_FREED")
      fail(new BrokenInvariant(`I2: object ${this.sequence} ${this.site} was settled as ${this.state} and again as ${state}`));
    settle.call(this, state, payload);
  };
  return () => {
    ObjectEntry.prototype.settle = settle;
  };
}

/** Checked after every event. */
export function checkAlways(world: World): void {
  const { total, available, owedCpu, leases, ledgerLeases, pendingLeases, actors } = world.node.inspect();
  const used = new Map<string, number>();
  for (const { isWaiting, resources } of leases) {
    for (const [name, units] of Object.entries(resources)) {
      if (name !== "CPU" || !isWaiting) used.set(name, (used.get(name) ?? 0) + units);
    }
  }
  for (const [name, units] of Object.entries(total)) {
    const accounted = (used.get(name) ?? 0) + (available[name] ?? 0) - (name === "CPU" ? owedCpu : 0);
    if (accounted !== units) throw new BrokenInvariant(`I1: of ${units} units of ${name}, ${accounted} are granted or free`);
  }
  if (ledgerLeases.length !== leases.length)
    throw new BrokenInvariant(`I1: the ledger knows ${ledgerLeases.length} leases, the queue ${leases.length}`);
  if (pendingLeases > MAX_PENDING_LEASES) throw new BrokenInvariant(`I12: ${pendingLeases} lease requests wait`);
  checkActors(world, actors);
  world.store.check();
}

const MAX_PENDING_LEASES = 4096;

function checkActors(world: World, known: readonly { readonly actorId: string }[]): void {
  const hosts = new Map<string, string>();
  for (const { runtime, workerId } of world.launcher.workers) {
    for (const actorId of runtime.hosts.actorIds) {
      const other = hosts.get(actorId);
      if (other !== undefined)
        throw new BrokenInvariant(`I3: actor ${actorId.slice(0, 8)} lives in ${other.slice(0, 8)} and in ${workerId.slice(0, 8)}`);
      hosts.set(actorId, workerId);
    }
  }
  if (new Set(known.map(({ actorId }) => actorId)).size !== known.length) throw new BrokenInvariant("I3: the node hosts an actor twice");
}

/** What is left though nothing is needed any more. */
export function leftovers(world: World, drivers: readonly WorkerRuntime[]): string[] {
  const left: string[] = [];
  const report = (what: string, count: number): void => {
    if (count !== 0) left.push(`${what}: ${count}`);
  };
  const node = world.node.inspect();
  report("leases", node.leases.length);
  report("lease requests", node.pendingLeases);
  report("leases taken from their owners", node.takenLeases);
  report("actors at the node", node.actors.length);
  for (const [name, units] of Object.entries(node.total)) report(`units of ${name} not returned`, units - (node.available[name] ?? 0));
  report("claim words without a worker", node.lentWordBytes - node.workers.length * WORD_BYTES_PER_WORKER);
  const store = world.store.list(3);
  if (store.total > 0)
    left.push(
      `objects in the store: ${store.total} (${store.objects.map(({ id, state, pins, site }) => `${id.slice(-6)} ${state} pins=${pins} ${site}`).join("; ")})`,
    );
  report("blocks of the arena", world.blocksInUse);
  for (const { workerId, state } of node.workers) if (state !== "idle") left.push(`worker ${workerId.slice(0, 6)} is ${state}`);
  for (const runtime of [...drivers, ...[...world.launcher.workers].map((worker) => worker.runtime)]) {
    const { owned, borrowed, exported, pendingCalls, handovers } = runtime.inspect();
    const name = `${runtime.kind} ${runtime.cluster.self.workerId.slice(0, 6)}`;
    if (owned > 0) left.push(`objects owned by ${name}: ${owned} (${describe(runtime.table.owned())})`);
    if (borrowed > 0) left.push(`objects borrowed by ${name}: ${borrowed} (${describe(runtime.table.borrows.entries())})`);
    report(`objects exported by ${name}`, exported);
    report(`calls of ${name}`, pendingCalls);
    report(`handovers of ${name}`, handovers);
  }
  const { live, pending } = world.control.counters.actors;
  report("actors at control", live);
  report("actors to be placed", pending);
  return left;
}

function describe(
  entries: Iterable<{
    sequence: number;
    site: string;
    state: number;
    handles: number;
    holds: number;
    borrowers: ReadonlySet<string> | undefined;
  }>,
): string {
  const shown = [...entries].slice(0, 4).map(({ sequence, site, state, handles, holds, borrowers }) => {
    const by = [...(borrowers ?? [])].map((id) => id.slice(0, 6)).join(",");
    return `${sequence} ${site} state=${state} handles=${handles} holds=${holds} borrowers=${by}`;
  });
  return shown.join("; ");
}

const WORD_BYTES_PER_WORKER = 4096;
