import assert from "node:assert/strict";
import { test } from "node:test";
import { actorTable } from "../../src/control/actor-machine.ts";
import { workerTable } from "../../src/node/worker-machine.ts";
import { listedStates } from "../../src/worker/state/listed-states.ts";

test("listed states: of actors and workers all that their machines have", () => {
  assert.deepEqual([...listedStates.actors].sort(), Object.keys(actorTable).sort());
  assert.deepEqual([...listedStates.workers].sort(), Object.keys(workerTable).sort());
});
