import assert from "node:assert/strict";
import { test } from "node:test";
import type { ActorSpec } from "../messages/control.ts";
import { actorSpec, ControlFixture } from "./control-fixture.ts";
import type { ControlOptions } from "./control-server.ts";
import { MemoryRecordStore } from "./memory-record-store.ts";
import type { RecordChange } from "./record-store.ts";

/** A cluster of one node, a driver, and what the driver asks for when it makes an actor. */
async function newActor(more: Partial<ActorSpec> = {}, options: Partial<ControlOptions> = {}) {
  const fixture = await ControlFixture.start(options);
  const node = await fixture.node();
  const { peer, jobId } = await fixture.driver();
  return { fixture, node, peer, jobId, spec: actorSpec(jobId, "driver", more) };
}

const crash = { kind: "signal", signal: "SIGKILL" };

test("actors: created, placed, started; who watches hears of it", async () => {
  const { fixture, node, peer, spec } = await newActor();

  await peer.createActor(spec);
  await fixture.settle();

  assert.deepEqual(node.started, ["Counter 1"]);
  assert.deepEqual(peer.views.at(-1), {
    actorId: spec.actorId,
    state: "alive",
    incarnation: 1,
    address: "n1/1",
    workerId: "n1-w1",
    nodeId: "n1",
    pid: 101,
  });
});

test("actors: a crash restarts, the one after the last kills, and the cause is told", async () => {
  const { fixture, node, peer, spec } = await newActor({ maxRestarts: 1 });
  const { actorId } = spec;
  await peer.createActor(spec);

  void node.reports.actorEnded({ actorId, incarnation: 1, cause: crash, intended: false });
  await fixture.settle();
  void node.reports.actorEnded({ actorId, incarnation: 1, cause: crash, intended: false });
  await fixture.settle();
  assert.equal(peer.heard.at(-1), "alive 2");
  void node.reports.actorEnded({ actorId, incarnation: 2, cause: crash, intended: false });
  await fixture.settle();

  assert.deepEqual(peer.heard, ["pending 1", "alive 1", "restarting 2", "alive 2", "dead 2"]);
  assert.deepEqual(peer.views.at(-1)?.cause, crash);
  const { actors } = await fixture.answer(peer.control.listActors({ limit: 10 }));
  assert.deepEqual(
    actors.map(({ state, restarts, deathCause }) => [state, restarts, deathCause]),
    [["dead", 1, crash]],
  );
});

test("actors: an error in the constructor travels to those who watch", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  node.onStart = () => ({ status: "failed", error: new Uint8Array([9]) });
  const { peer, jobId } = await fixture.driver();

  await peer.createActor(actorSpec(jobId, "driver", { maxRestarts: -1 }));
  await fixture.settle();

  assert.deepEqual(node.started, ["Counter 1"]);
  assert.equal(peer.views.at(-1)?.cause?.kind, "constructor-failed");
  assert.deepEqual([...(peer.views.at(-1)?.error ?? [])], [9]);
});

test("actors: the end that overtakes the start is not lost", async () => {
  const { fixture, node, peer, spec } = await newActor();
  node.onStart = () => {
    void node.reports.actorEnded({ actorId: spec.actorId, incarnation: 1, cause: crash, intended: false });
    return node.alive();
  };

  await peer.createActor(spec);
  await fixture.settle();

  assert.deepEqual(peer.heard, ["pending 1", "dead 1"]);
});

test("actors: a watcher may come before the actor is registered, and hears how that ends", async () => {
  const fixture = await ControlFixture.start();
  await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const early = await fixture.peer();
  const first = actorSpec(jobId, "driver");
  const second = actorSpec(jobId, "driver");
  const { view } = await fixture.answer(early.control.watchActor({ actorId: first.actorId }));
  await fixture.answer(early.control.watchActor({ actorId: second.actorId }));
  assert.deepEqual(view, { actorId: first.actorId, state: "pending", incarnation: 0 });

  await peer.createActor(first);
  void peer.control.actorOutOfScope({ actorId: second.actorId });
  await fixture.settle();

  assert.deepEqual(early.heard, ["pending 1", "alive 1", "dead 0"]);
  await assert.rejects(fixture.answer(peer.control.createActor({ spec: second, getIfExists: false })), { code: "ACTOR_DIED" });
});

