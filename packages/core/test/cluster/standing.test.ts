import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findStanding, observeCluster, type StandingCluster, startStanding, stopStanding } from "../../src/cluster.ts";
import { eventually, isAlive, type Machine, makeMachine, processesOf } from "./machine.ts";

const ARENA_BYTES = 64 * 1024 * 1024;

let machine: Machine;
let standing: StandingCluster | undefined;

const startOne = (): Promise<StandingCluster> => startStanding({ numCpus: 2, objectStoreMemory: ARENA_BYTES });

/** The cluster that tests share. */
async function stand(): Promise<StandingCluster> {
  return (standing ??= await startOne());
}

async function standNone(): Promise<void> {
  standing = undefined;
  for (const session of await findStanding()) await stopStanding(session, { graceMs: 0 });
}

before(() => {
  machine = makeMachine();
});

after(async () => {
  await standNone();
  await machine.end();
});

interface Ran {
  readonly jobId: string;
  readonly sessionDirectory: string;
  readonly ran: { readonly pid: number; readonly jobId: string };
}

test("standing: drivers share the cluster, each with a job of its own, and leave no worker of it", async () => {
  const cluster = await stand();
  const [[first], [second]] = (await Promise.all([machine.run("task"), machine.run("task")])) as [[Ran], [Ran]];

  assert.deepEqual([first.sessionDirectory, second.sessionDirectory], [cluster.path, cluster.path]);
  assert.notEqual(first.jobId, second.jobId);
  assert.deepEqual([first.ran.jobId, second.ran.jobId], [first.jobId, second.jobId]);
  const observer = await observeCluster();
  try {
    const jobs = [first.jobId, second.jobId];
    const isGone = async (): Promise<boolean> => !(await observer.state.workers()).some(({ jobId }) => jobs.includes(jobId));
    assert.ok(await eventually(isGone), JSON.stringify(await observer.state.workers()));
    const ended = (await observer.state.jobs()).filter(({ jobId }) => jobs.includes(jobId)).map(({ state }) => state);
    assert.deepEqual(ended, ["finished", "finished"]);
  } finally {
    await observer.close();
  }
});

test("standing: a driver that is shot takes its workers along and nothing else", async () => {
  const cluster = await stand();
  const program = machine.start("hold");
  const { pids } = (await program.next()) as { pids: number[] };
  assert.ok(pids.length >= 2 && pids.every(isAlive));
  program.child.kill("SIGKILL");
  assert.equal(await program.ended, "SIGKILL");

  assert.ok(await eventually(() => !pids.some(isAlive)), `still there: ${pids.filter(isAlive).join(", ")}`);
  const [next] = (await machine.run("task")) as [Ran];
  assert.equal(next.sessionDirectory, cluster.path);
});

for (const end of ["shutdown", "itself", "exit"] as const)
  test(`standing: what a program did last is told when it is over, ended by: ${end}`, async () => {
    await stand();
    const [{ jobId }] = (await machine.run("brief", { END: end })) as [{ jobId: string }];

    const observer = await observeCluster();
    try {
      const rows = async (): Promise<string[]> =>
        (await observer.state.tasks()).rows
          .filter((row) => row.jobId === jobId)
          .map(({ name, state }) => `${name} ${state}`)
          .sort();
      const told = ["DisposedTally.add finished", "Tally.add finished", ...Array.from({ length: 3 }, () => "square finished")];
      // A program that ends by force waits for nobody: the others tell within moments.
      if (end === "exit") await eventually(async () => (await rows()).join() === told.join());
      assert.deepEqual(await rows(), told);
      const { events, dropped } = await observer.state.timeline({ jobId });
      assert.deepEqual([events.filter(({ cat }) => cat === "run").length, dropped], [5, 0]);
    } finally {
      await observer.close();
    }
  });

test("standing: a detached actor outlives the driver that made it", async () => {
  await stand();
  assert.deepEqual(await machine.run("detached"), [1, 2]);
  assert.deepEqual(await machine.run("detached"), [3, 4]);
});

test("standing: what a driver means by its address", async () => {
  const cluster = await stand();
  const told = async (mode: string, env: Record<string, string>): Promise<Record<string, unknown>> =>
    (await machine.run(mode, env))[0] as Record<string, unknown>;
  const at = async (env: Record<string, string>): Promise<unknown> => (await told("task", env))["sessionDirectory"];

  assert.equal(await at({ RAIA_ADDRESS: "auto" }), cluster.path);
  assert.equal(await at({ RAIA_ADDRESS: cluster.path, RAY_ADDRESS: "10.0.0.1:6379" }), cluster.path);
  assert.equal(await at({ RAY_ADDRESS: "auto" }), cluster.path);
  assert.notEqual(await at({ RAIA_ADDRESS: "local" }), cluster.path);

  const foreign = await told("task", { RAY_ADDRESS: "10.0.0.1:6379" });
  assert.equal(foreign["code"], "CLUSTER_NOT_FOUND");
  assert.equal((foreign["facts"] as { asked: string }).asked, "RAY_ADDRESS=10.0.0.1:6379");
  const gone = await told("task", { RAIA_ADDRESS: `${cluster.path}x` });
  assert.deepEqual([gone["code"], (gone["facts"] as { asked: string }).asked], ["CLUSTER_NOT_FOUND", `RAIA_ADDRESS=${cluster.path}x`]);
  const withCpus = await told("withCpus", {});
  assert.deepEqual([withCpus["code"], (withCpus["facts"] as { option: string }).option], ["INVALID_OPTION", "numCpus"]);
});

