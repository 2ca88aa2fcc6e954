import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../base/fake-clock.ts";
import { RESULT_TAG } from "../../messages/tasks.ts";
import { Connection } from "../../wire/connection.ts";
import { MAX_FRAME_BYTES } from "../../wire/frame.ts";
import { HANDOVER_GRACE_MS, ReferenceTable } from "../objects/references.ts";
import { RuntimeValueHooks } from "../objects/value-hooks.ts";
import { Bequests } from "../ownership/bequests.ts";
import type { CallExecution } from "./call-execution.ts";
import { ResultWriter } from "./result-writer.ts";

/** A worker, and a call of a peer that it runs. `returnRef` returns a ref to an object of the worker from it. */
function newWorker() {
  const clock = new FakeClock();
  const table = new ReferenceTable({ workerId: "a".repeat(56), address: "w" }, { watch: () => {}, collect: () => {} }, clock);
  const hooks = new RuntimeValueHooks(table);
  const large = { putForOwner: () => undefined };
  const bequests = new Bequests({ storeOwn: () => undefined, whenStored: () => undefined });
  const writer = new ResultWriter({ pid: 1, nodeId: () => "n" }, hooks, large, bequests, clock);
  table.connect({ sharedChanged: () => {}, freeStored: () => {}, abandoned: () => {} } as never, undefined as never);
  const stream = { bufferedBytes: 0, write: () => {}, keepAlive: () => {}, close: () => {}, start: () => {} };
  const connection = new Connection(stream, MAX_FRAME_BYTES);
  const execution = { origin: { connection, channel: 1 }, slot: 0, name: "work" } as unknown as CallExecution;
  const returnRef = (sequence: number): void => {
    void writer.value(execution, RESULT_TAG, 0, [table.refFor(table.own(sequence, "put"))], 1);
  };
  return { clock, connection, writer, returnRef };
}

test("result writer: refs are held for a caller that was lost for as long as it may still be telling their owners", () => {
  const { clock, connection, writer, returnRef } = newWorker();
  returnRef(1);
  connection.close("lost");
  clock.advance(HANDOVER_GRACE_MS - 1);
  assert.equal(writer.handoverCount, 1);
  clock.advance(1);
  assert.equal(writer.handoverCount, 0);
});

test("result writer: and no longer when the call ends long after its caller was lost", () => {
  const { clock, connection, writer, returnRef } = newWorker();
  returnRef(1);
  connection.close("lost");
  clock.advance(HANDOVER_GRACE_MS);

  returnRef(2);
  assert.equal(writer.handoverCount, 1);
  clock.advance(HANDOVER_GRACE_MS);

  assert.equal(writer.handoverCount, 0);
});
