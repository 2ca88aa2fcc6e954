import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { FakeClock } from "../base/fake-clock.ts";
import type { Connection } from "./connection.ts";
import { LastingLink } from "./lasting-link.ts";
import { str } from "./schema.ts";
import { message, oneWay, service, unary } from "./service.ts";

const Ask = message(1, "Ask", { what: str });
const Answer = message(2, "Answer", { what: str });
const asking = service("asking", { ask: unary(Ask, Answer), tell: oneWay(Ask) });

/** A peer that is there or not; what it was asked is in `heard`, and waits for `answer`. */
function newPeer() {
  const clock = new FakeClock();
  const heard: string[] = [];
  const pending: PromiseWithResolvers<{ what: string }>[] = [];
  let isThere = true;
  let lose = (): void => {};
  const dial = async (): Promise<Connection> => {
    if (!isThere) throw new RaiaError("CONNECTION_LOST", { reason: "cannot connect" });
    const connection = {
      isClosed: false,
      onClosed: (listener: () => void) => {
        lose = () => {
          connection.isClosed = true;
          for (const { reject } of pending.splice(0)) reject(new RaiaError("CONNECTION_LOST", {}));
          listener();
        };
      },
      client: () => ({
        ask: ({ what }: { what: string }) => {
          heard.push(`ask ${what}`);
          const answer = Promise.withResolvers<{ what: string }>();
          pending.push(answer);
          return answer.promise;
        },
        tell: ({ what }: { what: string }) => void heard.push(`tell ${what}`),
      }),
    };
    return connection as unknown as Connection;
  };
  const link = new LastingLink({ clock, peer: "p", dial, connected: () => void heard.push("connected") });
  const answerAll = (): void => {
    for (const { resolve } of pending.splice(0)) resolve({ what: "done" });
  };
  const away = (): void => {
    isThere = false;
    lose();
  };
  const back = async (): Promise<void> => {
    isThere = true;
    clock.advance(200);
    await settled();
  };
  return { clock, heard, link, client: link.client(asking), answerAll, away, back };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test("lasting link: what was asked and not answered is asked again, in its order, behind what a new connection begins with", async () => {
  const { link, client, heard, answerAll, away, back } = newPeer();
  await link.open();
  const answers = [client.ask({ what: "a" }), client.ask({ what: "b" })];
  away();
  await settled();
  const later = client.ask({ what: "c" });
  client.tell({ what: "lost" });
  await settled();
  assert.deepEqual(heard.splice(0), ["connected", "ask a", "ask b"]);

  await back();
  assert.deepEqual(heard, ["connected", "ask a", "ask b", "ask c"]);
  answerAll();
  assert.equal((await Promise.all([...answers, later])).length, 3);
});

test("lasting link: whoever has waited for a minute hears that the peer is not there; later ones have their own minute", async () => {
  const { clock, link, client, away, back, answerAll } = newPeer();
  await link.open();
  away();
  const given = client.ask({ what: "a" });
  given.catch(() => {});
  clock.advance(59_000);
  const later = client.ask({ what: "b" });
  clock.advance(1000);
  clock.advance(0);
  await assert.rejects(given, { code: "CONTROL_LOST" });
  await back();
  answerAll();
  assert.deepEqual(await later, { what: "done" });
});

test("lasting link: once closed it rejects what waits and what comes, and dials no more", async () => {
  const { clock, link, client, heard, away } = newPeer();
  await link.open();
  away();
  const waiting = client.ask({ what: "a" });
  link.close(new RaiaError("SHUTTING_DOWN", {}));
  await assert.rejects(waiting, { code: "SHUTTING_DOWN" });
  await assert.rejects(client.ask({ what: "b" }), { code: "SHUTTING_DOWN" });
  clock.advance(10_000);
  await settled();
  assert.deepEqual(heard, ["connected"]);
});
