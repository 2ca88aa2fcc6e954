import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../base/fake-clock.ts";
import { packPlain } from "../../wire/plain-codec.ts";
import { packed } from "../../values/value-fixture.ts";
import { Call, type CallTemplate } from "./call.ts";
import { callState } from "./call-life.ts";
import { CallResults } from "./call-results.ts";
import { type ObjectEntry, objectState } from "../objects/object-entry.ts";
import { ReferenceTable } from "../objects/references.ts";
import { StreamState } from "../objects/stream-state.ts";
import { HAS_REFS, handoversIn, resultStatus } from "./task-frames.ts";
import { RuntimeValueHooks } from "../objects/value-hooks.ts";

const template: CallTemplate = {
  id: 1,
  name: "work",
  numReturns: 1,
  wire: undefined as never,
  exported: undefined,
  code: undefined,
  maxRetries: 3,
  retryExceptions: false,
  timeoutMs: undefined,
  queueTimeoutMs: undefined,
  maxCalls: 0,
};
const origin = { nodeId: "n", refsTaken: () => {} };
const nothing = Buffer.alloc(0);

/** An owner with a call that gives so many results, and the numbers of what it freed in the store. */
function newOwner(results: number) {
  const table = new ReferenceTable({ workerId: "a".repeat(56), address: "a" }, { watch: () => {}, collect: () => {} }, new FakeClock());
  const freed: number[] = [];
  const free = (objectId: string): void => void freed.push(Number.parseInt(objectId.slice(-16), 16));
  const entries = Array.from({ length: results }, (_, index) => table.own(1 + index, "work"));
  const call = new Call(template, 1, entries[0]!, undefined);
  if (results > 1) call.returns = entries;
  const settled: (string | undefined)[] = [];
  const hear = (_call: Call, unfinished: string | undefined): void => void settled.push(unfinished);
  return { table, results: new CallResults(table, new RuntimeValueHooks(table), free, hear), call, entries, freed, settled };
}

test("results: why a call was not run is told though whoever waits for it lets go of it at once", () => {
  const { table, results, call, entries, settled } = newOwner(1);
  const [entry] = entries as [ObjectEntry];
  table.hold(entry);
  entry.addWaiter({ settled: () => table.dropHold(entry) });
  call.moveTo(callState.queued);

  results.fail(call, { code: "WORKER_CRASHED", facts: { cause: "exit" } });

  assert.ok(entry.gone);
  assert.deepEqual(settled, ["WORKER_CRASHED cause=exit"]);
});

test("results: what a lost attempt has stored goes when the call fails in the queue", () => {
  const { results, call, freed } = newOwner(2);
  call.moveTo(callState.queued);
  call.attempt = 1;

  results.fail(call, { code: "TASK_CANCELLED", facts: {} });

  assert.deepEqual(freed, [1, 2]);
});

test("results: a result for which there was no place is not told of by the store for ever", () => {
  for (const [code, expected] of [
    ["OUT_OF_DISK", [1]],
    ["UNSERIALIZABLE", []],
  ] as const) {
    const { results, call, freed, entries } = newOwner(1);
    const failure = packPlain([code, {}]);
    results.complete(call, resultStatus.failure, Buffer.from(failure), 0, failure.length, origin);
    assert.equal(entries[0]?.state, objectState.failure);
    assert.deepEqual(freed, expected);
  }
});

test("results: what the node got so that it outlives this process is not taken for the rest of a lost attempt", () => {
  const { results, call, freed, entries } = newOwner(1);
  entries[0]!.isBequeathed = true;
  call.attempt = 1;
  const value = packed(7);
  results.complete(call, resultStatus.value, Buffer.from(value), 0, value.length, origin);
  assert.equal(entries[0]?.isSettled, true);
  assert.deepEqual(freed, []);
});

test("results: what a lost attempt has stored goes when the call ends like what it depends on", () => {
  const { results, call, freed, entries } = newOwner(1);
  call.moveTo(callState.queued);
  call.attempt = 1;
  const { call: other, results: others } = newOwner(1);
  others.fail(other, { code: "OBJECT_FREED", facts: {} });

  results.failLike(call, other.entry);

  assert.deepEqual(freed, [1]);
  assert.equal(entries[0]?.state, objectState.failure);
});

test("results: what a lost attempt of a stream has stored goes, from the first item that was not reported", () => {
  const { results, call, freed } = newOwner(1);
  call.stream = new StreamState();
  call.stream.received = 5;
  call.attempt = 1;

  results.fail(call, { code: "TASK_CANCELLED", facts: {} });

  assert.equal(freed[0], 1 + 1 + 5);
});

test("results: a call that never began frees nothing", () => {
  const { results, call, freed } = newOwner(2);

  results.fail(call, { code: "TASK_CANCELLED", facts: {} });

  assert.deepEqual(freed, []);
});

