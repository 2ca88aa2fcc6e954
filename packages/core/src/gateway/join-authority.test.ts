/** The authority and its files, without any connection. */
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import { RaiaError } from "../base/errors.ts";
import { realRandom } from "../base/random.ts";
import { makeRequest } from "./certificate-maker.ts";
import { factsOf } from "./credentials.ts";
import { CertificateAuthority } from "./join-authority.ts";
import { fingerprintOf, parseToken } from "./join-token.ts";

const folder = mkdtempSync(join(tmpdir(), "raia-authority-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const HOUR_MS = 3_600_000;
let count = 0;

function fresh() {
  const clock = new FakeClock();
  const directory = join(folder, `ca-${count++}`);
  const open = (options: { readonly leafLifetimeMs?: number } = {}) =>
    CertificateAuthority.open({ directory, secret: "the session's", ...options }, { clock, random: realRandom });
  return { clock, directory, open };
}

async function request(clock: FakeClock, token: string, more: { role?: string; id?: string; request?: Uint8Array; clockMs?: number } = {}) {
  return {
    token: parseToken(token).secret,
    role: "node",
    id: "n1",
    request: (await makeRequest()).request,
    clockMs: clock.wallMs(),
    ...more,
  };
}

test("authority: a token gives a certificate of a day for the name that was asked for, once", async () => {
  const { clock, open } = fresh();
  const authority = await open();
  const token = await authority.issueToken("node");
  const { key, request: csr } = await makeRequest();
  const grant = await authority.redeem(await request(clock, token, { request: csr }));

  assert.deepEqual([grant.clusterId, grant.secret], [authority.clusterId, "the session's"]);
  const [leaf, issuer] = [new X509Certificate(grant.certificate ?? ""), new X509Certificate(grant.authority ?? "")];
  assert.equal(leaf.subjectAltName, `URI:spiffe://${authority.clusterId}/node/n1`);
  assert.ok(leaf.verify(issuer.publicKey) && leaf.checkIssued(issuer) && leaf.checkPrivateKey(createPrivateKey(key)) && !leaf.ca);
  assert.equal(fingerprintOf(issuer), parseToken(token).fingerprint);
  const { validFromMs, validToMs } = factsOf(grant.certificate ?? "");
  assert.deepEqual([validFromMs, validToMs], [clock.wallMs() - 5 * 60_000, clock.wallMs() + 24 * HOUR_MS]);
  await assert.rejects(authority.redeem(await request(clock, token)), {
    code: "JOIN_REFUSED",
    facts: { cause: "used-token", reason: "the token was used before" },
  });
});

test("authority: wrong tokens are refused with the reason, and a wrong asking does not use a right one up", async () => {
  const { clock, open } = fresh();
  const authority = await open();
  const token = await authority.issueToken("node");
  const refused = async (cause: string, asked: Awaited<ReturnType<typeof request>>) =>
    assert.rejects(authority.redeem(asked), (error) => RaiaError.is(error, "JOIN_REFUSED") && error.facts["cause"] === cause);

  await refused("unknown-token", { ...(await request(clock, token)), token: realRandom.bytes(16) });
  await assert.rejects(authority.redeem(await request(clock, token, { id: "../x" })), { code: "PROTOCOL" });
  await assert.rejects(authority.redeem(await request(clock, token, { clockMs: clock.wallMs() + HOUR_MS })), (error) => {
    assert.ok(RaiaError.is(error, "CLOCK_SKEW"));
    assert.deepEqual(error.facts, {
      joiningClock: "2023-11-14T23:13:20.000Z",
      clusterClock: "2023-11-14T22:13:20.000Z",
      secondsApart: 3600,
    });
    return true;
  });
  clock.advance(10 * 60_000 - 1);
  await authority.redeem(await request(clock, token));

  const late = await authority.issueToken("node");
  clock.advance(10 * 60_000);
  await refused("expired-token", await request(clock, late));
  await refused("wrong-role", await request(clock, await authority.issueToken("driver")));
});

test("authority: a request that is none, or not made with its own key, gives no certificate", async () => {
  const { clock, open } = fresh();
  const authority = await open();
  const { request: csr } = await makeRequest();
  const tampered = Uint8Array.from(csr);
  tampered[tampered.length - 1] = (tampered.at(-1) ?? 0) ^ 1;
  for (const wrong of [Buffer.from("no request"), new Uint8Array(0), tampered])
    await assert.rejects(authority.renew(wrong, { clusterId: authority.clusterId, role: "node", id: "n1" }), { code: "PROTOCOL" });
  void clock;
});

test("authority: it is the same after a restart, and so are its tokens", async () => {
  const { clock, directory, open } = fresh();
  const first = await open();
  const [used, unused] = [await first.issueToken("node"), await first.issueToken("node")];
  await first.redeem(await request(clock, used));
  const second = await open();
  assert.equal(second.clusterId, first.clusterId);
  await second.redeem(await request(clock, unused));
  await assert.rejects(second.redeem(await request(clock, used)), { code: "JOIN_REFUSED" });
  for (const name of readdirSync(directory)) assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
  // Of a token there is nothing in the files but a hash.
  const kept = readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), "utf8"))
    .join("");
  assert.equal(kept.includes(Buffer.from(parseToken(unused).secret).toString("hex")), false);
});