test("standing: there is one of a user, and what it cannot offer is refused before anything starts", async () => {
  const cluster = await stand();
  const processes = processesOf(machine.directory).length;
  await assert.rejects(startOne(), { code: "CLUSTER_START_FAILED", message: new RegExp(`pid=${cluster.pid}\\b`) });
  await assert.rejects(startStanding({ numCpus: -1 }), { code: "INVALID_OPTION" });
  await assert.rejects(startStanding({ labels: { "no good": "x" } }), { code: "INVALID_OPTION" });
  assert.equal(processesOf(machine.directory).length, processes);
});

test("standing: the directory that it was started in may go", async () => {
  await standNone();
  const former = process.cwd();
  const directory = mkdtempSync(join(machine.directory, "started-in-"));
  process.chdir(directory);
  await stand().finally(() => process.chdir(former));
  rmdirSync(directory);

  assert.deepEqual(await machine.run("whereTasksRun"), [former]);
  assert.deepEqual(await machine.run("directoryGone"), ["/"]);
});

test("local: a program whose directory is gone works, its workers start in the root", async () => {
  assert.deepEqual(await machine.run("directoryGone", { RAIA_ADDRESS: "local" }), ["/"]);
});

test("standing: a head that is stopped is told from one that answers, and can be ended", async () => {
  const cluster = await stand();
  standing = undefined;
  process.kill(cluster.pid, "SIGSTOP");
  const [found] = await findStanding();
  assert.deepEqual([found?.pid, found?.state], [cluster.pid, "silent"]);
  await assert.rejects(observeCluster("auto"), { code: "CLUSTER_NOT_FOUND", message: new RegExp(`process ${cluster.pid}\\b`) });

  assert.equal(await stopStanding(cluster, { graceMs: 0 }), true);
  assert.equal(isAlive(cluster.pid), false);
  assert.ok(await eventually(() => processesOf(machine.directory).length === 0), processesOf(machine.directory).join("\n"));
});

test("standing: of two starts at the same moment one is refused as a second one is", async () => {
  await standNone();
  const starts = await Promise.allSettled([startOne(), startOne()]);
  const started = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const refused = starts.flatMap((start) => (start.status === "rejected" ? [start.reason as unknown] : []));
  standing = started[0];

  assert.deepEqual([started.length, refused.length], [1, 1]);
  assert.throws(
    () => {
      throw refused[0];
    },
    { code: "CLUSTER_START_FAILED", message: new RegExp(`stands already.*pid=${started[0]?.pid}\\b`) },
  );
  assert.deepEqual(
    (await findStanding()).map(({ path }) => path),
    started.map(({ path }) => path),
  );
});

test("standing: a head whose session directory was removed ends, and says why in its log", async () => {
  const cluster = await stand();
  standing = undefined;
  // In one step: its workers may be making files in there.
  const moved = join(machine.directory, "moved");
  renameSync(cluster.path, moved);

  assert.equal(await cluster.ended, "exit code 1");
  rmSync(moved, { recursive: true });
  assert.match(readFileSync(join(cluster.logsPath, "head.log"), "utf8"), /session's directory was removed/);
  assert.ok(await eventually(() => processesOf(machine.directory).length === 0), processesOf(machine.directory).join("\n"));
});

test("standing: a head that is shot leaves no worker, its session is recognised as stale, and another can start", async () => {
  await standNone();
  const cluster = await startOne();
  await machine.run("task");
  process.kill(cluster.pid, "SIGKILL");
  // A process has no environment any more, by which it is looked for, a moment before it is gone.
  assert.equal(await cluster.ended, "SIGKILL");
  assert.ok(await eventually(() => processesOf(machine.directory).length === 0), processesOf(machine.directory).join("\n"));
  assert.ok(existsSync(cluster.path));

  assert.deepEqual(await findStanding(), []);
  assert.equal(existsSync(cluster.path), false);
  assert.equal(readFileSync(join(cluster.logsPath, "head.log"), "utf8"), "");
  const next = await startOne();
  assert.equal(await stopStanding(next), false);
  assert.equal(existsSync(next.path), false);
});

test("standing: a start that is given up leaves nothing", async () => {
  await standNone();
  const stop = new AbortController();
  const starting = startStanding({ numCpus: 1, objectStoreMemory: ARENA_BYTES, signal: stop.signal });
  assert.ok(await eventually(() => processesOf(machine.directory).length > 0));
  stop.abort();

  await assert.rejects(starting, { code: "CLUSTER_START_FAILED" });
  assert.ok(await eventually(() => processesOf(machine.directory).length === 0), processesOf(machine.directory).join("\n"));
  assert.deepEqual(await findStanding(), []);
});

test("local: a driver and its head shot in the same instant leave no process, and the next driver removes the rest", async () => {
  await standNone();
  const program = machine.start("hold");
  const { sessionDirectory, pids } = (await program.next()) as { sessionDirectory: string; pids: number[] };
  const head = parentOf(pids[0] as number);
  assert.equal(parentOf(head), program.child.pid);
  process.kill(head, "SIGSTOP");
  program.child.kill("SIGKILL");
  process.kill(head, "SIGKILL");
  await program.ended;

  assert.ok(await eventually(() => processesOf(machine.directory).length === 0), processesOf(machine.directory).join("\n"));
  assert.ok(existsSync(sessionDirectory));
  const next = machine.start("hold");
  await next.next();
  assert.ok(await eventually(() => !existsSync(sessionDirectory)));
  next.child.kill("SIGKILL");
  assert.ok(await eventually(() => processesOf(machine.directory).length === 0), processesOf(machine.directory).join("\n"));
});

function parentOf(pid: number): number {
  return Number(/\) \w (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1]);
}

test("standing: without one, a driver starts its own and takes it along", async () => {
  await standNone();
  const [own] = (await machine.run("task")) as [Ran];
  assert.ok(own.sessionDirectory.startsWith(machine.directory));
  assert.equal(existsSync(own.sessionDirectory), false);
});
