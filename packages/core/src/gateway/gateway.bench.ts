/**
 * What two gateways between two processes cost, beside a bare TLS socket of Node with the same certificates in the same run: 64-byte
 * round trips one at a time, and bytes one way. The ends are two threads, and each gateway is one more; the CPU time is that of all
 * of them together, which says more than the rate where there are fewer CPUs than threads.
 *
 *     node packages/core/src/gateway/gateway.bench.ts
 */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { realClock } from "../base/clock.ts";
import { realRandom } from "../base/random.ts";
import { answerOf, MAX_ANSWER_BYTES, messageFrame } from "../wire/first-frame.ts";
import { Dial, Spliced } from "../wire/gateway-messages.ts";
import { type Credentials, TLS_VERSION } from "./credentials.ts";
import { Gateway } from "./gateway.ts";
import { CertificateAuthority } from "./join-authority.ts";
import { readFirst } from "./read-first.ts";

const MiB = 1024 * 1024;
const ROUND_TRIPS = 5_000;
const TOTAL_BYTES = 512 * MiB;
const CHUNK_BYTES = 256 * 1024;
const ROUNDS = 5;
const PING_BYTES = 64;
/** The first byte of a stream says what it is for. */
const mode = { echo: 1, count: 2 } as const;

interface FarEnd {
  readonly socketPath: string;
  readonly credentials: Credentials;
}

if (isMainThread) await bench();
else farEnd(workerData as FarEnd);

async function bench(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "gwb-"));
  const [near, far] = ["a", "b"].map((name) => mkdtempSync(join(folder, name))) as [string, string];
  const security = { kind: "authority", directory: join(folder, "ca"), secret: "bench", role: "control", id: "head" } as const;
  const listen = { host: "127.0.0.1", port: 0 };
  const head = await Gateway.start({ listen, sessionPath: near, security });
  const address = head.facts.machine ?? "";
  const token = await head.issueToken("node");
  const other = await Gateway.start({ listen, sessionPath: far, security: { kind: "join", address, token, role: "node", id: "n1" } });
  const authority = await CertificateAuthority.open(
    { directory: join(folder, "ca"), secret: "bench" },
    { clock: realClock, random: realRandom },
  );
  const credentials = await authority.issueOwn("node", "bench");
  const worker = new Worker(new URL(import.meta.url), { workerData: { socketPath: join(far, "w"), credentials } satisfies FarEnd });
  const tlsPort = await new Promise<number>((resolve) => worker.once("message", resolve));

  const ways = {
    "unix socket": () => connected(connect(join(far, "w"))),
    "TLS socket": () => connected(connectTls({ port: tlsPort, host: "127.0.0.1", ...tlsOf(credentials) }), "secureConnect"),
    gateways: () => throughGateways(join(near, "gateway"), `${other.facts.machine}/w`),
  };
  type Way = keyof typeof ways;
  const names = Object.keys(ways) as Way[];
  const trips = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Way, number[]>;
  const rates = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Way, number[]>;
  const cpus = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Way, number[]>;
  const dials = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Way, number[]>;
  for (let round = 0; round <= ROUNDS; round++) {
    for (const name of names) {
      const trip = await roundTrips(await ways[name]());
      const before = process.cpuUsage();
      const rate = await oneWay(await ways[name]());
      const { user, system } = process.cpuUsage(before);
      const dial = await dialling(ways[name]);
      if (round === 0) continue;
      cpus[name].push((user + system) / 1e6 / (TOTAL_BYTES / 1e9));
      trips[name].push(trip);
      rates[name].push(rate);
      dials[name].push(dial);
    }
  }
  for (const name of names) {
    console.log(
      `${name.padEnd(12)} ${median(trips[name]).toFixed(1).padStart(7)} us a round trip (${ratio(trips["TLS socket"], trips[name])} of TLS), ` +
        `${median(rates[name]).toFixed(2)} GB/s (${ratio(rates[name], rates["TLS socket"])} of TLS) and ${median(cpus[name]).toFixed(2)} s of CPU a GB, ${median(dials[name]).toFixed(2)} ms to connect`,
    );
  }
  await Promise.all([head.close(), other.close(), worker.terminate()]);
  rmSync(folder, { recursive: true });
}

function farEnd({ socketPath, credentials }: FarEnd): void {
  const serve = (socket: Socket): void => {
    let what = 0;
    let left = TOTAL_BYTES;
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      if (what === 0) {
        what = bytes[0] ?? 0;
        bytes = bytes.subarray(1);
      }
      if (bytes.length === 0) return;
      if (what === mode.echo) socket.write(bytes);
      else if ((left -= bytes.length) === 0) socket.write("x");
    });
  };
  createServer(serve).listen(socketPath);
  const { key, certificate, authority } = credentials;
  const tls = createTlsServer({ key, cert: certificate, ca: authority, requestCert: true, minVersion: TLS_VERSION }, serve);
  tls.listen(0, "127.0.0.1", () => parentPort?.postMessage((tls.address() as { port: number }).port));
}

function tlsOf({ key, certificate, authority }: Credentials) {
  return { key, cert: certificate, ca: authority, checkServerIdentity: () => undefined };
}

function connected(socket: Socket, event = "connect"): Promise<Socket> {
  socket.setNoDelay(true);
  return new Promise((resolve, reject) => socket.once(event, () => resolve(socket)).once("error", reject));
}

async function throughGateways(gatewayPath: string, address: string): Promise<Socket> {
  const socket = await connected(connect(gatewayPath));
  socket.write(messageFrame(Dial, { address }));
  answerOf(Spliced, await readFirst(socket, MAX_ANSWER_BYTES));
  return socket;
}

/** Microseconds each. */
async function roundTrips(socket: Socket): Promise<number> {
  socket.write(Uint8Array.of(mode.echo));
  const ping = Buffer.alloc(PING_BYTES, 1);
  const startMs = realClock.nowMs();
  await new Promise<void>((done) => {
    let [left, got] = [ROUND_TRIPS, 0];
    socket.on("data", (bytes: Buffer) => {
      got += bytes.length;
      if (got < PING_BYTES) return;
      got = 0;
      if (--left === 0) done();
      else socket.write(ping);
    });
    socket.resume();
    socket.write(ping);
  });
  const tookMs = realClock.nowMs() - startMs;
  socket.destroy();
  return (tookMs * 1000) / ROUND_TRIPS;
}

/** GB/s. */
async function oneWay(socket: Socket): Promise<number> {
  socket.write(Uint8Array.of(mode.count));
  const chunk = Buffer.alloc(CHUNK_BYTES, 1);
  const startMs = realClock.nowMs();
  await new Promise<void>((done) => {
    socket.once("data", () => done());
    socket.resume();
    let left = TOTAL_BYTES;
    const pour = (): void => {
      while (left > 0) {
        left -= CHUNK_BYTES;
        if (!socket.write(chunk)) break;
      }
    };
    socket.on("drain", pour);
    pour();
  });
  const tookMs = realClock.nowMs() - startMs;
  socket.destroy();
  return TOTAL_BYTES / 1e6 / tookMs;
}

/** Milliseconds each. */
async function dialling(way: () => Promise<Socket>): Promise<number> {
  const startMs = realClock.nowMs();
  for (let count = 0; count < 50; count++) (await way()).destroy();
  return (realClock.nowMs() - startMs) / 50;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function ratio(above: readonly number[], below: readonly number[]): string {
  return (median(above) / median(below)).toFixed(2);
}