test("actors: a name is taken once, shared with getIfExists, and free when the kill is acknowledged", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const named = { name: "hits", namespace: "space" };
  const [first, second, third] = [actorSpec(jobId, "driver", named), actorSpec(jobId, "driver", named), actorSpec(jobId, "driver", named)];
  // Both in one turn: the second waits for the first to be registered.
  const both = Promise.all([
    peer.control.createActor({ spec: first, getIfExists: true }),
    peer.control.createActor({ spec: second, getIfExists: true }),
  ]);
  const [a, b] = await fixture.answer(both);
  assert.deepEqual([a.existed, b.existed, b.actorId], [false, true, first.actorId]);
  await assert.rejects(fixture.answer(peer.control.createActor({ spec: third, getIfExists: false })), { code: "ACTOR_NAME_TAKEN" });
  const found = await fixture.answer(peer.control.getActorByName(named));
  assert.deepEqual([found.actorId, found.className, [...found.methods]], [first.actorId, "Counter", [3]]);

  await fixture.answer(peer.control.killActor({ actorId: first.actorId, noRestart: true }));

  await assert.rejects(fixture.answer(peer.control.getActorByName(named)), { code: "ACTOR_NOT_FOUND" });
  assert.equal((await fixture.answer(peer.control.createActor({ spec: third, getIfExists: false }))).existed, false);
  assert.equal(node.stopped.length, 1);
});

test("actors: the same request twice makes one actor", async () => {
  const { fixture, node, peer, spec } = await newActor();

  await peer.createActor(spec);
  const again = await fixture.answer(peer.control.createActor({ spec, getIfExists: false }));

  assert.deepEqual([again.existed, node.started.length], [false, 1]);
});

test("actors: unnamed ones go with their owner, named ones with their job, detached ones with nobody", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const watcher = await fixture.peer();
  const unnamed = actorSpec(jobId, "worker");
  const named = actorSpec(jobId, "worker", { name: "a" });
  const detached = actorSpec(jobId, "worker", { name: "b", detached: true });
  for (const spec of [unnamed, named, detached]) await watcher.createActor(spec);
  const causes = (): unknown[] => watcher.views.flatMap(({ actorId, cause }) => (cause === undefined ? [] : [[actorId, cause.kind]]));

  void node.reports.ownerEnded({ workerId: "worker" });
  await fixture.settle();
  assert.deepEqual(causes(), [[unnamed.actorId, "owner-ended"]]);
  await assert.rejects(fixture.answer(peer.control.createActor({ spec: actorSpec(jobId, "worker"), getIfExists: false })), {
    code: "OWNER_DIED",
  });

  await fixture.answer(peer.control.finishJob({ jobId }));
  assert.deepEqual(causes().slice(1), [[named.actorId, "job-ended"]]);
  assert.deepEqual(node.endedJobs, [jobId]);
  assert.equal((await fixture.answer(watcher.control.getActorByName({ name: "b", namespace: "space" }))).actorId, detached.actorId);
});

