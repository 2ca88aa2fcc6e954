import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Machine, printTable } from "../base/machine.ts";
import type { DeathCause } from "../messages/common.ts";
import { type Holding, type LeaseEffect, type LeaseEvent, leaseEventKinds, type LeaseState, leaseTable } from "./lease-machine.ts";
import { PoolWorker } from "./pool-worker.ts";

const worker = new PoolWorker("w1", "key", 0, 2);
const holding: Holding = { worker, grant: { resources: { CPU: 10_000 }, devices: {} }, claims: { first: 0, count: 256 }, grantedAtMs: 3 };
const cause: DeathCause = { kind: "exit", exitCode: 1, stderrTail: [] };
const found: LeaseEvent = { kind: "found", holding };

function newLease(): Machine<LeaseState, LeaseEvent, LeaseEffect> {
  return new Machine<LeaseState, LeaseEvent, LeaseEffect>("lease", leaseTable, { kind: "queued" });
}

function lease(...events: LeaseEvent[]): { state: LeaseState; last: readonly LeaseEffect[] } {
  const machine = newLease();
  let last: readonly LeaseEffect[] = [];
  for (const event of events) last = machine.handle(event, 0);
  return { state: machine.state, last };
}

test("lease machine: the table is the one that was reviewed", () => {
  const path = new URL("lease-machine.golden.txt", import.meta.url);
  const printed = printTable(leaseTable, leaseEventKinds);
  if (process.env.RAIA_WRITE_GOLDEN === "1") writeFileSync(path, printed);
  assert.equal(printed, readFileSync(path, "utf8"), "run with RAIA_WRITE_GOLDEN=1 if the change is meant");
});

test("lease machine: a queued request that is cancelled leaves the queue and is answered", () => {
  const { state, last } = lease({ kind: "cancelled" });

  assert.deepEqual(last, [{ kind: "leaveQueue" }, { kind: "tellRefused", code: "TASK_CANCELLED", facts: {} }]);
  assert.equal(state.kind, "ended");
});

test("lease machine: a cancellation that comes after the grant changes nothing: the owner returns it", () => {
  const { state, last } = lease(found, { kind: "cancelled" });

  assert.deepEqual(last, []);
  assert.equal(state.kind, "granted");
});

test("lease machine: its owner is asked to return it once, however often its turn is over", () => {
  assert.deepEqual(lease(found, { kind: "turnOver" }).last, [{ kind: "askBack" }]);
  assert.deepEqual(lease(found, { kind: "turnOver" }, { kind: "turnOver" }).last, []);
  assert.deepEqual(lease(found, { kind: "turnOver" }, { kind: "blocked" }, { kind: "turnOver" }).last, []);
});

test("lease machine: a CPU that was lent on is claimed once", () => {
  assert.deepEqual(lease(found, { kind: "blocked" }).last, [{ kind: "lendCpu" }]);
  assert.deepEqual(lease(found, { kind: "blocked" }, { kind: "blocked" }).last, []);
  assert.deepEqual(lease(found, { kind: "blocked" }, { kind: "unblocked" }).last, [{ kind: "claimCpu" }]);
  assert.deepEqual(lease(found, { kind: "unblocked" }).last, []);
});

test("lease machine: a process whose owner died is dismissed, one that is returned is not", () => {
  assert.deepEqual(lease(found, { kind: "ownerDied" }).last, [
    { kind: "free", holding },
    { kind: "dismissWorker", worker },
  ]);
  assert.deepEqual(lease(found, { kind: "returned", discard: false }).last, [{ kind: "free", holding }]);
  assert.deepEqual(lease(found, { kind: "returned", discard: true }).last, [
    { kind: "free", holding },
    { kind: "discardWorker", worker },
  ]);
});

test("lease machine: what is taken from an owner that does not answer keeps its claim words until the owner has heard", () => {
  assert.deepEqual(lease(found, { kind: "taken", discard: false }).last, [{ kind: "freeWorker", holding }]);
  assert.deepEqual(lease(found, { kind: "taken", discard: true }).last, [
    { kind: "freeWorker", holding },
    { kind: "discardWorker", worker },
  ]);
  for (const heard of [{ kind: "returned", discard: true }, { kind: "ownerDied" }] satisfies LeaseEvent[]) {
    const { state, last } = lease(found, { kind: "taken", discard: false }, heard);
    assert.deepEqual([state.kind, last], ["ended", [{ kind: "freeClaims", holding }]]);
  }
});

test("lease machine: whoever had a lease that was taken hears of its worker's death as well", () => {
  const { state, last } = lease(found, { kind: "taken", discard: true }, { kind: "workerDied", cause, strangers: 0 });

  assert.equal(state.kind, "ended");
  assert.deepEqual(last, [
    { kind: "freeClaims", holding },
    { kind: "tellEnded", worker, cause, strangers: 0 },
  ]);
});

test("lease machine: what shrank gives back what it has left", () => {
  const grant = { resources: {}, devices: {} };

  const { last } = lease(found, { kind: "shrunk", grant }, { kind: "workerDied", cause, strangers: 1 });

  assert.deepEqual(last, [
    { kind: "free", holding: { ...holding, grant } },
    { kind: "tellEnded", worker, cause, strangers: 1 },
  ]);
});

test("lease machine: whatever happens, one answer goes to who asked, and what was granted is freed once", () => {
  const anything = fc.constantFrom<LeaseEvent>(
    { kind: "refused", code: "TASK_UNSCHEDULABLE", facts: {} },
    { kind: "cancelled" },
    { kind: "returned", discard: false },
    { kind: "returned", discard: true },
    { kind: "blocked" },
    { kind: "unblocked" },
    { kind: "turnOver" },
    { kind: "taken", discard: false },
    { kind: "taken", discard: true },
    { kind: "workerDied", cause, strangers: 1 },
    { kind: "ownerDied" },
  );
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 12 }), fc.boolean(), (events, isGranted) => {
      const machine = newLease();
      const counts = { answers: 0, grants: 0, frees: 0, claimFrees: 0, cpusLent: 0 };
      for (const event of isGranted ? [found, ...events] : events) {
        // The queue says nothing to what is over, nor of work to what has none.
        if (machine.state.kind === "ended") break;
        if (leaseTable[machine.state.kind][event.kind] === undefined) continue;
        for (const { kind } of machine.handle(event, 0)) {
          if (kind === "tellGranted" || kind === "tellRefused") counts.answers++;
          if (kind === "tellGranted") counts.grants++;
          if (kind === "free" || kind === "freeWorker") counts.frees++;
          if (kind === "free" || kind === "freeClaims") counts.claimFrees++;
          if (kind === "lendCpu") counts.cpusLent++;
          if (kind === "claimCpu") counts.cpusLent--;
          assert.ok(counts.cpusLent === 0 || counts.cpusLent === 1);
        }
      }
      const isOver = machine.state.kind === "ended";
      assert.equal(counts.answers, isGranted || isOver ? 1 : 0);
      assert.equal(counts.frees, isOver || machine.state.kind === "taken" ? counts.grants : 0);
      assert.equal(counts.claimFrees, isOver ? counts.grants : 0);
    }),
  );
});

test("lease machine: a second grant is a bug", () => {
  assert.throws(() => lease(found, found), /no transition for "found" in state "granted"/);
});
