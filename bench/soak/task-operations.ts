/** Tasks: results, retries, at most once, nesting, dependencies, errors, closures, map and wait. */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { get, map, put, RaiaError, remote, runtimeContext, wait } from "@raia/core";
import { randomBelow } from "@raia/core/internal";
import { type Operation, outcome, pause } from "./operation.ts";

const square = remote((x: number) => x * x, { maxRetries: -1 });
const nap = remote(
  async (ms: number, x: number) => {
    await pause(ms);
    return x;
  },
  { maxRetries: -1 },
);
const add = remote((a: number, b: number) => a + b, { maxRetries: -1 });
const sumOfSquares = remote(
  async (to: number) => (await get(Array.from({ length: to }, (_, x) => square.remote(x)))).reduce((sum, x) => sum + x, 0),
  { maxRetries: -1 },
);
const fibonacci = remote(
  async (n: number): Promise<number> =>
    n < 2 ? n : (await get([fibonacci.remote(n - 1), fibonacci.remote(n - 2)])).reduce((sum, x) => sum + x, 0),
  { maxRetries: -1 },
);
/** The side effect tells how often it ran, whatever became of its process. */
const runOnce = remote(
  async (path: string, ms: number) => {
    appendFileSync(path, "ran\n");
    await pause(ms);
    return "done";
  },
  { maxRetries: 0 },
);
const failing = remote((what: string) => {
  throw Object.assign(new RangeError(what, { cause: new TypeError("behind it") }), { limit: 5 });
});
const flaky = remote(
  (path: string) => {
    appendFileSync(path, "x");
    if (readFileSync(path).byteLength < 3) throw new RangeError("again");
    return "at last";
  },
  { maxRetries: -1, retryExceptions: [RangeError] },
);
const leave = remote(() => process.exit(3), { maxRetries: 0 });
const pair = remote((x: number): [number, string] => [x + 1, `${x}`], { numReturns: 2, maxRetries: -1 });
const first = remote((refs: readonly [ReturnType<typeof square.remote>, ...unknown[]]) => get(refs[0]), { maxRetries: -1 });
const shared = remote(
  async (x: number) => {
    await pause(5);
    return -x;
  },
  { numCpus: 0.01, maxRetries: -1 },
);
const attempts = remote(() => runtimeContext().attempt);

/** Closures with so many different captures: their code stays as long as their job. */
const CLOSURES = 64;