test("actors: what a detached actor creates after its job is over lives, and ends with it", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const watcher = await fixture.peer();
  const parent = actorSpec(jobId, "driver", { name: "parent", detached: true });
  await watcher.createActor(parent);
  await fixture.settle();
  await fixture.answer(peer.control.putFunction({ hash: "f", jobId, code: new Uint8Array([1]) }));
  await fixture.answer(peer.control.finishJob({ jobId }));

  const child = actorSpec(jobId, "n1-w1");
  await watcher.createActor(child);
  await fixture.settle();
  assert.equal(watcher.views.at(-1)?.state, "alive");
  await assert.rejects(fixture.answer(watcher.control.createActor({ spec: actorSpec(jobId, "driver"), getIfExists: false })), {
    code: "OWNER_DIED",
  });
  assert.equal(fixture.server.counters.functions.functions, 1);

  await fixture.answer(watcher.control.killActor({ actorId: parent.actorId, noRestart: true }));
  void node.reports.ownerEnded({ workerId: "n1-w1" });
  await fixture.settle();

  assert.deepEqual([watcher.views.at(-1)?.actorId, watcher.views.at(-1)?.cause?.kind], [child.actorId, "owner-ended"]);
  // With the last of its actors the code of the job goes.
  assert.equal(fixture.server.counters.functions.functions, 0);
});

test("actors: out of scope, it may finish what it has, and is alive until then", async () => {
  const { fixture, node, peer, spec } = await newActor();
  await peer.createActor(spec);
  await fixture.settle();
  const stopping = Promise.withResolvers<void>();
  node.onStop = () => stopping.promise;

  void peer.control.actorOutOfScope({ actorId: spec.actorId });
  await fixture.settle();
  assert.deepEqual([node.stopped[0]?.slice(2), peer.heard.at(-1)], [" 1 30000", "alive 1"]);
  stopping.resolve();
  await fixture.settle();

  assert.equal(peer.views.at(-1)?.cause?.kind, "out-of-scope");
});

test("actors: named ones do not go with their handles", async () => {
  const { fixture, node, peer, spec } = await newActor({ name: "stays" });
  await peer.createActor(spec);

  void peer.control.actorOutOfScope({ actorId: spec.actorId });
  await fixture.settle();

  assert.deepEqual([node.stopped, peer.heard.at(-1)], [[], "alive 1"]);
});

test("actors: arguments of a detached actor have a limit, others have none of their own", async () => {
  const fixture = await ControlFixture.start({ limits: { maxDetachedArgsBytes: 10 } });
  await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const args = new Uint8Array(11);

  await assert.rejects(
    fixture.answer(peer.control.createActor({ spec: actorSpec(jobId, "driver", { args, name: "a", detached: true }), getIfExists: false })),
    { code: "LIMIT_EXCEEDED", facts: { limit: "maxDetachedArgsBytes", maximum: 10, wanted: 11 } },
  );
  await peer.createActor(actorSpec(jobId, "driver", { args }));
});

test("actors: a wrong selector is refused at once, by name", async () => {
  const fixture = await ControlFixture.start();
  const { peer, jobId } = await fixture.driver();
  const spec = actorSpec(jobId, "driver");
  const wrong = { ...spec, demand: { ...spec.demand, labelSelector: { region: "a b" } } };

  await assert.rejects(fixture.answer(peer.control.createActor({ spec: wrong, getIfExists: false })), { code: "INVALID_OPTION" });
  assert.equal(fixture.server.counters.actors.live, 0);
});

test("actors: what no node can run is given up with numbers; a node that joins gives it more time", async () => {
  const fixture = await ControlFixture.start();
  await fixture.node("n1", { cpus: 2 });
  const { peer, jobId } = await fixture.driver();
  const spec = actorSpec(jobId, "driver", { runResources: { CPU: 40_000 } });
  await peer.createActor(spec);
  const explained = await fixture.answer(peer.control.explainActor({ actorId: spec.actorId }));
  assert.deepEqual(explained, { state: "pending", reasons: ["node n1: needs CPU 4, node has 2 in total, 2 free"] });

  await fixture.pass(4_000);
  await fixture.node("n2", { cpus: 3 });
  await fixture.pass(4_000);
  assert.equal(peer.heard.at(-1), "pending 1");
  await fixture.pass(1_000);

  const cause = peer.views.at(-1)?.cause;
  assert.equal(cause?.kind, "unschedulable");
  assert.match(JSON.stringify(cause?.facts), /node n1: needs CPU 4, node has 2 in total.*node n2: needs CPU 4, node has 3 in total/);
});

