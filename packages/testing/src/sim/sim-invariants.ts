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
  const { total, available, owedCpu, leases, bundles, ledgerLeases, pendingLeases, actors } = world.node.inspect();
  // A bundle is one of the node's leases, and lends on what it has.
  const ofNode = [
    ...leases.filter(({ bundle }) => bundle === undefined),
    ...bundles.map((each) => ({ isWaiting: false, resources: each.total })),
  ];
  checkLedger("the node", { total, available, owedCpu }, ofNode);
  for (const each of bundles) {
    const own = leases.filter(({ bundle }) => bundle === each.holdId);
    checkLedger(`bundle ${each.index} of ${each.groupId}`, each, own);
  }
  checkGroups(bundles);
  if (ledgerLeases.length !== leases.length + bundles.length)
    throw new BrokenInvariant(
      `I1: the ledgers know ${ledgerLeases.length} leases, the queue ${leases.length}, of ${bundles.length} bundles`,
    );
  if (pendingLeases > MAX_PENDING_LEASES) throw new BrokenInvariant(`I12: ${pendingLeases} lease requests wait`);
  checkActors(world, actors);
  world.store.check();
}

const MAX_PENDING_LEASES = 4096;

type Resources = Readonly<Record<string, number>>;

function checkLedger(
  what: string,
  { total, available, owedCpu }: { readonly total: Resources; readonly available: Resources; readonly owedCpu: number },
  lent: readonly { readonly isWaiting: boolean; readonly resources: Resources }[],
): void {
  for (const [name, units] of Object.entries(total)) {
    const used = lent.reduce((sum, { isWaiting, resources }) => sum + (name === "CPU" && isWaiting ? 0 : (resources[name] ?? 0)), 0);
    const accounted = used + (available[name] ?? 0) - (name === "CPU" ? owedCpu : 0);
    if (accounted !== units) throw new BrokenInvariant(`I1: ${what}: of ${units} units of ${name}, ${accounted} are granted or free`);
  }
}

/** With one node, what a group has is whole: each of its bundles is set aside only, or each is open, until it ends. */
function checkGroups(bundles: readonly { readonly groupId: string; readonly state: string; readonly index: number }[]): void {
  const states = new Map<string, string>();
  for (const { groupId, state } of bundles) {
    if (state === "closing") continue;
    const other = states.get(groupId) ?? state;
    if (other !== state) throw new BrokenInvariant(`I8: of group ${groupId} one bundle is ${state}, another ${other}`);
    states.set(groupId, state);
  }
  if (new Set(bundles.map(({ groupId, index }) => `${groupId} ${index}`)).size !== bundles.length)
    throw new BrokenInvariant("I8: the node has a bundle twice");
}

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
  report("bundles of placement groups", node.bundles.length);
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
  const { groups } = world.control.counters;
  report("placement groups at control", groups.live);
  report("placement groups to be placed", groups.pending);
  report("waits for placement groups", groups.waiters);
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
