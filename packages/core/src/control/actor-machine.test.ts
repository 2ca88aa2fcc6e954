import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Machine, printTable } from "../base/machine.ts";
import {
  type ActorEffect,
  type ActorEvent,
  type ActorState,
  actorEvents,
  actorTable,
  firstLife,
  GRACE_MS,
  type Home,
} from "./actor-machine.ts";

type ActorMachine = Machine<ActorState, ActorEvent, ActorEffect>;

const home: Home = { nodeId: "n1", workerId: "w1", address: "a1", pid: 7 };
const crash = { kind: "signal", signal: "SIGKILL" };

function actor(maxRestarts: number, ...events: ActorEvent[]): { machine: ActorMachine; last: readonly ActorEffect[] } {
  const machine: ActorMachine = new Machine("actor", actorTable, { kind: "registering", life: firstLife(maxRestarts) });
  let last: readonly ActorEffect[] = [];
  for (const event of events) last = machine.handle(event, 0);
  return { machine, last };
}

const toCreating: ActorEvent[] = [{ kind: "registered" }, { kind: "placed", nodeId: "n1" }];
const toAlive: ActorEvent[] = [...toCreating, { kind: "started", incarnation: 1, home }];

function kinds(effects: readonly ActorEffect[]): string[] {
  return effects.map(({ kind }) => kind);
}

test("actor machine: the table is the one that was reviewed", () => {
  const path = new URL("actor-machine.golden.txt", import.meta.url);
  const printed = printTable(actorTable, actorEvents);
  if (process.env.RAIA_WRITE_GOLDEN === "1") writeFileSync(path, printed);
  assert.equal(printed, readFileSync(path, "utf8"), "run with RAIA_WRITE_GOLDEN=1 if the change is meant");
});

test("actor machine: a crash restarts it under the next number, which is durable before it starts", () => {
  const { machine, last } = actor(1, ...toAlive, { kind: "workerDied", incarnation: 1, cause: crash });

  assert.deepEqual(machine.state, { kind: "pending", life: { incarnation: 2, restarts: 1, maxRestarts: 1, quickDeaths: 1 } });
  assert.deepEqual(kinds(last), ["persist", "publish", "place"]);
});

test("actor machine: without restarts left it dies of its last crash", () => {
  const { machine, last } = actor(0, ...toAlive, { kind: "workerDied", incarnation: 1, cause: crash });

  assert.deepEqual(machine.state, { kind: "dead", life: firstLife(0), end: { cause: crash } });
  assert.deepEqual(kinds(last), ["persist", "forgetName", "publish"]);
});

test("actor machine: a constructor that throws ends it, whatever restarts remain", () => {
  const end = { cause: { kind: "constructor-failed" }, error: new Uint8Array([1]) };
  const { machine } = actor(-1, ...toCreating, { kind: "creationFailed", incarnation: 1, end });

  assert.deepEqual(machine.state, { kind: "dead", life: firstLife(-1), end });
});

test("actor machine: killed while it is created, it is stopped, and stopped again should it come up late", () => {
  const { machine, last } = actor(-1, ...toCreating, { kind: "killRequested", noRestart: true });
  assert.equal(machine.state.kind, "dead");
  assert.deepEqual(last[0], { kind: "stopOnNode", nodeId: "n1", incarnation: 1, graceMs: 0 });

  const late = machine.handle({ kind: "started", incarnation: 1, home }, 1);

  assert.deepEqual(late, [{ kind: "stopOnNode", nodeId: "n1", incarnation: 1, graceMs: 0 }]);
});

test("actor machine: a kill that allows restarts waits for the old process before the next one is placed", () => {
  const { machine, last } = actor(1, ...toAlive, { kind: "killRequested", noRestart: false });
  assert.equal(machine.state.kind, "replacing");
  assert.deepEqual(kinds(last), ["persist", "stopOnNode", "publish"]);

  assert.deepEqual(kinds(machine.handle({ kind: "stopped", incarnation: 1 }, 0)), ["place"]);
  assert.equal(machine.state.life.restarts, 1);
});