test("actors: with one node that could run it, it queues there; with several, it goes where room comes first", async () => {
  const fixture = await ControlFixture.start();
  const one = await fixture.node("n1", { cpus: 2 });
  const { peer, jobId } = await fixture.driver();
  await one.report(0);
  one.onStart = () => new Promise(() => {});
  const queued = actorSpec(jobId, "driver", { runResources: { CPU: 10_000 } });
  await peer.createActor(queued);
  assert.deepEqual(one.started, ["Counter 1"]);
  const explained = await fixture.answer(peer.control.explainActor({ actorId: queued.actorId }));
  assert.deepEqual(explained, { state: "queued", reasons: ["needs CPU 1, node has 1 in total, 0 free"] });

  const two = await fixture.node("n2", { cpus: 2 });
  await two.report(0);
  await peer.createActor(actorSpec(jobId, "driver", { runResources: { CPU: 10_000 } }));
  assert.deepEqual([one.started.length, two.started.length], [1, 0]);
  await two.report(1);

  assert.deepEqual([one.started.length, two.started.length], [1, 1]);
});

test("actors: what is placed in one burst counts before the node reports it", async () => {
  const fixture = await ControlFixture.start();
  const nodes = [await fixture.node("n1", { cpus: 2 }), await fixture.node("n2", { cpus: 2 })];
  const { peer, jobId } = await fixture.driver();

  await fixture.answer(
    Promise.all(
      [1, 2, 3, 4].map(() =>
        peer.control.createActor({ spec: actorSpec(jobId, "driver", { runResources: { CPU: 10_000 } }), getIfExists: false }),
      ),
    ),
  );
  await fixture.settle();

  assert.deepEqual(
    nodes.map(({ started }) => started.length),
    [2, 2],
  );
});

test("actors: a node that refuses is asked again, under the next number", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const { peer, jobId } = await fixture.driver();
  let refusals = 1;
  node.onStart = () => (refusals-- > 0 ? { status: "refused" } : node.alive());

  await peer.createActor(actorSpec(jobId, "driver"));
  await fixture.pass(100);

  assert.deepEqual([node.started, peer.heard.at(-1)], [["Counter 1", "Counter 2"], "alive 2"]);
});

test("actors: a node that refuses and says why speaks for the cluster", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const cause = { kind: "unschedulable", facts: { code: "RUNTIME_ENV_FAILED" } };
  node.onStart = () => ({ status: "refused", cause });

  await peer.createActor(actorSpec(jobId, "driver", { maxRestarts: -1 }));
  await fixture.pass(1_000);

  assert.deepEqual([node.started.length, peer.views.at(-1)?.cause], [1, cause]);
});

test("actors: a kill that allows restarts does, though the node calls the end intended", async () => {
  const { fixture, node, peer, spec } = await newActor({ maxRestarts: 1 });
  const { actorId } = spec;
  await peer.createActor(spec);
  await fixture.settle();
  node.onStop = () => {
    void node.reports.actorEnded({ actorId, incarnation: 1, cause: { kind: "killed-by-user" }, intended: true });
    return Promise.resolve();
  };

  await fixture.answer(peer.control.killActor({ actorId, noRestart: false }));

  assert.deepEqual(peer.heard, ["pending 1", "alive 1", "restarting 2", "alive 2"]);
});

test("actors: a node that cannot start it says why", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const { peer, jobId } = await fixture.driver();
  node.onStart = (spec) => Promise.reject(new (class extends Error {})(`no ${spec.className}`));

  await peer.createActor(actorSpec(jobId, "driver"));
  await fixture.settle();

  assert.equal(peer.views.at(-1)?.cause?.kind, "start-failed");
  assert.match(JSON.stringify(peer.views.at(-1)?.cause?.facts), /no Counter/);
});

