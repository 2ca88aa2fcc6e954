/** Somebody between two machines who reads, changes, repeats or poses (D-T11, D-T12, D-T51). */
import assert from "node:assert/strict";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { afterEach, test } from "node:test";
import { RaiaError } from "../../src/base/errors.ts";
import { TLS_PROTOCOL } from "../../src/gateway/credentials.ts";
import { joinCluster } from "../../src/gateway/join-client.ts";
import { realClock } from "../../src/base/clock.ts";
import { parseMachine } from "../../src/wire/machine-address.ts";
import { echoService, Machines, SECRET } from "./machines.ts";
import { Proxy } from "./proxy.ts";
import { closed, leafOf, newAuthority, plainTo } from "./stranger.ts";
import { until } from "./until.ts";

const machines = new Machines();
const proxies: Proxy[] = [];
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.stop();
  await machines.stop();
});

async function throughProxy(target: string, ...more: readonly [] | readonly [Parameters<typeof Proxy.start>[1]]): Promise<Proxy> {
  const proxy = await Proxy.start(target, ...more);
  proxies.push(proxy);
  return proxy;
}

test("one that only passes on sees nothing of what is said", async () => {
  const head = await machines.head();
  const other = await machines.member(head, "n1");
  await head.endpoint("head");
  const proxy = await throughProxy(head.address);
  const endpoint = await other.endpoint("w-1");
  const client = (await endpoint.dial(`${proxy.address}/head`)).client(echoService);
  await client.echo({ body: Buffer.from("a text that nobody else may read") });
  const seen = Buffer.concat(proxy.captured).toString("latin1");
  for (const secret of ["a text that nobody", SECRET, "w-1", "node/n1"]) assert.equal(seen.includes(secret), false, secret);
});

test("one that ends TLS with a certificate of its own is believed by neither side (D-T11)", async () => {
  const head = await machines.head();
  const other = await machines.member(head, "n1");
  await head.endpoint("head");
  const { clusterId } = head.gateway.facts;
  const evil = await leafOf(await newAuthority(clusterId), { clusterId, role: "node", id: "n1" });
  const identity = { key: evil.key, cert: evil.certificate + evil.authority, ALPNProtocols: [TLS_PROTOCOL], rejectUnauthorized: false };
  const sockets = new Set<TLSSocket>();
  let said = 0;
  const server = createTlsServer({ ...identity, requestCert: true }, (near) => {
    const far = connectTls({ ...parseMachine(head.address), ...identity });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    near.on("data", (bytes) => (said += bytes.length)).pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = `127.0.0.1:${(server.address() as { port: number }).port}`;

  const endpoint = await other.endpoint("w-1");
  await assert.rejects(
    endpoint.dial(`${address}/head`),
    (error) => RaiaError.is(error, "AUTHENTICATION") && error.facts["cause"] === "foreign-authority",
  );
  assert.equal(said, 0);
  // A token's fingerprint is of the right cluster, so who joins through it says nothing either.
  const token = await head.gateway.authority?.issueToken("node");
  await assert.rejects(joinCluster({ address, token, role: "node", id: "n2" }, realClock), (error) => {
    assert.ok(RaiaError.is(error, "JOIN_REFUSED"), String(error));
    assert.deepEqual([error.facts["cause"], error.facts["address"]], ["other-fingerprint", address]);
    return true;
  });
  assert.equal(said, 0);
  // And the token is still good.
  await joinCluster({ address: head.address, token, role: "node", id: "n2" }, realClock);
  // The other side: what the one between says for itself is refused at the head.
  const far = connectTls({ ...parseMachine(head.address), ...identity });
  far.on("error", () => {}).on("secureConnect", () => far.write(Buffer.alloc(100, 1)));
  await closed(far);
  for (const socket of sockets) socket.destroy();
  await new Promise((done) => server.close(done));
});

test("one whose bits flip breaks the connection, and no wrong byte arrives (D-T51)", async () => {
  const head = await machines.head();
  const other = await machines.member(head, "n1");
  await head.endpoint("head");
  let untouched = Number.POSITIVE_INFINITY;
  const proxy = await throughProxy(head.address, (bytes, direction) => {
    if (direction === "back" || (untouched -= bytes.length) >= 0) return bytes;
    untouched = Number.POSITIVE_INFINITY;
    const changed = Buffer.from(bytes);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    return changed;
  });
  const endpoint = await other.endpoint("w-1");
  // In the handshake, in the first frames, and later: wherever it is.
  for (untouched of [0, 300, 700, 1_000, 1_500]) {
    const lost = endpoint
      .dial(`${proxy.address}/head`)
      .then(async (connection) => {
        for (;;)
          assert.equal(Buffer.from((await connection.client(echoService).echo({ body: Buffer.from("right") })).body).toString(), "right");
      })
      .catch((error: unknown) => error);
    const error = await lost;
    assert.ok(RaiaError.is(error, "CONNECTION_LOST") || RaiaError.is(error, "NOT_RAIA"), String(error));
  }
  assert.equal(head.gateway.server.counters().refused["malformed"], undefined);
});

test("what was captured and is sent again does nothing (D-T12)", async () => {
  const head = await machines.head();
  const proxy = await throughProxy(head.address);
  const token = await head.gateway.authority?.issueToken("node");
  await joinCluster({ address: proxy.address, token, role: "node", id: "n1" }, realClock);
  const joining = Buffer.concat(proxy.captured.splice(0));
  const other = await machines.member(head, "n2");
  await head.endpoint("head");
  const endpoint = await other.endpoint("w-1");
  const client = (await endpoint.dial(`${proxy.address}/head`)).client(echoService);
  await client.echo({ body: Buffer.from("once") });
  const calling = Buffer.concat(proxy.captured.splice(0));

  const before = head.gateway.server.counters();
  for (const bytes of [joining, calling]) {
    const replayed = await plainTo(head.address);
    replayed.write(bytes);
    await closed(replayed);
  }
  await until(() => head.gateway.server.counters().refused["handshake"] === 2);
  const { joined, accepted, open } = head.gateway.server.counters();
  assert.deepEqual([joined, accepted, open], [before.joined, before.accepted, before.open]);
});
