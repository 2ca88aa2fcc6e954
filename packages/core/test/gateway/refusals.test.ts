/** Who is refused at a gateway and by one: each for its reason, and counted (D-T10, D-T2, D-T51). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { realClock } from "../../src/base/clock.ts";
import { RaiaError } from "../../src/base/errors.ts";
import { type Credentials, TLS_PROTOCOL } from "../../src/gateway/credentials.ts";
import type { RefusalReason } from "../../src/gateway/refusals.ts";
import { messageFrame } from "../../src/wire/first-frame.ts";
import { AskClock, Dial, Renew, Spliced } from "../../src/wire/gateway-messages.ts";
import { ourOffer } from "../../src/wire/protocol-offer.ts";
import { echoService, type Machine, Machines } from "./machines.ts";
import { answerTo, askSplice, type Authority, closed, DAY_MS, HOUR_MS, leafOf, newAuthority, plainTo, tlsTo } from "./stranger.ts";
import { until } from "./until.ts";

const machines = new Machines();
let head: Machine;
let ours: Authority;
let clusterId = "";
let member: Credentials;

before(async () => {
  head = await machines.head();
  await head.endpoint("head");
  clusterId = head.gateway.facts.clusterId;
  const file = (name: string) => readFileSync(join(head.directory, "ca", name), "utf8");
  ours = { key: file("authority-key.pem"), certificate: file("authority.pem") };
  member = await leafOf(ours, { clusterId, role: "node", id: "n1" });
});
after(() => machines.stop());

const refusals = () => head.gateway.server.counters().refused;

/** Counts one more of `reason` and nothing else. */
async function counted(reason: RefusalReason | undefined, action: () => Promise<void>): Promise<void> {
  const before = refusals();
  await action();
  const expected = reason === undefined ? before : { ...before, [reason]: (before[reason] ?? 0) + 1 };
  await until(() => JSON.stringify(sorted(refusals())) === JSON.stringify(sorted(expected)));
}

const sorted = (counts: object) => Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));