test("actors: a node's death restarts what may restart, elsewhere, and ends what its processes own", async () => {
  const fixture = await ControlFixture.start();
  const one = await fixture.node("n1");
  const { peer, jobId } = await fixture.driver();
  await peer.createActor(actorSpec(jobId, "driver", { maxRestarts: -1, className: "Parent" }));
  await fixture.settle();
  await peer.createActor(actorSpec(jobId, "n1-w1", { className: "ChildOfActor", maxRestarts: -1 }));
  await peer.createActor(actorSpec(jobId, "task", { className: "ChildOfTask", ownerNodeId: "n1", maxRestarts: -1 }));
  const two = await fixture.node("n2");
  const from = peer.views.length;

  await one.lose();
  assert.equal(peer.views.length, from);
  await fixture.pass(500);

  assert.deepEqual(two.started, ["Parent 2"]);
  const later = peer.views.slice(from).map(({ state, cause }) => cause?.kind ?? state);
  assert.deepEqual(later.toSorted(), ["alive", "owner-ended", "owner-ended", "restarting", "restarting", "restarting"]);
});

test("actors: a node that returns in time keeps its actors, is asked again, and what it lost is restarted", async () => {
  const fixture = await ControlFixture.start();
  const node = await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const [kept, lost, starting] = [1, 2, 3].map(() => actorSpec(jobId, "driver", { maxRestarts: -1 })) as [
    ReturnType<typeof actorSpec>,
    ReturnType<typeof actorSpec>,
    ReturnType<typeof actorSpec>,
  ];
  await peer.createActor(kept);
  await peer.createActor(lost);
  node.onStart = () => new Promise(() => {});
  await peer.createActor(starting);
  await node.lose();
  await fixture.pass(300);

  node.onStart = () => node.alive();
  node.hosted = [
    { actorId: kept.actorId, incarnation: 1 },
    { actorId: "ff".padEnd(24, "0") + jobId, incarnation: 4 },
  ];
  node.started.length = 0;
  peer.views.length = 0;
  await node.join();
  await fixture.pass(1_000);

  const states = peer.views.map(
    ({ actorId, state, incarnation }) => `${actorId === lost.actorId ? "lost" : "starting"} ${state} ${incarnation}`,
  );
  assert.deepEqual(states.toSorted(), ["lost alive 2", "lost restarting 2", "starting alive 1"]);
  assert.deepEqual(node.stopped, ["ff 4 0"]);
});

test("actors: the dead are a short history, and then still known to be dead, and of what", async () => {
  const fixture = await ControlFixture.start({ limits: { maxDeadActors: 2 } });
  await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const specs = [1, 2, 3].map(() => actorSpec(jobId, "driver"));
  for (const spec of specs) {
    await peer.createActor(spec);
    await fixture.answer(peer.control.killActor({ actorId: spec.actorId, noRestart: true }));
  }

  const { actors, total } = await fixture.answer(peer.control.listActors({ limit: 10 }));
  assert.deepEqual([actors.map(({ actorId }) => actorId), total], [[specs[2]?.actorId, specs[1]?.actorId], 2]);
  assert.equal(fixture.server.counters.actors.forgotten, 1);
  const { view } = await fixture.answer(peer.control.watchActor({ actorId: specs[0]?.actorId ?? "" }));
  assert.deepEqual([view.state, view.cause?.kind], ["dead", "killed-by-user"]);
});

test("actors: what is kept is what lives: the dead are not watched, and a closed connection watches nothing", async () => {
  const fixture = await ControlFixture.start();
  await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const other = await fixture.peer();
  const [killed, watched] = [actorSpec(jobId, "driver"), actorSpec(jobId, "driver")];
  for (const spec of [killed, watched]) {
    await peer.createActor(spec);
    await fixture.answer(other.control.watchActor({ actorId: spec.actorId }));
  }
  await fixture.answer(other.control.watchActor({ actorId: actorSpec(jobId, "driver").actorId }));
  const counts = (): number[] => [
    fixture.server.counters.actors.live,
    fixture.server.counters.actors.watches,
    fixture.server.counters.actors.awaited,
  ];
  assert.deepEqual(counts(), [2, 5, 1]);

  await fixture.answer(peer.control.killActor({ actorId: killed.actorId, noRestart: true }));
  assert.deepEqual(counts(), [1, 3, 1]);
  await other.leave();

  assert.deepEqual(counts(), [1, 1, 0]);
});

