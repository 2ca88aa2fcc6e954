import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import { Endpoint } from "./endpoint.ts";
import { MemoryTransport } from "./memory-transport.ts";

const identity = (peerId: string) => ({ peerId, pid: 1, address: peerId, secret: "secret" });

function newNetwork() {
  const clock = new FakeClock();
  const transport = MemoryTransport.immediate(clock);
  const endpoint = (peerId: string) => new Endpoint(transport, identity(peerId), clock, { connected: () => {} });
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) {
      clock.advance(0);
      await Promise.resolve();
    }
  };
  return { clock, transport, endpoint, turns };
}

test("endpoint: a peer that never says who it is is cut off after 10 s, and counted", async () => {
  const { clock, transport, endpoint, turns } = newNetwork();
  const head = endpoint("head");
  await head.listen();
  let closed: string | undefined;
  (await transport.dial("head")).start({ data: () => {}, closed: (reason) => (closed = reason) });
  clock.advance(9_000);
  await turns();
  assert.equal(closed, undefined);
  clock.advance(1_000);
  await turns();
  assert.notEqual(closed, undefined);
  assert.equal(head.counters.rejected, 1);
});

test("endpoint: one that has greeted stays", async () => {
  const { clock, endpoint, turns } = newNetwork();
  const head = endpoint("head");
  await head.listen();
  const dialling = endpoint("peer").dial("head");
  await turns();
  const connection = await dialling;
  clock.advance(60_000);
  await turns();
  assert.equal(connection.isClosed, false);
  assert.equal(head.counters.rejected, 0);
});

test("endpoint: who leaves does not wait for a peer that stands still", async () => {
  const { clock, endpoint, turns } = newNetwork();
  const still = endpoint("still");
  await still.listen();
  still.holdBack();
  const leaving = endpoint("leaving");
  const dialled = assert.rejects(leaving.dial("still"), { code: "CONNECTION_LOST" });
  await turns();
  let isClosed = false;
  void leaving.close().then(() => (isClosed = true));
  await turns();
  assert.equal(isClosed, false);
  clock.advance(500);
  await turns();
  await dialled;
  assert.equal(isClosed, true);
});

test("endpoint: a peer is lost when its last connection is, whoever dialled", async () => {
  const { endpoint, turns } = newNetwork();
  const [a, b] = [endpoint("a"), endpoint("b")];
  await Promise.all([a.listen(), b.listen()]);
  const dialling = Promise.all([a.dial("b"), b.dial("a")]);
  await turns();
  const [toB, toA] = await dialling;
  let isLost = false;
  void a.lost("b").then(() => (isLost = true));
  toB.close("test");
  await turns();
  assert.equal(isLost, false);
  toA.close("test");
  await turns();
  assert.equal(isLost, true);
  await a.lost("b");
});
