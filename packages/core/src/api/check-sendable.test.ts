import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { checkSendable } from "./check-sendable.ts";
import { ObjectRefStream } from "../worker/calls/object-stream.ts";
import { remote } from "./remote.ts";

test("checkSendable: values, with the path to what stands in the way", () => {
  class Repository {
    readonly name = "r";
  }
  assert.deepEqual(checkSendable({ a: [1, new Map([["b", 2n]])] }).isSendable, true);
  assert.ok(checkSendable(new Float64Array(1000)).bytes >= 8000);
  const { isSendable, problems } = checkSendable({ user: { repos: [1, new Repository()] } });
  assert.equal(isSendable, false);
  assert.equal(problems[0]?.path, "$.user.repos[1]");
  assert.match(problems[0]?.wayOut ?? "", /registerCodec/);
  assert.equal(checkSendable({ work: () => 1 }).isSendable, false);
});

test("checkSendable: every problem of a value is listed, the nearest first, each place once", () => {
  const socket = new Socket();
  const work = (): number => 1;
  const loop: Record<string, unknown> = { fine: new Date(), pages: new Uint8Array(8), ok: remote(work) };
  loop["self"] = loop;
  const value = {
    loop,
    jobs: [{ run: work }, { run: work }],
    named: new Map<unknown, unknown>([[Symbol("key"), socket]]),
    odd: new Proxy({}, {}),
    get broken(): number {
      throw new Error("no");
    },
  };
  const { isSendable, problems } = checkSendable(value);
  socket.destroy();
  assert.equal(isSendable, false);
  assert.deepEqual(
    problems.map(({ path }) => path),
    ["$.odd", "$.broken", "$.named.keys()[0]", "$.named.get(Symbol(key))", "$.jobs[0].run", "$.jobs[1].run"],
  );
  assert.match(problems[1]?.reason ?? "", /reading it threw/);
  assert.ok(problems.every(({ reason, wayOut }) => reason !== "" && wayOut !== ""));
  assert.equal(checkSendable(Array.from({ length: 2000 }, () => work)).problems.length, 1000);
});

test("checkSendable: functions and classes, with everything that they capture", () => {
  const socket = new Socket();
  const pool = { socket };
  const words = ["one", "two"];
  const fine = (): number => words.length;
  const handler = (): unknown => pool.socket.remoteAddress;
  class Server {
    readonly handle = handler;
  }

  const good = checkSendable(fine);
  assert.equal(good.isSendable, true);
  assert.match(good.captures[0]?.path ?? "", /-> words/);
  for (const bad of [handler, Server, remote(handler), remote(() => remote(handler))]) {
    const { isSendable, problems } = checkSendable(bad);
    assert.equal(isSendable, false);
    assert.match(problems[0]?.path ?? "", /handler -> pool -> socket/);
  }
  socket.destroy();
});

test("checkSendable: a stream of refs cannot be sent, nor captured, and the reason names no private member", () => {
  const rows = Object.create(ObjectRefStream.prototype) as ObjectRefStream;
  for (const { isSendable, problems } of [checkSendable({ rows }), checkSendable(() => rows)]) {
    assert.equal(isSendable, false);
    assert.equal(problems[0]?.reason, "it is a stream, which one process reads");
    assert.match(problems[0].wayOut, /pass the refs that it gives/);
  }
});
