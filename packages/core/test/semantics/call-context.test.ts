/** What travels with calls besides their arguments. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { get, put, RaiaError, registerContext, remote, runtimeContext, withTraceContext } from "../../src/index.ts";

testCluster();

const request = new AsyncLocalStorage<{ readonly user: string; readonly at?: Date }>();
registerContext(request, { id: "test.request" });

const traceparent = `00-${"4b".repeat(16)}-${"a1".repeat(8)}-01`;

describe("a registered AsyncLocalStorage", () => {
  test("has its value where the call runs: task, actor, generator, with and without arguments", async () => {
    const user = remote(() => request.getStore()?.user);
    const userAfterWait = remote(async (wanted: string, numbers: Float64Array) => {
      await new Promise((resolve) => setImmediate(resolve));
      return [wanted, numbers.length, request.getStore()?.user, request.getStore()?.at?.getTime()];
    });
    const users = remote(function* () {
      yield request.getStore()?.user;
      yield request.getStore()?.user;
    });
    class Desk {
      user(): string | undefined {
        return request.getStore()?.user;
      }
    }
    const desk = remote(Desk).remote();
    await request.run({ user: "ann", at: new Date(7) }, async () => {
      assert.equal(await get(user.remote()), "ann");
      assert.deepEqual(await get(userAfterWait.remote("x", put(new Float64Array(100_000)) as never)), ["x", 100_000, "ann", 7]);
      assert.deepEqual(await get(userAfterWait.remote("y", new Float64Array(3))), ["y", 3, "ann", 7]);
      assert.equal(await get(desk.user.remote()), "ann");
      const seen: unknown[] = [];
      for await (const ref of users.remote()) seen.push(await get(ref));
      assert.deepEqual(seen, ["ann", "ann"]);
    });
    assert.equal(await get(user.remote()), undefined);
    assert.equal(await request.run({ user: "bob" }, () => get(desk.user.remote())), "bob");
  });

  test("goes on to calls of calls, through tasks that do not know it", async () => {
    const user = remote(() => request.getStore()?.user);
    const relay = remote(async (inner: typeof user) => get(inner.remote()));
    assert.equal(await request.run({ user: "ann" }, () => get(relay.remote(user))), "ann");
    const change = remote(async () => request.run({ user: "eve" }, () => get(user.remote())));
    assert.equal(await request.run({ user: "ann" }, () => get(change.remote())), "eve");
  });

  test("one that is not registered is refused with the way out", () => {
    const unknown = new AsyncLocalStorage<string>();
    assert.throws(
      () => remote(() => unknown.getStore()).remote(),
      (error) => RaiaError.is(error, "FUNCTION_UNCAPTURABLE") && /registerContext/.test(error.message),
    );
    assert.throws(() => registerContext(unknown, { id: "raia.mine" }), /INVALID_ARGUMENT/);
    assert.throws(() => registerContext({} as never, { id: "x" }), /INVALID_ARGUMENT/);
  });
});

describe("trace context", () => {
  const trace = remote(() => runtimeContext().traceContext);

  test("travels with calls, and with theirs", async () => {
    const below = remote(async () => [runtimeContext().traceContext, await get(trace.remote())]);
    const sent = { traceparent, tracestate: "vendor=1" };
    assert.deepEqual(await withTraceContext(sent, () => get(below.remote())), [sent, sent]);
    assert.equal(await get(trace.remote()), undefined);
  });

  test("a span of its own in a task is what its calls see", async () => {
    const inner = traceparent.replace("a1a1", "b2b2");
    const span = remote(async () => withTraceContext({ traceparent: inner }, () => get(trace.remote())));
    const seen = await withTraceContext({ traceparent }, () => get(span.remote()));
    assert.deepEqual(seen, { traceparent: inner });
  });

  test("what is none is refused", () => {
    for (const bad of ["", "00-zz", `00-${"0".repeat(32)}-${"a1".repeat(8)}-01`]) {
      assert.throws(() => withTraceContext({ traceparent: bad }, () => {}), /INVALID_ARGUMENT/);
    }
  });
});
