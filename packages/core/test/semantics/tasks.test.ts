/** Tasks: what a call gives back, in real processes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { cancel, get, put, remote, runtimeContext } from "../../src/index.ts";

testCluster();

describe("calls", () => {
  test("a call gives a ref at once, and its value later", async () => {
    const square = remote((x: number) => x * x);
    const refs = [1, 2, 3].map((x) => square.remote(x));
    assert.deepEqual(await get(refs), [1, 4, 9]);
    assert.deepEqual(await get({ a: refs[1]!, b: refs[2]! }), { a: 4, b: 9 });
  });

  test("runs in another process", async () => {
    assert.notEqual(await get(remote(() => process.pid).remote()), process.pid);
  });

  test("arguments are read at the call", async () => {
    const length = remote((list: number[]) => list.length);
    const list = [1, 2, 3];
    const ref = length.remote(list);
    list.push(4);
    assert.equal(await get(ref), 3);
  });

  test("a ref at the top level becomes its value, a nested one stays a ref", async () => {
    const add = remote((a: number, b: number) => a + b);
    assert.equal(await get(add.remote(add.remote(1, 2), put(4))), 7);
    const nested = remote(async ({ ref }: { ref: { get(): Promise<number> } }) => [typeof ref, await ref.get()]);
    assert.deepEqual(await get(nested.remote({ ref: add.remote(2, 3) })), ["object", 5]);
  });

  test("a dependency that fails fails the call with its error", async () => {
    const boom = remote((): number => {
      throw new RangeError("too far");
    });
    const add = remote((a: number, b: number) => a + b);
    await assert.rejects(get(add.remote(boom.remote(), 1)), { name: "RangeError", message: "too far" });
  });

  test("numReturns: as many refs as it says; a result that does not fit is an error", async () => {
    const pair = remote((x: number) => [x, x + 1] as const, { numReturns: 2 });
    const [a, b] = pair.remote(1);
    assert.deepEqual(await get([a, b]), [1, 2]);
    const wrong = remote((): number[] => [1, 2, 3]).options({ numReturns: 2 });
    const [c, d] = wrong.remote();
    await assert.rejects(get(c), { code: "NUM_RETURNS_MISMATCH" });
    await assert.rejects(get(d), { code: "NUM_RETURNS_MISMATCH" });
    const none = remote((): number[] => []).options({ numReturns: 0 });
    assert.deepEqual(none.remote(), []);
  });

  test("what a task throws arrives as it was, with cause and own properties", async () => {
    const fail = remote((): void => {
      throw Object.assign(new TypeError("no", { cause: new Error("inner") }), { extra: 7 });
    });
    await assert.rejects(get(fail.remote()), (error: TypeError & { extra: number }) => {
      assert.ok(error instanceof TypeError);
      assert.equal(error.message, "no");
      assert.equal(error.extra, 7);
      assert.equal((error.cause as Error).message, "inner");
      assert.match(error.stack ?? "", /tasks\.test\.ts/);
      return true;
    });
    const odd = remote((): void => {
      // oxlint-disable-next-line typescript/only-throw-error -- what user code throws that is no error survives, too
      throw "just a text";
    });
    await assert.rejects(get(odd.remote()), (error) => error === "just a text");
  });

  test("its stack goes on where the caller waits, without frames of the library", async () => {
    const fail = remote(function inTask(): number {
      throw new RangeError("far");
    });
    const never = remote(() => new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve)));
    const { stackTraceLimit } = Error;
    async function hereItWaits(wait: () => Promise<unknown>): Promise<string[]> {
      const error = await catches(wait);
      return String(error.stack).split("\n").slice(1);
    }
    async function catches(wait: () => Promise<unknown>): Promise<Error> {
      try {
        await wait();
      } catch (error) {
        return error as Error;
      }
      return assert.fail("it did not fail");
    }
    const ref = fail.remote();
    const pending = await hereItWaits(() => get(ref));
    const settled = await hereItWaits(() => ref.get());
    const several = await hereItWaits(() => get([fail.remote(), ref]));
    const named = await hereItWaits(() => get({ a: ref }));
    for (const stack of [pending, settled, several, named]) {
      const at = stack.findIndex((line) => /--- remote task inTask @[0-9a-f]{8} pid \d+ ---/.test(line));
      assert.match(stack.slice(0, at).join("\n"), /inTask/);
      assert.doesNotMatch(stack.slice(0, at).join("\n"), /core\/src|node:/);
      assert.match(stack.slice(at + 1).join("\n"), /catches.*tasks\.test\.ts[^]*hereItWaits.*tasks\.test\.ts/);
      assert.doesNotMatch(stack.slice(at + 1).join("\n"), /core\/src|node:/);
    }
    const open = never.remote();
    const late = await hereItWaits(() => get(open, { timeoutMs: 1 }));
    cancel(open);
    const cancelled = await hereItWaits(() => get(open));
    for (const stack of [late, cancelled]) {
      assert.match(stack.join("\n"), /catches.*tasks\.test\.ts[^]*hereItWaits.*tasks\.test\.ts/);
      assert.doesNotMatch(stack.join("\n"), /core\/src|node:/);
    }
    assert.equal(Error.stackTraceLimit, stackTraceLimit);
  });

  test("an error class of the program itself comes back as that class, from tasks, actors and tasks of tasks", async () => {
    class OutOfStock extends Error {
      override readonly name = "OutOfStock";
      readonly item: string;
      constructor(item: string, options?: ErrorOptions) {
        super(`no ${item} left`, options);
        this.item = item;
      }
    }
    class OutOfBread extends OutOfStock {}
    const sell = remote((item: string): void => {
      throw item === "bread" ? new OutOfBread(item) : new OutOfStock(item, { cause: new OutOfBread("flour") });
    });
    const sellBelow = remote(async (item: string) => {
      try {
        await get(sell.remote(item));
      } catch (error) {
        return [error instanceof OutOfStock, error] as const;
      }
      return undefined;
    });
    class Shop {
      sell(item: string): void {
        throw new OutOfStock(item);
      }
    }
    for (const ref of [sell.remote("milk"), remote(Shop).remote().sell.remote("milk")]) {
      await assert.rejects(get(ref), (error: OutOfStock) => {
        assert.ok(error instanceof OutOfStock);
        assert.deepEqual([error.item, error.message, error instanceof OutOfBread], ["milk", "no milk left", false]);
        return true;
      });
    }
    await assert.rejects(get(sell.remote("milk")), (error: Error) => error.cause instanceof OutOfBread);
    await assert.rejects(get(sell.remote("bread")), OutOfBread);
    const below = await get(sellBelow.remote("milk"));
    assert.equal(below?.[0], true);
    assert.ok(below?.[1] instanceof OutOfStock);
  });

  test("the context says who runs", async () => {
    const ask = remote(
      () => {
        const { taskName, attempt, resources, jobId } = runtimeContext();
        return { taskName, attempt, resources, jobId };
      },
      { name: "asking", numCpus: 0.5 },
    );
    assert.deepEqual(await get(ask.remote()), { taskName: "asking", attempt: 0, resources: { CPU: 0.5 }, jobId: runtimeContext().jobId });
  });

  test("envVars: a worker of its own for each environment", async () => {
    const ask = remote(() => [process.env["COLOUR"], process.pid] as const);
    const [red, blue] = await get([
      ask.options({ runtimeEnv: { envVars: { COLOUR: "red" } } }).remote(),
      ask.options({ runtimeEnv: { envVars: { COLOUR: "blue" } } }).remote(),
    ]);
    assert.equal(red[0], "red");
    assert.equal(blue[0], "blue");
    assert.notEqual(red[1], blue[1]);
  });
});

describe("remote functions and actor classes in results", () => {
  test("made in a task, returned alone, among others, in a stream", async () => {
    const adder = remote((by: number) => remote((to: number) => to + by));
    const pair = remote(
      async () => {
        await Promise.resolve();
        return [remote(() => "left"), remote(() => "right")];
      },
      { numReturns: 2 },
    );
    const stream = remote(function* () {
      for (let index = 0; index < 2; index++) yield { each: remote(() => index * 10) };
    });
    const add = await get(adder.remote(5));
    assert.equal(await get(add.remote(1)), 6);
    const [left, right] = await get(pair.remote());
    assert.deepEqual(await get([left?.remote(), right?.remote()]), ["left", "right"]);
    const seen: unknown[] = [];
    for await (const item of stream.remote()) seen.push(await get((await get(item)).each.remote()));
    assert.deepEqual(seen, [0, 10]);
  });

  test("large enough for shared memory; a class; of an actor", async () => {
    class Maker {
      counter(start: number): unknown {
        class Counter {
          #count = start;
          next(): number {
            return ++this.#count;
          }
        }
        return { Counter: remote(Counter), padding: new Uint8Array(300_000) };
      }
    }
    const maker = remote(Maker).remote();
    const made = (await get(maker.counter.remote(7))) as { Counter: { remote(): { next: { remote(): never } } } };
    const counter = made.Counter.remote();
    assert.equal(await get(counter.next.remote()), 8);
  });
});

describe("nesting", () => {
  test("a result whose then cannot be read, or answers twice, or throws, ends its call like any other", async () => {
    const getter = remote(() => ({
      // oxlint-disable-next-line unicorn/no-thenable -- what a hostile result does is what this is about
      get then(): unknown {
        throw new RangeError("getter");
      },
    }));
    await assert.rejects(get(getter.remote() as never), { name: "RangeError", message: "getter" });
    const trap = remote(
      () =>
        new Proxy(
          {},
          {
            get() {
              throw new RangeError("trap");
            },
          },
        ),
    );
    await assert.rejects(get(trap.remote()), { message: "trap" });
    const throwing = remote(() => ({
      // oxlint-disable-next-line unicorn/no-thenable -- as above
      then(): never {
        throw new RangeError("then");
      },
    }));
    await assert.rejects(get(throwing.remote() as never), { message: "then" });
    const twice = remote(() => ({
      // oxlint-disable-next-line unicorn/no-thenable -- as above
      then(resolve: (value: number) => void): void {
        resolve(1);
        resolve(2);
      },
    }));
    assert.equal(await get(twice.remote() as never), 1);
    assert.equal(await get(remote(() => 3).remote()), 3, "the worker goes on");
  });

  test("a tree of tasks 1,000 deep on two CPUs", { timeout: 60_000 }, async () => {
    const down = remote(async (depth: number): Promise<number> => (depth === 0 ? 0 : 1 + (await get(down.remote(depth - 1)))));
    assert.equal(await get(down.remote(1000)), 1000);
  });

  test("a wide tree: every inner task waits for its children", async () => {
    const tree = remote(async (depth: number): Promise<number> => {
      if (depth === 0) return 1;
      const parts = await get([tree.remote(depth - 1), tree.remote(depth - 1), tree.remote(depth - 1)]);
      return parts.reduce((sum, part) => sum + part, 0);
    });
    assert.equal(await get(tree.remote(5)), 243);
  });
});
