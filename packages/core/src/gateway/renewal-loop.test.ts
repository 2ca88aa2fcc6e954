import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import { seededRandom } from "../base/random.ts";
import { makeAuthority, makeLeaf, makeRequest } from "./certificate-maker.ts";
import type { Credentials } from "./credentials.ts";
import { renewalLoop } from "./renewal-loop.ts";

const HOUR_MS = 3_600_000;

async function start() {
  const clock = new FakeClock();
  const random = seededRandom(1);
  const authority = await makeAuthority("0".repeat(32), clock.wallMs(), random);
  const issue = async (): Promise<Credentials> => {
    const { key, request } = await makeRequest();
    const order = {
      authority,
      request,
      name: { clusterId: "0".repeat(32), role: "node", id: "n1" },
      nowMs: clock.wallMs(),
      lifetimeMs: 24 * HOUR_MS,
    } as const;
    return { key, certificate: await makeLeaf(order, random), authority: authority.certificate };
  };
  const asked: number[] = [];
  const log: string[] = [];
  let prepared = Promise.withResolvers<Credentials>();
  const ended = new AbortController();
  const loop = renewalLoop(
    await issue(),
    {
      clock,
      random,
      renew: () => {
        asked.push(clock.nowMs() / HOUR_MS);
        prepared = Promise.withResolvers<Credentials>();
        return prepared.promise;
      },
      renewed: () => log.push("renewed"),
      failed: (error) => log.push(String(error)),
    },
    ended.signal,
  );
  const turns = async () => {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  /** In steps: each sleep begins at the moment it is due. */
  const pass = async (ms: number) => {
    for (let minute = 0; minute < ms / 60_000; minute++) {
      clock.advance(60_000);
      await turns();
    }
  };
  return { clock, issue, asked, log, pass, turns, next: () => prepared, stop: () => (ended.abort(), loop) };
}

test("renewal: at two thirds of a certificate's life, and again at two thirds of the next", async () => {
  const { issue, asked, log, pass, turns, next, stop } = await start();
  await pass(16 * HOUR_MS - 60_000);
  assert.deepEqual(asked, []);
  await pass(60_000);
  assert.deepEqual(asked, [16]);
  next().resolve(await issue());
  await turns();
  assert.deepEqual(log, ["renewed"]);
  await pass(16 * HOUR_MS);
  assert.deepEqual(asked, [16, 32]);
  next().resolve(await issue());
  await stop();
});

test("renewal: what fails is tried again until it succeeds, one at a time, and each failure is told", async () => {
  const { issue, asked, log, pass, turns, next, stop } = await start();
  await pass(16 * HOUR_MS);
  await pass(2 * HOUR_MS);
  assert.equal(asked.length, 1, "a try that takes long is waited for");
  for (let failure = 0; failure < 3; failure++) {
    next().reject(new Error("no way"));
    await turns();
    await pass(0.5 * HOUR_MS);
    assert.equal(asked.length, failure + 2);
  }
  next().resolve(await issue());
  await turns();
  assert.deepEqual(log, ["Error: no way", "Error: no way", "Error: no way", "renewed"]);
  await stop();
});

test("renewal: none after the end", async () => {
  const { asked, pass, stop } = await start();
  await stop();
  await pass(24 * HOUR_MS);
  assert.deepEqual(asked, []);
});
