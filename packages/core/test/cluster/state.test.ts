import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  availableResources,
  cancel,
  clusterResources,
  explain,
  get,
  init,
  kill,
  listActors,
  listJobs,
  listObjects,
  listTasks,
  listWorkers,
  nodes,
  put,
  remote,
  shutdown,
  type TaskState,
  timeline,
} from "../../src/index.ts";
import { observeCluster } from "../../src/cluster.ts";
import { eventually, type Machine, makeMachine } from "./machine.ts";

let machine: Machine;
let jobId = "";
/** Tasks wait until this file is there. */
let gate = "";

before(async () => {
  machine = makeMachine();
  gate = join(machine.directory, "gate");
  ({ jobId } = await init({ address: "local", numCpus: 1, objectStoreMemory: 64 * 1024 * 1024, logToDriver: false }));
});

after(async () => {
  writeFileSync(gate, "");
  await shutdown();
  await machine.end();
});

const gated = remote(async function gated(path: string) {
  const { existsSync } = await import("node:fs");
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5));
  return 1;
});

class Sleeper {
  pid(): number {
    return process.pid;
  }
}

test("state: jobs, nodes and resources, in whole units", async () => {
  const jobs = await listJobs();
  assert.deepEqual(
    jobs.map((job) => [job.jobId, job.state, job.driverPid]),
    [[jobId, "running", process.pid]],
  );
  const [node] = await nodes();
  assert.deepEqual([node?.state, node?.total["CPU"], (await clusterResources())["CPU"]], ["alive", 1, 1]);
  assert.ok(await eventually(async () => (await availableResources())["CPU"] === 1));
});

test("state: a task that runs, one that waits for a worker, one that waits for an argument, one that nobody can run", async () => {
  const running = gated.remote(gate);
  assert.ok(await eventually(async () => (await explain(running)).state === "running"));
  const queued = remote(function behind() {
    return 2;
  }).remote();
  const needy = remote(function needs(one: number) {
    return one;
  }).remote(running);
  const moon = remote(function moonlight() {
    return 3;
  })
    .options({ resources: { moon: 1 } })
    .remote();
  const workerPid = (await listWorkers()).find(({ kind, state }) => kind === "task" && state === "busy")?.pid;

  assert.deepEqual((await explain(running)).reasons, [`in process ${workerPid}`]);
  const waiting = await explain(needy);
  assert.equal(waiting.state, "waiting");
  assert.match(waiting.reasons.join(), /^for argument 0: gated \([0-9a-f]{8}-[0-9a-f]+\)$/);
  assert.match((await explain(moon)).reasons.join(), /needs moon 1, node has 0 in total/);
  const rows = new Map((await listTasks()).map((row) => [row.name, row]));
  assert.deepEqual([rows.get("gated")?.state, rows.get("gated")?.pid], ["running", workerPid]);
  assert.deepEqual([rows.get("needs")?.state, rows.get("moonlight")?.state], ["waiting", "queued"]);
  assert.ok([...rows.values()].every((row) => row.jobId === jobId && row.ownerPid === process.pid));

  cancel(moon);
  writeFileSync(gate, "");
  assert.deepEqual(await get([queued, needy]), [2, 1]);
  assert.equal((await explain(needy)).state, "ready");
});

