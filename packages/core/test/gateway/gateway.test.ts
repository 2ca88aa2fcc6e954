/** Two machines, each with its gateway, and real endpoints behind them. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, statSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { realClock } from "../../src/base/clock.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import { hashToken, parseToken } from "../../src/gateway/join-token.ts";
import { readFirst } from "../../src/gateway/read-first.ts";
import { MAX_WAITING_BYTES } from "../../src/gateway/splice.ts";
import { MemoryTokenStore } from "../../src/gateway/token-store.ts";
import { answerOf, messageFrame } from "../../src/wire/first-frame.ts";
import { Dial, Spliced } from "../../src/wire/gateway-messages.ts";
import { GatewayTransport } from "../../src/wire/gateway-transport.ts";
import { echoService, type Machine, Machines, SECRET } from "./machines.ts";
import { until } from "./until.ts";

const machines = new Machines();
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await machines.stop();
});

const peerMain = fileURLToPath(new URL("peer-main.ts", import.meta.url));
const body = (text: string) => ({ body: Buffer.from(text) });
const MB = 1e6;

async function insecurePair(): Promise<readonly [Machine, Machine]> {
  const head = await machines.start(() => ({ kind: "insecure", secret: SECRET }));
  const join = () => ({ kind: "insecureJoin", address: head.address, role: "node", id: "n1" }) as const;
  return [head, await machines.start(join, { listen: { host: "127.0.0.2", port: 0 } })];
}

async function securePair(): Promise<readonly [Machine, Machine]> {
  const head = await machines.head();
  return [head, await machines.member(head, "n1")];
}

/** A process of its own behind `machine`; ready when this resolves. */
async function startPeer(machine: Machine, name: string, ...more: readonly string[]): Promise<ChildProcess> {
  const { secret } = machine.gateway.facts;
  const child = spawn(process.execPath, [peerMain, machine.sessionPath, machine.address, name, secret, ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

for (const [kind, pair] of [
  ["insecure", insecurePair],
  ["with certificates", securePair],
] as const) {
  describe(kind, () => {
    test("calls go both ways, and within a machine past the gateway", async () => {
      const [head, other] = await pair();
      assert.equal(other.gateway.facts.clusterId, head.gateway.facts.clusterId);
      const [a, b] = [await head.endpoint("head"), await other.endpoint("w-1")];
      await other.endpoint("w-2");
      const toB = (await a.dial(`${other.address}/w-1`)).client(echoService);
      const toA = (await b.dial(`${head.address}/head`)).client(echoService);
      const toC = (await b.dial(`${other.address}/w-2`)).client(echoService);
      for (const client of [toB, toA, toC]) assert.equal(Buffer.from((await client.echo(body("hello"))).body).toString(), "hello");
      assert.deepEqual([head.gateway.server.counters().open, other.gateway.server.counters().open], [2, 2]);
    });

    test("100 MB arrive whole; while nobody reads them the gateways hold little and the sender knows", { timeout: 60_000 }, async () => {
      const [head, other] = await pair();
      const reading = Promise.withResolvers<Socket>();
      const server = createServer({ pauseOnConnect: true }, (socket) => reading.resolve(socket));
      await new Promise<void>((done) => server.listen(join(other.sessionPath, "w-1"), done));
      const stream = await head.transport.dial(`${other.address}/w-1`);
      stream.start({ data: () => {}, closed: () => {} });
      const block = Buffer.alloc(MB, 7);
      const sent = createHash("sha256");
      for (let index = 0; index < 100; index++) {
        const part = Buffer.from(block);
        part.writeUInt32LE(index);
        sent.update(part);
        stream.write(part);
      }
      const held = () => [head, other].map((machine) => machine.gateway.server.counters().bufferedBytes);
      let most = 0;
      // The reader's own gateway is the first to be full, and the sender's behind it.
      await until(() => {
        most = Math.max(most, ...held());
        return held().every((bytes) => bytes >= MAX_WAITING_BYTES);
      });
      assert.ok(stream.bufferedBytes > 80 * MB, `${stream.bufferedBytes} bytes are known to wait`);

      const received = createHash("sha256");
      let left = 100 * MB;
      const socket = await reading.promise;
      await new Promise<void>((done) => {
        socket.on("data", (bytes) => {
          most = Math.max(most, ...held());
          received.update(bytes);
          if ((left -= bytes.length) === 0) done();
        });
        socket.resume();
      });
      assert.equal(received.digest("hex"), sent.digest("hex"));
      assert.ok(most < 2 * MB, `${most} bytes in a gateway`);
      socket.destroy();
      await new Promise((done) => server.close(done));
    });

    test("one end may be done with sending while the other goes on", async () => {
      const [head, other] = await pair();
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        let got = 0;
        socket.on("data", (bytes) => (got += bytes.length));
        socket.once("end", () => socket.end(Buffer.alloc(got, 2)));
      });
      await new Promise<void>((done) => server.listen(join(other.sessionPath, "w-1"), done));
      const socket = connect({ path: join(head.sessionPath, "gateway"), allowHalfOpen: true });
      socket.write(messageFrame(Dial, { address: `${other.address}/w-1` }));
      answerOf(Spliced, await readFirst(socket, 16 * 1024));
      socket.end(Buffer.alloc(3 * MB, 1));
      let back = 0;
      socket.on("data", (bytes) => (back += bytes.length)).resume();
      await once(socket, "close");
      assert.equal(back, 3 * MB);
      await new Promise((done) => server.close(done));
    });

    test("a killed process is seen as closed at the other end at once, whoever dialled, and is then gone", {
      timeout: 20_000,
    }, async () => {
      const [head, other] = await pair();
      const endpoint = await head.endpoint("head");
      const listening = await startPeer(other, "w-1");
      const address = `${other.address}/w-1`;
      const connection = await endpoint.dial(address);
      const closed = new Promise((resolve) => connection.onClosed(resolve));
      const pending = connection.client(echoService).echo(body("x"));
      await pending;
      listening.kill("SIGKILL");
      await closed;
      // The system may close its connections before it closes what it listened on: `reach` asks again then.
      await assert.rejects(endpoint.reach(address), (error: { code?: string; facts?: Record<string, unknown> }) => {
        assert.deepEqual([error.code, error.facts?.["cause"], error.facts?.["address"]], ["CONNECTION_LOST", "gone", address]);
        return true;
      });

      const dialling = await startPeer(other, "w-2", `${head.address}/head`, "1", "--stay");
      dialling.kill("SIGKILL");
      await endpoint.lost("w-2");
      await until(() => [head, other].every((machine) => machine.gateway.server.counters().open === 0));
    });

    test("what a process wrote before it died is delivered before its end", { timeout: 20_000 }, async () => {
      const [head, other] = await pair();
      const server = createServer((socket) => {
        // More than the sockets on the way hold, and then an end at once.
        socket.end(Buffer.alloc(8 * MB, 1));
      });
      await new Promise<void>((done) => server.listen(join(other.sessionPath, "w-1"), done));
      const stream = await head.transport.dial(`${other.address}/w-1`);
      let got = 0;
      await new Promise<void>((closed) => stream.start({ data: (bytes) => (got += bytes.length), closed: () => closed() }));
      assert.equal(got, 8 * MB);
      await new Promise((done) => server.close(done));
    });

    test("a machine whose gateway has ended refuses; one that is cut off is closed at both ends", async () => {
      const [head, other] = await pair();
      const endpoint = await head.endpoint("head");
      const far = await other.endpoint("w-1");
      const connection = await endpoint.dial(`${other.address}/w-1`);
      const back = await far.dial(`${head.address}/head`);
      head.gateway.server.cut({ machine: other.address });
      await Promise.all([connection, back].map((each) => new Promise<void>((resolve) => each.onClosed(() => resolve()))));

      await other.stop();
      await assert.rejects(endpoint.dial(`${other.address}/w-1`), (error: { code?: string; facts?: Record<string, unknown> }) => {
        assert.deepEqual([error.code, error.facts?.["cause"]], ["CONNECTION_LOST", "machine-refused"]);
        return true;
      });
    });

    test("a machine's own gateway that is gone says nothing about the process that was dialled", async () => {
      const [head, other] = await pair();
      await other.endpoint("w-1");
      const endpoint = await head.endpoint("head");
      await head.gateway.close();
      await assert.rejects(endpoint.dial(`${other.address}/w-1`), (error: { code?: string; facts?: Record<string, unknown> }) => {
        assert.deepEqual([error.code, error.facts?.["cause"]], ["CONNECTION_LOST", "no-gateway"]);
        return true;
      });
      await assert.rejects(endpoint.dial(`${head.address}/w-2`), (error: { code?: string; facts?: Record<string, unknown> }) => {
        assert.deepEqual([error.code, error.facts?.["cause"]], ["CONNECTION_LOST", "gone"]);
        return true;
      });
    });

    test("the session's secret is asked for end to end", async () => {
      const [head, other] = await pair();
      await other.endpoint("w-1");
      const stranger = await head.endpoint("head", "another secret");
      await assert.rejects(stranger.dial(`${other.address}/w-1`), { code: "CONNECTION_LOST" });
    });
  });
}

describe("as a node process holds it", () => {
  test("on a thread: it goes on while the process that holds it stands still", { timeout: 30_000 }, async () => {
    const folder = machines.folder();
    const [near, far] = [mkdtempSync(join(folder, "a-")), mkdtempSync(join(folder, "b-"))] as const;
    const directory = join(folder, "ca");
    const tokens = new MemoryTokenStore(realClock);
    const security = { kind: "authority", directory, secret: SECRET, role: "control", id: "head" } as const;
    const head = await Gateway.start({ listen: { host: "127.0.0.1", port: 0 }, sessionPath: near, security }, {}, tokens);
    const address = head.facts.machine ?? "";
    const token = await head.issueToken("node");
    const other = await Gateway.start({
      listen: { host: "127.0.0.2", port: 0 },
      sessionPath: far,
      security: { kind: "join", address, token, role: "node", id: "n1" },
    });
    assert.deepEqual([other.facts.secret, other.facts.isSecure], [SECRET, true]);
    const answering = spawn(process.execPath, [peerMain, far, other.facts.machine ?? "", "w-1", SECRET], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(answering);
    await once(answering.stdout, "data");
    // This thread waits without its loop while the other process makes its calls.
    const { stdout } = spawnSync(process.execPath, [peerMain, near, address, "w-0", SECRET, `${other.facts.machine}/w-1`, "200"]);
    assert.equal(stdout.toString(), "200 calls\n");
    const { dialled, joined, certificate } = await head.counters();
    assert.deepEqual([dialled, joined, certificate?.name.id], [1, 1, "head"]);
    // The token was kept here, not on the thread.
    assert.deepEqual(await tokens.take(hashToken(parseToken(token).secret)), { kind: "used" });
    await head.close();
    await other.close();
  });

  test("what keeps it from starting is an error with the reason, and no thread is left", async () => {
    const folder = machines.folder();
    const sessionPath = mkdtempSync(join(folder, "s-"));
    const listen = { host: "127.0.0.1", port: 0 };
    await assert.rejects(
      Gateway.start({ listen: { host: "10.1.2.3", port: 1 }, sessionPath }),
      (error: { code?: string; message?: string }) => {
        assert.equal(error.code, "INSECURE");
        assert.match(error.message ?? "", /--insecure/);
        return true;
      },
    );
    const insecure = { kind: "insecure", secret: SECRET } as const;
    await assert.rejects(Gateway.start({ listen: { host: "0.0.0.0", port: 0 }, sessionPath, security: insecure }), {
      code: "INVALID_ARGUMENT",
    });
    const first = await Gateway.start({ listen, sessionPath, security: insecure });
    const [host = "", port = ""] = (first.facts.machine ?? "").split(":");
    await assert.rejects(
      Gateway.start({ listen: { host, port: Number(port) }, sessionPath: mkdtempSync(join(folder, "t-")), security: insecure }),
      (error: { code?: string; facts?: Record<string, unknown> }) => {
        assert.deepEqual([error.code, error.facts?.["errno"]], ["SYSTEM_CALL_FAILED", "EADDRINUSE"]);
        return true;
      },
    );
    await assert.rejects(first.issueToken("node"), { code: "UNSUPPORTED" });
    await first.close();
  });

  test("a machine that starts again needs no new token, and its files are its own", async () => {
    const head = await machines.head();
    const first = await machines.member(head, "n1");
    const { directory } = first;
    await first.stop();
    const identity = join(directory, "identity");
    assert.deepEqual([statSync(identity).mode & 0o777, statSync(join(identity, "membership.json")).mode & 0o777], [0o700, 0o600]);
    const again = await machines.start(() => ({ kind: "join", address: head.address, role: "node", id: "n1", directory: identity }), {
      directory,
    });
    await head.endpoint("head");
    const endpoint = await again.endpoint("w-1");
    await (await endpoint.dial(`${head.address}/head`)).client(echoService).echo(body("x"));
    assert.equal(head.gateway.server.counters().joined, 1);
  });

  test("a machine without a port of its own dials, and is not dialled", async () => {
    const head = await machines.head();
    await head.endpoint("head");
    const token = await head.gateway.authority?.issueToken("driver");
    const folder = machines.folder();
    const sessionPath = mkdtempSync(join(folder, "s-"));
    const gateway = await Gateway.start({
      sessionPath,
      security: { kind: "join", address: head.address, role: "driver", id: "d1", ...(token !== undefined && { token }) },
    });
    assert.equal(gateway.facts.machine, undefined);
    const stream = await new GatewayTransport({ socketPath: (name) => join(sessionPath, name) }).dial(`${head.address}/head`);
    stream.start({ data: () => {}, closed: () => {} });
    stream.close();
    await gateway.close();
  });
});
