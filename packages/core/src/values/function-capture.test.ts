import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import vm from "node:vm";
import fc from "fast-check";
import { makeQuery } from "../../test/worlds/modules/live.ts";
import { RaiaError } from "../base/errors.ts";
import { type LargeCaptureWarning, shipFunction, type ValueHooks } from "./function-capture.ts";
import { checkFunction } from "./function-check.ts";
import { type Graph, packGraph, unpackGraph } from "./function-graph.ts";
import { loadFunction } from "./function-load.ts";
import { originalShipment } from "./function-origin.ts";

const plain: ValueHooks = { replace: () => undefined, revive: () => undefined };

async function roundTrip<F extends Function>(fn: F, hooks: ValueHooks = plain): Promise<F> {
  return (await loadFunction(shipFunction(fn, hooks).bytes, hooks)) as F;
}

function refusal(fn: Function, hooks: ValueHooks = plain): RaiaError["facts"] {
  try {
    shipFunction(fn, hooks);
  } catch (error) {
    if (RaiaError.is(error, "FUNCTION_UNCAPTURABLE")) return error.facts;
    throw error;
  }
  return assert.fail("it was shipped");
}

/** Stands for a remote function: a brand, a handle and a function behind it. */
class Handle {
  readonly fn: Function;
  constructor(fn: Function) {
    this.fn = fn;
  }
}
/** Stands for an ObjectRef: a class of a library with a registration that a copy would lack. */
class Ref {
  static readonly registered = new Set<Ref>();
  readonly id: string;
  constructor(id: string) {
    this.id = id;
    Ref.registered.add(this);
  }
}
const branding: ValueHooks = {
  replace: (value) => {
    if (value instanceof Handle) return { kind: "handle", payload: { fn: value.fn, options: { retries: 3 } } };
    return value instanceof Ref ? { kind: "ref", payload: value.id } : undefined;
  },
  revive: (kind, payload) => (kind === "ref" ? new Ref(payload as string) : new Handle((payload as { fn: Function }).fn)),
};

suite("brands", () => {
  test("a branded value is replaced wherever it is, and never copied", async () => {
    const ref = new Ref("a1");
    const nested = { list: [new Map([["ref", ref]])], alone: ref };

    const made = (await roundTrip(() => [nested.list[0]?.get("ref"), nested.alone], branding))();

    assert.ok(made[0] instanceof Ref && made[0].id === "a1" && made[0] !== ref);
    assert.equal(made[0], made[1], "one ref stays one");
    assert.ok(Ref.registered.has(made[0]));
  });

  test("a branded value behind a Proxy is asked about before the Proxy is refused", async () => {
    const proxy = new Proxy(new Ref("b2"), {});
    const made = (await roundTrip(() => proxy, branding))();
    assert.equal(made.id, "b2");
  });

  test("a function that captures its own handle", async () => {
    const fib: Handle = new Handle((n: number): unknown => (n < 2 ? n : fib));
    const made = await roundTrip(fib.fn, branding);

    const handle = (made as (n: number) => Handle)(5);

    assert.ok(handle instanceof Handle);
    assert.equal(handle.fn, made, "the handle is over the function itself");
  });

  test("a function-scope handle over itself, and two over each other", async () => {
    const make = (): { own: Handle; a: Handle; b: Handle } => {
      const own: Handle = new Handle(() => own);
      const a: Handle = new Handle(() => b);
      const b: Handle = new Handle(() => a);
      return { own, a, b };
    };
    const { own, a } = make();

    const ownMade = await roundTrip(own.fn, branding);
    const aMade = await roundTrip(a.fn, branding);

    assert.equal((ownMade as () => Handle)().fn, ownMade);
    const b = (aMade as () => Handle)();
    assert.equal((b.fn as () => Handle)().fn, aMade);
  });
});