test("actor machine: while the old process is there, the end of an even older one does not start the next", () => {
  const { machine } = actor(
    -1,
    ...toAlive,
    { kind: "workerDied", incarnation: 1, cause: crash },
    { kind: "placed", nodeId: "n1" },
    { kind: "started", incarnation: 2, home },
    { kind: "killRequested", noRestart: false },
  );

  assert.deepEqual(machine.handle({ kind: "workerDied", incarnation: 1, cause: crash }, 0), []);
  assert.equal(machine.state.kind, "replacing");
});

test("actor machine: a kill that allows restarts, when none remain, ends it", () => {
  assert.equal(actor(0, ...toAlive, { kind: "killRequested", noRestart: false }).machine.state.kind, "dead");
});

test("actor machine: out of scope, it may finish; its crash meanwhile is no reason to restart it", () => {
  const { machine, last } = actor(-1, ...toAlive, { kind: "outOfScope" });
  assert.deepEqual(last, [{ kind: "persist" }, { kind: "stopOnNode", nodeId: "n1", incarnation: 1, graceMs: GRACE_MS }]);

  machine.handle({ kind: "workerDied", incarnation: 1, cause: crash }, 0);

  assert.deepEqual(machine.state, { kind: "dead", life: firstLife(-1), end: { cause: { kind: "out-of-scope" } } });
});

test("actor machine: a node that refuses costs no restart", () => {
  const { machine } = actor(0, ...toCreating, { kind: "refused", incarnation: 1 });

  assert.deepEqual(machine.state, { kind: "pending", life: { ...firstLife(0), incarnation: 2 } });
});

test("actor machine: the death of another node, or of an older incarnation, changes nothing", () => {
  const { machine } = actor(-1, ...toAlive, { kind: "workerDied", incarnation: 1, cause: crash }, { kind: "placed", nodeId: "n2" });
  const before = machine.state;

  const effects = [
    ...machine.handle({ kind: "nodeDied", nodeId: "n1" }, 0),
    ...machine.handle({ kind: "workerDied", incarnation: 1, cause: crash }, 0),
    ...machine.handle({ kind: "exited", incarnation: 1, cause: crash }, 0),
  ];

  assert.deepEqual(machine.state, before);
  assert.deepEqual(effects, []);
});

test("actor machine: it dies at once of quick deaths ever more slowly, and a long life forgives", () => {
  const { machine } = actor(-1, { kind: "registered" });
  const delays: number[] = [];
  let nowMs = 0;
  for (const livedMs of [0, 0, 0, 0, 0, 0, 0, 0, 0, 10_000, 0]) {
    const { incarnation } = machine.state.life;
    machine.handle({ kind: "placed", nodeId: "n1" }, nowMs);
    machine.handle({ kind: "started", incarnation, home }, nowMs);
    nowMs += livedMs;
    const effects = machine.handle({ kind: "workerDied", incarnation, cause: crash }, nowMs);
    delays.push(...effects.flatMap((effect) => (effect.kind === "place" ? [effect.delayMs] : [])));
  }

  assert.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 0, 0]);
});

/** What the nodes do with an actor: processes that run it, calls on their way. */
class World {
  readonly machine: ActorMachine;
  /** Incarnation to its node, from the request to start it until its end. */
  readonly processes = new Map<number, string>();
  /** Told to go, so they count no more. */
  readonly stopped = new Set<number>();
  readonly started: number[] = [];
  readonly said: ActorEvent[] = [];
  isToBePlaced = false;
  /** A node that died comes back under another id. */
  deadNodes = 0;
  nowMs = 0;

  constructor(maxRestarts: number) {
    this.machine = new Machine("actor", actorTable, { kind: "registering", life: firstLife(maxRestarts) });
  }

  feed(event: ActorEvent): void {
    const wasDead = this.machine.state.kind === "dead" ? this.machine.state : undefined;
    const effects = this.machine.handle(event, this.nowMs);
    this.nowMs += 1000;
    for (const effect of effects) this.#perform(effect);
    const { state } = this.machine;
    if (wasDead !== undefined) assert.deepEqual(state, wasDead, "dead is final");
    const live = [...this.processes.keys()].filter((incarnation) => !this.stopped.has(incarnation));
    assert.ok(live.length <= 1, `two live incarnations: ${live.join()}; ${this.machine.story.join(", ")}`);
    const { restarts, maxRestarts } = state.life;
    assert.ok(maxRestarts < 0 || restarts <= maxRestarts, "more restarts than allowed");
    if (state.kind === "dead") assert.deepEqual(live, [], "a dead actor lives on");
  }