test("state: what was cancelled has failed: it is listed once, whether it had begun or not", async () => {
  const gated = remote(async function cancelled(path: string) {
    const { existsSync } = await import("node:fs");
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  const never = join(machine.directory, "never");
  const [running, queued] = [gated.remote(never), gated.remote(never)];
  assert.ok(await eventually(async () => (await explain(running)).state === "running"));
  cancel(queued);
  cancel(running);
  const states = async (): Promise<string> =>
    (await listTasks())
      .filter(({ name }) => name === "cancelled")
      .map(({ state, error }) => `${state}: ${error}`)
      .join();
  assert.ok(await eventually(async () => (await states()) === "failed: TASK_CANCELLED,failed: TASK_CANCELLED"), await states());
  writeFileSync(never, "");
});

test("state: what has ended is remembered: finished, failed, and how long it took", async () => {
  const fails = remote(function fails(): number {
    throw new Error("as meant");
  });
  const works = remote(function works() {
    return 1;
  });
  await get(works.remote());
  const failed = fails.remote();
  await assert.rejects(get(failed), /as meant/);

  assert.equal((await explain(failed)).state, "failed");
  // The process that ran it and the one that submitted it report on their own, in any order.
  const rowOf = async (name: string): Promise<TaskState | undefined> => {
    const row = (await listTasks()).find((row) => row.name === name);
    return row?.state === "submitted" || row?.submittedAtMs === undefined ? undefined : row;
  };
  assert.ok(await eventually(async () => (await rowOf("works")) !== undefined && (await rowOf("fails")) !== undefined));
  const failedRow = await rowOf("fails");
  assert.deepEqual([failedRow?.state, failedRow?.error], ["failed", "Error: as meant"]);
  const row = await rowOf("works");
  assert.equal(row?.state, "finished");
  assert.ok(row.startedAtMs !== undefined && Math.abs(row.startedAtMs - Date.now()) < 60_000, `startedAtMs is ${row.startedAtMs}`);
  assert.ok(row.durationMs !== undefined && row.durationMs >= 0 && row.pid !== process.pid, `durationMs is ${row.durationMs}`);

  // Each process tells of its part within a second.
  let spans: string[] = [];
  const hasAll = async (): Promise<boolean> => {
    const trace = (await timeline()).filter(({ name, ph }) => name === "works" && ph !== "M");
    spans = trace.map(({ cat, pid }) => `${cat} ${pid === process.pid ? "here" : "there"}`);
    return ["submit here", "get here", "run there"].every((span) => spans.includes(span));
  };
  assert.ok(await eventually(hasAll), spans.join());
});

test("state: objects with their size, place and refs", async () => {
  const small = put({ a: 1 });
  const large = put(new Float64Array(100_000));
  await large.stored;
  const rows = new Map((await listObjects()).map((row) => [row.objectId, row]));
  const [smallRow, largeRow] = [rows.get(small.id), rows.get(large.id)];

  assert.deepEqual([smallRow?.state, smallRow?.handles, smallRow?.ownerPid, smallRow?.site], ["inline", 1, process.pid, "put"]);
  assert.ok(largeRow?.state === "stored" && largeRow.bytes >= 800_000 && largeRow.handles === 1);
  assert.equal((await listObjects({ limit: 1 }))[0]?.objectId, large.id);
  assert.match((await explain(large)).reasons.join(), /bytes are stored on node/);
});

test("state: an actor's life", async () => {
  const actor = remote(Sleeper).options({ name: "sleeper" }).remote();
  const pid = await get(actor.pid.remote());
  const alive = (await listActors()).find(({ name }) => name === "sleeper");
  assert.deepEqual([alive?.state, alive?.pid, alive?.className, alive?.jobId], ["alive", pid, "Sleeper", jobId]);
  assert.equal((await explain(actor)).state, "alive");
  assert.ok((await listWorkers()).some((worker) => worker.pid === pid && worker.running.includes("Sleeper") && worker.kind === "actor"));

  await kill(actor);
  const dead = async (): Promise<string | undefined> => (await listActors()).find(({ name }) => name === "sleeper")?.deathCause?.kind;
  assert.ok(await eventually(async () => (await dead()) === "killed-by-user"));
});

test("state: a process that computes for long is named, not waited for", async () => {
  const [owner] = await listWorkers().then((workers) => workers.filter(({ kind }) => kind === "driver"));
  assert.equal(owner?.pid, process.pid);
  const busy = remote(function busy(path: string) {
    const end = Date.now() + 20_000;
    while (!process.getBuiltinModule("node:fs").existsSync(path) && Date.now() < end);
    return process.pid;
  });
  const open = join(machine.directory, "open");
  const ref = busy.remote(open);
  assert.ok(await eventually(async () => (await explain(ref)).state === "running"));
  const observer = await observeCluster(join(machine.directory, sessionName(await init({ ignoreReinitError: true }))));
  try {
    const { rows, missing } = await observer.state.tasks();
    assert.ok(rows.some(({ name, state }) => name === "busy" && state === "running"));
    // Its owner lives, and says so: only the process that computes is silent.
    const { state, reasons } = await observer.state.explain(ref.id);
    assert.equal(state, "running");
    assert.match(reasons.join(), /^in process \d+, whose loop has not run for \d+ ms or more$/);
    writeFileSync(open, "");
    const pid = await get(ref);
    // A worker that starts or ends at this moment may be missing, too.
    assert.match(missing.find((process) => process.pid === pid)?.reason ?? "", /has not run its loop/);
    await assert.rejects(observer.state.explain("ffff"), { code: "INVALID_ARGUMENT" });
    await assert.rejects(observer.state.explain("ffffffff-1"), { code: "INVALID_ARGUMENT" });
    const shown = `${owner?.workerId.slice(0, 8)}-${Number.parseInt(ref.id.slice(-16), 16).toString(16)}`;
    assert.equal((await observer.state.explain(shown)).state, "ready");
    assert.equal((await observer.state.explain(ref.id)).state, "ready");
  } finally {
    await observer.close();
  }
});

function sessionName({ sessionDirectory }: { readonly sessionDirectory: string }): string {
  return sessionDirectory.slice(machine.directory.length + 1);
}
