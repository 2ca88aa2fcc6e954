import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Machine, printTable } from "../base/machine.ts";
import { type ObjectEffect, type ObjectEvent, objectEvents, type ObjectState, objectTable } from "./object-machine.ts";

const extent = { offset: 65536, bytes: 100 };
const other = { offset: 131072, bytes: 100 };
const file = { name: "object-0", bytes: 100 };

function object(...events: ObjectEvent[]): { machine: Machine<ObjectState, ObjectEvent, ObjectEffect>; last: readonly ObjectEffect[] } {
  const machine = new Machine("object", objectTable, { kind: "creating" });
  let last: readonly ObjectEffect[] = [];
  for (const event of events) last = machine.handle(event, 0);
  return { machine, last };
}

test("object machine: the table is the one that was reviewed", () => {
  const path = new URL("object-machine.golden.txt", import.meta.url);
  const printed = printTable(objectTable, objectEvents);
  if (process.env.RAIA_WRITE_GOLDEN === "1") writeFileSync(path, printed);
  assert.equal(printed, readFileSync(path, "utf8"), "run with RAIA_WRITE_GOLDEN=1 if the change is meant");
});

test("object machine: a reader that comes while it is spilled keeps it in memory, and the file goes", () => {
  const { machine, last } = object({ kind: "sealed", extent }, { kind: "chosen" }, { kind: "pinned" }, { kind: "written", file });

  assert.deepEqual(machine.state, { kind: "sealed", extent, pins: 1 });
  assert.deepEqual(last, [{ kind: "unlink", file }]);
});

test("object machine: freed while it is read, its blocks are released once, by the last reader", () => {
  const { machine, last } = object({ kind: "sealed", extent }, { kind: "pinned" }, { kind: "pinned" }, { kind: "freed" });
  assert.deepEqual(last, []);

  assert.deepEqual(machine.handle({ kind: "unpinned", pins: 1 }, 0), []);
  assert.deepEqual(machine.handle({ kind: "freed" }, 0), []);
  assert.deepEqual(machine.handle({ kind: "unpinned", pins: 1 }, 0), [{ kind: "release", extent }, { kind: "forget" }]);
});

test("object machine: a task that ran twice stores twice, and only the first copy stays", () => {
  const { machine, last } = object({ kind: "sealed", extent }, { kind: "sealed", extent: other });

  assert.deepEqual(machine.state, { kind: "sealed", extent, pins: 0 });
  assert.deepEqual(last, [{ kind: "release", extent: other }]);
});

test("object machine: what was lost can be made again", () => {
  const failure = { code: "OBJECT_CORRUPT", facts: {} } as const;
  const { machine, last } = object(
    { kind: "adopted", file },
    { kind: "wanted" },
    { kind: "readFailed", failure },
    { kind: "sealed", extent },
  );

  assert.equal(machine.state.kind, "sealed");
  assert.deepEqual(last, [{ kind: "wake" }]);
});

test("object machine: a pinned object cannot be chosen to leave by mistake of the policy and lose its blocks", () => {
  const { machine } = object({ kind: "sealed", extent }, { kind: "pinned" });

  assert.throws(() => machine.handle({ kind: "chosen" }, 0), /nobody reads/);
});
