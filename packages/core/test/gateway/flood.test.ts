/** Floods at a gateway, small: whoever floods takes its own room, and the others go on (D-T14, D-T34). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { afterEach, test } from "node:test";
import { type Clock, realClock } from "../../src/base/clock.ts";
import { FakeClock } from "../../src/base/fake-clock.ts";
import { PREFACE_MS } from "../../src/gateway/public-port.ts";
import { messageFrame } from "../../src/wire/first-frame.ts";
import { Splice } from "../../src/wire/gateway-messages.ts";
import { ourOffer } from "../../src/wire/protocol-offer.ts";
import { echoService, Machines } from "./machines.ts";
import { closed, plainTo, tlsTo } from "./stranger.ts";
import { until } from "./until.ts";

const machines = new Machines();
afterEach(() => machines.stop());

/** Nothing that waits for a time happens before it is told to. */
function heldClock(): { readonly clock: Clock; readonly advance: (ms: number) => void } {
  const fake = new FakeClock();
  return { clock: { ...realClock, after: (delayMs, fn) => fake.after(delayMs, fn) }, advance: (ms) => fake.advance(ms) };
}

test("half-open connections of one address are bounded, cut off, counted, and no burden to others", { timeout: 30_000 }, async () => {
  const { clock, advance } = heldClock();
  const head = await machines.head({ admission: { perAddress: 40, total: 60 }, clock });
  const counters = () => head.gateway.server.counters();
  const other = await machines.member(head, "n1");
  await head.endpoint("head");
  const endpoint = await other.endpoint("w-1");
  const old = (await endpoint.dial(`${head.address}/head`)).client(echoService);

  const flood = await Promise.all(Array.from({ length: 300 }, () => plainTo(head.address, "127.0.0.9")));
  await until(() => (counters().refused["too-many-from-address"] ?? 0) >= 260);
  assert.equal(counters().waiting, 40);
  await old.echo({ body: Buffer.from("still here") });
  const stream = await other.transport.dial(`${head.address}/head`);
  stream.start({ data: () => {}, closed: () => {} });
  stream.close();
  // And from many addresses together.
  const more = await Promise.all(Array.from({ length: 30 }, (_, index) => plainTo(head.address, `127.0.1.${index + 1}`)));
  await until(() => (counters().refused["too-many"] ?? 0) >= 10);

  advance(PREFACE_MS);
  await Promise.all([...flood, ...more].map(closed));
  assert.deepEqual([counters().waiting, counters().refused], [0, { "too-many-from-address": 260, "too-many": 10, silent: 60 }]);
  await endpoint.close();
});

test("one that sends its first frame byte by byte is cut off in the time of all others", { timeout: 30_000 }, async () => {
  const { clock, advance } = heldClock();
  const head = await machines.head({ clock });
  const slow = await tlsTo(head.address);
  const frame = messageFrame(Splice, { offer: ourOffer, name: "head" });
  for (let at = 0; at < frame.length - 1; at++) {
    await new Promise((done) => slow.write(frame.subarray(at, at + 1), done));
    advance(PREFACE_MS / frame.length);
  }
  assert.equal(head.gateway.server.counters().waiting, 1);
  advance(PREFACE_MS);
  await closed(slow);
  assert.deepEqual(head.gateway.server.counters().refused, { silent: 1 });
});

test("a hundred thousand single bytes of one stream do not stop another", { timeout: 60_000 }, async () => {
  const head = await machines.head();
  const other = await machines.member(head, "n1");
  await head.endpoint("head");
  const COUNT = 100_000;
  let got = 0;
  const server = createServer((socket) => socket.on("data", (bytes) => (got += bytes.length)));
  server.listen(join(head.sessionPath, "w-9"));
  await once(server, "listening");
  const stream = await other.transport.dial(`${head.address}/w-9`);
  stream.start({ data: () => {}, closed: () => {} });
  const client = (await (await other.endpoint("w-1")).dial(`${head.address}/head`)).client(echoService);
  let calls = 0;
  for (let sent = 0; sent < COUNT; sent++) {
    stream.write(Uint8Array.of(1));
    if (sent % 1_000 === 0) {
      await client.echo({ body: Buffer.from("x") });
      calls++;
    }
  }
  await until(() => got === COUNT);
  assert.equal(calls, COUNT / 1_000);
  stream.close();
  await new Promise((done) => server.close(done));
});

test("streams are bounded: one too many is refused on either side, and a place is free again afterwards", async () => {
  for (const [headLimit, memberLimit] of [
    [1, 10],
    [10, 1],
  ] as const) {
    const head = await machines.head({ maxSplices: headLimit });
    const other = await machines.member(head, "n1", { maxSplices: memberLimit });
    await head.endpoint("head");
    const first = await other.transport.dial(`${head.address}/head`);
    await assert.rejects(other.transport.dial(`${head.address}/head`), { code: "LIMIT_EXCEEDED" });
    const isClosed = new Promise<void>((resolve) => first.start({ data: () => {}, closed: () => resolve() }));
    first.close();
    await isClosed;
    await until(() => [head, other].every((machine) => machine.gateway.server.counters().open === 0));
    const again = await other.transport.dial(`${head.address}/head`);
    again.start({ data: () => {}, closed: () => {} });
    again.close();
  }
});

test("another user of the machine does not reach the gateway's socket (D-T14)", {
  skip: process.getuid?.() !== 0 && "needs root",
}, async () => {
  const head = await machines.head();
  const socket = join(head.sessionPath, "gateway");
  chmodSync(dirname(head.sessionPath), 0o755);
  // Node itself and the folders above may be out of another user's reach: the program is one only when it is there.
  const nobody = 65_534;
  const program = `
    const { connect } = require("node:net");
    process.chdir(process.argv[1]);
    process.setgroups([]);
    process.setgid(${nobody});
    process.setuid(${nobody});
    connect(process.argv[2]).on("error", ({ code }) => console.log(code)).on("connect", () => (console.log("in"), process.exit()));`;
  const tryAsNobody = (): string =>
    execFileSync(process.execPath, ["-e", program, dirname(head.sessionPath), join(basename(head.sessionPath), "gateway")], {
      encoding: "utf8",
    }).trim();
  assert.equal(tryAsNobody(), "EACCES");

  // What keeps it out is the session's directory.
  chmodSync(head.sessionPath, 0o711);
  chmodSync(socket, 0o777);
  assert.equal(tryAsNobody(), "in");
});
