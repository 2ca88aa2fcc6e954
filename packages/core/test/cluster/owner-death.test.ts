/** C-5: a driver that is shot on a cluster that stands: what it owned is gone, and who borrowed of it hears so. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findStanding, observeCluster, startStanding, stopStanding } from "../../src/cluster.ts";
import { RaiaError } from "../../src/base/errors.ts";
import { SqliteRecordStore } from "../../src/control/sqlite-record-store.ts";
import { eventually, isAlive, type Machine, makeMachine } from "./machine.ts";

const ARENA_BYTES = 64 * 1024 * 1024;
/** What the catalogue allows. */
const GONE_MS = 2000;
let machine: Machine;

before(async () => {
  machine = makeMachine();
  await startStanding({ numCpus: 2, objectStoreMemory: ARENA_BYTES });
});

after(async () => {
  for (const session of await findStanding()) await stopStanding(session, { graceMs: 0 });
  await machine.end();
});

test("C-5: its tasks, actors and objects are gone within 2 s; a detached actor that borrowed from it gets OWNER_DIED", async () => {
  const lender = machine.start("lend");
  const { pids, storedBytes } = (await lender.next()) as { pids: number[]; storedBytes: number };
  assert.ok(pids.every(isAlive));
  assert.ok(storedBytes > 0);
  lender.child.kill("SIGKILL");
  assert.equal(await lender.ended, "SIGKILL");
  assert.ok(await eventually(() => !pids.some(isAlive), GONE_MS), `still there: ${pids.filter(isAlive).join(", ")}`);

  assert.deepEqual(await machine.run("ask"), [["OWNER_DIED", "OWNER_DIED"]]);
  const observer = await observeCluster();
  try {
    const actors = (await observer.state.actors()).rows.filter(({ state }) => state !== "dead").map(({ name }) => name);
    assert.deepEqual(actors, ["keeper"]);
  } finally {
    await observer.close();
  }
});

test("control of a cluster that stands keeps its records in a file of the session, which is its alone", async () => {
  const [session] = await findStanding();
  const path = join(session!.path, "control.db");
  assert.ok(statSync(path).size > 0);
  const SQLITE_BUSY = 5;
  await assert.rejects(new SqliteRecordStore({ path }).load("actors"), (error) => {
    assert.ok(RaiaError.is(error, "CONTROL_STORE_FAILED"));
    assert.equal(error.facts["sqliteCode"], SQLITE_BUSY);
    return true;
  });
});
