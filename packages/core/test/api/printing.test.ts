/** What `console.log` shows of handles, refs and streams. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { get, init, listTasks, remote, shutdown } from "../../src/index.ts";

before(() => init({ mode: "inProcess" }));
after(() => shutdown());

class Counter {
  add(by: number): number {
    return by;
  }
  *count(to: number): Generator<number> {
    for (let i = 0; i < to; i++) yield i;
  }
}

test("an actor's handle shows its class and id, in a REPL as well, which shows what a Proxy is made of", () => {
  const counter = remote(Counter).remote();
  const shown = inspect(counter);
  assert.match(shown, /^ActorHandle\(Counter, [0-9a-f]{8}\)$/);
  assert.equal(inspect([counter]), `[ ${shown} ]`);
  assert.equal(inspect(counter, { showProxy: true }), `Proxy [ ${shown}, {} ]`);
  assert.equal(JSON.stringify({ counter }), JSON.stringify({ counter: shown }));
  assert.equal(inspect(counter.add), "RemoteMethod(Counter.add)");
  assert.equal(inspect(remote(Counter)), "ActorClass(Counter)");
});

test("a stream shows what yields it, a remote function its name", () => {
  const stream = remote(Counter).remote().count.remote(2);
  assert.match(inspect(stream), /^ObjectRefStream\(Counter\.count, [0-9a-f]{8}-[0-9a-f]+\)$/);
  const named = remote(function square(x: number) {
    return x * x;
  });
  assert.equal(inspect(named), "RemoteFunction(square)");
  assert.equal(inspect(named.options({ name: "area" })), "RemoteFunction(area)");
});

test("a function without a name is called by its place", async () => {
  const waiting = remote(async () => new Promise<never>(() => {})).remote();
  assert.ok(
    (await listTasks()).some(({ name, taskId }) => /^printing\.test\.ts:\d+$/.test(name) && waiting.id.startsWith(taskId.slice(0, 32))),
  );
  const failing = remote(() => {
    throw new Error("as meant");
  }).remote();
  await assert.rejects(get(failing), { stack: /remote task printing\.test\.ts:\d+ / });
});
