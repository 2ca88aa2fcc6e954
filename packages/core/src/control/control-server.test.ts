import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { printTable } from "../base/machine.ts";
import { actorSpec, ControlFixture } from "./control-fixture.ts";
import { jobEvents, jobTable } from "./job-machine.ts";
import { membershipEvents, membershipTable } from "./membership-machine.ts";
import { MemoryRecordStore } from "./memory-record-store.ts";
import { type TaskEventBlock, taskEventKind, TaskEventWriter } from "../messages/task-event-block.ts";

for (const [name, table, events] of [
  ["job", jobTable, jobEvents],
  ["membership", membershipTable, membershipEvents],
] as const) {
  test(`${name} machine: the table is the one that was reviewed`, () => {
    const path = new URL(`${name}-machine.golden.txt`, import.meta.url);
    const printed = printTable(table, events);
    if (process.env["RAIA_WRITE_GOLDEN"] === "1") writeFileSync(path, printed);
    assert.equal(printed, readFileSync(path, "utf8"), "run with RAIA_WRITE_GOLDEN=1 if the change is meant");
  });
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

// -- jobs -----------------------------------------------------------------------------------------------------------

test("jobs: numbered from one, each with a namespace of its own, listed until forgotten", async () => {
  const fixture = await ControlFixture.start({ limits: { maxFinishedJobs: 1 } });
  const drivers = [await fixture.driver("a"), await fixture.driver("b"), await fixture.driver("c")];
  assert.deepEqual(
    drivers.map(({ jobId }) => jobId),
    ["00000001", "00000002", "00000003"],
  );
  assert.equal(new Set(drivers.map(({ namespace }) => namespace)).size, 3);

  for (const { peer, jobId } of drivers.slice(0, 2)) await fixture.answer(peer.control.finishJob({ jobId }));

  const { jobs } = await fixture.answer(drivers[2]!.peer.control.listJobs({}));
  assert.deepEqual(
    jobs.map(({ jobId, state }) => [jobId, state]),
    [
      ["00000003", "running"],
      ["00000002", "finished"],
    ],
  );
  assert.equal(fixture.server.counters.jobs.forgotten, 1);
});

test("jobs: a driver that asks again gets the same job", async () => {
  const fixture = await ControlFixture.start();
  const first = await fixture.driver("a");
  const second = await fixture.driver("a");

  assert.equal(second.jobId, first.jobId);
});

test("jobs: a driver whose connection stays lost ends its job, one that returns goes on", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const gone = await fixture.driver("a");
  const back = await fixture.driver("b");
  await gone.peer.leave();
  await back.peer.leave();
  await fixture.pass(5_000);
  await fixture.peer("b");
  assert.deepEqual(node.endedJobs, []);

  await fixture.pass(60_000);

  assert.deepEqual(node.endedJobs, [gone.jobId]);
});

test("jobs: a driver whose process is gone, or whose node died, ends its job at once", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node("n1");
  const other = await fixture.node("n2");
  const a = await fixture.driver("a");
  const b = await fixture.driver("b", "n2");

  void node.reports.ownerEnded({ workerId: "a" });
  await fixture.settle();
  assert.deepEqual(node.endedJobs, [a.jobId]);
  await other.lose();
  await fixture.pass(500);

  assert.deepEqual(node.endedJobs, [a.jobId, b.jobId]);
});

// -- nodes ----------------------------------------------------------------------------------------------------------

test("nodes: a lost one gets half a second to return, then it is dead for good", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const peer = await fixture.peer();
  const states = async (): Promise<string[]> => (await fixture.answer(peer.control.listNodes({}))).nodes.map(({ state }) => state);

  await node.lose();
  await fixture.pass(499);
  await node.join();
  await fixture.pass(10_000);
  assert.deepEqual(await states(), ["alive"]);
  await node.lose();
  await fixture.pass(500);

  assert.deepEqual(await states(), ["dead"]);
  await assert.rejects(node.join(), { code: "NODE_DIED" });
  assert.deepEqual(await states(), ["dead"]);
});

test("nodes: one that registers on a new connection while the old one hangs is the same node, and the old one is closed", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const old = node.connection;

  await node.join();

  assert.equal(old.isClosed, true);
  await fixture.pass(1_000);
  const { peer, jobId } = await fixture.driver();
  await peer.createActor(actorSpec(jobId, "driver"));
  await fixture.settle();
  assert.deepEqual(node.started, ["Counter 1"]);
  assert.equal((await fixture.answer(peer.control.listNodes({}))).nodes[0]?.state, "alive");
});

