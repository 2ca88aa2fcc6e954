import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../base/fake-clock.ts";
import { type ObjectEntry, objectState } from "./object-entry.ts";
import { ReferenceTable } from "./references.ts";
import { UnseenFailures } from "./unseen-failures.ts";

function newFailures() {
  const table = new ReferenceTable({ workerId: "a".repeat(56), address: "a" }, { watch: () => {}, collect: () => {} }, new FakeClock());
  const told: number[] = [];
  const unseen = new UnseenFailures(({ sequence }) => void told.push(sequence));
  const failed = (sequence: number, state: number = objectState.error, payload: unknown = new Uint8Array()): ObjectEntry => {
    const entry = table.own(sequence, "work");
    entry.settle(state, payload);
    return entry;
  };
  return { unseen, told, failed, table };
}

test("unseen failures: told when the last reference goes, or at once where none was left", () => {
  const { unseen, told, failed } = newFailures();
  const [kept, dropped] = [failed(1), failed(2)];
  unseen.failed(kept);
  dropped.gone = true;
  unseen.failed(dropped);
  assert.deepEqual(told, [2]);

  unseen.gone(kept);
  unseen.gone(kept);
  assert.deepEqual(told, [2, 1]);
});

test("unseen failures: what was looked at, and what ended with another of one get, is not told of", () => {
  const { unseen, told, failed, table } = newFailures();
  const seen = failed(1);
  unseen.failed(seen);
  unseen.looked(seen);
  unseen.gone(seen);
  const other = table.own(2, "work");
  unseen.looked(other);
  other.settle(objectState.error, new Uint8Array());
  unseen.failed(other);
  unseen.gone(other);

  assert.deepEqual(told, []);
});

test("unseen failures: what somebody asked for, and what others know of, is not told of", () => {
  const { unseen, told, failed } = newFailures();
  const ends = [
    { code: "TASK_CANCELLED", facts: {} },
    { code: "SHUTTING_DOWN", facts: {} },
    { code: "ACTOR_DIED", facts: { cause: "killed-by-user" } },
  ];
  const entries = ends.map((failure, index) => failed(index + 1, objectState.failure, failure));
  const shared = failed(9);
  shared.exported = true;
  for (const entry of [...entries, shared]) {
    unseen.failed(entry);
    unseen.gone(entry);
  }
  assert.deepEqual(told, []);

  const died = failed(10, objectState.failure, { code: "WORKER_CRASHED", facts: { cause: "signal" } });
  unseen.failed(died);
  unseen.gone(died);
  assert.deepEqual(told, [10]);
});
