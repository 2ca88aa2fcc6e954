/** Work of groups on a node: what waits, what goes elsewhere, what fails, and what a group's end takes along. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { FakeClock } from "../base/fake-clock.ts";
import { seededRandom } from "../base/random.ts";
import { parseResources, toCounts } from "../base/resources.ts";
import type { WorkerDemand } from "../messages/common.ts";
import type { PlacementGroupReady } from "../messages/placement-groups.ts";
import { WORDS_BYTES } from "../store/arena.ts";
import { WordRegion } from "../store/word-region.ts";
import type { Connection } from "../wire/connection.ts";
import { BundleServer } from "./bundle-server.ts";
import { BundleTable } from "./bundle-table.ts";
import type { HostedActors } from "./hosted-actors.ts";
import { LeaseQueue } from "./lease-queue.ts";
import { LeaseRooms } from "./lease-rooms.ts";
import { ResourceLedger } from "./resource-ledger.ts";
import { WorkerFinder } from "./worker-finder.ts";
import { WorkerPool } from "./worker-pool.ts";

const GROUP = "0a".repeat(18);
const cpu = { CPU: 10_000 };

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

/** A node of four CPUs whose processes are there at once, and a control that answers when told to. */
function newNode(yielded = true) {
  const clock = new FakeClock();
  const ledger = new ResourceLedger(parseResources({ numCpus: 4 }));
  const bundles = new BundleTable(ledger);
  const rooms = new LeaseRooms(ledger, bundles);
  const killed: string[] = [];
  let deaths: (() => void)[] = [];
  const pool: WorkerPool = new WorkerPool(
    {
      launch: (_spec, events) => {
        deaths.push(() => events.died({ kind: "placement-group-removed", stderrTail: [] }));
        return { pid: 1, kill: (signal, { by }) => void killed.push(`${signal} ${by}`), sampleMemory: () => undefined };
      },
    },
    new WordRegion(WORDS_BYTES),
    clock,
    seededRandom(1),
    { ready: () => {}, died: (worker, cause) => queue.workerDied(worker, cause), output: () => {}, started: () => {} },
    { keepIdle: 1, idleMs: 1000, maxStarting: 4, registerTimeoutMs: 1000 },
  );
  const host = { client: () => ({ yieldLease: () => Promise.resolve({ yielded, discard: false }) }), isClosed: true, onClosed: () => {} };
  const finder = new WorkerFinder(rooms, pool, clock, 8, () => queue.schedule());
  const owners = { starved: () => {}, askBack: () => {}, roomChanged: () => {}, ended: () => Promise.resolve() };
  const control = { reportSoon: () => {} };
  const server = new BundleServer(
    { nodeId: "here", clock, ledger, bundles, pool, control, owners },
    () => queue,
    () => ({ groupRemoved: () => {} }) as unknown as HostedActors,
  );
  const queue: LeaseQueue = new LeaseQueue({ nodeId: "here", labels: {} }, rooms, pool, finder, clock, owners, server);
  const answer = Promise.withResolvers<PlacementGroupReady>();
  const groups = { awaitPlacementGroup: () => answer.promise };
  let closed = (): void => {};
  server.attach({ client: () => groups, onClosed: (listener: () => void) => (closed = listener) } as unknown as Connection);

  const heard: string[] = [];
  const lend = async (leaseId: string, bundleIndex = -1, cpus = 1): Promise<void> => {
    queue.add({
      leaseId,
      ownerId: "owner",
      demand: demandOf(bundleIndex, cpus),
      isActor: false,
      granted: () => void heard.push(`${leaseId} granted`),
      refused: ({ code, facts }: RaiaError) =>
        void heard.push(`${leaseId} ${code} ${(facts["lacks"] ?? facts["cause"] ?? "") as string}`.trim()),
      spilled: (address) => void heard.push(`${leaseId} to ${address}`),
    });
    await settled();
    for (const { workerId, state } of pool.all())
      if (state.kind === "starting") pool.registered(workerId, host as unknown as Connection, "", 1);
    queue.schedule();
    await settled();
  };
  const say = async (
    status: PlacementGroupReady["status"],
    places: readonly string[] = [],
    reasons: readonly string[] = [],
  ): Promise<void> => {
    answer.resolve({ status, places: places.map((nodeId) => ({ nodeId, address: `at ${nodeId}`, resources: cpu })), reasons });
    await settled();
  };
  const loseControl = (): void => {
    closed();
    answer.reject(new RaiaError("CONNECTION_LOST", {}));
  };
  const die = (): void => {
    for (const death of deaths) death();
    deaths = [];
  };
  return { clock, ledger, queue, handlers: server.handlers(), heard, lend, say, loseControl, killed, die };
}