suite("what a shipment is", () => {
  test("equal code and captures have an equal hash; other captures another", () => {
    const adder = (n: number) => (x: number) => x + n;
    const hash = (fn: Function): string => shipFunction(fn, plain).hash;

    assert.equal(hash(adder(1)), hash(adder(1)));
    assert.notEqual(hash(adder(1)), hash(adder(2)));
    assert.match(hash(adder(1)), /^[0-9a-f]{32}$/);
  });

  test("captured variables are read when it is shipped, not later", async () => {
    let n = 1;
    const fn = (): number => n;
    const { bytes } = shipFunction(fn, plain);
    n = 2;
    assert.equal(((await loadFunction(bytes, plain)) as () => number)(), 1);
    assert.equal((await roundTrip(fn))(), 2);
  });

  test("sent on from where it was received, text and captures stay what they were", async () => {
    const table = new Map([["a", 1]]);
    let calls = 0;
    const helper = (x: number): number => x + (table.get("a") ?? 0) + ++calls;
    const makeScaler = (by: number) => (x: number) => helper(x) * by;
    class Point {
      static readonly origin = new Point(0);
      static made = 2;
      readonly x: number;
      constructor(x: number) {
        this.x = x;
      }
    }
    class Point3 extends Point {
      readonly z = makeScaler(2)(1);
    }
    for (const fn of [
      makeScaler(3),
      makeQuery("q"),
      helper,
      Point3,
      () => [Point.origin, Point3, table],
      async () => await import("node:path"),
    ]) {
      const first = await roundTrip(fn as Function);
      const second = shipFunction(first, plain);
      const third = shipFunction(await loadFunction(second.bytes, plain), plain);
      assert.equal(second.hash, shipFunction(fn as Function, plain).hash, `${String(fn).slice(0, 40)}: as the sender would`);
      assert.equal(third.hash, second.hash);
    }
  });

  test("the original shipment of a received function is at hand without reading it", async () => {
    let n = 1;
    const handle = new Handle(() => n++);
    const { hash, bytes } = shipFunction(handle.fn, branding);
    const made = (await loadFunction(bytes, branding)) as () => number;
    made();

    assert.equal(originalShipment(made)?.hash, hash);
    assert.equal(originalShipment(made)?.name, "(anonymous)", "as where it was read first");
    assert.equal(shipFunction(made, branding).hash, hash, "sent on as it came, though the variable has moved on");
    assert.equal(
      originalShipment(() => n),
      undefined,
    );
    n = 1;
  });

  test("what has no name is called by its place", () => {
    assert.match(shipFunction(() => 1, plain).name, /^function-capture\.test\.ts:\d+$/);
    assert.match(shipFunction(class {}, plain).name, /^function-capture\.test\.ts:\d+$/);
  });

  test("a name cannot end its line: it stands in front of what a task prints", async () => {
    const odd = { ["a\n(b pid=1)"]: () => 1 };
    const [fn] = Object.values(odd) as [() => number];
    const { name, bytes } = shipFunction(fn, plain);
    assert.equal(name, "a\u{FFFD}(b pid=1)");
    assert.equal(originalShipment((await loadFunction(bytes, plain)) as () => number)?.name, name);
  });

  test("a function in a payload can be sent on by itself", async () => {
    const inner = new Handle((x: number) => x + 1);
    const made = (await roundTrip(() => inner, branding))();

    const original = originalShipment(made.fn);

    assert.ok(original !== undefined);
    assert.equal(((await loadFunction(original.bytes, branding)) as (x: number) => number)(1), 2);
  });

  test("kinds are described", () => {
    class Base {
      async inherited(): Promise<void> {}
    }
    class Derived extends Base {
      plain(): void {}
      async *stream(): AsyncGenerator<number> {}
      #n = 1;
      get n(): number {
        return this.#n;
      }
    }
    const { isClass, isAsync, isGenerator, asyncMethodNames, name } = shipFunction(Derived, plain);
    assert.deepEqual(
      { isClass, isAsync, isGenerator, asyncMethodNames, name },
      { isClass: true, isAsync: false, isGenerator: false, asyncMethodNames: ["stream", "inherited"], name: "Derived" },
    );
    const asyncGenerator = shipFunction(async function* () {}, plain);
    assert.deepEqual([asyncGenerator.isAsync, asyncGenerator.isGenerator, asyncGenerator.isClass], [true, true, false]);
    assert.equal(shipFunction(() => 1, plain).isAsync, false);
  });

  test("getters are not run", async () => {
    let runs = 0;
    const source = {
      get lazy(): number {
        runs++;
        return 5;
      },
      get broken(): number {
        throw new Error("must not run");
      },
    };
    const made = await roundTrip(() => source.lazy);
    assert.equal(runs, 0);
    assert.equal(made(), 5);
  });

  test("any plain data comes out as it went in, its identities too", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withSparseArray: true,
          withNullPrototype: true,
        }),
        async (value) => {
          const captured = { value, again: value, alive: () => value };
          const made = (await roundTrip(() => captured))();
          assert.deepStrictEqual(made.value, value);
          assert.ok(Object.is(made.value, made.again) && Object.is(made.value, made.alive()));
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });

  test("inspected closures can be collected", async () => {
    setFlagsFromString("--expose-gc");
    const collect = vm.runInNewContext("gc") as () => void;
    const refs = Array.from({ length: 50 }, (_, n) => {
      const fn = (): number => n;
      shipFunction(fn, plain);
      return new WeakRef(fn);
    });
    await new Promise(setImmediate);
    collect();
    assert.ok(refs.filter((ref) => ref.deref() !== undefined).length < 5);
  });
});

