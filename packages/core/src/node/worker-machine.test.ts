import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Machine, printTable } from "../base/machine.ts";
import type { DeathCause } from "../messages/common.ts";
import { type WorkerEffect, type WorkerEvent, type WorkerState, workerEvents, workerTable } from "./worker-machine.ts";

const byNode = { by: "node" } as const;
const cause: DeathCause = { kind: "signal", signal: "SIGSEGV", stderrTail: [] };
const died: WorkerEvent = { kind: "died", cause, isConnected: false };
const diedWhileRead: WorkerEvent = { kind: "died", cause, isConnected: true };
const dismissed: WorkerEvent = { kind: "dismissed", reason: byNode, graceMs: 5000 };
const stopped: WorkerEvent = { kind: "stopped", reason: byNode, graceMs: 5000 };

function worker(...events: WorkerEvent[]): { state: WorkerState; last: readonly WorkerEffect[]; all: WorkerEffect[] } {
  const machine = new Machine<WorkerState, WorkerEvent, WorkerEffect>("worker process", workerTable, { kind: "starting" });
  let last: readonly WorkerEffect[] = [];
  const all: WorkerEffect[] = [];
  for (const event of events) {
    last = machine.handle(event, 7);
    all.push(...last);
  }
  return { state: machine.state, last, all };
}

test("worker machine: the table is the one that was reviewed", () => {
  const path = new URL("worker-machine.golden.txt", import.meta.url);
  const printed = printTable(workerTable, workerEvents);
  if (process.env.RAIA_WRITE_GOLDEN === "1") writeFileSync(path, printed);
  assert.equal(printed, readFileSync(path, "utf8"), "run with RAIA_WRITE_GOLDEN=1 if the change is meant");
});

test("worker machine: a process that is dismissed ends once nobody needs what it owns", () => {
  const asked = worker({ kind: "registered" }, { kind: "given" }, dismissed);
  assert.deepEqual(asked.last, [{ kind: "ask" }]);
  assert.equal(asked.state.kind, "leaving");

  const told = worker({ kind: "registered" }, { kind: "given" }, dismissed, { kind: "emptied" }, { kind: "ownsNothing" });

  assert.deepEqual(told.last, [{ kind: "end", reason: byNode, graceMs: 5000 }]);
  assert.equal(told.state.kind, "stopping");
});

test("worker machine: the end of its last work does not bring back a process that leaves or stops", () => {
  assert.equal(worker({ kind: "registered" }, { kind: "given" }, dismissed, { kind: "emptied" }).state.kind, "leaving");
  assert.equal(worker({ kind: "registered" }, { kind: "given" }, stopped, { kind: "emptied" }).state.kind, "stopping");
});

test("worker machine: a process that leaves is asked again when the work of others there is done", () => {
  const { last } = worker({ kind: "registered" }, { kind: "given" }, dismissed, { kind: "emptied" });

  assert.deepEqual(last, [{ kind: "ask" }]);
});

test("worker machine: one that is dismissed twice is asked once", () => {
  const { all } = worker({ kind: "registered" }, dismissed, dismissed);

  assert.deepEqual(all, [{ kind: "ask" }]);
});

test("worker machine: a process that never registers is killed, and one that did in time is not", () => {
  assert.deepEqual(worker({ kind: "registrationTimedOut" }).last, [{ kind: "kill", reason: byNode }]);
  assert.deepEqual(worker({ kind: "registered" }, { kind: "registrationTimedOut" }).last, []);
});

test("worker machine: a second stop is more urgent, and the first one's grace period still kills", () => {
  const now: WorkerEvent = { kind: "stopped", reason: { by: "user" }, graceMs: 0 };
  const { last } = worker({ kind: "registered" }, stopped, now);
  assert.deepEqual(last, [{ kind: "end", reason: { by: "user" }, graceMs: 0 }]);

  assert.deepEqual(worker({ kind: "registered" }, stopped, { kind: "graceOver", reason: byNode }).last, [{ kind: "kill", reason: byNode }]);
});

test("worker machine: what it had written is read before its death is told", () => {
  const dying = worker({ kind: "registered" }, { kind: "given" }, diedWhileRead);
  assert.deepEqual(dying.last, [{ kind: "readOn" }]);

  const gone = worker({ kind: "registered" }, { kind: "given" }, diedWhileRead, { kind: "emptied" }, { kind: "wasRead" });

  assert.deepEqual(gone.last, [{ kind: "bury", cause }]);
  assert.equal(gone.state.kind, "gone");
});

test("worker machine: whatever comes in whatever order, a process is buried once, after its death, and never killed after it", () => {
  const reason = fc.constantFrom<WorkerEvent>(dismissed, stopped, { ...stopped, graceMs: 0 });
  const late = fc.constantFrom<WorkerEvent>(
    { kind: "registrationTimedOut" },
    { kind: "ownsNothing" },
    { kind: "emptied" },
    died,
    diedWhileRead,
    { kind: "wasRead" },
    { kind: "graceOver", reason: byNode },
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(reason, late), { maxLength: 20 }), fc.boolean(), (events, isConnected) => {
      const machine = new Machine<WorkerState, WorkerEvent, WorkerEffect>("worker process", workerTable, { kind: "starting" });
      machine.handle({ kind: "registered" }, 0);
      machine.handle({ kind: "given" }, 0);
      machine.handle(stopped, 0);
      let buried = 0;
      let isDead = false;
      const first: WorkerEvent = { kind: "died", cause, isConnected };
      const afterDeath = events.filter(({ kind }) => kind !== "wasRead");
      for (const event of [first, ...afterDeath, { kind: "wasRead" } as const, ...afterDeath]) {
        // What is read to its end was being read.
        if (event.kind === "wasRead" && !isConnected) continue;
        for (const effect of machine.handle(event, 0)) {
          if (effect.kind === "bury") buried++;
          assert.ok(!(isDead && (effect.kind === "end" || effect.kind === "kill" || effect.kind === "ask")));
        }
        isDead = true;
      }
      assert.equal(buried, 1);
      assert.equal(machine.state.kind, "gone");
    }),
  );
});

test("worker machine: work for a process that is not there is a bug", () => {
  assert.throws(() => worker({ kind: "given" }), /no transition for "given" in state "starting"/);
  assert.throws(() => worker({ kind: "registered" }, dismissed, { kind: "given" }), /no transition for "given" in state "leaving"/);
});