function demandOf(bundleIndex: number, numCpus: number): WorkerDemand {
  return {
    jobId: "job",
    resources: parseResources({ numCpus }),
    runtimeEnv: { hash: "", envVars: {} },
    isolation: "process",
    strategy: { kind: "PLACEMENT_GROUP", placementGroupId: GROUP, bundleIndex },
    launch: { execArgv: [], cwd: "/" },
    name: "work",
    mayRerun: true,
  };
}

const peer = {} as Connection;
const prepare = (...indices: number[]) => ({ groupId: GROUP, epoch: 1, bundles: indices.map((index) => ({ index, resources: cpu })) });

test("bundle server: what came before its group waits, and is served when the bundle opens, not before", async () => {
  const { handlers, heard, lend } = newNode();
  await lend("early");
  await handlers.prepareBundles(prepare(0), peer);
  await lend("still early");
  assert.deepEqual(heard, []);

  await handlers.commitBundles({ groupId: GROUP, epoch: 1 }, peer);
  await lend("late");
  assert.deepEqual(heard, ["early granted"]);
});

test("bundle server: work of a bundle on another node is sent there; what fits none is refused with the numbers", async () => {
  const { heard, lend, say } = newNode();
  await lend("any");
  await lend("second", 1);
  await lend("missing", 2);
  await lend("large", -1, 2);
  await say("created", ["n1", "n2"]);

  assert.deepEqual(heard, [
    "any to at n1",
    "second to at n2",
    "missing TASK_UNSCHEDULABLE there is no bundle 2: the group has 2",
    "large TASK_UNSCHEDULABLE bundle 0: needs CPU 2, bundle has 1 in total, 1 free; bundle 1: needs CPU 2, bundle has 1 in total, 1 free",
  ]);
});

test("bundle server: of a group that is gone, or cannot fit, work fails", async () => {
  const gone = newNode();
  await gone.lend("one");
  await gone.say("removed", [], ["job-ended"]);
  assert.deepEqual(gone.heard, ["one PLACEMENT_GROUP_REMOVED job-ended"]);

  const large = newNode();
  await large.lend("one");
  await large.say("infeasible", [], ["too large"]);
  assert.deepEqual(large.heard, ["one PLACEMENT_INFEASIBLE"]);
});

test("bundle server: a group's end takes leases back on which nothing runs, and says so when they are", async () => {
  const { handlers, heard, lend, ledger, killed } = newNode();
  await handlers.prepareBundles(prepare(0), peer);
  await handlers.commitBundles({ groupId: GROUP, epoch: 1 }, peer);
  await lend("idle");
  await lend("waits");

  const removed = handlers.removeBundles({ groupId: GROUP }, peer);
  assert.deepEqual(toCounts(ledger.available), { CPU: 3 }, "not before the lease is back");
  assert.deepEqual(toCounts((await removed).available), { CPU: 4 });
  assert.deepEqual(heard, ["idle granted", "waits PLACEMENT_GROUP_REMOVED"]);
  assert.deepEqual(killed, []);
});

test("bundle server: where something runs its process is ended, and what it held comes back with its death", async () => {
  const { handlers, lend, ledger, killed, die, clock } = newNode(false);
  await handlers.prepareBundles(prepare(0), peer);
  await handlers.commitBundles({ groupId: GROUP, epoch: 1 }, peer);
  await lend("busy");

  const removed = handlers.removeBundles({ groupId: GROUP }, peer);
  await settled();
  assert.deepEqual(killed, ["SIGKILL placement-group"]);
  assert.deepEqual(toCounts(ledger.available), { CPU: 3 });
  die();
  clock.advance(1000);
  await settled();
  assert.deepEqual(toCounts((await removed).available), { CPU: 4 });
  const late = await handlers.prepareBundles(prepare(0), peer);
  assert.equal(late.isPrepared, false, "an old request does not bring it back");
});

test("bundle server: that control was lost on the way is no answer for whoever comes in that very moment", async () => {
  const { queue, heard, lend, loseControl } = newNode();
  await lend("first");
  queue.cancel("first");
  loseControl();
  await lend("second");
  assert.deepEqual(heard, ["first TASK_CANCELLED"]);
});