export const taskOperations: readonly Operation[] = [
  {
    name: "burst of small tasks",
    weight: 8,
    async run({ random }) {
      const from = randomBelow(random, 1000);
      const count = 1 + randomBelow(random, 200);
      const results = await get(Array.from({ length: count }, (_, index) => square.remote(from + index)));
      assert.deepEqual(
        results,
        Array.from({ length: count }, (_, index) => (from + index) ** 2),
      );
    },
  },
  {
    name: "default retries",
    weight: 4,
    async run() {
      assert.ok((await get(attempts.remote())) <= 3);
    },
  },
  {
    name: "tasks that wait",
    weight: 4,
    async run({ random }) {
      const refs = Array.from({ length: 4 }, (_, index) => nap.remote(randomBelow(random, 100), index));
      assert.deepEqual(await get(refs), [0, 1, 2, 3]);
    },
  },
  {
    name: "at most once",
    weight: 6,
    async run(context) {
      const path = context.newPath();
      const ended = await outcome(context, runOnce.remote(path, randomBelow(context.random, 60)), ["WORKER_CRASHED"]);
      const runs = existsSync(path) ? readFileSync(path, "utf8").length / "ran\n".length : 0;
      rmSync(path, { force: true });
      if ("value" in ended) assert.deepEqual([ended.value, runs], ["done", 1]);
      else assert.ok(runs <= 1, `ran ${runs} times`);
    },
  },
  {
    name: "nested tasks",
    weight: 4,
    async run() {
      assert.equal(await get(sumOfSquares.remote(20)), 2470);
    },
  },
  {
    name: "tree of tasks",
    weight: 1,
    async run() {
      assert.equal(await get(fibonacci.remote(4)), 3);
    },
  },
  {
    name: "dependencies",
    weight: 4,
    async run({ random }) {
      const depth = 2 + randomBelow(random, 8);
      let ref = put(1);
      for (let level = 0; level < depth; level++) ref = add.remote(ref, nap.remote(randomBelow(random, 5), level));
      assert.equal(await get(ref), 1 + (depth * (depth - 1)) / 2);
    },
  },
  {
    name: "refs inside values",
    weight: 2,
    async run({ random }) {
      const x = randomBelow(random, 1000);
      assert.equal(await get(first.remote([square.remote(x), put("beside it")])), x * x);
    },
  },
  {
    name: "several results",
    weight: 2,
    async run({ random }) {
      const x = randomBelow(random, 1000);
      assert.deepEqual(await get(pair.remote(x)), [x + 1, `${x}`]);
    },
  },
  {
    name: "tasks that share a process",
    weight: 2,
    async run() {
      const results = await get(Array.from({ length: 50 }, (_, x) => shared.remote(x + 1)));
      assert.deepEqual(
        results,
        Array.from({ length: 50 }, (_, x) => -x - 1),
      );
    },
  },
  {
    name: "errors",
    weight: 2,
    async run({ random }) {
      const what = `limit ${randomBelow(random, 1000)}`;
      await assert.rejects(get(failing.remote(what)), (error: RangeError & { limit: number }) => {
        assert.deepEqual([error.name, error.message, error.limit, (error.cause as Error).message], ["RangeError", what, 5, "behind it"]);
        return true;
      });
    },
  },
  {
    name: "retried exceptions",
    weight: 1,
    async run(context) {
      const path = context.newPath();
      assert.equal(await get(flaky.remote(path)), "at last");
      assert.ok(readFileSync(path).byteLength >= 3);
      rmSync(path);
    },
  },
  {
    name: "process.exit in a task",
    weight: 0.3,
    async run() {
      await assert.rejects(get(leave.remote()), (error) => RaiaError.is(error, "WORKER_CRASHED"));
    },
  },
  {
    name: "closures",
    weight: 2,
    async run({ random }) {
      const captured = { by: randomBelow(random, CLOSURES) };
      const table = new Map([["by", captured]]);
      const scale = (x: number): number => x * (table.get("by")?.by ?? 0);
      assert.deepEqual(await get(remote((x: number) => scale(x) + captured.by, { maxRetries: -1 }).remote(3)), 4 * captured.by);
    },
  },
  {
    name: "map",
    weight: 1,
    async run({ random }) {
      const count = 1 + randomBelow(random, 300);
      const results: number[] = [];
      const ordered = random.next() < 0.5;
      for await (const result of map(Array(count).keys(), (x) => x * 3, { maxRetries: -1, ordered })) results.push(result);
      assert.deepEqual(
        ordered ? results : results.toSorted((a, b) => a - b),
        Array.from({ length: count }, (_, x) => x * 3),
      );
    },
  },
  {
    name: "map that is left early",
    weight: 1,
    async run() {
      let taken = 0;
      for await (const result of map(endless(), (x) => x + 1, { maxRetries: -1, concurrency: 4 })) {
        assert.equal(result, ++taken);
        if (taken === 20) break;
      }
    },
  },
  {
    name: "wait",
    weight: 2,
    async run() {
      const refs = [nap.remote(1, 1), nap.remote(200, 2), nap.remote(2, 3)];
      const { ready, pending } = await wait(refs, { numReturns: 2 });
      assert.equal(ready.length, 2);
      assert.deepEqual(
        (await get([...ready, ...pending])).toSorted((a, b) => a - b),
        [1, 2, 3],
      );
    },
  },
];

function* endless(): Generator<number> {
  for (let x = 0; ; x++) yield x;
}
