/** What becomes of the claim words of a process that died. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import { seededRandom } from "../base/random.ts";
import { parseResources } from "../base/resources.ts";
import type { DeathCause, WorkerDemand } from "../messages/common.ts";
import { WORDS_BYTES } from "../store/arena.ts";
import { WordRegion } from "../store/word-region.ts";
import type { Connection } from "../wire/connection.ts";
import { BundleTable } from "./bundle-table.ts";
import { LeaseRooms } from "./lease-rooms.ts";
import { LeaseQueue } from "./lease-queue.ts";
import { ResourceLedger } from "./resource-ledger.ts";
import { WorkerFinder } from "./worker-finder.ts";
import { WorkerPool } from "./worker-pool.ts";

const cause: DeathCause = { kind: "exit", exitCode: 1, stderrTail: [] };
const demand: WorkerDemand = {
  jobId: "job",
  resources: parseResources({ numCpus: 1 }),
  runtimeEnv: { hash: "", envVars: {} },
  isolation: "process",
  strategy: { kind: "DEFAULT" },
  launch: { execArgv: [], cwd: "/" },
  name: "work",
  mayRerun: true,
};

/** What was to be done in this turn has been done. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** A node of one CPU with one process. Owners are told of deaths, and have heard when `heard` is called. */
async function newNode() {
  const clock = new FakeClock();
  const words = new WordRegion(WORDS_BYTES);
  const told: string[] = [];
  const heard = Promise.withResolvers<void>();
  const owners = {
    starved: () => {},
    askBack: () => {},
    roomChanged: () => {},
    ended: async ({ leaseId }: { leaseId: string }) => {
      told.push(leaseId);
      await heard.promise;
    },
  };
  let die = (): void => {};
  const pool: WorkerPool = new WorkerPool(
    {
      launch: (_spec, events) => {
        die = () => events.died(cause);
        return { pid: 1, kill: () => {}, sampleMemory: () => undefined };
      },
    },
    words,
    clock,
    seededRandom(1),
    { ready: () => {}, died: (worker) => queue.workerDied(worker, cause), output: () => {}, started: () => {} },
    { keepIdle: 1, idleMs: 1000, maxStarting: 1, registerTimeoutMs: 1000 },
  );
  const ledger = new ResourceLedger(parseResources({ numCpus: 1 }));
  const rooms = new LeaseRooms(ledger, new BundleTable(ledger));
  const finder = new WorkerFinder(rooms, pool, clock, 8, () => queue.schedule());
  const queue: LeaseQueue = new LeaseQueue({ nodeId: "n", labels: {} }, rooms, pool, finder, clock, owners, {
    homeless: () => {},
    returned: () => {},
  });
  const lend = async (leaseId: string): Promise<void> => {
    queue.add({ leaseId, ownerId: leaseId, demand, isActor: false, granted: () => {}, refused: () => {}, spilled: () => {} });
    await settled();
  };
  await lend("first");
  for (const { workerId } of pool.all()) pool.registered(workerId, { isClosed: true } as Connection, "", 1);
  queue.schedule();
  await settled();
  assert.ok(queue.lease("first"));
  return { queue, words, told, lend, die: () => die(), heard: () => heard.resolve() };
}

test("lease queue: the words of a dead process are lent again when all who may still write to them know, be it of a lease that was taken", async () => {
  const { queue, words, told, lend, die, heard } = await newNode();
  queue.take("first", false);
  await lend("second");
  const lent = words.lentBytes;

  die();
  await settled();

  assert.deepEqual(told, ["second", "first"]);
  assert.equal(queue.takenCount, 0);
  assert.equal(words.lentBytes, lent);
  heard();
  await settled();
  assert.equal(words.lentBytes, 0);
});

test("lease queue: a request that arrives again when its lease is over already is not served again", async () => {
  const { queue, die } = await newNode();
  die();
  await settled();
  const answers: string[] = [];
  const again = { leaseId: "first", ownerId: "first", demand, isActor: false, spilled: () => {} };
  queue.add({ ...again, granted: () => answers.push("granted"), refused: ({ code }) => answers.push(code) });
  await settled();
  assert.deepEqual([answers, queue.pendingCount], [["TASK_CANCELLED"], 0]);
});