test("nodes: one that returns hears which jobs ended meanwhile", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const before = await fixture.driver("a");
  const meanwhile = await fixture.driver("b");
  await fixture.answer(before.peer.control.finishJob({ jobId: before.jobId }));
  await fixture.pass(1);
  await node.lose();

  await fixture.answer(meanwhile.peer.control.finishJob({ jobId: meanwhile.jobId }));
  await node.join();

  assert.deepEqual(node.endedJobs, [before.jobId, meanwhile.jobId]);
});

// -- key-value pairs ------------------------------------------------------------------------------------------------

test("kv: put, get, keys, delete; namespaces are apart", async () => {
  const fixture = await ControlFixture.start();
  const { control } = await fixture.peer();
  const put = (namespace: string, key: string, value: string, overwrite = true): Promise<{ added: boolean }> =>
    fixture.answer(control.kvPut({ namespace, key, value: text(value), overwrite }));
  const get = async (namespace: string, key: string): Promise<string | undefined> => {
    const { value } = await fixture.answer(control.kvGet({ namespace, key }));
    return value && Buffer.from(value).toString();
  };

  assert.deepEqual(await put("a", "k2", "1"), { added: true });
  assert.deepEqual(await put("a", "k1", "1"), { added: true });
  assert.deepEqual(await put("a", "k1", "2", false), { added: false });
  assert.deepEqual(await put("ak", "1", "other"), { added: true });
  assert.equal(await get("a", "k1"), "1");
  assert.deepEqual(await put("a", "k1", "3"), { added: false });
  assert.equal(await get("a", "k1"), "3");
  assert.deepEqual((await fixture.answer(control.kvKeys({ namespace: "a", prefix: "k" }))).keys, ["k1", "k2"]);
  await fixture.answer(control.kvDelete({ namespace: "a", key: "k1" }));
  assert.equal(await get("a", "k1"), undefined);
  assert.equal(await get("ak", "1"), "other");
});

test("kv: of several that add one key in the same moment, one does", async () => {
  const fixture = await ControlFixture.start();
  const { control } = await fixture.peer();
  const puts = [1, 2, 3].map((n) => control.kvPut({ namespace: "a", key: "lock", value: text(String(n)), overwrite: false }));

  const added = (await fixture.answer(Promise.all(puts))).map((reply) => reply.added);

  assert.deepEqual(added, [true, false, false]);
});

test("kv: past its limits it refuses, and what it has stays", async () => {
  const fixture = await ControlFixture.start({ limits: { maxValueBytes: 10, maxKvBytes: 15, maxKvEntries: 3, maxKeyChars: 20 } });
  const { control } = await fixture.peer();
  const put = (key: string, bytes: number): Promise<unknown> =>
    fixture.answer(control.kvPut({ namespace: "a", key, value: new Uint8Array(bytes), overwrite: true }));
  await put("k", 9);

  await assert.rejects(put("k", 11), { code: "LIMIT_EXCEEDED", facts: { limit: "maxValueBytes", maximum: 10, wanted: 11 } });
  await assert.rejects(put("l", 9), { code: "LIMIT_EXCEEDED" });
  await assert.rejects(put("m".repeat(20), 0), { code: "LIMIT_EXCEEDED" });
  await put("l", 1);
  await put("m", 0);
  await assert.rejects(put("n", 0), { code: "LIMIT_EXCEEDED" });

  assert.deepEqual(fixture.server.counters.kv, { entries: 3, bytes: 13 });
});

// -- functions ------------------------------------------------------------------------------------------------------

test("functions: kept once for all jobs, gone with the last of them", async () => {
  const fixture = await ControlFixture.start();
  const a = await fixture.driver("a");
  const b = await fixture.driver("b");
  const code = text("code");
  await fixture.answer(a.peer.control.putFunction({ hash: "h", jobId: a.jobId, code }));
  await fixture.answer(b.peer.control.putFunction({ hash: "h", jobId: b.jobId, code }));
  assert.deepEqual(fixture.server.counters.functions, { functions: 1, bytes: 4, storeFailures: 0 });

  await fixture.answer(a.peer.control.finishJob({ jobId: a.jobId }));
  assert.equal(Buffer.from((await fixture.answer(b.peer.control.getFunction({ hash: "h" }))).code ?? []).toString(), "code");
  await fixture.answer(b.peer.control.finishJob({ jobId: b.jobId }));

  assert.deepEqual(fixture.server.counters.functions, { functions: 0, bytes: 0, storeFailures: 0 });
  await assert.rejects(fixture.answer(a.peer.control.putFunction({ hash: "h", jobId: a.jobId, code })), { code: "OWNER_DIED" });
});

