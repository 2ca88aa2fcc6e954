import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import type { Victim } from "./kill-policy.ts";
import { memoryLoop } from "./memory-loop.ts";

/** A node of 1000 bytes whose workers hold 100 each. */
class Node {
  readonly clock = new FakeClock();
  readonly stop = new AbortController();
  readonly killed: string[] = [];
  reads = 0;
  nobody = 0;
  usedBytes = 0;
  victims: Victim[] = [];
  onKill: () => Promise<void> = async () => void (this.usedBytes -= 100);
  readonly ended = memoryLoop(
    {
      clock: this.clock,
      memory: { read: () => ({ usedBytes: this.usedBytes, totalBytes: 1000, bound: "machine", reads: this.reads++ }) },
      victims: () => this.victims,
      kill: async (victim) => {
        this.killed.push(victim.workerId);
        this.victims = this.victims.filter((other) => other !== victim);
        await this.onKill();
      },
      nobodyToKill: () => void this.nobody++,
    },
    {},
    this.stop.signal,
  );

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }
}

function worker(workerId: string, startedAtMs: number): Victim {
  return { workerId, jobId: "job", isRetriable: true, startedAtMs, privateBytes: 100 };
}

test("memory loop: one read per pause while there is room, more often near the edge", async () => {
  const node = new Node();
  for (let quarter = 0; quarter < 4; quarter++) await node.advance(250);
  assert.equal(node.reads, 5);
  node.usedBytes = 900;
  await node.advance(250);
  assert.equal(node.reads, 6);
  for (let step = 0; step < 5; step++) await node.advance(50);
  assert.equal(node.reads, 11);
  assert.deepEqual(node.killed, []);
  node.stop.abort();
  await node.ended;
});

test("memory loop: kills one after another until there is room, no more", async () => {
  const node = new Node();
  node.usedBytes = 1100;
  node.victims = [worker("a", 1), worker("b", 2), worker("c", 3)];
  await node.advance(250);

  assert.deepEqual(node.killed, ["c", "b"]);
  node.stop.abort();
  await node.ended;
});

test("memory loop: waits for a death before the next, but not for ever", async () => {
  const node = new Node();
  node.onKill = () => new Promise(() => {});
  node.usedBytes = 990;
  node.victims = [worker("a", 1), worker("b", 2)];
  await node.advance(250);
  await node.advance(1999);
  assert.deepEqual(node.killed, ["b"]);
  await node.advance(1);
  assert.deepEqual(node.killed, ["b", "a"]);
  node.stop.abort();
  await node.ended;
});

test("memory loop: nobody to kill is reported and does not spin", async () => {
  const node = new Node();
  node.usedBytes = 990;
  await node.advance(250);
  assert.equal(node.nobody, 1);
  await node.advance(50);
  assert.equal(node.nobody, 2);
  node.stop.abort();
  await node.ended;
  assert.equal(node.reads, 3);
});
