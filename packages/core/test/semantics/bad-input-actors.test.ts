/** Actors that are dead, never were, or are asked for what they cannot do. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { get, getActor, kill, type RaiaError, remote } from "../../src/index.ts";

testCluster();

class Cell {
  #value = 0;
  set(value: number): number {
    return (this.#value = value);
  }
  get(): number {
    return this.#value;
  }
  pair(): number[] {
    return [1, 2, 3];
  }
  leave(): never {
    process.exit(9);
  }
}

describe("actors that are not there", () => {
  test("calls on a killed one: ACTOR_DIED with the cause, at once and ever after", async () => {
    const cell = remote(Cell).remote();
    await get(cell.set.remote(1));
    await kill(cell);
    for (let round = 0; round < 3; round++)
      await assert.rejects(
        get(cell.get.remote()),
        (error: RaiaError) => error.code === "ACTOR_DIED" && /killed-by-user/.test(error.message),
      );
  });

  test("calls on one that can never be placed: ACTOR_UNSCHEDULABLE with the numbers, those that wait and those that come later", async () => {
    const never = remote(Cell)
      .options({ resources: { unicorn: 2 } })
      .remote();
    const early = [never.get.remote(), never.set.remote(1)];
    for (const ref of early)
      await assert.rejects(get(ref), (error: RaiaError) => error.code === "ACTOR_UNSCHEDULABLE" && /unicorn/.test(error.message));
    await assert.rejects(get(never.get.remote()), { code: "ACTOR_UNSCHEDULABLE" });
  });

  test("a constructor that throws, and one that ends its process", async () => {
    class Broken {
      constructor() {
        throw new RangeError("no foundation");
      }
      ping(): number {
        return 1;
      }
    }
    class Suicidal {
      constructor() {
        process.exit(11);
      }
      ping(): number {
        return 1;
      }
    }
    await assert.rejects(get(remote(Broken).remote().ping.remote()), (error: RaiaError) => {
      assert.equal(error.code, "ACTOR_DIED");
      assert.ok(error.cause instanceof RangeError);
      return true;
    });
    await assert.rejects(
      get(remote(Suicidal).remote().ping.remote()),
      (error: RaiaError) => error.code === "ACTOR_DIED" && /11/.test(error.message),
    );
  });

  test("a name that nobody has, one that is taken, and one that was", async () => {
    await assert.rejects(getActor("nobody"), (error: RaiaError) => error.code === "ACTOR_NOT_FOUND" && error.facts["name"] === "nobody");
    const first = remote(Cell).options({ name: "cell" }).remote();
    await get(first.set.remote(3));
    const second = remote(Cell).options({ name: "cell" }).remote();
    await assert.rejects(get(second.get.remote()), { code: "ACTOR_NAME_TAKEN" });
    assert.equal(await get((await getActor<typeof first>("cell")).get.remote()), 3, "the first was not harmed");
    await kill(first);
    const third = remote(Cell).options({ name: "cell" }).remote();
    assert.equal(await get(third.get.remote()), 0);
  });
});

describe("calls that do not fit", () => {
  test("numReturns of a method that returns otherwise", async () => {
    const cell = remote(Cell, { methods: { pair: { numReturns: 2 } } }).remote();
    const [a, b] = cell.pair.remote() as unknown as [Parameters<typeof get>[0], Parameters<typeof get>[0]];
    for (const ref of [a, b])
      await assert.rejects(get(ref), (error: RaiaError) => error.code === "NUM_RETURNS_MISMATCH" && /array of 3/.test(error.message));
    assert.equal(await get(cell.get.remote()), 0);
  });

  test("options of methods that are not there, or not known: refused where they are written", () => {
    assert.throws(() => remote(Cell, { methods: { get: { numReturn: 2 } } } as never), /numReturns/);
    assert.throws(() => remote(Cell).options({ maxRestart: 1 } as never), /maxRestarts/);
    assert.throws(() => remote(Cell).options({ maxRestarts: Number.NaN }), { code: "INVALID_OPTION" });
  });

  test("process.exit in a method: the exit code is the cause; with restarts it is there again", async () => {
    const mortal = remote(Cell).remote();
    await assert.rejects(
      get(mortal.leave.remote()),
      (error: RaiaError) => error.code === "ACTOR_DIED" && /exitCode\W+9/.test(error.message),
    );
    const phoenix = remote(Cell).options({ maxRestarts: 1 }).remote();
    await get(phoenix.set.remote(4));
    await assert.rejects(get(phoenix.leave.remote()), { code: "ACTOR_UNAVAILABLE" });
    assert.equal(await get(phoenix.get.remote()), 0);
  });
});
