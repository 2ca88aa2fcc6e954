import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeObjects, mergeTasks } from "./state-rows.ts";

type Event = Parameters<typeof mergeTasks>[1][number];
type Live = Parameters<typeof mergeTasks>[0][number];
type Owned = Parameters<typeof mergeObjects>[0][number];
type Stored = Parameters<typeof mergeObjects>[1][number];

const event = (taskId: string, state: string, more: Partial<Event> = {}): Event => ({
  taskId,
  name: "f",
  jobId: "01",
  state,
  atMs: 0,
  workerId: "w",
  pid: 1,
  attempt: 0,
  ...more,
});
const live = (taskId: string, more: Partial<Live> = {}): Live => ({
  taskId,
  name: "f",
  jobId: "01",
  state: "queued",
  attempt: 0,
  ownerPid: 1,
  ...more,
});

const alive = (): boolean => true;

test("state rows: what a process submitted that is gone has failed, unless somebody knows better", () => {
  const told = [event("a", "submitted"), event("b", "submitted"), event("b", "finished")];
  const rows = mergeTasks([], told, new Map(), () => false);

  assert.deepEqual(Object.fromEntries(rows.map(({ taskId, state }) => [taskId, state])), { a: "failed", b: "finished" });
  assert.equal(rows.find(({ taskId }) => taskId === "a")?.error, "its caller is gone");
});

test("state rows: what a caller and a worker tell of one task is one row", () => {
  const told = [
    event("a", "submitted", { atMs: 10 }),
    event("a", "finished", { atMs: 12, durationMs: 3, pid: 2 }),
    event("a", "got", { atMs: 11 }),
  ];
  const [row, ...more] = mergeTasks([], told, new Map(), alive);

  assert.equal(more.length, 0);
  assert.deepEqual(row, {
    taskId: "a",
    name: "f",
    state: "finished",
    attempt: 0,
    jobId: "01",
    ownerPid: 1,
    pid: 2,
    submittedAtMs: 10,
    startedAtMs: 12,
    durationMs: 3,
  });
});

test("state rows: reports of two workers in any order, the last attempt counts", () => {
  const told = [event("a", "finished", { attempt: 1, pid: 3 }), event("a", "failed", { attempt: 0, pid: 2 })];
  for (const events of [told, told.toReversed()]) {
    const [row] = mergeTasks([], events, new Map(), alive);
    assert.deepEqual([row?.state, row?.pid, row?.attempt], ["finished", 3, 1]);
  }
});

test("state rows: why it failed is told of the last attempt, and by its owner where it gave up", () => {
  const told = [
    event("a", "failed", { error: "Error: first" }),
    event("a", "finished", { attempt: 1 }),
    event("b", "failed", { error: "Error: no" }),
  ];
  const errors = (events: Event[]): Record<string, string | undefined> =>
    Object.fromEntries(mergeTasks([], events, new Map(), alive).map(({ taskId, error }) => [taskId, error]));

  assert.deepEqual(errors(told), { a: undefined, b: "Error: no" });
  assert.deepEqual(errors([...told, event("b", "unfinished", { error: "TASK_TIMEOUT" })]), { a: undefined, b: "TASK_TIMEOUT" });
});

test("state rows: what its owner gave up has failed, whatever its process says, and in whichever order they say it", () => {
  const told = [
    event("a", "submitted", { atMs: 10 }),
    event("a", "finished", { atMs: 12, durationMs: 3, pid: 2 }),
    event("a", "unfinished", { atMs: 11 }),
  ];
  for (const events of [told, told.toReversed()]) {
    const [row, ...more] = mergeTasks([], events, new Map(), alive);
    assert.equal(more.length, 0);
    assert.deepEqual([row?.state, row?.pid, row?.ownerPid, row?.durationMs], ["failed", 2, 1, 3]);
  }
  const [queued] = mergeTasks([], [event("b", "submitted"), event("b", "unfinished", { attempt: 1 })], new Map(), alive);
  assert.deepEqual([queued?.state, queued?.attempt, queued?.pid], ["failed", 1, undefined]);
});

test("state rows: what is under way comes first, and its owner's word goes before events", () => {
  const told = [event("done", "finished", { atMs: 99 }), event("a", "submitted", { atMs: 5 }), event("a", "failed", { atMs: 6 })];
  const rows = mergeTasks(
    [live("a", { state: "running", attempt: 1, pid: 9 }), live("b", { actorId: "x" })],
    told,
    new Map([["x", 7]]),
    alive,
  );

  assert.deepEqual(
    rows.map(({ taskId, state, pid, submittedAtMs }) => [taskId, state, pid, submittedAtMs]),
    [
      ["a", "running", 9, 5],
      ["b", "queued", 7, undefined],
      ["done", "finished", 1, undefined],
    ],
  );
});

test("state rows: an object is where its store says, and is listed though its owner is silent", () => {
  const owned: Owned = { id: "a", state: "stored", bytes: 8, handles: 1, holds: 2, borrowers: 3, site: "f", ownerId: "o", ownerPid: 1 };
  const stored = (id: string, state: string, bytes: number): Stored => ({ id, bytes, state, pins: 4, ownerId: "o", createdAtMs: 5 });
  const rows = mergeObjects(
    [owned, { ...owned, id: "small", state: "inline", bytes: 1 }],
    [stored("a", "spilled", 10), stored("lone", "sealed", 20)],
  );

  assert.deepEqual(
    rows.map(({ objectId, state, bytes, ownerPid, handles, pins }) => [objectId, state, bytes, ownerPid, handles, pins]),
    [
      ["lone", "stored", 20, undefined, 0, 4],
      ["a", "spilled", 10, 1, 1, 4],
      ["small", "inline", 1, 1, 1, 0],
    ],
  );
});