suite("sizes", () => {
  const MiB = 1024 * 1024;

  test("large binary captures go to the store, when there is one", async () => {
    const stored: Uint8Array[] = [];
    const large = new Float64Array(20_000).fill(1.5);
    const window = large.subarray(10, 12);
    const hooks: ValueHooks = {
      ...plain,
      storeLarge: (bytes) => ({ at: stored.push(bytes.slice()) - 1 }),
      loadLarge: async (key) => stored[(key as { at: number }).at] as Uint8Array,
    };

    const shipped = shipFunction(() => [large, window], hooks);
    const [made, madeWindow] = ((await loadFunction(shipped.bytes, hooks)) as () => [Float64Array, Float64Array])();

    assert.equal(stored.length, 1);
    assert.ok(shipped.bytes.byteLength < 2000);
    assert.deepEqual(made, large);
    assert.equal(made.buffer, stored[0]?.buffer, "handed out without a copy");
    assert.equal(madeWindow.buffer, made.buffer, "two views stay views of one memory");
    await assert.rejects(loadFunction(shipped.bytes, plain), { code: "FUNCTION_LOAD_FAILED" });
  });

  test("more than 10 MiB warns, naming the largest", () => {
    const warnings: LargeCaptureWarning[] = [];
    const text = "x".repeat(11 * MiB);
    const small = "y";
    shipFunction(
      function handler() {
        return [text, small];
      },
      { ...plain, warn: (warning) => warnings.push(warning) },
    );
    assert.equal(warnings.length, 1);
    assert.equal(warnings[0]?.captures[0]?.path, "handler -> text");
  });

  test("more than 95 MiB is an error with the path", () => {
    const big = { bytes: new Uint8Array(96 * MiB) };
    const facts = refusal(function handler() {
      return big;
    });
    assert.equal(facts.path, "handler -> big");
    assert.match(facts.reason as string, /96 MiB/);
  });

  test("a small Buffer does not bring its pool along", () => {
    const buffer = Buffer.from("small");
    assert.ok(shipFunction(() => buffer, plain).bytes.byteLength < 1000);
  });
});

suite("refusals and damage", () => {
  test("a check lists everything that stands in the way, with places", () => {
    const promise = Promise.resolve(1);
    const pool = { socket: new Proxy({}, {}) };
    const report = checkFunction(function handler() {
      return [promise, pool];
    }, plain);

    assert.equal(report.isSendable, false);
    assert.deepEqual(
      report.problems.map(({ path }) => path),
      ["handler -> promise", "handler -> pool -> socket"],
    );
    assert.match(report.problems[1]?.reason ?? "", /^it is a Proxy/);
    assert.equal(checkFunction(() => 1, plain).isSendable, true);
  });

  test("the place of what cannot be moved is given", () => {
    const makeArrow = function (this: unknown): Function {
      return () => this;
    };
    const facts = refusal(makeArrow.call({}));
    assert.match(facts.location as string, /function-capture\.test\.ts:\d+:\d+$/);
  });

  test("other code under the same name is noticed", async () => {
    const graph = unpackGraph(shipFunction(fc.assert, plain).bytes);
    assert.equal(graph.nodes[graph.root]?.[0], "imported");
    const [, module, part] = graph.nodes[graph.root] as unknown as readonly ["imported", number, { part: "export"; name: string }];
    const changed: Graph = { ...graph, nodes: [["imported", module, part, "0123456789abcdef"]], root: 0 };

    await assert.rejects(
      loadFunction(packGraph(changed), plain),
      (error) => RaiaError.is(error, "FUNCTION_LOAD_FAILED") && /other code/.test(error.facts.reason as string),
    );
  });

  test("a module that is missing here is named", async () => {
    const graph: Graph = {
      name: "f",
      root: 0,
      nodes: [["imported", 0, { part: "export", name: "f" }, undefined]],
      units: [],
      modules: [{ how: "import", specifier: "file:///no/such/module.ts", parent: "" }],
      buffers: [],
    };
    await assert.rejects(
      loadFunction(packGraph(graph), plain),
      (error) => RaiaError.is(error, "FUNCTION_LOAD_FAILED") && error.facts.module === "file:///no/such/module.ts",
    );
  });

  test("damaged bytes are an error, never a function", async () => {
    const { bytes } = shipFunction((x: number) => x + 1, plain);
    for (const damaged of [
      new Uint8Array(),
      bytes.subarray(0, 3),
      bytes.subarray(0, bytes.length >> 1),
      Uint8Array.from([0x52, 9, 0, 0, 0, 0]),
    ]) {
      await assert.rejects(loadFunction(damaged, plain), { code: "FUNCTION_LOAD_FAILED" });
    }
  });
});