test("functions: who asks before the code is there waits for it, and not for ever", async () => {
  const fixture = await ControlFixture.start();
  const { peer, jobId } = await fixture.driver();
  const worker = await fixture.peer();
  const early = worker.control.getFunction({ hash: "h" });
  const never = worker.control.getFunction({ hash: "other" });
  await fixture.pass(1_000);

  await fixture.answer(peer.control.putFunction({ hash: "h", jobId, code: text("code") }));
  assert.equal(Buffer.from((await fixture.answer(early)).code ?? []).toString(), "code");
  await fixture.pass(4_000);

  assert.deepEqual(await fixture.answer(never), {});
});

test("functions: code has a limit, alone and together; other code under the same hash is refused", async () => {
  const fixture = await ControlFixture.start({ limits: { maxFunctionBytes: 10, maxAllFunctionBytes: 15 } });
  const { peer, jobId } = await fixture.driver();
  const put = (hash: string, bytes: number): Promise<unknown> =>
    fixture.answer(peer.control.putFunction({ hash, jobId, code: new Uint8Array(bytes) }));
  await put("a", 10);

  await assert.rejects(put("b", 11), { code: "LIMIT_EXCEEDED" });
  await assert.rejects(put("b", 6), { code: "LIMIT_EXCEEDED" });
  await assert.rejects(put("a", 9), { code: "INVALID_ARGUMENT" });
  await put("b", 5);

  assert.equal(fixture.server.counters.functions.bytes, 15);
});

// -- task events ----------------------------------------------------------------------------------------------------

function blockOf(jobId: string, times: readonly number[], dropped: number): TaskEventBlock {
  const writer = new TaskEventWriter(times.length);
  const row = { kind: taskEventKind.submitted, ownerId: "o", name: "f", attempt: 0, sequence: 1, durationMs: 0, error: "" };
  for (const atMs of times) writer.add({ ...row, atMs });
  return { jobId, workerId: "w", pid: 1, ...writer.take(), dropped };
}

test("task events: the last of each job are kept, the exact number of the others is told", async () => {
  const fixture = await ControlFixture.start({ limits: { maxTaskEventsPerJob: 3, maxFinishedJobsWithEvents: 1 } });
  const drivers = [await fixture.driver("a"), await fixture.driver("b"), await fixture.driver("c")] as const;
  const [a, b] = drivers;
  const { control } = a.peer;
  control.reportTaskEvents(blockOf(a.jobId, [1, 2], 10));
  control.reportTaskEvents(blockOf(a.jobId, [3, 4, 5], 0));
  control.reportTaskEvents(blockOf(b.jobId, [0], 0));
  control.reportTaskEvents(blockOf("unknown", [9], 0));
  const list = async (limit: number, jobId?: string): Promise<[string, number]> => {
    const { events, dropped } = await fixture.answer(control.listTaskEvents({ limit, jobId }));
    return [events.map(({ atMs }) => atMs).join(" "), dropped];
  };

  assert.deepEqual(await list(100), ["0 3 4 5", 13]);
  assert.deepEqual(await list(2, a.jobId), ["4 5", 13]);
  for (const { peer, jobId } of drivers.slice(0, 2)) await fixture.answer(peer.control.finishJob({ jobId }));

  assert.deepEqual(await list(100), ["0", 16]);

  // A worker's last report may come behind the end of its job; of a job that is forgotten it is too late.
  control.reportTaskEvents(blockOf(b.jobId, [6], 0));
  control.reportTaskEvents(blockOf(a.jobId, [7, 8], 0));
  assert.deepEqual(await list(100), ["0 6", 18]);
});

test("task events: of a job that ended before its first report they are kept as well", async () => {
  const fixture = await ControlFixture.start();
  const { peer, jobId } = await fixture.driver("a");
  await fixture.answer(peer.control.finishJob({ jobId }));
  peer.control.reportTaskEvents(blockOf(jobId, [1], 0));

  const { events, dropped } = await fixture.answer(peer.control.listTaskEvents({ limit: 100 }));
  assert.deepEqual([events.length, dropped], [1, 0]);
});

// -- from one control process to the next ---------------------------------------------------------------------------

test("control: the next process finds pairs, functions and jobs, and gives no job id twice", async () => {
  const store = new MemoryRecordStore();
  const first = await ControlFixture.start({ store });
  const { peer, jobId } = await first.driver("a");
  await first.answer(peer.control.kvPut({ namespace: "n:1", key: "k", value: text("v"), overwrite: true }));
  await first.answer(peer.control.putFunction({ hash: "h", jobId, code: text("code") }));
  const ended = await first.driver("b");
  await first.answer(ended.peer.control.finishJob({ jobId: ended.jobId }));

  const second = await ControlFixture.start({ store });
  const again = await second.driver("c");
  const { control } = again.peer;

  assert.equal(again.jobId, "00000003");
  assert.equal(Buffer.from((await second.answer(control.kvGet({ namespace: "n:1", key: "k" }))).value ?? []).toString(), "v");
  assert.equal(Buffer.from((await second.answer(control.getFunction({ hash: "h" }))).code ?? []).toString(), "code");
  // Its driver does not return: the job ends, and its code goes.
  await second.pass(10_000);
  const { jobs } = await second.answer(control.listJobs({}));
  assert.deepEqual(
    jobs.map((job) => [job.jobId, job.state]),
    [
      ["00000003", "running"],
      ["00000002", "finished"],
      ["00000001", "finished"],
    ],
  );
  assert.equal(second.server.counters.functions.functions, 0);
  assert.deepEqual(await store.load("functions"), []);
});

