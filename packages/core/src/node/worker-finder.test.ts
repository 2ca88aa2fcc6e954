/** How many processes are started for what waits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import { seededRandom } from "../base/random.ts";
import { parseResources } from "../base/resources.ts";
import type { WorkerDemand } from "../messages/common.ts";
import { WORDS_BYTES } from "../store/arena.ts";
import { WordRegion } from "../store/word-region.ts";
import { BundleTable } from "./bundle-table.ts";
import { LeaseRooms } from "./lease-rooms.ts";
import { Lease } from "./lease.ts";
import { ResourceLedger } from "./resource-ledger.ts";
import { WorkerFinder } from "./worker-finder.ts";
import { WorkerPool } from "./worker-pool.ts";

const MAX_STARTING = 4;

interface Wish {
  readonly isActor: boolean;
  readonly runCpus?: number;
  readonly isolation?: WorkerDemand["isolation"];
}

function leaseOf({ isActor, runCpus, isolation = "process" }: Wish, number: number): Lease {
  const demand: WorkerDemand = {
    jobId: "job",
    resources: parseResources({ numCpus: 1 }),
    runtimeEnv: { hash: "", envVars: {} },
    isolation,
    strategy: { kind: "DEFAULT" },
    launch: { execArgv: [], cwd: "/" },
    name: "work",
    mayRerun: true,
  };
  const told = { granted: () => {}, refused: () => {}, spilled: () => {} };
  const runResources = runCpus === undefined ? {} : { runResources: parseResources({ numCpus: runCpus }) };
  return new Lease({ leaseId: `lease-${number}`, ownerId: "owner", demand, isActor, ...runResources, ...told }, undefined);
}

/** Processes that a node of two CPUs starts when the first of these asks. */
function startsFor(wishes: readonly Wish[]): number {
  let started = 0;
  const clock = new FakeClock();
  const launch = () => {
    started++;
    return { pid: started, kill: () => {}, sampleMemory: () => undefined };
  };
  const events = { ready: () => {}, died: () => {}, output: () => {}, started: () => {} };
  const options = { keepIdle: 2, idleMs: 1000, maxStarting: MAX_STARTING, registerTimeoutMs: 1000 };
  const pool = new WorkerPool({ launch }, new WordRegion(WORDS_BYTES), clock, seededRandom(1), events, options);
  const ledger = new ResourceLedger(parseResources({ numCpus: 2 }));
  const finder = new WorkerFinder(new LeaseRooms(ledger, new BundleTable(ledger)), pool, clock, 8, () => {});
  const leases = wishes.map(leaseOf);
  assert.equal(finder.find(leases[0] as Lease, leases), undefined);
  return started;
}

const repeat = (count: number, wish: Wish): Wish[] => Array.from({ length: count }, () => wish);

test("worker finder: tasks get as many processes as can run now", () => {
  assert.equal(startsFor(repeat(1, { isActor: false })), 1);
  assert.equal(startsFor(repeat(6, { isActor: false })), 2);
});

test("worker finder: actors get as many as can live side by side, within what may start at a time", () => {
  assert.equal(startsFor(repeat(3, { isActor: true, runCpus: 0 })), 3);
  assert.equal(startsFor(repeat(6, { isActor: true, runCpus: 0 })), MAX_STARTING);
  assert.equal(startsFor(repeat(6, { isActor: true, runCpus: 1 })), 2);
});

test("worker finder: an actor starts no process for tasks that wait beside it", () => {
  assert.equal(startsFor([{ isActor: true, runCpus: 0 }, ...repeat(6, { isActor: false })]), 2);
});

test("worker finder: actors that will share a process do not get one each", () => {
  assert.equal(startsFor(repeat(6, { isActor: true, runCpus: 0, isolation: "shared" })), 2);
});
