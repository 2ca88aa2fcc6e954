/** What an owner does when it hears that a worker is dead: from then on the claim words are others'. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { claimStart, queuedWord } from "../../base/claim-word.ts";
import { FakeClock } from "../../base/fake-clock.ts";
import type { DeathCause } from "../../messages/common.ts";
import { Connection } from "../../wire/connection.ts";
import { ReferenceTable } from "../objects/references.ts";
import { RuntimeValueHooks } from "../objects/value-hooks.ts";
import { Call, type CallTemplate } from "./call.ts";
import { callState } from "./call-life.ts";
import { CallResults } from "./call-results.ts";
import { TaskSubmitter } from "./task-submitter.ts";
import type { LinkChannel, WorkerLink } from "./worker-link.ts";

const cause: DeathCause = { kind: "stopped-by-node", stderrTail: [] };
const LATER = queuedWord(9);

/** Everything that was to be done in this turn has been done. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** An owner with a call that may run once, which has been lent a worker that it has still to reach. */
async function newOwner() {
  const clock = new FakeClock();
  const table = new ReferenceTable({ workerId: "a".repeat(56), address: "a" }, { watch: () => {}, collect: () => {} }, clock);
  const results = new CallResults(
    table,
    new RuntimeValueHooks(table),
    () => {},
    () => {},
  );
  const words = new Int32Array(4);
  const requested: string[] = [];
  const link = Promise.withResolvers<WorkerLink>();
  const submitter = new TaskSubmitter(
    "b".repeat(56),
    {
      request: (leaseId) => {
        requested.push(leaseId);
        if (requested.length > 1) return new Promise(() => {});
        return Promise.resolve({ status: "granted", workerId: "w", address: "w", pid: 1, nodeId: "n", claimOffset: 0, claimCount: 4 });
      },
      cancel: () => {},
      return: () => {},
      kill: () => {},
      link: () => link.promise,
      claims: () => words,
    },
    results,
    undefined as never,
    clock,
  );
  const template = { id: 1, name: "work", numReturns: 1, maxRetries: 0 } as CallTemplate;
  const call = new Call(template, 1, table.own(1, "work"), undefined);
  const demand = { jobId: "job", isolation: "process" } as never;
  submitter.submit(call, submitter.shape("work", demand, 1), undefined);
  await settled();
  const [leaseId] = requested as [string];

  let channel: LinkChannel | undefined;
  const stream = { bufferedBytes: 0, write: () => {}, keepAlive: () => {}, close: () => {}, start: () => {} };
  const reach = async (): Promise<void> => {
    const open = (opened: LinkChannel): number => {
      channel = opened;
      return 1;
    };
    link.resolve({ connection: new Connection(stream, 1024), open, define: () => {}, close: () => {} } as unknown as WorkerLink);
    await settled();
  };
  const hear = async (): Promise<void> => {
    submitter.leaseEnded(leaseId, cause, 0);
    await settled();
  };
  const lose = async (): Promise<void> => {
    channel?.closed("it died");
    await settled();
  };
  return { call, words, requested, reach, hear, lose };
}

test("task submitter: what a dead worker had not begun goes elsewhere, whatever its words say later", async () => {
  const { call, words, requested, reach, hear, lose } = await newOwner();
  await reach();
  assert.equal(call.state, callState.pushed);

  await hear();
  words.fill(LATER);
  claimStart(words, 0, LATER);
  await lose();

  assert.deepEqual([call.state, call.attempt, requested.length], [callState.queued, 0, 2]);
});

test("task submitter: what it had begun is lost", async () => {
  const { call, words, reach, hear, lose } = await newOwner();
  await reach();
  assert.ok(claimStart(words, call.slot, call.claim));

  await hear();
  assert.equal(call.state, callState.pushed, "its result may still come");
  await lose();

  assert.equal(call.state, callState.settled);
});

test("task submitter: a worker that died before it was reached is pushed nothing", async () => {
  const { call, words, requested, reach, hear } = await newOwner();

  await hear();
  await reach();

  assert.deepEqual([...words], [0, 0, 0, 0]);
  assert.deepEqual([call.state, requested.length], [callState.queued, 2]);
});
