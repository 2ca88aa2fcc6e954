/** Thousands of small actors in few processes (C-29). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { existingRuntime } from "../../src/api/init.ts";
import { get, remote } from "../../src/index.ts";

testCluster();

test("C-29: 10,000 shared actors fit in a few processes, and none is left 5 s after they were dropped", { timeout: 90_000 }, async () => {
  class Cell {
    #n: number;
    constructor(n: number) {
      this.#n = n;
    }
    read(): number[] {
      return [this.#n, process.pid];
    }
  }
  const Cells = remote(Cell).options({ isolation: "shared", numCpus: 0 });
  const cells = Array.from({ length: 10_000 }, (_, index) => Cells.remote(index));
  const answers = await get(cells.map((cell) => cell.read.remote()));
  assert.ok(answers.every(([n], index) => n === index));
  const pids = new Set(answers.map(([, pid]) => pid));
  assert.ok(pids.size <= 8, `${pids.size} processes`);
  for (const cell of cells.splice(0)) await cell[Symbol.asyncDispose]();
  const living = async (): Promise<number> => {
    const { actors } = await existingRuntime().cluster.control.listActors({ limit: 20_000 });
    return actors.filter(({ state }) => state !== "dead").length;
  };
  assert.ok(await eventually(async () => (await living()) === 0, 5000), `${await living()} are left`);
});
