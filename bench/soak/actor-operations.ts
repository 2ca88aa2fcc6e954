/** Actors: order, deaths, restarts, names, sharing, streams, pools and queues. */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { type ActorHandle, ActorPool, exitActor, get, getActor, kill, put, Queue, RaiaError, remote, runtimeContext } from "@raia/core";
import { randomBelow } from "@raia/core/internal";
import { allowedCode, type Operation, type OperationContext, outcome, pause } from "./operation.ts";

class Counter {
  #n = 0;
  add(by: number): number {
    return (this.#n += by);
  }
  /** Which incarnation saw the how-manieth call. */
  see(call: number): { readonly call: number; readonly restarts: number; readonly seen: number } {
    return { call, restarts: runtimeContext().actorRestarts, seen: ++this.#n };
  }
  leave(): void {
    exitActor();
  }
  *count(to: number): Generator<number> {
    for (let item = 0; item < to; item++) yield item;
  }
}

class Doubler {
  async double(x: number): Promise<number> {
    await pause(2);
    return 2 * x;
  }
  note(path: string): string {
    appendFileSync(path, "x");
    return "noted";
  }
  sum(values: Uint8Array): number {
    return values.reduce((sum, value) => sum + value, 0);
  }
}

export const sharedActorName = "soak-shared";
const mortal = remote(Counter);
const restarting = remote(Counter).options({ maxRestarts: -1 });
const patient = remote(Doubler).options({ maxRestarts: -1, maxTaskRetries: -1 });
const named = remote(Doubler).options({ name: sharedActorName, getIfExists: true, maxRestarts: -1, maxTaskRetries: -1, numCpus: 0 });

const callShared = remote(
  async (x: number) => {
    const actor = await getActor<ActorHandle<Doubler>>(sharedActorName);
    return get(actor.double.remote(x));
  },
  { maxRetries: -1 },
);
const callGiven = remote((actor: ActorHandle<Doubler>, x: number) => get(actor.double.remote(x)), { maxRetries: -1 });
const fill = remote(
  async (queue: Queue<number>, count: number) => {
    for (let item = 0; item < count; item++) await queue.put(item);
  },
  { maxRetries: 0 },
);

export const actorOperations: readonly Operation[] = [
  {
    name: "an actor without restarts",
    weight: 2,
    async run(context) {
      const actor = mortal.remote();
      const refs = Array.from({ length: 1 + randomBelow(context.random, 50) }, () => actor.add.remote(1));
      let isDead = false;
      for (const [index, ref] of refs.entries()) {
        const ended = await outcome(context, ref, ["ACTOR_DIED"]);
        if ("value" in ended) assert.deepEqual([ended.value, isDead], [index + 1, false]);
        else isDead = true;
      }
    },
  },
  {
    name: "an actor that restarts",
    weight: 2,
    async run(context) {
      const actor = restarting.remote();
      const seen: { call: number; restarts: number; seen: number }[] = [];
      for (let round = 0; round < 4; round++) {
        const refs = Array.from({ length: 10 }, (_, index) => actor.see.remote(10 * round + index));
        for (const ref of refs) {
          const ended = await outcome(context, ref, ["ACTOR_UNAVAILABLE"]);
          if ("value" in ended) seen.push(ended.value);
        }
      }
      for (const [index, now] of seen.entries()) {
        const before = seen[index - 1];
        if (before === undefined) continue;
        assert.ok(now.call > before.call && now.restarts >= before.restarts, JSON.stringify([before, now]));
        if (now.restarts === before.restarts) assert.ok(now.seen > before.seen, JSON.stringify([before, now]));
      }
    },
  },
  {
    name: "calls that are sent again",
    weight: 3,
    async run({ random }) {
      const actor = patient.remote();
      const count = 1 + randomBelow(random, 40);
      const results = await get(Array.from({ length: count }, (_, x) => actor.double.remote(x)));
      assert.deepEqual(
        results,
        Array.from({ length: count }, (_, x) => 2 * x),
      );
    },
  },
  {
    name: "a call at most once",
    weight: 2,
    async run(context) {
      const path = context.newPath();
      const actor = remote(Doubler).options({ maxRestarts: 1 }).remote();
      const ended = await outcome(context, actor.note.remote(path), ["ACTOR_UNAVAILABLE", "ACTOR_DIED"]);
      const runs = existsSync(path) ? readFileSync(path).byteLength : 0;
      rmSync(path, { force: true });
      if ("value" in ended) assert.deepEqual([ended.value, runs], ["noted", 1]);
      else assert.ok(runs <= 1, `ran ${runs} times`);
    },
  },
  {
    name: "a named actor, called by tasks",
    weight: 2,
    async run({ random }) {
      const actor = named.remote();
      const x = randomBelow(random, 1000);
      assert.deepEqual(await get([actor.double.remote(x), callShared.remote(x + 1), callGiven.remote(actor, x + 2)]), [
        2 * x,
        2 * x + 2,
        2 * x + 4,
      ]);
    },
  },
  {
    name: "kill and exit",
    weight: 1,
    async run(context) {
      const actor = mortal.remote();
      const first = await outcome(context, actor.add.remote(1), ["ACTOR_DIED"]);
      if ("value" in first) assert.equal(first.value, 1);
      if (context.random.next() < 0.5) await kill(actor);
      else await get(actor.leave.remote()).catch((error: unknown) => allowedCode(context, error, ["ACTOR_DIED"]));
      await assert.rejects(get(actor.add.remote(1)), (error) => RaiaError.is(error, "ACTOR_DIED"));
    },
  },
  {
    name: "a stream of an actor",
    weight: 1,
    async run(context) {
      const actor = mortal.remote();
      const items: number[] = [];
      try {
        for await (const ref of actor.count.remote(40)) items.push(await get(ref));
        assert.equal(items.length, 40);
      } catch (error) {
        allowedCode(context, error, ["ACTOR_DIED"]);
      }
      assert.deepEqual(items, [...Array(items.length).keys()]);
    },
  },
  {
    name: "large arguments of an actor",
    weight: 1,
    async run({ random }) {
      const actor = patient.remote();
      const bytes = new Uint8Array(200_000 + randomBelow(random, 1_000_000)).fill(1);
      const ref = put(bytes);
      assert.deepEqual(await get([actor.sum.remote(ref), actor.sum.remote(bytes)]), [bytes.byteLength, bytes.byteLength]);
    },
  },
  {
    name: "a pool of actors",
    weight: 0.5,
    async run() {
      const pool = new ActorPool([patient.remote(), patient.remote()]);
      const results: unknown[] = [];
      for await (const result of pool.map((actor, x: number) => actor.double.remote(x), [1, 2, 3, 4, 5])) results.push(result);
      assert.deepEqual(results, [2, 4, 6, 8, 10]);
    },
  },
  { name: "a queue", weight: 0.5, run: fillAndEmpty },
];

/** The queue's actor and its writer may be shot: then it ends early, with what came in order. */
async function fillAndEmpty(context: OperationContext): Promise<void> {
  const queue = new Queue<number>({ maxSize: 8 });
  const items: number[] = [];
  const filling = outcome(context, fill.remote(queue, QUEUE_ITEMS), ["WORKER_CRASHED", "ACTOR_DIED"]);
  let isDead = false;
  try {
    while (items.length < QUEUE_ITEMS) items.push(await queue.get({ timeoutMs: 10_000 }));
  } catch (error) {
    isDead = allowedCode(context, error, ["ACTOR_DIED", "QUEUE_EMPTY"]) === "ACTOR_DIED";
  }
  await queue.shutdown().catch((error: unknown) => allowedCode(context, error, ["ACTOR_DIED"]));
  const filled = await filling;
  assert.deepEqual(items, [...Array(items.length).keys()]);
  assert.ok(items.length === QUEUE_ITEMS || isDead || "code" in filled, `${items.length} items came, and nobody had died`);
}

const QUEUE_ITEMS = 30;
