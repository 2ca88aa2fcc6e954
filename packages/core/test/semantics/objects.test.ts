/** Objects: who owns them, who may still read them, and what happens when memory is short. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { isAlive } from "@raia/testing/fixtures/is-alive";
import { raise, whenRaised } from "@raia/testing/fixtures/signals";
import { existingRuntime } from "../../src/api/init.ts";
import { free, get, type ObjectRef, onOutOfScope, put, remote, wait } from "../../src/index.ts";

const MiB = 1024 * 1024;
const cluster = testCluster({ objectStoreMemory: 48 * MiB });

async function storedBytes(): Promise<number> {
  const { facts } = await existingRuntime().cluster.process.nodeStatus({});
  const { store } = facts as { store: { usedBytes: number; spilledBytes: number } };
  return store.usedBytes + store.spilledBytes;
}

async function isStored(id: string): Promise<boolean> {
  const { objects } = await existingRuntime().cluster.store.listStored({ limit: 1000 });
  return objects.some((object) => object.id === id);
}

describe("put, get, wait, free", () => {
  test("small and large values, by their structure", async () => {
    const value = {
      map: new Map([[1, new Set(["a"])]]),
      date: new Date(0),
      big: 2n ** 70n,
      bytes: new Uint8Array([1, 2]),
      nothing: undefined,
      nan: Number.NaN,
    };
    assert.deepEqual(await get(put(value)), value);
    const large = new Float64Array(MiB / 8).map((_, index) => index);
    assert.deepEqual(await get(put(large)), large);
    assert.equal(await get(put(null)), null);
    assert.equal(await get(put("x".repeat(300_000))), "x".repeat(300_000));
  });

  test("put takes its copy before it returns", async () => {
    for (const length of [10, 100_000]) {
      const numbers = new Float64Array(length);
      const ref = put(numbers);
      numbers.fill(1);
      assert.equal((await get(ref))[length - 1], 0);
    }
  });

  test("wait: so many as are asked for, in order, and what is ready when the time is up", async () => {
    const go = cluster.path("go");
    const slow = remote(async (path: string) => {
      await whenRaised(path);
      return "slow";
    });
    const refs = [slow.remote(go), put("a"), put("b")];
    const first = await wait(refs, { numReturns: 1 });
    assert.deepEqual(first, { ready: [refs[1]], pending: [refs[0], refs[2]] });
    const timed = await wait(refs, { numReturns: 3, timeoutMs: 20 });
    assert.deepEqual(timed, { ready: [refs[1], refs[2]], pending: [refs[0]] });
    raise(go);
    assert.equal((await wait(refs, { numReturns: 3 })).pending.length, 0);
    await assert.rejects(wait([refs[0]!, refs[0]!]), { code: "INVALID_ARGUMENT" });
    await assert.rejects(wait(refs, { numReturns: 4 }), { code: "INVALID_ARGUMENT" });
    assert.deepEqual(await wait([]), { ready: [], pending: [] });
    await assert.rejects(wait([], { numReturns: 1 }), { code: "INVALID_ARGUMENT", message: /there are no refs/ });
  });

  test("several results of which one cannot be sent: nothing of the others stays", async () => {
    const before = await storedBytes();
    const pair = remote(() => [new Float64Array(MiB), Symbol("no") as unknown] as const, { numReturns: 2 });
    for (const ref of pair.remote()) await assert.rejects(get(ref), { code: "UNSERIALIZABLE" });
    assert.ok(await eventually(async () => (await storedBytes()) <= before, 10_000));
  });

  test("free: the value goes though refs remain", async () => {
    const ref = put(new Float64Array(100_000));
    const small = put({ a: 1 });
    free([ref, small]);
    await assert.rejects(get(ref), { code: "OBJECT_FREED" });
    await assert.rejects(get(small), { code: "OBJECT_FREED" });
    const use = remote((x: unknown) => x);
    await assert.rejects(get(use.remote(ref)), { code: "OBJECT_FREED" });
  });

  test("using: the last ref takes the object with it, and onOutOfScope hears of it", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let id: string;
    {
      using ref = put(new Uint8Array(4 * MiB));
      ({ id } = ref);
      onOutOfScope(ref, resolve);
      await ref.stored;
      assert.ok(await isStored(id));
    }
    await promise;
    assert.ok(await eventually(async () => !(await isStored(id)), 2000));
  });

  test("a ref is no promise and no JSON", async () => {
    const ref = put({ a: 1 });
    assert.equal(await Promise.resolve(ref), ref);
    assert.throws(() => JSON.stringify({ ref }), { code: "UNSERIALIZABLE" });
    assert.throws(() => put(ref), { code: "INVALID_ARGUMENT" });
  });
});

describe("large values", () => {
  test("a reader gets the bytes without a copy: two reads of one task share memory, its writes are its own", async () => {
    const ref = put(new Float64Array(200_000).fill(7));
    const look = remote(async ({ ref }: { ref: ObjectRef<Float64Array> }) => {
      const a = await get(ref);
      const b = await get(ref);
      a[0] = 1;
      return [a.buffer === b.buffer, b[0], a.byteOffset % 8];
    });
    assert.deepEqual(await get(look.remote({ ref })), [true, 1, 0]);
    assert.equal((await get(ref))[0], 7);
  });

  test("the buffer under a typed array is just its own bytes, large or small, as after structuredClone", async () => {
    for (const length of [3, 200, 20_000]) {
      const numbers = Float64Array.from({ length }, (_, index) => index + 0.5);
      const read = remote((values: Float64Array) => [
        new Float64Array(values.buffer).length,
        new DataView(values.buffer).getFloat64(0, true),
      ]);
      assert.deepEqual(await get(read.remote(numbers)), [length, 0.5]);
      const back = await get(put({ before: "x".repeat(100), numbers }));
      assert.deepEqual([back.numbers.byteOffset, back.numbers.buffer.byteLength], [0, length * 8]);
    }
  });

  test("sorted in place, then read again by the next task on the same worker", async () => {
    const numbers = Float64Array.from({ length: 300_000 }, (_, index) => -index);
    const ref = put(numbers);
    const sort = remote((data: Float64Array) => [data.sort()[0], process.pid] as const);
    const first = remote((data: Float64Array) => [data[0], data[1], process.pid] as const);
    for (let round = 0; round < 3; round++) {
      const [least, pid] = await get(sort.remote(ref));
      assert.equal(least, -299_999);
      let [a, b, other] = await get(first.remote(ref));
      for (let tries = 0; other !== pid && tries < 100; tries++) [a, b, other] = await get(first.remote(ref));
      assert.equal(other, pid, "the same worker was not met again");
      assert.deepEqual([a, b], [-0, -1]);
    }
  });

  test("large results and large arguments travel through shared memory", async () => {
    const grow = remote((data: Float64Array) => data.map((x) => x + 1));
    let data: Float64Array | ObjectRef<Float64Array> = new Float64Array(100_000);
    for (let i = 0; i < 5; i++) data = grow.remote(data);
    assert.equal((await get(data as ObjectRef<Float64Array>))[99_999], 5);
  });

  test("a view outlives its ref", async () => {
    let view: Float64Array;
    {
      using ref = put(new Float64Array(100_000).fill(3));
      view = await get(ref);
    }
    for (let i = 0; i < 20; i++) {
      using filler = put(new Float64Array(200_000).fill(i));
      await filler.stored;
    }
    assert.ok(view.every((x) => x === 3));
  });
});

describe("references", () => {
  test("refs inside values keep what they name", async () => {
    const inner = put(new Float64Array(50_000).fill(5));
    const outer = put({ inner });
    inner[Symbol.dispose]();
    const read = remote(async ({ inner }: { inner: ObjectRef<Float64Array> }) => (await get(inner))[9]);
    assert.equal(await get(read.remote(outer as never)), 5);
    const { inner: again } = await get(outer);
    outer[Symbol.dispose]();
    assert.equal((await get(again))[0], 5);
  });

  test("a ref in a result: the worker owns it, and stays while somebody uses it", async () => {
    const make = remote(() => ({ small: put({ a: 1 }), large: put(new Float64Array(50_000).fill(2)) }), { maxCalls: 1 });
    const { small, large } = await get(make.remote());
    assert.deepEqual(await get(small), { a: 1 });
    assert.equal((await get(large))[49_999], 2);
    const use = remote((data: Float64Array) => data.length);
    assert.equal(await get(use.remote(large)), 50_000);
  });

  test("a ref that a task hands on to another", async () => {
    const relay = remote(async ({ ref }: { ref: ObjectRef<number> }) => {
      const inner = remote(async ({ ref }: { ref: ObjectRef<number> }) => (await get(ref)) + 1);
      return get(inner.remote({ ref }));
    });
    assert.equal(await get(relay.remote({ ref: put(41) })), 42);
  });

  test("an actor that keeps a ref keeps the object", async () => {
    class Keeper {
      #ref: ObjectRef<Float64Array> | undefined;
      keep({ ref }: { ref: ObjectRef<Float64Array> }): void {
        this.#ref = ref;
      }
      async read(): Promise<number> {
        return (await get(this.#ref!))[0]!;
      }
    }
    const keeper = remote(Keeper).remote();
    const ref = put(new Float64Array(50_000).fill(9));
    await get(keeper.keep.remote({ ref }));
    ref[Symbol.dispose]();
    for (let i = 0; i < 5; i++) put(new Float64Array(50_000))[Symbol.dispose]();
    assert.equal(await get(keeper.read.remote()), 9);
  });

  test("what a task returned outlives its worker, whatever refers to it, and goes when it is dropped", async () => {
    const make = remote(() => ({
      small: put({ a: 1 }),
      number: put(7),
      large: put(new Float64Array(MiB).fill(3)),
      holder: put({ inner: put("deep") }),
      largeHolder: put({ inner: put("deeper"), filling: new Uint8Array(MiB) }),
      pid: process.pid,
    }));
    const sum = remote((numbers: { of: ObjectRef<Float64Array> }) => get(numbers.of).then((values) => values[9]));
    const made = await get(make.remote());
    const { pid, small, number, large, holder, largeHolder } = made;
    process.kill(pid, "SIGKILL");
    assert.ok(await eventually(() => !isAlive(pid), 5000));
    assert.deepEqual(await get([small, number]), [{ a: 1 }, 7]);
    assert.equal(await get(sum.remote({ of: large })), 3, "and it can be passed on");
    const { inner } = await get(holder);
    const { inner: deeper } = await get(largeHolder);
    assert.deepEqual(await get([inner, deeper]), ["deep", "deeper"]);

    const refs = [small, number, holder, inner, deeper];
    const ids = refs.map((ref) => ref.id);
    for (const ref of refs) ref[Symbol.dispose]();
    largeHolder[Symbol.dispose]();
    for (const id of ids) assert.ok(await eventually(async () => !(await isStored(id)), 5000));
  });

  test("C-5: OWNER_DIED: what a dead worker's tasks had still to make", async () => {
    const make = remote(() => {
      const endless = remote(() => new Promise<number>(() => {}));
      return { ref: endless.remote(), pid: process.pid };
    });
    const { ref, pid } = await get(make.remote());
    process.kill(pid, "SIGKILL");
    await assert.rejects(get(ref), { code: "OWNER_DIED" });
  });

  test("a large object of a dead worker that nobody holds is gone with it", async () => {
    const kept: ObjectRef[] = [];
    const make = remote(() => {
      const ref = put(new Uint8Array(4 * MiB));
      kept.push(ref);
      return { pid: process.pid, id: ref.id };
    });
    const { pid, id } = await get(make.remote());
    assert.ok(await eventually(() => isStored(id), 5000));
    process.kill(pid, "SIGKILL");
    assert.ok(await eventually(async () => !(await isStored(id)), 5000));
  });

  test("what was dropped is found without anybody asking", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const drop = (): void => {
      for (let i = 0; i < 100; i++) {
        const ref = put({ i });
        if (i === 50) onOutOfScope(ref, resolve);
      }
    };
    drop();
    await promise;
  });
});

describe("when memory is short", () => {
  test("more than the arena holds: older objects spill, and come back right", async () => {
    const refs = Array.from({ length: 20 }, (_, index) => put(new Uint8Array(8 * MiB).fill(index)));
    for (const ref of refs) await ref.stored;
    for (const [index, ref] of refs.entries()) {
      const bytes = await get(ref);
      assert.equal(bytes.length, 8 * MiB);
      assert.equal(bytes[8 * MiB - 1], index);
    }
    for (const ref of refs) ref[Symbol.dispose]();
  });

  test("an object larger than the arena", async () => {
    assert.throws(() => put(new Uint8Array(60 * MiB)), { code: "STORE_FULL" });
    const make = remote(() => new Uint8Array(60 * MiB), { maxRetries: 0 });
    await assert.rejects(get(make.remote()), { code: "STORE_FULL" });
  });

  test("workers' results, too", async () => {
    const make = remote((index: number) => new Uint8Array(8 * MiB).fill(index));
    const refs = Array.from({ length: 12 }, (_, index) => make.remote(index));
    await wait(refs, { numReturns: refs.length });
    const sum = remote((bytes: Uint8Array) => bytes[0]! + bytes[8 * MiB - 1]!);
    assert.deepEqual(
      await get(refs.map((ref) => sum.remote(ref))),
      refs.map((_, index) => 2 * index),
    );
  });
});