test("control: the next process takes over the actors that nodes still have, and restarts the others under new numbers", async () => {
  const store = new MemoryRecordStore();
  const first = await ControlFixture.start({ store });
  const node = await first.node("n1");
  const driver = await first.driver("driver");
  const { jobId } = driver;
  const kept = actorSpec(jobId, "driver", { className: "Kept", maxRestarts: -1 });
  const gone = actorSpec(jobId, "driver", { className: "Gone", name: "gone", maxRestarts: -1 });
  const starting = actorSpec(jobId, "driver", { className: "Starting" });
  await driver.peer.createActor(kept);
  await driver.peer.createActor(gone);
  await first.settle();
  node.onStart = () => new Promise(() => {});
  await driver.peer.createActor(starting);
  const killed = actorSpec(jobId, "driver", { className: "Killed" });
  await driver.peer.createActor(killed);
  await first.answer(driver.peer.control.killActor({ actorId: killed.actorId, noRestart: true }));

  const second = await ControlFixture.start({ store });
  const watcher = await second.peer("driver");
  for (const { actorId } of [kept, gone, starting]) await second.answer(watcher.control.watchActor({ actorId }));
  const back = await second.node("n1", {
    hosted: [
      { actorId: kept.actorId, incarnation: 1 },
      { actorId: starting.actorId, incarnation: 1 },
    ],
  });
  await second.pass(1_000);

  assert.deepEqual(back.started.toSorted(), ["Gone 2", "Starting 2"]);
  assert.deepEqual(back.stopped, [`${starting.actorId.slice(0, 2)} 1 0`]);
  assert.deepEqual(
    watcher.views
      .map(({ actorId, state, incarnation }) => `${actorId === gone.actorId ? "gone" : "starting"} ${state} ${incarnation}`)
      .toSorted(),
    ["gone alive 2", "gone restarting 2", "starting alive 2"],
  );
  const found = await second.answer(watcher.control.watchActor({ actorId: kept.actorId }));
  assert.deepEqual([found.view.state, found.view.incarnation, found.view.address], ["alive", 1, "n1/1"]);
});

test("control: the next process knows which actors of a running job are dead, and forgets them with the job", async () => {
  const store = new MemoryRecordStore();
  const first = await ControlFixture.start({ store });
  await first.node("n1");
  const { peer, jobId } = await first.driver("driver");
  const [killed, neverMade] = [actorSpec(jobId, "driver"), actorSpec(jobId, "driver")];
  await peer.createActor(killed);
  await first.settle();
  for (const { actorId } of [killed, neverMade]) await first.answer(peer.control.killActor({ actorId, noRestart: true }));

  const second = await ControlFixture.start({ store });
  const watcher = await second.peer("driver");
  const views = await Promise.all([killed, neverMade].map(({ actorId }) => second.answer(watcher.control.watchActor({ actorId }))));
  assert.deepEqual(
    views.map(({ view: { state, cause } }) => [state, cause?.kind]),
    [
      ["dead", "killed-by-user"],
      ["dead", "killed-by-user"],
    ],
  );
  await assert.rejects(watcher.createActor(neverMade), { code: "ACTOR_DIED" });

  await second.answer(watcher.control.finishJob({ jobId }));
  await second.settle();
  assert.deepEqual(await store.load("actorGraves"), []);
});

test("control: a node that the next process waits for in vain is dead, and so is what it had", async () => {
  const store = new MemoryRecordStore();
  const first = await ControlFixture.start({ store });
  await first.node("n1");
  const { peer, jobId } = await first.driver("driver");
  const spec = actorSpec(jobId, "driver");
  await peer.createActor(spec);
  await first.settle();

  const second = await ControlFixture.start({ store });
  const watcher = await second.peer("driver");
  await second.answer(watcher.control.watchActor({ actorId: spec.actorId }));
  await second.pass(10_000);

  assert.equal(watcher.views.at(-1)?.cause?.kind, "node-died");
  assert.deepEqual(await store.load("actors"), []);
});