describe("who asks for a stream", () => {
  const strangers: readonly (readonly [cause: RefusalReason, who: string, credentials: () => Promise<Credentials | undefined>])[] = [
    ["no-certificate", "nobody", async () => undefined],
    [
      "foreign-authority",
      "of another cluster",
      async () => leafOf(await newAuthority("f".repeat(32)), { clusterId: "f".repeat(32), role: "node", id: "n1" }),
    ],
    [
      "foreign-authority",
      "of another authority under our name",
      async () => leafOf(await newAuthority(clusterId), { clusterId, role: "node", id: "n1" }),
    ],
    [
      "self-signed",
      "self-signed",
      async () => {
        const own = await newAuthority(clusterId);
        return { key: own.key, certificate: own.certificate, authority: "" };
      },
    ],
    ["expired", "expired", () => leafOf(ours, { clusterId, role: "node", id: "n1" }, { madeAtMs: realClock.wallMs() - 2 * DAY_MS })],
    ["wrong-role", "in a role that there is not", () => leafOf(ours, { clusterId, role: "worker", id: "w1" })],
    ["other-cluster", "with another cluster's name", () => leafOf(ours, { clusterId: "e".repeat(32), role: "node", id: "n1" })],
  ];
  for (const [cause, who, credentials] of strangers) {
    test(`${who}: AUTHENTICATION, ${cause}`, () =>
      counted(cause, async () => {
        const answer = await askSplice(await tlsTo(head.address, await credentials()));
        assert.ok(RaiaError.is(answer, "AUTHENTICATION"), String(answer));
        assert.equal(answer.facts["cause"], cause);
      }));
  }

  test("not valid yet: both sides' clocks can be named", () =>
    counted("not-yet-valid", async () => {
      const early = await leafOf(ours, { clusterId, role: "node", id: "n1" }, { madeAtMs: realClock.wallMs() + HOUR_MS });
      const answer = await askSplice(await tlsTo(head.address, early));
      assert.ok(RaiaError.is(answer, "AUTHENTICATION"));
      assert.ok(Math.abs(Number(answer.facts["acceptorClockMs"]) - realClock.wallMs()) < 60_000);
    }));

  test("of those who are refused none is let in for having been here before", async () => {
    const foreign = await leafOf(await newAuthority(clusterId), { clusterId, role: "node", id: "n1" });
    let session: Buffer | undefined;
    for (const isAgain of [false, true]) {
      await counted("foreign-authority", async () => {
        const socket = (await tlsTo(head.address, foreign, session === undefined ? {} : { session })) as TLSSocket;
        socket.on("session", (given: Buffer) => (session = given));
        assert.equal(socket.isSessionReused(), isAgain);
        assert.ok(RaiaError.is(await askSplice(socket), "AUTHENTICATION"));
      });
    }
  });

  test("of this cluster: let in; a certificate may not sign another one", async () => {
    await counted(undefined, async () => assert.equal(await askSplice(await tlsTo(head.address, member)), "spliced"));
    await counted("foreign-authority", async () => {
      const signer = { key: member.key, certificate: member.certificate };
      const { key, certificate } = await leafOf(signer, { clusterId, role: "control", id: "head" });
      const answer = await askSplice(await tlsTo(head.address, { key, certificate, authority: member.certificate + ours.certificate }));
      assert.ok(RaiaError.is(answer, "AUTHENTICATION"), String(answer));
    });
  });

  test("TLS 1.2, TLS without Raia's protocol, and no TLS at all end in the handshake", async () => {
    await counted("handshake", () => assert.rejects(tlsTo(head.address, member, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" })));
    await counted("handshake", () => assert.rejects(tlsTo(head.address, member, { ALPNProtocols: ["h2"] })));
    await counted("handshake", async () => {
      const socket = await plainTo(head.address);
      socket.write("GET / HTTP/1.1\r\nHost: raia\r\n\r\n");
      await closed(socket);
    });
  });

  test("another version: both are named, and the first thing that does not fit", () =>
    counted("version", async () => {
      const offer = { minVersion: 8, maxVersion: 9, features: [], needs: [] };
      const answer = await askSplice(await tlsTo(head.address, member), "head", offer);
      assert.ok(RaiaError.is(answer, "PROTOCOL"));
      const { misfit, ours: theirs, theirs: mine } = answer.facts;
      assert.deepEqual([misfit, theirs, mine], ["version", "1", "8 to 9"]);
    }));

  test("a name that is no socket's: refused before anything is looked for", async () => {
    for (const name of ["../head", "gateway", "", "a/../../etc/passwd", "x".repeat(200)]) {
      await counted("malformed", async () => {
        const answer = await askSplice(await tlsTo(head.address, member), name);
        assert.ok(RaiaError.is(answer, "PROTOCOL"), String(answer));
      });
    }
  });

  test("a name at which nobody listens: gone", () =>
    counted("nobody-listens", async () => {
      const answer = await askSplice(await tlsTo(head.address, member), "w-9");
      assert.ok(RaiaError.is(answer, "CONNECTION_LOST"));
      assert.equal(answer.facts["cause"], "gone");
    }));

  test("what is no frame, too large, or of another kind: malformed", async () => {
    for (const bytes of [Buffer.alloc(64, 0xff), Buffer.from("hello, is this Raia?"), messageFrame(Dial, { address: "10.0.0.1:1/w" })]) {
      await counted("malformed", async () => {
        const socket = await tlsTo(head.address, member);
        socket.write(bytes);
        const answer = await answerTo(socket);
        assert.ok(RaiaError.is(answer), String(answer));
      });
    }
  });

  test("a certificate is renewed for a member only, and only for its own name", async () => {
    const frame = messageFrame(Renew, { offer: ourOffer, request: new Uint8Array(1), clockMs: realClock.wallMs() });
    await counted("no-certificate", async () => {
      const socket = await tlsTo(head.address);
      socket.write(frame);
      assert.ok(RaiaError.is(await answerTo(socket), "AUTHENTICATION"));
    });
    await counted("malformed", async () => {
      const socket = await tlsTo(head.address, member);
      socket.write(frame);
      assert.ok(RaiaError.is(await answerTo(socket), "PROTOCOL"));
    });
  });

  test("the clock is told to anybody, and nothing else", () =>
    counted(undefined, async () => {
      const socket = await tlsTo(head.address);
      socket.write(messageFrame(AskClock, {}));
      await closed(socket);
    }));
});

describe("who is dialled", () => {
  /** A server at the place of a machine; resolves to what the dialler's process is told, and what it had said. */
  async function dialled(credentials: Credentials, answer?: Buffer): Promise<{ readonly error: RaiaError; readonly said: number }> {
    let said = 0;
    const sockets = new Set<TLSSocket>();
    const server = createTlsServer(
      {
        key: credentials.key,
        cert: credentials.certificate + credentials.authority,
        ca: ours.certificate,
        requestCert: true,
        rejectUnauthorized: false,
        ALPNProtocols: [TLS_PROTOCOL],
      },
      (socket) => {
        sockets.add(socket);
        socket.on("error", () => {});
        socket.on("data", (bytes) => {
          said += bytes.length;
          if (answer !== undefined) socket.write(answer);
        });
      },
    );
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as { port: number };
    try {
      const error = await head.transport.dial(`127.0.0.1:${port}/w-1`).then(
        () => "it was believed",
        (reason: unknown) => reason,
      );
      assert.ok(RaiaError.is(error), String(error));
      return { error, said };
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    }
  }

  test("is told nothing unless it proves that it is a machine of this cluster", async () => {
    const own = await newAuthority(clusterId);
    const cases: readonly (readonly [cause: string, credentials: Credentials])[] = [
      ["foreign-authority", await leafOf(own, { clusterId, role: "node", id: "n1" })],
      ["self-signed", { key: own.key, certificate: own.certificate, authority: "" }],
      ["wrong-role", await leafOf(ours, { clusterId, role: "driver", id: "d1" })],
      ["other-cluster", await leafOf(ours, { clusterId: "e".repeat(32), role: "node", id: "n1" })],
    ];
    for (const [cause, credentials] of cases) {
      const { error, said } = await dialled(credentials);
      assert.deepEqual([error.code, error.facts["cause"], said], ["AUTHENTICATION", cause, 0]);
      assert.match(JSON.stringify(error.facts["address"]), /^"127\.0\.0\.1:\d+\/w-1"$/);
    }
  });

  test("an expired one is asked for the time, and nothing else", async () => {
    const old = await leafOf(ours, { clusterId, role: "node", id: "n1" }, { madeAtMs: realClock.wallMs() - 2 * DAY_MS });
    const { error, said } = await dialled(old, messageFrame(Spliced, { agreed: { version: 1, features: [] } }));
    assert.ok(["PROTOCOL", "AUTHENTICATION"].includes(error.code), String(error));
    assert.ok(said <= messageFrame(AskClock, {}).length);
  });

  test("an answer that agrees to what was not offered is refused (D-T51)", async () => {
    const node = await leafOf(ours, { clusterId, role: "node", id: "n1" });
    for (const agreed of [
      { version: 0, features: [] },
      { version: 2, features: [] },
      { version: 1, features: ["no-encryption"] },
    ]) {
      const { error } = await dialled(node, messageFrame(Spliced, { agreed }));
      assert.equal(error.code, "PROTOCOL");
    }
  });

  test("after all that the gateway serves as before", async () => {
    const other = await machines.member(head, "n2");
    const endpoint = await other.endpoint("w-1");
    const client = (await endpoint.dial(`${head.address}/head`)).client(echoService);
    assert.equal((await client.measure({ body: Buffer.alloc(10) })).bytes, 10);
  });
});
