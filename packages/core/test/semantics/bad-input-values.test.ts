/** Values at the edges: what cannot travel says where it stands; what can arrives as it was, however deep or large. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { cancel, free, get, type ObjectRef, put, type RaiaError, remote, wait } from "../../src/index.ts";

const MiB = 1024 * 1024;
testCluster();

const echo = remote((value: unknown) => value);

function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = "core";
  for (let level = 0; level < levels; level++) value = wrap(value);
  return value;
}

function depthOf(value: unknown): number {
  let levels = 0;
  for (let at = value; typeof at === "object" && at !== null; at = Object.values(at)[0]) levels++;
  return levels;
}

describe("shape", () => {
  test("10,000 levels, as an argument, a result, and in the store", async () => {
    const list = nested(10_000, (inner) => [inner]);
    const record = nested(10_000, (inner) => ({ inner, pad: "x".repeat(20) }));
    assert.equal(depthOf(await get(echo.remote(list))), 10_000);
    assert.equal(depthOf(await get(echo.remote(record))), 10_000);
    assert.equal(depthOf(await get(put(record))), 10_000);
  });

  test("cycles through lists, maps and errors, thrown ones too", async () => {
    const list: unknown[] = [];
    const map = new Map<string, unknown>([["list", list]]);
    list.push(map, list);
    const back = (await get(echo.remote(list))) as typeof list;
    assert.equal(back[1], back);
    assert.equal((back[0] as typeof map).get("list"), back);
    const fail = remote((): void => {
      const error: Error & { self?: unknown } = new Error("round");
      error.self = error;
      error.cause = error;
      throw error;
    });
    await assert.rejects(get(fail.remote()), (error: Error & { self?: unknown }) => error.self === error && error.cause === error);
  });

  test("getters that throw: in an argument an error with the path, in what is thrown left out", async () => {
    const broken = {
      fine: 1,
      get broken(): number {
        throw new RangeError("not today");
      },
    };
    assert.throws(
      () => echo.remote([broken]),
      (error: RaiaError) => error.code === "UNSERIALIZABLE" && /path=\S*broken .*not today/.test(error.message),
    );
    const fail = remote((): void => {
      throw Object.defineProperty(new Error("outer"), "broken", {
        enumerable: true,
        get: () => {
          throw new Error("inner");
        },
      });
    });
    await assert.rejects(get(fail.remote()), { message: "outer" });
  });

  test("a function as a value, thrown, and inside a result", async () => {
    assert.throws(() => echo.remote({ handlers: [() => 1] }), { code: "UNSERIALIZABLE" });
    const thrown = remote((): void => {
      // oxlint-disable-next-line typescript/only-throw-error -- what cannot travel is thrown, too
      throw () => 1;
    });
    await assert.rejects(get(thrown.remote()), { code: "UNSERIALIZABLE" });
    await assert.rejects(get(remote((): unknown => ({ later: Promise.resolve() })).remote()), { code: "UNSERIALIZABLE" });
  });

  test("undefined and null may be thrown", async () => {
    const fail = remote((value: unknown): void => {
      throw value;
    });
    for (const value of [undefined, null, 0, ""]) {
      const outcome = await get(fail.remote(value)).then(
        () => "returned",
        (error: unknown) => ({ error }),
      );
      assert.deepEqual(outcome, { error: value });
    }
  });
});

describe("size", () => {
  test("2 GiB, put, as an argument, as a result: STORE_FULL with the budget, and all goes on", { timeout: 60_000 }, async () => {
    const large = new Uint8Array(2048 * MiB);
    const withBudget = (error: RaiaError): boolean => {
      assert.equal(error.code, "STORE_FULL");
      assert.ok(Number(error.facts["requestedBytes"]) >= 2048 * MiB);
      assert.equal(error.facts["capacityBytes"], 64 * MiB);
      assert.match(error.message, /the object itself is larger than the whole store \(objectStoreMemory\)/);
      return true;
    };
    assert.throws(() => put(large), withBudget);
    assert.throws(() => echo.remote(large), withBudget);
    const make = remote((bytes: number) => new Uint8Array(bytes), { maxRetries: 0 });
    await assert.rejects(get(make.remote(2048 * MiB)), withBudget);
    assert.equal((await get(make.remote(8 * MiB))).length, 8 * MiB);
  });

  test("a string of many megabytes, one byte or two a character", async () => {
    for (const text of ["x".repeat(8 * MiB), "ü€".repeat(2 * MiB)]) assert.equal((await get(echo.remote(text))) === text, true);
  });
});

describe("what is no ref", () => {
  test("get, wait, free, cancel: refused with what was expected", async () => {
    await assert.rejects(get(5 as never), { code: "INVALID_ARGUMENT" });
    await assert.rejects(get({ id: "abc" } as never), { code: "INVALID_ARGUMENT" });
    await assert.rejects(get([put(1), 2] as never), { code: "INVALID_ARGUMENT" });
    await assert.rejects(wait([1] as never), { code: "INVALID_ARGUMENT" });
    assert.throws(() => free([{}] as never), { code: "INVALID_ARGUMENT" });
    assert.throws(() => cancel({} as never), { code: "INVALID_ARGUMENT" });
  });

  test("times that are none", async () => {
    const ref = put(1);
    for (const timeoutMs of [Number.NaN, -1, "5" as unknown as number]) {
      await assert.rejects(get(ref, { timeoutMs }), (error: RaiaError) => error.code === "INVALID_OPTION", `get ${timeoutMs}`);
      await assert.rejects(wait([ref], { timeoutMs }), (error: RaiaError) => error.code === "INVALID_OPTION", `wait ${timeoutMs}`);
    }
  });

  test("cancelling what was put, or has ended, changes nothing", async () => {
    const [kept, done] = [put({ a: 1 }), remote(() => 2).remote()];
    await get(done);
    cancel(kept);
    cancel(done, { force: true });
    assert.deepEqual(await get([kept as ObjectRef<unknown>, done]), [{ a: 1 }, 2]);
  });
});

describe("get where nobody can wait", () => {
  test("inside a synchronous callback it is a promise, and sending one says so", async () => {
    const sum = remote(({ refs }: { refs: ObjectRef<number>[] }) => refs.map((ref): unknown => get(ref)));
    await assert.rejects(get(sum.remote({ refs: [put(1)] })), (error: RaiaError) => {
      assert.equal(error.code, "UNSERIALIZABLE");
      assert.match(error.message, /promise.*await it/);
      return true;
    });
  });
});
