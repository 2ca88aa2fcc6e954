/** C-40: what is not the protocol closes its own connection, with a code and a count, and changes nothing else. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { before, describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import fc from "fast-check";
import { existingRuntime } from "../../src/api/init.ts";
import { readSecret } from "../../src/base/session-secret.ts";
import { get, put, remote } from "../../src/index.ts";
import { leaseService, processService } from "../../src/messages/leases.ts";
import { storeService } from "../../src/messages/objects.ts";
import { PUSH_TAG, RESULT_TAG, workerService } from "../../src/messages/tasks.ts";
import { controlService, nodeReports } from "../../src/messages/control.ts";
import { Connection } from "../../src/wire/connection.ts";
import { Hello, PROTOCOL_VERSION } from "../../src/wire/greeting.ts";
import { frameOf } from "../../src/wire/frame-fixture.ts";
import { FRAME_HEADER_BYTES, frameKind, MAX_FRAME_BYTES } from "../../src/wire/frame.ts";
import { ipcTransport } from "../../src/wire/ipc-transport.ts";
import { packr } from "../../src/wire/msgpack.ts";
import type { Service } from "../../src/wire/service.ts";

testCluster();

/** Long enough for a loaded machine; a connection that stays open is what the tests are to find. */
const CLOSED_WITHIN_MS = 5000;
const RUNS = { numRuns: 60, seed: 20_261_126 };

let head = "";
let secret = "";
let worker = "";
class Holder {
  value(): number {
    return 7;
  }
}
let holder: ReturnType<typeof holderHandle>;
const holderHandle = () => remote(Holder).options({ name: "holder" }).remote();

before(async () => {
  const joined = existingRuntime().cluster;
  holder = holderHandle();
  await get(holder.value.remote());
  secret = readSecret(joined.registered.sessionDirectory);
  const { workers } = await joined.process.listWorkers({});
  worker = workers.find(({ kind }) => kind === "actor")?.address ?? "";
  head = (await joined.control.listNodes({})).nodes[0]?.address ?? "";
});

function hello(changes: { version?: number; secret?: string } = {}): Buffer {
  const { version = PROTOCOL_VERSION, secret: shown = secret } = changes;
  const body = packr.pack(Hello.toWire({ version, secret: shown, peerId: "ab".repeat(14), pid: 1, address: "" }));
  return frameOf(frameKind.oneWay, Hello.tag, 0, body);
}

interface Ending {
  readonly isClosed: boolean;
  /** The code in the last frame, if it was a failure. */
  readonly code: string | undefined;
  readonly reason: string | undefined;
}

/** Sends bytes and waits for the other side to close. */
function send(path: string, bytes: Uint8Array, thenEnd = false): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const received: Buffer[] = [];
    const timer = setTimeout(() => {
      socket.destroy();
      resolve({ isClosed: false, ...lastFailure(Buffer.concat(received)) });
    }, CLOSED_WITHIN_MS);
    socket.on("data", (data) => void received.push(data as Buffer));
    // A peer that closes while we still write resets the connection; that is closed, too.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "ECONNRESET") reject(error);
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve({ isClosed: true, ...lastFailure(Buffer.concat(received)) });
    });
    socket.write(bytes);
    if (thenEnd) socket.end();
  });
}

function lastFailure(received: Buffer): { code: string | undefined; reason: string | undefined } {
  let found: { code: string | undefined; reason: string | undefined } = { code: undefined, reason: undefined };
  for (let at = 0; at + FRAME_HEADER_BYTES <= received.length; ) {
    const end = at + 4 + received.readUInt32LE(at);
    if (received[at + 4] === frameKind.failure && received.readUInt32LE(at + 7) === 0) {
      const [code, facts] = packr.unpack(received.subarray(at + FRAME_HEADER_BYTES, end)) as [string, { reason?: string }];
      found = { code, reason: facts.reason };
    }
    at = end;
  }
  return found;
}

async function rejections(): Promise<number> {
  const { facts } = await existingRuntime().cluster.process.nodeStatus({});
  return (facts as { connectionsRejected: number }).connectionsRejected;
}

/** What the cluster holds, but for counters that only grow. */
async function holdings(): Promise<unknown> {
  const { process, control } = existingRuntime().cluster;
  const { actors } = await control.listActors({ limit: 100 });
  const { nodes } = await control.listNodes({});
  const { workers } = await process.listWorkers({});
  const { total, facts } = await process.nodeStatus({});
  const { usedBytes, spilledBytes } = (facts as { store: { usedBytes: number; spilledBytes: number } }).store;
  return {
    actors: actors.map(({ actorId, state }) => [actorId, state]),
    nodes: nodes.map(({ nodeId, state }) => [nodeId, state]),
    hosts: workers.filter(({ kind }) => kind === "actor").map(({ pid, state }) => [pid, state]),
    total,
    stored: usedBytes + spilledBytes,
  };
}

async function refused(bytes: Uint8Array, code: string, reason: RegExp, path = head): Promise<void> {
  const [before, held] = [await rejections(), await holdings()];
  const ending = await send(path, bytes);
  assert.equal(ending.isClosed, true, "the connection is still open");
  assert.equal(ending.code, code);
  assert.match(ending.reason ?? "", reason);
  if (path === head) assert.equal(await rejections(), before + 1);
  assert.deepEqual(await holdings(), held);
}