  #perform(effect: ActorEffect): void {
    if (effect.kind === "place") this.isToBePlaced = true;
    if (effect.kind === "startOnNode") {
      assert.ok(effect.incarnation > (this.started.at(-1) ?? 0), "numbers only rise");
      assert.equal(this.processes.size, 0, "started while the last one is still there");
      this.started.push(effect.incarnation);
      this.processes.set(effect.incarnation, effect.nodeId);
    }
    if (effect.kind === "stopOnNode") this.stopped.add(effect.incarnation);
  }

  /** One thing that may happen next, chosen by `dice`; `undefined` when the choice means nothing now. */
  event(dice: number, detail: number): ActorEvent | undefined {
    const { state } = this.machine;
    const incarnation = [...this.processes.keys()][detail % Math.max(1, this.processes.size)];
    const nodeId = incarnation === undefined ? undefined : this.processes.get(incarnation);
    const asks: ActorEvent[] = [
      { kind: "killRequested", noRestart: true },
      { kind: "killRequested", noRestart: false },
      { kind: "outOfScope" },
      { kind: "ownerEnded" },
      { kind: "jobEnded" },
    ];
    if (state.kind === "registering") return dice % 8 === 0 ? asks[detail % asks.length] : { kind: "registered" };
    if (dice < 20) return asks[detail % asks.length];
    switch (dice % 16) {
      case 1:
        // Everything that was ever said may be heard again.
        return this.said[detail % Math.max(1, this.said.length)];
      case 2:
        return this.#gone(incarnation, { kind: "refused", incarnation: incarnation ?? 0 });
      case 3:
        return this.#gone(incarnation, { kind: "creationFailed", incarnation: incarnation ?? 0, end: { cause: crash } });
      case 4:
        return this.#gone(incarnation, { kind: "exited", incarnation: incarnation ?? 0, cause: crash });
      case 5:
      case 6:
      case 7:
        return this.#gone(incarnation, { kind: "workerDied", incarnation: incarnation ?? 0, cause: crash });
      case 8:
        this.deadNodes++;
        for (const [other, where] of this.processes) if (where === nodeId) this.processes.delete(other);
        return nodeId === undefined ? undefined : { kind: "nodeDied", nodeId };
      case 9:
        return incarnation !== undefined && this.stopped.has(incarnation)
          ? this.#gone(incarnation, { kind: "stopped", incarnation })
          : undefined;
      case 10:
      case 11:
      case 12:
        if (state.kind !== "pending" || !this.isToBePlaced) return undefined;
        this.isToBePlaced = false;
        return { kind: "placed", nodeId: `n${detail % 3}.${this.deadNodes}` };
      default:
        return incarnation === undefined || nodeId === undefined ? undefined : { kind: "started", incarnation, home: { ...home, nodeId } };
    }
  }

  #gone(incarnation: number | undefined, event: ActorEvent): ActorEvent | undefined {
    if (incarnation === undefined) return undefined;
    this.processes.delete(incarnation);
    return event;
  }
}

test("actor machine: whatever happens in whatever order, one incarnation lives, restarts are counted, dead is final", () => {
  const steps = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: 10, maxLength: 80, size: "max" });
  let restarted = 0;
  fc.assert(
    fc.property(fc.integer({ min: -1, max: 3 }), steps, (maxRestarts, choices) => {
      const world = new World(maxRestarts);
      for (const [dice, detail] of choices) {
        const event = world.event(dice, detail);
        if (event === undefined) continue;
        if ("incarnation" in event || event.kind === "nodeDied") world.said.push(event);
        world.feed(event);
      }
      if (world.machine.state.life.restarts > 1) restarted++;
    }),
    { numRuns: 500, seed: 3 },
  );
  assert.ok(restarted > 20, "the sequences must reach the states that matter");
});
