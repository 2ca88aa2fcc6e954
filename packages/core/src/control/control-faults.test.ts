/**
 * Nodes with processes that die, connections that break and return, users who kill: in random order, but the same for each
 * seed. At every step an actor has at most one process; once all is quiet, control and the nodes agree on everything.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Random, randomBelow, seededRandom } from "../base/random.ts";
import type { ActorSpec } from "../messages/control.ts";
import { actorSpec, ControlFixture, type FakeNode, type Peer } from "./control-fixture.ts";

const SEEDS = 8;
const STEPS = 60;
const NODES = 3;
const crash = { kind: "signal", signal: "SIGKILL" };

type Answer = Awaited<ReturnType<FakeNode["onStart"]>>;

interface Process {
  readonly actorId: string;
  readonly incarnation: number;
  readonly answer: Promise<Answer>;
  readonly finish: (answer: Answer) => void;
  isReady: boolean;
}

/** One machine: what really runs on it, whatever control believes. */
class Machine {
  readonly processes = new Map<string, Process>();
  node!: FakeNode;
  isConnected = true;
  #generation = 0;
  readonly #name: string;
  readonly #fixture: ControlFixture;

  constructor(fixture: ControlFixture, name: string) {
    this.#fixture = fixture;
    this.#name = name;
  }

  /** Joins as a new node, as after a reboot. */
  async boot(): Promise<void> {
    this.processes.clear();
    this.isConnected = true;
    this.node = await this.#fixture.node(`${this.#name}.${this.#generation++}`, { onStart: this.#start, onStop: this.#stop });
  }

  async lose(): Promise<void> {
    this.isConnected = false;
    await this.node.lose();
  }

  async rejoin(): Promise<void> {
    this.node.hosted = [...this.processes.values()].map(({ actorId, incarnation }) => ({ actorId, incarnation }));
    this.isConnected = true;
    await this.node.join();
  }

  end(process: Process, intended: boolean): void {
    this.processes.delete(process.actorId);
    if (!process.isReady) process.finish({ status: "workerDied", cause: crash });
    else if (this.isConnected) void this.node.reports.actorEnded({ ...process, cause: crash, intended });
  }

  readonly #start = ({ actorId }: ActorSpec, incarnation: number): Promise<Answer> => {
    const known = this.processes.get(actorId);
    if (known?.incarnation === incarnation) return known.answer;
    assert.equal(known, undefined, "started while an older one is here");
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.processes.set(actorId, { actorId, incarnation, answer: promise, finish: resolve, isReady: false });
    return promise;
  };

  readonly #stop = (actorId: string, incarnation: number): Promise<void> => {
    const process = this.processes.get(actorId);
    if (process?.incarnation === incarnation) {
      this.processes.delete(actorId);
      process.finish({ status: "workerDied", cause: crash });
    }
    return Promise.resolve();
  };

  makeReady(process: Process): void {
    process.isReady = true;
    process.finish(this.node.alive());
  }
}

class Run {
  readonly #random: Random;
  readonly #fixture: ControlFixture;
  readonly #machines: Machine[] = [];
  readonly #specs: ActorSpec[] = [];
  #peer!: Peer;
  #jobId = "";

  constructor(fixture: ControlFixture, seed: number) {
    this.#fixture = fixture;
    this.#random = seededRandom(seed);
  }

  async start(): Promise<void> {
    for (let index = 0; index < NODES; index++) {
      const machine = new Machine(this.#fixture, `m${index}`);
      await machine.boot();
      this.#machines.push(machine);
    }
    const { peer, jobId } = await this.#fixture.driver();
    this.#peer = peer;
    this.#jobId = jobId;
  }

  async step(): Promise<void> {
    const machine = this.#pick(this.#machines);
    const process = machine && this.#pick([...machine.processes.values()]);
    const spec = this.#pick(this.#specs);
    const dice = randomBelow(this.#random, 16);
    if (machine === undefined) return;
    if (dice < 3) {
      const created = actorSpec(this.#jobId, "driver", { maxRestarts: randomBelow(this.#random, 4) - 1 });
      this.#specs.push(created);
      await this.#peer.createActor(created);
    } else if (dice < 8) {
      if (process !== undefined && !process.isReady) machine.makeReady(process);
    } else if (dice < 11) {
      if (process !== undefined) machine.end(process, dice === 10);
    } else if (dice < 12) {
      if (machine.isConnected) await machine.lose();
      else await machine.rejoin();
    } else if (dice < 13) {
      // A process may end while its node cannot say so.
      if (machine.isConnected) await machine.lose();
      if (process !== undefined) machine.end(process, false);
      await machine.rejoin();
    } else if (dice < 14) {
      // Past the grace they are dead: a node that cannot reach control for so long ends what it has.
      const lost = this.#machines.filter(({ isConnected }) => !isConnected);
      for (const { processes } of lost) processes.clear();
      if (lost.length > 0) await this.#fixture.pass(500);
      for (const dead of lost) await dead.boot();
    } else if (spec !== undefined) {
      if (dice === 14) await this.#kill(spec.actorId);
      else void this.#peer.control.actorOutOfScope({ actorId: spec.actorId });
    }
    await this.#fixture.settle();
  }

  async #kill(actorId: string): Promise<void> {
    await this.#fixture.answer(this.#peer.control.killActor({ actorId, noRestart: randomBelow(this.#random, 2) === 0 }));
  }

  check(): void {
    const seen = new Set<string>();
    for (const { isConnected, processes } of this.#machines) {
      // What a node that cannot be reached has may still be there; it counts no more once the node counts as dead.
      if (!isConnected) continue;
      for (const actorId of processes.keys()) {
        assert.ok(!seen.has(actorId), `two processes of ${actorId}`);
        seen.add(actorId);
      }
    }
  }

  /** Everything returns and starts; then nobody may believe anything that is not so. */
  async quiesce(): Promise<void> {
    for (const machine of this.#machines) if (!machine.isConnected) await machine.rejoin();
    for (let round = 0; round < 4; round++) {
      await this.#fixture.pass(10_000);
      for (const machine of this.#machines)
        for (const process of machine.processes.values()) if (!process.isReady) machine.makeReady(process);
    }
    await this.#fixture.settle();
    const { actors } = await this.#fixture.answer(this.#peer.control.listActors({ limit: 1000 }));
    const believed = actors.filter(({ state }) => state !== "dead");
    assert.deepEqual(new Set(believed.map(({ state }) => state)).difference(new Set(["alive"])), new Set());
    const real = this.#machines.flatMap(({ processes }) => [...processes.keys()]);
    assert.deepEqual(believed.map(({ actorId }) => actorId).toSorted(), real.toSorted());
    assert.equal(actors.length, this.#specs.length);
    for (const { actorId, restarts } of actors) {
      const maxRestarts = this.#specs.find((spec) => spec.actorId === actorId)?.maxRestarts ?? 0;
      assert.ok(maxRestarts < 0 || restarts <= maxRestarts);
      // The last word that its watcher heard is the truth.
      const last = this.#peer.views.findLast((view) => view.actorId === actorId);
      assert.equal(last?.state, real.includes(actorId) ? "alive" : "dead");
    }
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[randomBelow(this.#random, Math.max(1, items.length))];
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`control: faults in random order, seed ${seed}`, async () => {
    const run = new Run(await ControlFixture.start(), seed);
    await run.start();
    for (let step = 0; step < STEPS; step++) {
      await run.step();
      run.check();
    }
    await run.quiesce();
  });
}
