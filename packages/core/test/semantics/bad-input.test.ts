/** What cannot work says so, with a code, and nothing else is lost. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { raise, whenRaised } from "@raia/testing/fixtures/signals";
import { get, put, type RaiaError, remote, runtimeContext } from "../../src/index.ts";

const cluster = testCluster();

describe("values and functions that cannot travel", () => {
  const echo = remote((value: unknown) => value);

  test("a function captures a socket, a proxy, a private instance", () => {
    const server = createServer();
    assert.throws(
      () => remote(() => server.listening).remote(),
      (error: RaiaError) => error.code === "FUNCTION_UNCAPTURABLE" && /server/.test(error.message),
    );
    const proxy = new Proxy({ a: 1 }, {});
    assert.throws(() => remote(() => proxy.a).remote(), { code: "FUNCTION_UNCAPTURABLE" });
  });

  test("a value holds a function, a symbol, a promise, an unknown prototype: the path is named", () => {
    class Odd {
      x = 1;
    }
    for (const part of [() => 1, Symbol("s"), Promise.resolve(), new Odd(), new WeakMap()]) {
      assert.throws(
        () => echo.remote({ list: [0, { part }] }),
        (error: RaiaError) => error.code === "UNSERIALIZABLE" && /list\[1\]\.part/.test(error.message),
        String(part?.constructor),
      );
    }
  });

  test("a getter that throws", () => {
    assert.throws(() =>
      put({
        get broken(): number {
          throw new Error("no");
        },
      }),
    );
  });

  test("cycles and 10,000 levels travel", async () => {
    const cycle: { self?: unknown; n: number } = { n: 1 };
    cycle.self = cycle;
    const back = (await get(echo.remote(cycle))) as typeof cycle;
    assert.equal(back.self, back);
    let deep: unknown = 1;
    for (let i = 0; i < 10_000; i++) deep = [deep];
    let at = await get(echo.remote(deep)).catch((error: unknown) => error);
    if (at instanceof Error) {
      assert.equal((at as RaiaError).code, "UNSERIALIZABLE");
      return;
    }
    let levels = 0;
    while (Array.isArray(at)) {
      at = at[0] as unknown;
      levels++;
    }
    assert.equal(levels, 10_000);
  });

  test("a result that cannot travel", async () => {
    await assert.rejects(get(remote((): unknown => ({ fn: () => 1 })).remote()), { code: "UNSERIALIZABLE" });
  });
});

describe("options", () => {
  const fn = remote(() => 1);
  test("numbers that are none, and names that nobody knows", () => {
    for (const options of [
      { numCpus: Number.NaN },
      { numCpus: -1 },
      { maxRetries: 1.5 },
      { numReturns: -1 },
      { numCpu: 1 },
      { resources: { tape: -1 } },
    ]) {
      assert.throws(() => fn.options(options as never), { code: "INVALID_OPTION" }, JSON.stringify(options));
    }
    assert.throws(() => fn.options({ numCpu: 1 } as never), /numCpus/);
  });
});

describe("programs that misbehave", () => {
  test("a promise that is rejected after the task's end", async () => {
    const messy = remote(() => {
      void new Promise((_, reject) => setTimeout(() => reject(new Error("too late")), 1));
      return process.pid;
    });
    const later = remote(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return process.pid;
    });
    await get(messy.remote());
    assert.ok((await get(later.remote())) > 0);
  });

  test("C-27: 100 MB on stdout", { timeout: 60_000 }, async () => {
    const loud = remote(() => {
      const line = `${"x".repeat(9999)}\n`;
      for (let i = 0; i < 10_000; i++) process.stdout.write(line);
      return "done";
    });
    assert.equal(await get(loud.remote()), "done");
  });

  test("C-27: 100,000 descriptors: EMFILE hits the task alone", async () => {
    const greedy = remote(async () => {
      const { openSync, closeSync } = await import("node:fs");
      const open: number[] = [];
      try {
        for (let i = 0; i < 100_000; i++) open.push(openSync("/dev/null", "r"));
        return "none";
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      } finally {
        for (const descriptor of open) closeSync(descriptor);
      }
    });
    assert.ok(["EMFILE", "none"].includes((await get(greedy.remote())) ?? ""));
    assert.equal(await get(remote(() => 2).remote()), 2);
  });
});

describe("owners that compute", () => {
  test("a parent spawns children and then computes: they run meanwhile, and what they gave is there after", async () => {
    const parent = remote(
      async (paths: string[]) => {
        const { raise, spinUntilRaised, whenRaised } = await import("@raia/testing/fixtures/signals");
        const child = remote((path: string) => {
          raise(path);
          return path;
        });
        // Once it is known that they are short, they are sent behind one another, in one frame: when the first of them has begun,
        // the other has left this process, too. From there its loop stands still.
        await get(child.remote(`${paths[0]}-measured`));
        const refs = paths.map((path) => child.remote(path));
        await whenRaised(paths[0] as string);
        for (const path of paths) spinUntilRaised(path);
        return get(refs);
      },
      { maxRetries: 0 },
    );
    const paths = [cluster.path("a"), cluster.path("b")];
    assert.deepEqual(await get(parent.remote(paths)), paths);
  });

  test("C-24: a busy loop holds up nothing but itself", async () => {
    const go = cluster.path("go");
    const busy = remote(async (path: string) => {
      const { spinUntilRaised } = await import("@raia/testing/fixtures/signals");
      spinUntilRaised(path);
      return runtimeContext().attempt;
    }).remote(go);
    const quick = remote((x: number) => x);
    assert.deepEqual(
      await get(Array.from({ length: 500 }, (_, index) => quick.remote(index))),
      Array.from({ length: 500 }, (_, index) => index),
    );
    raise(go);
    assert.equal(await get(busy), 0);
  });

  test("a large object of a worker whose loop stands still is read without it", async () => {
    const go = cluster.path("go");
    class Owner {
      make(): { ref: ReturnType<typeof put<Float64Array>> } {
        return { ref: put(new Float64Array(100_000).fill(8)) };
      }
      async block(path: string, begun: string): Promise<void> {
        const { raise, spinUntilRaised } = await import("@raia/testing/fixtures/signals");
        raise(begun);
        spinUntilRaised(path);
      }
    }
    const owner = remote(Owner).options({ maxConcurrency: 1 }).remote();
    const { ref } = await get(owner.make.remote());
    const begun = cluster.path("begun");
    const blocked = owner.block.remote(go, begun);
    await whenRaised(begun);
    const reader = remote((data: Float64Array) => data[5]);
    const read = get(reader.remote(ref), { timeoutMs: 5000 });
    assert.equal(await read.finally(() => raise(go)), 8);
    await get(blocked);
  });
});
