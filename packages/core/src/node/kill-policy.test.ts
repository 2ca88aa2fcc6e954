import assert from "node:assert/strict";
import { test } from "node:test";
import { pickVictim, type Victim } from "./kill-policy.ts";

function victim(workerId: string, more: Partial<Victim>): Victim {
  return { workerId, jobId: "job", isRetriable: true, startedAtMs: 0, privateBytes: 100, ...more };
}

test("kill policy: the newest that may run again", () => {
  const candidates = [
    victim("old", { startedAtMs: 1 }),
    victim("new", { startedAtMs: 9 }),
    victim("newest, once only", { startedAtMs: 10, isRetriable: false }),
  ];

  assert.equal(pickVictim(candidates)?.workerId, "new");
});

test("kill policy: of the job that holds most, counting what it holds in workers that may not die", () => {
  const candidates = [
    victim("small job", { jobId: "small", startedAtMs: 100, privateBytes: 150 }),
    victim("large job", { jobId: "large", startedAtMs: 1, privateBytes: 100 }),
    victim("large job's actor", { jobId: "large", startedAtMs: 50, privateBytes: 1000, isRetriable: false }),
  ];

  assert.equal(pickVictim(candidates)?.workerId, "large job");
});

test("kill policy: work that cannot run again dies only when there is no other", () => {
  const final = [victim("a", { isRetriable: false, startedAtMs: 1 }), victim("b", { isRetriable: false, startedAtMs: 2 })];

  assert.equal(pickVictim([...final, victim("c", { jobId: "tiny", privateBytes: 10 })])?.workerId, "c");
  assert.equal(pickVictim(final)?.workerId, "b");
});

test("kill policy: what holds next to nothing is passed over, and nobody is nobody", () => {
  assert.equal(
    pickVictim([victim("idle", { startedAtMs: 9, privateBytes: 5 }), victim("full", { startedAtMs: 1, privateBytes: 900 })])?.workerId,
    "full",
  );
  assert.equal(pickVictim([victim("unread", { privateBytes: 0 })])?.workerId, "unread");
  assert.equal(pickVictim([]), undefined);
});