test("authority: what others could read or write is refused with its name, and nothing is put in its place (D-T8, D-T9)", async () => {
  const isRoot = process.getuid?.() === 0;
  const cases: readonly (readonly [reason: RegExp, spoil: (directory: string) => void])[] = [
    [/has mode 755, not 700/, (directory) => chmodSync(directory, 0o755)],
    [/has mode 644, not 600/, (directory) => chmodSync(join(directory, "authority-key.pem"), 0o644)],
    [/has mode 640, not 600/, (directory) => chmodSync(join(directory, "authority.pem"), 0o640)],
    ...(isRoot
      ? [[/belongs to user 12345/, (directory: string) => chownSync(join(directory, "authority-key.pem"), 12345, 0)] as const]
      : []),
    [/is not there, and the authority's certificate is/, (directory) => rmSync(join(directory, "authority-key.pem"))],
    [
      /is a symbolic link/,
      (directory) => {
        rmSync(join(directory, "authority-key.pem"));
        symlinkSync("/dev/null", join(directory, "authority-key.pem"));
      },
    ],
    [/is not the key of the certificate/, (directory) => writeFileSync(join(directory, "authority-key.pem"), "torn")],
    [/is not a certificate/, (directory) => writeFileSync(join(directory, "authority.pem"), "")],
    [/is not what was written there/, (directory) => writeFileSync(join(directory, "join-tokens.json"), '[{"hash":', { mode: 0o600 })],
  ];
  for (const [reason, spoil] of cases) {
    const { directory, open } = fresh();
    await open();
    spoil(directory);
    const before = readdirSync(directory);
    await assert.rejects(open(), (error) => {
      assert.ok(RaiaError.is(error, "CREDENTIALS"), String(error));
      assert.match(String(error.message), reason);
      assert.match(error.message, new RegExp(directory));
      return true;
    });
    assert.deepEqual(readdirSync(directory), before);
  }
});

test("join token: only the whole of one is taken, and an error does not repeat it", () => {
  const [secret, print] = ["0".repeat(32), "f".repeat(64)];
  assert.equal(parseToken(` raia-${secret}-${print}\n`).fingerprint, print);
  for (const wrong of [
    "",
    "raia-",
    `raia-${secret.slice(1)}-${print}`,
    `raia-${secret}-${print}0`,
    `raia-${secret}-${print.toUpperCase()}`,
  ]) {
    assert.throws(
      () => parseToken(wrong),
      (error) =>
        RaiaError.is(error, "JOIN_REFUSED") && error.facts["cause"] === "malformed-token" && !error.message.includes(secret.slice(1)),
    );
  }
});