test("actors: a kill of one that never was is an error, of one that is dead is none", async () => {
  const { fixture, peer, spec } = await newActor();
  await peer.createActor(spec);

  await fixture.answer(peer.control.killActor({ actorId: spec.actorId, noRestart: true }));
  await fixture.answer(peer.control.killActor({ actorId: spec.actorId, noRestart: true }));
  const other = "ab".padEnd(24, "0") + "99999999";
  await assert.rejects(fixture.answer(peer.control.killActor({ actorId: other, noRestart: true })), { code: "ACTOR_NOT_FOUND" });
});

/** A store whose writes end when the test says, or fail. */
class SlowStore extends MemoryRecordStore {
  gate: Promise<void> = Promise.resolve();

  override async write(changes: readonly RecordChange[]): Promise<void> {
    await this.gate;
    await super.write(changes);
  }
}

test("actors: nobody is told of a restart, and nothing starts, before its number is durable", async () => {
  const store = new SlowStore();
  const { fixture, node, peer, spec } = await newActor({ maxRestarts: 1 }, { store });
  await peer.createActor(spec);
  await fixture.settle();
  const { promise, resolve } = Promise.withResolvers<void>();
  store.gate = promise;

  void node.reports.actorEnded({ actorId: spec.actorId, incarnation: 1, cause: crash, intended: false });
  await fixture.settle();
  assert.deepEqual([node.started.length, peer.heard.at(-1)], [1, "alive 1"]);
  resolve();
  await fixture.settle();

  assert.deepEqual([node.started.length, peer.heard.at(-1)], [2, "alive 2"]);
});

test("actors: reports of an actor that was never started, or of incarnations to come, change nothing", async () => {
  const store = new SlowStore();
  const fixture = await ControlFixture.start({ store });
  const node = await fixture.node();
  const { peer, jobId } = await fixture.driver();
  const { promise, resolve } = Promise.withResolvers<void>();
  store.gate = promise;
  const spec = actorSpec(jobId, "driver");
  const { actorId } = spec;
  const created = peer.control.createActor({ spec, getIfExists: false });
  await fixture.settle();

  void node.reports.actorEnded({ actorId, incarnation: 1, cause: crash, intended: false });
  void node.reports.actorEnded({ actorId: "unknown", incarnation: 1, cause: crash, intended: true });
  await fixture.settle();
  resolve();
  await fixture.answer(created);
  void node.reports.actorEnded({ actorId, incarnation: 2, cause: crash, intended: true });
  await fixture.settle();

  assert.equal((await fixture.answer(peer.control.watchActor({ actorId }))).view.state, "alive");
});

test("actors: while nothing can be written, creating fails, a kill stops and says so, and both mend", async () => {
  const store = new SlowStore();
  const { fixture, node, peer, jobId, spec } = await newActor({ name: "a" }, { store });
  await peer.createActor(spec);
  await fixture.settle();
  store.gate = Promise.reject(new Error("disk full"));
  store.gate.catch(() => {});

  await assert.rejects(fixture.answer(peer.control.createActor({ spec: actorSpec(jobId, "driver", { name: "b" }), getIfExists: false })));
  await assert.rejects(fixture.answer(peer.control.killActor({ actorId: spec.actorId, noRestart: true })));
  assert.equal(node.stopped.length, 1);
  assert.equal(peer.heard.at(-1), "alive 1");
  store.gate = Promise.resolve();
  await fixture.pass(1_000);

  assert.equal(peer.heard.at(-1), "dead 1");
  for (const name of ["a", "b"]) await peer.createActor(actorSpec(jobId, "driver", { name }));
});
