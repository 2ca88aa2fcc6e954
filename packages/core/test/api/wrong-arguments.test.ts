/** Wrong arguments of calls that act at once: each is told where it is made, and the session goes on. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import test, { after, before } from "node:test";
import {
  type ActorHandle,
  ActorPool,
  cancel,
  free,
  get,
  getActor,
  init,
  kill,
  listActors,
  listJobs,
  listObjects,
  listTasks,
  listWorkers,
  nodes,
  type ObjectRef,
  onOutOfScope,
  put,
  Queue,
  registerContext,
  remote,
  shutdown,
  wait,
  withTraceContext,
} from "@raia/core";

before(async () => {
  await init({ address: "local", numCpus: 2 });
});

after(shutdown);

class Named {
  answer(): number {
    return 42;
  }
}

test("a wrong name, namespace or option reaches no other process: the actor is still there", async () => {
  const actor = remote(Named, { name: "still-there" }).remote();
  assert.equal(await get(actor.answer.remote()), 42);
  for (const name of [5, null, undefined, "", [], "n".repeat(257)])
    await assert.rejects(getActor(name as never), { code: "INVALID_ARGUMENT" });
  await assert.rejects(getActor("still-there", { namespace: 5 as never }), { code: "INVALID_OPTION", message: /namespace must be text/ });
  await assert.rejects(getActor("still-there", null as never), { code: "INVALID_OPTION", message: /must be a record/ });
  const misspelt: object = { nameSpac: "a" };
  await assert.rejects(getActor("still-there", misspelt), { code: "INVALID_OPTION", message: /did you mean namespace/ });
  await assert.rejects(kill(actor, { noRestart: 5 as never }), { code: "INVALID_OPTION", message: /noRestart must be true or false/ });
  const misspeltToo: object = { norestart: true };
  await assert.rejects(kill(actor, misspeltToo), { code: "INVALID_OPTION", message: /did you mean noRestart/ });
  await assert.rejects(kill(null as never), { code: "INVALID_ARGUMENT" });
  const again = await getActor<typeof actor>("still-there");
  assert.equal(await get(again.answer.remote()), 42);
});

test("get of a stream says how it is read", async () => {
  const stream = remote(function* () {
    yield 1;
  }).remote();
  await assert.rejects(get(stream as never), { code: "INVALID_ARGUMENT", message: /for await \(const ref of stream\)/ });
});

test("cancel, wait, free and get take refs and options of theirs", async () => {
  const ref = put(1);
  const misspelt: object = { forc: true };
  assert.throws(() => cancel(ref, misspelt), { code: "INVALID_OPTION", message: /did you mean force/ });
  assert.throws(() => cancel(ref, { recursive: 1 as never }), { code: "INVALID_OPTION" });
  const bogus: object = { bogus: 1 };
  const putAny: (value: unknown, options?: object) => unknown = put;
  assert.throws(() => putAny(1, bogus), { code: "INVALID_OPTION", message: /option=bogus rule=put has no options/ });
  assert.equal([1, 2].map(put).length, 2);
  const freeAny: (refs: never[], options?: object) => void = free;
  assert.throws(() => freeAny([], bogus), { code: "INVALID_OPTION", message: /free has no options/ });
  const timeout: object = { timeout: 5 };
  for (const refs of [ref, [ref], [], {}]) {
    await assert.rejects(get(refs as never, timeout), { code: "INVALID_OPTION", message: /did you mean timeoutMs/ });
    await assert.rejects(get(refs as never, 5 as never), { code: "INVALID_OPTION" });
    await assert.rejects(get(refs as never, { numReturns: 1 } as never), { code: "INVALID_OPTION", message: /get has timeoutMs, signal/ });
  }
  await assert.rejects(ref.get(timeout), { code: "INVALID_OPTION", message: /did you mean timeoutMs/ });
  await assert.rejects(wait([ref], { num_returns: 1 } as never), { code: "INVALID_OPTION", message: /did you mean numReturns/ });
  await assert.rejects(wait([ref], null as never), { code: "INVALID_OPTION" });
  await assert.rejects(wait([ref], 5 as never), { code: "INVALID_OPTION" });
  assert.throws(() => free(5 as never), { code: "INVALID_ARGUMENT", message: /an array of refs/ });
  assert.throws(() => free(null as never), { code: "INVALID_ARGUMENT" });
  for (const target of [Promise.resolve(ref), new Map([["a", ref]]), new Set([ref]), new Date()])
    await assert.rejects(get(target as never), { code: "INVALID_ARGUMENT", message: /a record of refs/ });
  const bare = Object.assign(Object.create(null) as object, { a: ref });
  assert.deepEqual(await get(bare), { a: 1 });
  assert.deepEqual(await get({}), {});
});

test("a misspelt size does not make a queue without one", () => {
  const misspelt: object = { maxsize: 5 };
  assert.throws(() => new Queue(misspelt), { code: "INVALID_OPTION", message: /did you mean maxSize/ });
  assert.throws(() => new Queue(null as never), { code: "INVALID_OPTION" });
  assert.throws(() => new Queue({ maxSize: -1 }), { code: "INVALID_OPTION" });
  const inner: object = { nam: "x" };
  assert.throws(() => new Queue({ actorOptions: inner }), {
    code: "INVALID_OPTION",
    message: /option=actorOptions\.nam .*did you mean name/,
  });
  const own: object = { maxConcurrency: 5 };
  assert.throws(() => new Queue({ actorOptions: own }), { code: "INVALID_OPTION", message: /option=actorOptions\.maxConcurrency/ });
});

test("a queue's waits and a pool take options of theirs", async () => {
  const queue = new Queue<number>();
  const timeout: object = { timeout: 5 };
  await assert.rejects(queue.put(1, timeout), { code: "INVALID_OPTION", message: /did you mean timeoutMs/ });
  await assert.rejects(queue.get(timeout), { code: "INVALID_OPTION", message: /did you mean timeoutMs/ });
  await assert.rejects(queue.get(null as never), { code: "INVALID_OPTION" });
  await assert.rejects(queue.putNowaitBatch(5 as never), { code: "INVALID_ARGUMENT", message: /an array of items/ });
  await queue.shutdown();

  assert.throws(() => new ActorPool([], { maxPending: 5 } as never), { code: "INVALID_OPTION", message: /ActorPool has no options/ });
  assert.throws(() => new ActorPool(5 as never), { code: "INVALID_ARGUMENT" });
  const pool = new ActorPool([remote(Named).remote()]);
  pool.submit((actor) => actor.answer.remote(), 1);
  await assert.rejects(pool.getNext(timeout), { code: "INVALID_OPTION", message: /did you mean timeoutMs/ });
  await assert.rejects(pool.getNextUnordered(timeout), { code: "INVALID_OPTION", message: /did you mean timeoutMs/ });
  assert.equal(await pool.getNext(), 42);
  const answer = (actor: ActorHandle<Named>): ObjectRef<number> => actor.answer.remote();
  assert.throws(() => pool.submit(5 as never, 1), { code: "INVALID_ARGUMENT", message: /a function of an actor and a value/ });
  assert.throws(() => pool.map(answer, 5 as never), { code: "INVALID_ARGUMENT", message: /an iterable of values/ });
  assert.throws(() => (pool.map as (...args: unknown[]) => unknown).call(pool, answer, [1], { ordered: false }), {
    code: "INVALID_OPTION",
  });
  pool.submit(() => 7 as never, 1);
  await assert.rejects(pool.getNext(), { code: "INVALID_ARGUMENT", message: /must give a ref/ });
});

test("options of a method that the class has not are refused where they are written", () => {
  const misspelt: object = { methods: { anser: { numReturns: 2 } } };
  assert.throws(() => remote(Named, misspelt), {
    code: "INVALID_OPTION",
    message: /option=methods\.anser .*did you mean answer\?/,
  });
  assert.throws(() => remote(Named).options(misspelt), { code: "INVALID_OPTION" });
});

test("listings refuse a limit that is none", async () => {
  for (const list of [listTasks, listActors, listObjects]) {
    for (const limit of ["x", -1, 1.5, Number.NaN, 2 ** 32])
      await assert.rejects(list({ limit: limit as number }), { code: "INVALID_OPTION", message: /limit must be a whole number/ });
    await assert.rejects(list(null as never), { code: "INVALID_OPTION" });
    const misspelt: object = { limits: 5 };
    await assert.rejects(list(misspelt), { code: "INVALID_OPTION", message: /did you mean limit/ });
    assert.ok(Array.isArray(await list({ limit: 5 })));
  }
  for (const list of [listWorkers, listJobs, nodes]) {
    const any: (options: object) => Promise<unknown> = list;
    await assert.rejects(any({ limit: 5 }), { code: "INVALID_OPTION", message: /has no options/ });
  }
});

test("a context needs a storage and an id", () => {
  assert.throws(() => registerContext(5 as never, { id: "a.b" }), { code: "INVALID_ARGUMENT" });
  for (const options of [undefined, null, 5, {}])
    assert.throws(() => registerContext(new AsyncLocalStorage<string>(), options as never), { code: "INVALID_ARGUMENT" });
  const misspelt: object = { id: "a.b", name: "x" };
  assert.throws(() => registerContext(new AsyncLocalStorage<string>(), misspelt as never), {
    code: "INVALID_OPTION",
    message: /option=name/,
  });
  for (const trace of [null, undefined, 5, {}])
    assert.throws(() => withTraceContext(trace as never, () => 1), { code: "INVALID_ARGUMENT" });
  assert.throws(() => onOutOfScope(put(1), 5 as never), { code: "INVALID_ARGUMENT", message: /expected=a function/ });
});