describe("C-40: before the greeting", () => {
  test("C-40: another version", () => refused(hello({ version: 99 }), "PROTOCOL", /other version/));
  test("C-40: another cluster's secret", () => refused(hello({ secret: "0".repeat(64) }), "AUTHENTICATION", /wrong secret/));
  test("C-40: a call without a greeting", () => {
    const call = frameOf(frameKind.request, processService.methods.listWorkers.request.tag, 1, packr.pack([]));
    return refused(call, "AUTHENTICATION", /not a greeting/);
  });
  test("C-40: a greeting of a gigabyte", () => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(2 ** 30, 0);
    return refused(bytes, "PROTOCOL", /out of bounds/);
  });
  test("C-40: a greeting of the wrong types, and one that is no message", async () => {
    await refused(frameOf(frameKind.oneWay, Hello.tag, 0, packr.pack([1, 2, 3, 4, 5])), "PROTOCOL", /wrong type/);
    await refused(frameOf(frameKind.oneWay, Hello.tag, 0, Uint8Array.of(0xc1, 0xff)), "PROTOCOL", /unreadable|wrong type/);
  });
  test("C-40: a peer that ends in the middle of a frame changes nothing", async () => {
    const held = await holdings();
    for (const length of [0, 1, 4, 10, 30]) assert.equal((await send(head, hello().subarray(0, length), true)).isClosed, true);
    assert.deepEqual(await holdings(), held);
  });
  test("C-40: random bytes", async () => {
    const held = await holdings();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        assert.equal((await send(head, bytes, true)).isClosed, true);
      }),
      RUNS,
    );
    assert.deepEqual(await holdings(), held);
  });
});

describe("C-40: behind a good greeting", () => {
  const behind = (...frames: Buffer[]): Buffer => Buffer.concat([hello(), ...frames]);

  test("C-40: an unknown tag, an unknown kind, an answer to no call, a hot frame that nobody reads here", async () => {
    await refused(behind(frameOf(frameKind.request, 9999, 1, packr.pack([]))), "PROTOCOL", /unknown tag/);
    await refused(behind(frameOf(9, 1, 1, packr.pack([]))), "PROTOCOL", /unknown frame kind/);
    await refused(behind(frameOf(frameKind.reply, 1, 77, packr.pack([]))), "PROTOCOL", /reply to no call/);
    await refused(behind(frameOf(frameKind.hot, PUSH_TAG, 0, new Uint8Array(40))), "PROTOCOL", /unknown tag/);
  });
  test("C-40: a frame larger than any may be", () => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(MAX_FRAME_BYTES + 1, 0);
    return refused(behind(bytes), "PROTOCOL", /out of bounds/);
  });
  test("C-40: fields of the wrong type, and a process that never registered", async () => {
    const { tag } = leaseService.methods.requestLease.request;
    await refused(behind(frameOf(frameKind.request, tag, 1, packr.pack([1, 2]))), "PROTOCOL", /wrong type/);
    const unpin = storeService.methods.unpinObjects.request;
    await refused(behind(frameOf(frameKind.oneWay, unpin.tag, 0, packr.pack(unpin.toWire({ ids: ["x"] })))), "PROTOCOL", /not registered/);
  });

  for (const [to, path] of [
    ["the head", () => head],
    ["a worker", () => worker],
  ] as const) {
    test(`C-40: random frames to ${to}: it closes or answers, and works on`, async () => {
      const services: Service[] = [processService, leaseService, storeService, controlService, nodeReports, workerService];
      const tags = services.flatMap((service) => Object.values(service.methods).map(({ request }) => request.tag));
      const body = fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc
          .array(fc.oneof(fc.string(), fc.nat(), fc.boolean(), fc.constant(null), fc.object({ maxDepth: 1 }), fc.array(fc.string())))
          .map((fields) => new Uint8Array(packr.pack(fields))),
      );
      const held = await holdings();
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 0, max: 4 }),
          fc.constantFrom(...tags, PUSH_TAG, RESULT_TAG, 1, 2),
          fc.nat(3),
          body,
          async (kind, tag, call, bytes) => {
            assert.equal((await send(path(), behind(frameOf(kind, tag, call, bytes)), true)).isClosed, true);
          },
        ),
        { ...RUNS, numRuns: 200 },
      );
      assert.deepEqual(await holdings(), held);
    });
  }
});

describe("C-40: well-formed nonsense", () => {
  test("C-40: calls that name what is not there are refused or without effect", async () => {
    const held = await holdings();
    const connection = new Connection(await ipcTransport.dial(head), MAX_FRAME_BYTES);
    await connection.startAsDialler({ peerId: "cd".repeat(14), pid: 1, address: "", secret });
    const lease = connection.client(leaseService);
    lease.returnLease({ leaseId: "nobody's", discard: true });
    lease.cancelLease({ leaseId: "nobody's" });
    lease.killLeasedWorker({ leaseId: "nobody's", graceMs: 0, reason: "spite" });
    lease.taskBlocked({ leaseIds: ["nobody's"] });
    lease.actorExited({ actorId: "nobody's" });
    assert.equal((await lease.explainLease({ leaseId: "nobody's" })).state, "unknown");
    const control = connection.client(controlService);
    await control.actorOutOfScope({ actorId: "nobody's" });
    const process = connection.client(processService);
    const asWorker = { kind: "worker", workerId: "cd".repeat(14), pid: 1, address: "" } as const;
    await assert.rejects(process.registerProcess(asWorker), { code: "AUTHENTICATION" });
    await assert.rejects(process.registerProcess({ ...asWorker, workerId: "ef".repeat(14) }), { code: "AUTHENTICATION" });
    connection.close("done");
    assert.deepEqual(await holdings(), held);
  });
  test("C-40: after all that the actor, the tasks and the objects are there", async () => {
    assert.equal(await get(holder.value.remote()), 7);
    assert.equal(await get(remote((data: Float64Array) => data.length).remote(put(new Float64Array(50_000)))), 50_000);
  });
});
