/** Joining, and all the ways in which it is refused: each says the address, the fact and the way out. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { FakeClock } from "../../src/base/fake-clock.ts";
import { realClock } from "../../src/base/clock.ts";
import { RaiaError } from "../../src/base/errors.ts";
import { joinCluster } from "../../src/gateway/join-client.ts";
import { echoService, type Machine, Machines } from "./machines.ts";
import { DAY_MS, HOUR_MS, leafOf, newAuthority, shifted } from "./stranger.ts";
import { until } from "./until.ts";

const machines = new Machines();
const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done));
  await machines.stop();
});

async function listening(server: Server): Promise<string> {
  servers.push(server);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

async function tokenOf(head: Machine, lifetimeMs?: number): Promise<string> {
  return (await head.gateway.authority?.issueToken("node", lifetimeMs)) ?? "";
}

async function refused(joining: Promise<unknown>, code: string, facts: Readonly<Record<string, unknown>>, wayOut: RegExp): Promise<void> {
  await assert.rejects(joining, (error) => {
    assert.ok(RaiaError.is(error), String(error));
    assert.deepEqual([error.code, Object.fromEntries(Object.keys(facts).map((name) => [name, error.facts[name]]))], [code, facts]);
    assert.match(error.message, wayOut);
    return true;
  });
}

const asNode = (address: string, token: string) => ({ address, token, role: "node", id: "n1" }) as const;

test("a token is good once, for its time, and for its cluster", async () => {
  const [head, foreign] = [await machines.head(), await machines.head()];
  const { address } = head;
  const token = await tokenOf(head);
  const { clusterId, secret } = await joinCluster(asNode(address, token), realClock);
  assert.deepEqual([clusterId, secret], [head.gateway.facts.clusterId, head.gateway.facts.secret]);

  const newToken = /make a new join token/;
  await refused(joinCluster(asNode(address, token), realClock), "JOIN_REFUSED", { cause: "used-token", address }, newToken);
  await refused(
    joinCluster(asNode(address, await tokenOf(head, 0)), realClock),
    "JOIN_REFUSED",
    { cause: "expired-token", address },
    newToken,
  );
  const [, , print] = (await tokenOf(head)).split("-");
  const invented = `raia-${"0".repeat(32)}-${print}`;
  await refused(joinCluster(asNode(address, invented), realClock), "JOIN_REFUSED", { cause: "unknown-token", address }, newToken);
  const ofOther = await tokenOf(foreign);
  await refused(
    joinCluster(asNode(address, ofOther), realClock),
    "JOIN_REFUSED",
    { cause: "other-fingerprint", address },
    /another cluster than the token/,
  );
  await refused(joinCluster(asNode(address, "hello"), realClock), "JOIN_REFUSED", { cause: "malformed-token" }, /copy the whole token/);
  await refused(
    joinCluster({ ...asNode(address, await tokenOf(head)), role: "driver" }, realClock),
    "JOIN_REFUSED",
    { cause: "wrong-role", address },
    newToken,
  );
  assert.deepEqual(head.gateway.server.counters().refused, { "join-token": 4 });
});

test("of two that come with one token at once, one is let in", async () => {
  const head = await machines.head();
  const token = await tokenOf(head);
  const results = await Promise.allSettled([1, 2, 3, 4].map(() => joinCluster(asNode(head.address, token), realClock)));
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected", "rejected"]);
});

test("tokens that are tried too often are not looked at", async () => {
  const head = await machines.head({ joinRate: { burst: 2, perMinute: 0 } });
  const print = (await tokenOf(head)).split("-")[2];
  const invented = `raia-${"0".repeat(32)}-${print}`;
  for (let attempt = 0; attempt < 2; attempt++) await assert.rejects(joinCluster(asNode(head.address, invented), realClock));
  await refused(joinCluster(asNode(head.address, invented), realClock), "JOIN_REFUSED", { cause: "too-often" }, /wait a minute/);
  assert.deepEqual(head.gateway.server.counters().refused, { "join-token": 2, "join-too-often": 1 });
});

test("what is at the address is not Raia: nothing, HTTP, another TLS server, a machine that lets nobody in", async () => {
  const head = await machines.head();
  const token = await tokenOf(head);
  const hint = /check host and port/;

  const closing = createServer();
  const nobody = await listening(closing);
  await new Promise((done) => closing.close(done));
  servers.pop();
  await refused(
    joinCluster(asNode(nobody, token), realClock),
    "CONNECTION_LOST",
    { cause: "machine-refused", address: nobody },
    /check the address/,
  );

  const http = await listening(createHttpServer((_request, response) => response.end("hello")));
  await refused(joinCluster(asNode(http, token), realClock), "NOT_RAIA", { address: http }, hint);
  await refused(joinCluster({ ...asNode(http, token), insecure: true }, realClock), "NOT_RAIA", { address: http }, hint);

  const other = await leafOf(await newAuthority("f".repeat(32)), { clusterId: "f".repeat(32), role: "node", id: "n1" });
  const web = await listening(createTlsServer({ key: other.key, cert: other.certificate }));
  await refused(joinCluster(asNode(web, token), realClock), "NOT_RAIA", { address: web }, hint);

  const hangingUp = await listening(createServer((socket) => socket.destroy()));
  await refused(joinCluster(asNode(hangingUp, token), realClock), "NOT_RAIA", { address: hangingUp }, hint);

  const member = await machines.member(head, "n2");
  await refused(
    joinCluster(asNode(member.address, token), realClock),
    "JOIN_REFUSED",
    { cause: "no-authority", address: member.address },
    /./,
  );
  await joinCluster(asNode(head.address, token), realClock);
});

test("a port that takes connections and says nothing is given up after ten seconds", async () => {
  const head = await machines.head();
  const arrived = Promise.withResolvers<void>();
  const silent = await listening(createServer(() => arrived.resolve()));
  const clock = new FakeClock();
  const joining = refused(
    joinCluster(asNode(silent, await tokenOf(head)), clock),
    "NOT_RAIA",
    { address: silent },
    /has said nothing for 10 s/,
  );
  await arrived.promise;
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(10_000);
  await joining;
});

test("a cluster with certificates and one without do not mix", async () => {
  const secure = await machines.head();
  const open = await machines.start(() => ({ kind: "insecure", secret: "s" }));
  const token = await tokenOf(secure);
  await refused(joinCluster(asNode(open.address, token), realClock), "NOT_RAIA", { address: open.address }, /./);
  await refused(joinCluster({ ...asNode(secure.address, token), insecure: true }, realClock), "NOT_RAIA", { address: secure.address }, /./);
});

test("a version that does not fit: both are named, and the token is still good", async () => {
  const head = await machines.head();
  const token = await tokenOf(head);
  const offer = { minVersion: 5, maxVersion: 6, features: [], needs: [] };
  const facts = { misfit: "version", ours: "1", theirs: "5 to 6", address: head.address };
  await refused(joinCluster({ ...asNode(head.address, token), offer }, realClock), "PROTOCOL", facts, /run the same version/);
  await joinCluster(asNode(head.address, token), realClock);
});

test("a clock that is an hour off: both clocks are named, whichever is wrong, and the token is still good", async () => {
  const head = await machines.head();
  const token = await tokenOf(head);
  for (const byMs of [HOUR_MS, -HOUR_MS]) {
    await assert.rejects(joinCluster(asNode(head.address, token), shifted(byMs)), (error) => {
      assert.ok(RaiaError.is(error, "CLOCK_SKEW"), String(error));
      assert.ok(Math.abs(Number(error.facts["secondsApart"]) - 3600) < 60);
      assert.equal(Object.keys(error.facts).filter((name) => name.endsWith("Clock")).length, 2);
      assert.match(error.message, /set both clocks/);
      return true;
    });
  }
  await joinCluster(asNode(head.address, token), realClock);

  // One that has joined and whose clock was set afterwards: its certificates do not hold elsewhere, nor others' at it.
  const ahead = await machines.head({ clock: shifted(HOUR_MS) });
  const { clusterId } = ahead.gateway.facts;
  assert.equal(clusterId.length, 32);
  await assert.rejects(joinCluster(asNode(ahead.address, await tokenOf(ahead)), realClock), { code: "CLOCK_SKEW" });
});

test("a member whose certificate does not hold yet is told both clocks", async () => {
  const head = await machines.head();
  await head.endpoint("head");
  const other = await machines.member(head, "n1");
  const endpoint = await other.endpoint("w-1");
  const files = { key: readAuthority(head, "authority-key.pem"), certificate: readAuthority(head, "authority.pem") };
  other.gateway.server.use(
    await leafOf(files, { clusterId: head.gateway.facts.clusterId, role: "node", id: "n1" }, { madeAtMs: realClock.wallMs() + HOUR_MS }),
  );
  await assert.rejects(endpoint.dial(`${head.address}/head`), (error) => {
    // The two clocks of one machine agree, so it is the certificate that is wrong.
    assert.ok(RaiaError.is(error, "AUTHENTICATION"), String(error));
    assert.equal(error.facts["cause"], "not-yet-valid");
    for (const name of ["ourClock", "theirClock"]) assert.match(JSON.stringify(error.facts[name]), /^"\d{4}-/);
    return true;
  });
});

test("a machine that was away for longer than its certificate lasts needs a new token, and says so", async () => {
  const head = await machines.head({ leafLifetimeMs: DAY_MS });
  const first = await machines.member(head, "n1");
  await first.stop();
  const directory = join(first.directory, "identity");
  const again = (token?: string) =>
    machines.start(
      () => ({ kind: "join", address: head.address, role: "node", id: "n1", directory, ...(token !== undefined && { token }) }),
      {
        directory: first.directory,
        clock: shifted(2 * DAY_MS),
      },
    );
  await refused(again(), "AUTHENTICATION", { cause: "expired", address: head.address }, /join again with a new join token/);
  await refused(
    machines.start((folder) => ({ kind: "join", address: head.address, role: "node", id: "n1", directory: join(folder, "none") })),
    "AUTHENTICATION",
    { cause: "no-certificate", address: head.address },
    /join the cluster first/,
  );
});

test("certificates are replaced while calls go on, and no call fails (D-T13)", { timeout: 60_000 }, async () => {
  const head = await machines.head();
  const other = await machines.member(head, "n1");
  await head.endpoint("head");
  const endpoint = await other.endpoint("w-1");
  const old = (await endpoint.dial(`${head.address}/head`)).client(echoService);
  let isOver = false;
  let [calls, dials] = [0, 0];
  const calling = (async () => {
    for (; !isOver; calls++) await old.echo({ body: Buffer.from("x") });
  })();
  const dialling = (async () => {
    for (; !isOver; dials++) {
      const stream = await other.transport.dial(`${head.address}/head`);
      stream.start({ data: () => {}, closed: () => {} });
      stream.close();
    }
  })();
  for (let rotation = 0; rotation < 20; rotation++) {
    const [callsBefore, dialsBefore] = [calls, dials];
    await Promise.all([head.gateway.renewNow(), other.gateway.renewNow()]);
    await until(() => calls > callsBefore && dials > dialsBefore + 1);
  }
  isOver = true;
  await Promise.all([calling, dialling]);
  assert.deepEqual([head.gateway.server.counters().refused, head.gateway.server.counters().renewed], [{}, 20]);
});

test("the next handshake with a machine is shorter, until either certificate is another", async () => {
  const head = await machines.head();
  const other = await machines.member(head, "n1");
  await head.endpoint("head");
  const counters = () => other.gateway.server.counters();
  // With a call, so that the session that comes behind the handshake has come.
  const call = async (name: string) => {
    const connection = await (await other.endpoint(name)).dial(`${head.address}/head`);
    await connection.client(echoService).echo({ body: Buffer.from("x") });
  };
  await call("w-1");
  await call("w-2");
  assert.deepEqual([counters().dialled, counters().resumed], [2, 1]);
  for (const machine of [other, head]) {
    await machine.gateway.renewNow();
    await call(`w-${counters().dialled + 1}`);
    const { resumed } = counters();
    await call(`w-${counters().dialled + 1}`);
    assert.equal(counters().resumed, resumed + 1);
  }
  assert.equal(counters().resumed, 3);
});

test("a certificate is replaced by itself before it ends, and a machine starts again with the last one", { timeout: 60_000 }, async () => {
  const head = await machines.head({ leafLifetimeMs: 6_000 });
  await head.endpoint("head");
  const other = await machines.member(head, "n1");
  await until(() => other.renewals >= 1 && head.renewals >= 1);
  assert.deepEqual([other.renewalErrors, head.renewalErrors], [[], []]);
  const endpoint = await other.endpoint("w-1");
  await (await endpoint.dial(`${head.address}/head`)).client(echoService).echo({ body: Buffer.from("x") });
});

function readAuthority(head: Machine, name: string): string {
  return readFileSync(join(head.directory, "ca", name), "utf8");
}
