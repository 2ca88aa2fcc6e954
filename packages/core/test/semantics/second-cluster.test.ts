/** A program that leaves its cluster and joins another: what it has of the first means nothing to the second. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { cancel, free, get, init, kill, put, RaiaError, remote, shutdown, wait } from "../../src/index.ts";

testCluster();

class Greeter {
  hello(): string {
    return "hello";
  }
}

test("refs and handles of the first are refused by name, wherever they are used", async () => {
  const identity = remote((value: unknown) => value);
  const small = put({ a: 1 });
  const large = put(new Uint8Array(1_000_000));
  const result = identity.remote(5);
  const greeter = remote(Greeter).remote();
  await get([small, large, result, greeter.hello.remote()]);
  await shutdown();
  await init({ numCpus: 1 });

  const uses: Readonly<Record<string, () => unknown>> = {
    "get a value": () => get(small),
    "get a stored one": () => get(large),
    "get a result": () => result.get(),
    "get several": () => get([small, large]),
    wait: () => wait([small]),
    "pass it": () => get(identity.remote(small)),
    "pass a stored one": () => get(identity.remote(large)),
    "pass it in a value": () => get(identity.remote([result])),
    "put it in a value": () => put({ large }),
    free: () => free(small),
    cancel: () => cancel(result),
    "call an actor": () => get(greeter.hello.remote()),
    "pass an actor": () => get(identity.remote(greeter)),
    kill: () => kill(greeter),
  };
  for (const [use, run] of Object.entries(uses)) {
    await assert.rejects(
      async () => run(),
      (error) => RaiaError.is(error, "SHUTTING_DOWN"),
      use,
    );
  }
  assert.match(inspect(small), /^ObjectRef\([0-9a-f]{56}\)$/, "it can still be printed");
  assert.equal(await get(identity.remote("new")), "new", "functions are sent again");
});
