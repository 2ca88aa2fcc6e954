/** The control plane of a cluster that stands is shot or frozen: what runs does not notice, what needs it waits, nothing is lost. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { findStanding, observeCluster, startStanding, stopStanding } from "../../src/cluster.ts";
import { get, getActor, init, listActors, RaiaError, remote, shutdown } from "../../src/index.ts";
import { eventually, isAlive, type Machine, makeMachine } from "./machine.ts";

const MiB = 1024 * 1024;
/** A bound on what hangs. */
const GONE_MS = 20_000;
let machine: Machine;

before(async () => {
  machine = makeMachine();
  const { path } = await startStanding({ numCpus: 2, objectStoreMemory: 64 * MiB });
  await init({ address: path, logToDriver: false });
});

after(async () => {
  await shutdown();
  for (const session of await findStanding()) await stopStanding(session, { graceMs: 0 });
  await machine.end();
});

async function controlPid(): Promise<number> {
  const observer = await observeCluster();
  await observer.close();
  return observer.controlPid;
}

/** @returns when it is gone, and not there again yet as a rule */
async function killControl(): Promise<void> {
  const pid = await controlPid();
  process.kill(pid, "SIGKILL");
  assert.ok(await eventually(() => !isAlive(pid), GONE_MS));
}

class Tally {
  #sum: number;
  constructor(start = 0) {
    this.#sum = start;
  }
  add(by: number): number {
    return (this.#sum += by);
  }
  crash(): never {
    process.exit(3);
  }
}

const square = remote((x: number) => x * x);
const numbers = Array.from({ length: 100 }, (_, index) => index);

test("shot again and again: tasks and calls under way go on, actors and names are made and found, each right", async () => {
  const tally = remote(Tally).options({ name: "tally" }).remote();
  let sum = await get(tally.add.remote(0));
  for (let round = 1; round <= 5; round++) {
    await killControl();
    const squares = numbers.map((x) => square.remote(x));
    const sums = numbers.map((by) => tally.add.remote(by));
    const newcomer = remote(Tally)
      .options({ name: `newcomer ${round}` })
      .remote(round);
    const found = getActor<typeof tally>("tally");

    assert.deepEqual(
      await get(squares),
      numbers.map((x) => x * x),
    );
    for (const [index, value] of (await get(sums)).entries()) assert.equal(value, (sum += numbers[index] as number));
    assert.equal(await get(newcomer.add.remote(1)), round + 1);
    assert.equal(await get((await found).add.remote(0)), sum);
  }
  const alive = (await listActors()).filter(({ state }) => state === "alive").map(({ name }) => name);
  assert.deepEqual(
    alive.toSorted((a = "", b = "") => a.localeCompare(b)),
    ["newcomer 1", "newcomer 2", "newcomer 3", "newcomer 4", "newcomer 5", "tally"],
  );
  assert.deepEqual(
    (await listActors()).map(({ restarts }) => restarts),
    [0, 0, 0, 0, 0, 0],
  );
});

test("an actor that dies while control is away is restarted when it is back, and dies of what it died of", async () => {
  const mayOnce = remote(Tally).options({ maxRestarts: 1 }).remote(10);
  assert.equal(await get(mayOnce.add.remote(1)), 11);
  for (const { code, sum } of [
    { code: "ACTOR_UNAVAILABLE", sum: 11 },
    { code: "ACTOR_DIED", sum: undefined },
  ]) {
    await killControl();
    await assert.rejects(get(mayOnce.crash.remote()), (error) => {
      assert.ok(RaiaError.is(error));
      assert.equal(error.code, code);
      if (code === "ACTOR_DIED") assert.deepEqual([error.facts["cause"], error.facts["exitCode"]], ["exit", 3]);
      return true;
    });
    if (sum !== undefined) assert.equal(await get(mayOnce.add.remote(1)), sum);
  }
});

test("a driver that is shot while control is away takes its job along when control is back", async () => {
  const lender = machine.start("lend");
  const { pids } = (await lender.next()) as { pids: number[] };
  assert.ok(pids.length > 0 && pids.every(isAlive));
  await killControl();
  lender.child.kill("SIGKILL");
  await lender.ended;
  assert.ok(await eventually(() => !pids.some(isAlive), GONE_MS), `still there: ${pids.filter(isAlive).join(", ")}`);
});

test("whoever looks at the cluster while control is away waits for it", async () => {
  const pid = await controlPid();
  process.kill(pid, "SIGKILL");
  assert.ok(await eventually(() => !isAlive(pid), GONE_MS));
  assert.notEqual(await controlPid(), pid);
});

test("frozen: calls of actors go on, what needs control waits for it, and nothing is given up", async () => {
  const tally = remote(Tally).options({ name: "frozen" }).remote();
  assert.equal(await get(tally.add.remote(1)), 1);
  const pid = await controlPid();
  process.kill(pid, "SIGSTOP");
  const found = getActor<typeof tally>("frozen");
  // New code goes through control.
  const cubes = remote((x: number) => x ** 3);
  const cubed = numbers.map((x) => cubes.remote(x));
  assert.equal(await get(tally.add.remote(1)), 2);
  process.kill(pid, "SIGCONT");
  assert.deepEqual(
    await get(cubed),
    numbers.map((x) => x ** 3),
  );
  assert.equal(await get((await found).add.remote(1)), 3);
});