test("results: of several, what is stored now stays, and what a lost attempt may have stored goes", () => {
  const { results, call, freed, entries } = newOwner(2);
  call.attempt = 1;
  const parts = Buffer.alloc(8 + 8 + 8);
  parts.writeUInt32LE(resultStatus.stored, 0);
  parts.writeUInt32LE(8, 4);
  parts.writeDoubleLE(1000, 8);
  parts.writeUInt32LE(resultStatus.error, 16);

  results.complete(call, resultStatus.returns, parts, 0, parts.length, origin);

  assert.equal(entries[0]?.state, objectState.stored);
  assert.deepEqual(freed, [2]);
});

test("results: of several, what was stored before another could not be sent goes", () => {
  const { results, call, freed, entries } = newOwner(2);
  const failure = Buffer.from(packPlain(["UNSERIALIZABLE", {}]));

  results.complete(call, resultStatus.failure, failure, 0, failure.length, origin);

  assert.ok(entries.every(({ state }) => state === objectState.failure));
  assert.deepEqual(freed, [1, 2]);
});

test("results: one that ran once and threw frees nothing", () => {
  const { results, call, freed } = newOwner(2);

  results.complete(call, resultStatus.error, nothing, 0, 0, origin);

  assert.deepEqual(freed, []);
});

/** A result with the refs of that handover. */
function withRefs(handover: number): Buffer {
  const refs = packPlain([handover, []]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(refs.length);
  return Buffer.concat([length, refs, Buffer.from([0])]);
}

function part(status: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(status, 0);
  header.writeUInt32LE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

test("results: the worker is told of each handover in what is dropped unread, alone or in several results", () => {
  const alone = withRefs(7);
  assert.deepEqual([...handoversIn(resultStatus.stored | HAS_REFS, alone, 0, alone.length)], [7]);
  const several = Buffer.concat([
    part(resultStatus.value | HAS_REFS, withRefs(8)),
    part(resultStatus.value, Buffer.from([0])),
    part(resultStatus.stored | HAS_REFS, withRefs(9)),
  ]);
  assert.deepEqual([...handoversIn(resultStatus.returns, several, 0, several.length)], [8, 9]);
  assert.deepEqual([...handoversIn(resultStatus.value, alone, 0, alone.length)], []);
});

test("results: what comes after a call was cancelled gives back what it holds, each of several", () => {
  const { results, call, freed } = newOwner(2);
  const taken: number[] = [];
  results.fail(call, { code: "TASK_CANCELLED", facts: {} });
  const late = Buffer.concat([part(resultStatus.value | HAS_REFS, withRefs(8)), part(resultStatus.stored | HAS_REFS, withRefs(9))]);

  results.complete(call, resultStatus.returns, late, 0, late.length, { nodeId: "n", refsTaken: (handover) => void taken.push(handover) });

  assert.deepEqual(taken, [8, 9]);
  assert.deepEqual(freed, [2]);
});

test("results: an item that nobody wants any more goes from the store, and so does word that there was no place for it", () => {
  for (const [status, code] of [
    [resultStatus.stored, undefined],
    [resultStatus.failure, "OUT_OF_DISK"],
  ] as const) {
    const { results, call, freed } = newOwner(1);
    call.stream = new StreamState();
    call.stream.received = 2;
    call.stream.stopped = true;
    const payload = Buffer.from(code === undefined ? new Uint8Array(8) : packPlain([code, {}]));

    results.item(call, 1, status, payload, 0, payload.length, origin);
    assert.deepEqual(freed, [], "what was delivered is its reader's");
    results.item(call, 2, status, payload, 0, payload.length, origin);

    assert.deepEqual(freed, [1 + 1 + 2]);
  }
});

test("results: after a stream was left, what its worker had stored when it died is looked for behind what it had told of", () => {
  const { results, call, freed } = newOwner(1);
  call.stream = new StreamState();
  call.stream.stopped = true;
  const payload = Buffer.alloc(8);
  for (let index = 0; index < 100; index++) results.item(call, index, resultStatus.stored, payload, 0, payload.length, origin);
  freed.length = 0;

  results.freeUnreported(call);
  assert.equal(freed[0], call.sequence + 1 + 100);

  // The next attempt begins again at the first item.
  results.item(call, 0, resultStatus.stored, payload, 0, payload.length, origin);
  freed.length = 0;
  results.freeUnreported(call);
  assert.equal(freed[0], call.sequence + 1 + 1);
});

test("results: what is told of a call after it was cancelled, that there was no place for its result, is not kept", () => {
  for (const [code, count, expected] of [
    ["OUT_OF_DISK", 1, [1]],
    ["UNSERIALIZABLE", 1, []],
    ["UNSERIALIZABLE", 2, [1, 2]], // One of them may have been stored before the other could not be sent.
  ] as const) {
    const { results, call, freed } = newOwner(count);
    results.fail(call, { code: "TASK_CANCELLED", facts: {} });
    const failure = Buffer.from(packPlain([code, {}]));

    results.complete(call, resultStatus.failure, failure, 0, failure.length, origin);

    assert.deepEqual(freed, expected);
  }
});
