/** Actors: order, concurrency, names, supervision. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { isAlive } from "@raia/testing/fixtures/is-alive";
import { isRaised, note, notes, raise, spinUntilRaised, whenNoted, whenRaised } from "@raia/testing/fixtures/signals";
import {
  type ActorHandle,
  cancel,
  exitActor,
  explain,
  free,
  get,
  getActor,
  kill,
  listActors,
  type ObjectRef,
  onOutOfScope,
  put,
  type RaiaError,
  remote,
  runtimeContext,
} from "../../src/index.ts";

const cluster = testCluster();

class Counter {
  #n: number;
  constructor(from = 0) {
    this.#n = from;
  }
  add(by: number): number {
    return (this.#n += by);
  }
  pid(): number {
    return process.pid;
  }
  restarts(): number {
    return runtimeContext().actorRestarts;
  }
  die(): void {
    process.kill(process.pid, "SIGKILL");
  }
  fail(): void {
    throw new RangeError("not today");
  }
}

/** Calls that end when they are told to. */
class Gate {
  #calls = 0;
  async wait(go: string): Promise<void> {
    await whenRaised(go);
  }
  async waitRaised(begun: string, go: string): Promise<void> {
    raise(begun);
    await whenRaised(go);
  }
  spin(begun: string, go: string, value: object): object {
    raise(begun);
    spinUntilRaised(go);
    return value;
  }
  note(path: string, line: string): void {
    note(path, line);
  }
  calls(): number {
    return ++this.#calls;
  }
  pid(): number {
    return process.pid;
  }
}

describe("calls", () => {
  test("state is kept, private fields too, and calls run in order", async () => {
    const counter = remote(Counter).remote(10);
    const refs = Array.from({ length: 1000 }, () => counter.add.remote(1));
    assert.deepEqual(
      await get(refs),
      Array.from({ length: 1000 }, (_, index) => 11 + index),
    );
  });

  test("order holds though arguments come late", async () => {
    const go = cluster.path("go");
    const late = remote(async (path: string) => {
      await whenRaised(path);
      return 100;
    }).remote(go);
    const counter = remote(Counter).remote();
    const first = counter.add.remote(late);
    const second = counter.add.remote(1);
    raise(go);
    assert.deepEqual(await get([first, second]), [100, 101]);
  });

  test("inheritance, static async create, disposal", async () => {
    class Base {
      readonly who = "base";
      hello(): string {
        return `hello from ${this.who}`;
      }
    }
    class Derived extends Base {
      #ready = false;
      readonly log: string;
      constructor(log: string) {
        super();
        this.log = log;
      }
      static async create(log: string): Promise<Derived> {
        const made = new Derived(log);
        await Promise.resolve();
        made.#ready = true;
        return made;
      }
      isReady(): boolean {
        return this.#ready;
      }
      override hello(): string {
        return `${super.hello()}, derived`;
      }
      async [Symbol.asyncDispose](): Promise<void> {
        note(this.log, "disposed");
      }
    }
    const log = cluster.path("log");
    {
      await using actor = remote(Derived).remote(log);
      assert.equal(await get(actor.isReady.remote()), true);
      assert.equal(await get(actor.hello.remote()), "hello from base, derived");
    }
    await whenNoted(log, 1);
  });

  test("a class with a method named `then` is no promise", async () => {
    class Query {
      value(): number {
        return 5;
      }
      // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
      then(): number {
        return 6;
      }
    }
    class Made extends Query {
      // Not async: its own promise would never resolve.
      static create(): Query {
        return new Made();
      }
    }
    assert.deepEqual(
      await get([
        remote(Query).remote().value.remote(),
        remote(Made as typeof Query)
          .remote()
          .value.remote(),
      ]),
      [5, 5],
    );
  });

  test("an error of a method is the caller's, and the actor lives on", async () => {
    const counter = remote(Counter).remote();
    await assert.rejects(get(counter.fail.remote()), { name: "RangeError", message: "not today" });
    assert.equal(await get(counter.add.remote(1)), 1);
  });

  test("an error of the constructor is the cause of ACTOR_DIED", async () => {
    class Broken {
      constructor() {
        throw new RangeError("no such thing");
      }
      hello(): void {}
    }
    const broken = remote(Broken).remote();
    await assert.rejects(get(broken.hello.remote()), (error: RaiaError) => {
      assert.equal(error.code, "ACTOR_DIED");
      assert.equal((error.cause as Error).message, "no such thing");
      assert.equal(error.facts["reason"], "RangeError: no such thing");
      assert.match(error.message, /no such thing.*Way out: mend what its constructor/);
      assert.doesNotMatch(error.message, /maxRestarts/);
      return true;
    });
  });

  test("a method that is not there is an error that says so", async () => {
    const counter = remote(Counter).remote() as ActorHandle<Counter> & { nothing: { remote(): ObjectRef<void> } };
    await assert.rejects(get(counter.nothing.remote()), { code: "INVALID_ARGUMENT" });
  });

  test("numReturns of a method", async () => {
    class Pair {
      both(x: number): [number, number] {
        return [x, -x];
      }
    }
    const pair = remote(Pair).remote();
    const [a, b] = pair.both.options({ numReturns: 2 }).remote(3);
    assert.deepEqual(await get([a, b]), [3, -3]);
  });
});

describe("concurrency", () => {
  class Meeting {
    #here = 0;
    async meet(count: number): Promise<number> {
      this.#here++;
      const untilMs = performance.now() + 10_000;
      while (this.#here < count && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 2));
      return this.#here;
    }
  }

  test("async methods interleave up to maxConcurrency", async () => {
    const open = remote(Meeting).remote();
    assert.deepEqual(await get([open.meet.remote(3), open.meet.remote(3), open.meet.remote(3)]), [3, 3, 3]);
    class Peak {
      #running = 0;
      #most = 0;
      async work(): Promise<void> {
        this.#most = Math.max(this.#most, ++this.#running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        this.#running--;
      }
      most(): number {
        return this.#most;
      }
    }
    const peak = remote(Peak).options({ maxConcurrency: 2 }).remote();
    await get(Array.from({ length: 8 }, () => peak.work.remote()));
    assert.equal(await get(peak.most.remote()), 2);
  });

  test("concurrency groups have limits of their own", async () => {
    class Server {
      #release: (() => void) | undefined;
      async block(): Promise<string> {
        await new Promise<void>((resolve) => (this.#release = resolve));
        return "released";
      }
      release(): boolean {
        this.#release?.();
        return this.#release !== undefined;
      }
    }
    const server = remote(Server)
      .options({ maxConcurrency: 1, concurrencyGroups: { io: 1 }, methods: { block: { concurrencyGroup: "io" } } })
      .remote();
    const blocked = server.block.remote();
    assert.ok(await eventually(async () => get(server.release.remote()), 5000));
    assert.equal(await get(blocked), "released");
  });

  test("maxPendingCalls throws at the call", async () => {
    const go = cluster.path("go");
    class Slow {
      async wait(path: string): Promise<void> {
        await whenRaised(path);
      }
    }
    const slow = remote(Slow).options({ maxPendingCalls: 2 }).remote();
    const refs = [slow.wait.remote(go), slow.wait.remote(go)];
    assert.throws(() => slow.wait.remote(go), { code: "PENDING_CALLS_LIMIT" });
    raise(go);
    await get(refs);
    await get(slow.wait.remote(go));
  });

  test("an actor that waits for its own call is told so", async () => {
    class Own {
      #self: ActorHandle<Own> | undefined;
      know(self: ActorHandle<Own>): void {
        this.#self = self;
      }
      one(): number {
        return 1;
      }
      async ask(): Promise<number> {
        return get(this.#self!.one.remote());
      }
    }
    const own = remote(Own).options({ maxConcurrency: 1 }).remote();
    await get(own.know.remote(own as never));
    await assert.rejects(get(own.ask.remote()), { code: "ACTOR_SELF_WAIT" });
    assert.equal(await get(own.one.remote()), 1);
  });

  test("two that wait for each other: explain says so, and of one that waits what for", async () => {
    class Peer {
      #other: ActorHandle<Peer> | undefined;
      know(other: ActorHandle<Peer>): void {
        this.#other = other;
      }
      one(): number {
        return 1;
      }
      async meet(begun: string, go: string): Promise<number> {
        note(begun, "met");
        await whenRaised(go);
        return get(this.#other!.one.remote());
      }
    }
    const [log, go] = [cluster.path("log"), cluster.path("go")];
    const Serial = remote(Peer).options({ maxConcurrency: 1 });
    const [left, right] = [Serial.remote(), Serial.remote()];
    await get([left.know.remote(right as never), right.know.remote(left as never)]);
    const met = [left.meet.remote(log, go), right.meet.remote(log, go)] as const;
    await whenNoted(log, 2);
    const behind = await explain(left.one.remote());
    assert.equal(behind.state, "assigned");
    assert.match(behind.reasons.join(), /behind another call: Peer\.meet runs/);
    raise(go);
    assert.ok(await eventually(async () => (await explain(met[0])).state === "deadlocked", 5000));
    const { reasons } = await explain(met[1]);
    assert.match(
      reasons.join(),
      /Peer\.meet waits for Peer\.one .*behind another call: Peer\.meet waits for Peer\.one .*Peer\.meet waits for this: they wait for each other, for ever/,
    );
    await kill(left);
    await assert.rejects(get(met[0]), { code: "ACTOR_DIED" });
    await assert.rejects(get(met[1]), { code: "ACTOR_DIED" });
  });

  test("a call that is cancelled while it waits never runs; force is refused", async () => {
    const go = cluster.path("go");
    const log = cluster.path("log");
    class Slow {
      wait(path: string): Promise<void> {
        return whenRaised(path);
      }
      work(path: string): void {
        note(path, "ran");
      }
    }
    const slow = remote(Slow).options({ maxConcurrency: 1 }).remote();
    const waiting = slow.wait.remote(go);
    const work = slow.work.remote(log);
    assert.throws(() => cancel(work, { force: true }), { code: "INVALID_OPTION" });
    cancel(work);
    await assert.rejects(get(work), { code: "TASK_CANCELLED" });
    raise(go);
    await get(waiting);
    await get(slow.work.remote(log));
    assert.equal(notes(log).length, 1);
  });

  test("a time limit aborts the call's signal and never kills the actor", async () => {
    const stopped = cluster.path("stopped");
    class Slow {
      async wait(path: string): Promise<void> {
        await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
        raise(path);
      }
      pid(): number {
        return process.pid;
      }
    }
    const slow = remote(Slow).remote();
    const pid = await get(slow.pid.remote());
    await assert.rejects(get(slow.wait.options({ timeoutMs: 30 }).remote(stopped)), { code: "TASK_TIMEOUT" });
    await whenRaised(stopped);
    assert.equal(await get(slow.pid.remote()), pid);
  });

  test("a call that the actor has and that is cancelled before it begins never runs", async () => {
    const go = cluster.path("go");
    const log = cluster.path("log");
    const slow = remote(Gate).options({ maxConcurrency: 1 }).remote();
    await get(slow.calls.remote());
    const waiting = slow.wait.remote(go);
    const work = slow.note.remote(log, "cancelled");
    const later = slow.note.remote(log, "later");
    cancel(work);
    await assert.rejects(get(work), { code: "TASK_CANCELLED" });
    raise(go);
    await get([waiting, later]);
    assert.deepEqual(notes(log), ["later"]);
  });

  test("queueTimeoutMs: behind other calls, and to an actor that has no place; what has begun is left alone", async () => {
    const go = cluster.path("go");
    const log = cluster.path("log");
    const slow = remote(Gate).options({ maxConcurrency: 1 }).remote();
    const begun = slow.wait.options({ queueTimeoutMs: 20_000 }).remote(go);
    const late = slow.note.options({ queueTimeoutMs: 50 }).remote(log, "late");
    await assert.rejects(get(late), (error: RaiaError) => error.code === "QUEUE_TIMEOUT" && error.facts["method"] === "Gate.note");
    const other = remote(Gate).options({ numCpus: 1 }).remote();
    await get(other.calls.remote());
    const homeless = remote(Gate).options({ numCpus: 2 }).remote();
    await assert.rejects(get(homeless.calls.options({ queueTimeoutMs: 50 }).remote()), { code: "QUEUE_TIMEOUT" });
    raise(go);
    await get(begun);
    assert.deepEqual(notes(log), []);
  });

  test("limits hold though the actor's method never lets its loop run; it lives, and goes on in order", async () => {
    const begun = cluster.path("begun");
    const go = cluster.path("go");
    const log = cluster.path("log");
    const freed = cluster.path("freed");
    const value = put({ large: "x".repeat(200_000) });
    onOutOfScope(value, () => raise(freed));
    const gate = remote(Gate).options({ maxConcurrency: 1 }).remote();
    const pid = await get(gate.pid.remote());
    const running = gate.spin.options({ timeoutMs: 50 }).remote(begun, go, value);
    value[Symbol.dispose]();
    await assert.rejects(get(running), (error: RaiaError) => error.code === "TASK_TIMEOUT" && error.facts["timeoutMs"] === 50);
    assert.ok(isRaised(begun));
    await assert.rejects(get(gate.note.options({ queueTimeoutMs: 50 }).remote(log, "too late")), { code: "QUEUE_TIMEOUT" });
    // Its time has not begun.
    const patient = gate.note.options({ timeoutMs: 60_000, queueTimeoutMs: 60_000 }).remote(log, "first");
    const last = gate.note.remote(log, "second");
    raise(go);
    await get([patient, last]);
    assert.deepEqual(notes(log), ["first", "second"]);
    assert.equal(await get(gate.pid.remote()), pid);
    // The late answer was thrown away, and with it what the call held.
    assert.ok(await eventually(() => isRaised(freed), 5000));
  });

  test("timeoutMs: a process that stands still does not keep its caller", async () => {
    const begun = cluster.path("begun");
    const go = cluster.path("go");
    const gate = remote(Gate).options({ maxConcurrency: 1 }).remote();
    const pid = await get(gate.pid.remote());
    const ref = gate.waitRaised.options({ timeoutMs: 300 }).remote(begun, go);
    await whenRaised(begun);
    process.kill(pid, "SIGSTOP");
    await assert.rejects(get(ref), { code: "TASK_TIMEOUT" });
    await assert.rejects(get(gate.pid.options({ queueTimeoutMs: 50 }).remote()), { code: "QUEUE_TIMEOUT" });
    process.kill(pid, "SIGCONT");
    raise(go);
    assert.equal(await get(gate.pid.remote()), pid);
  });
});

describe("names", () => {
  test("a named actor is found, and its name is taken", async () => {
    const counter = remote(Counter).options({ name: "hits" }).remote(5);
    assert.equal(await get(counter.add.remote(1)), 6);
    const found = await getActor<ActorHandle<Counter>>("hits");
    assert.equal(await get(found.add.remote(1)), 7);
    const second = remote(Counter).options({ name: "hits" }).remote();
    await assert.rejects(get(second.add.remote(1)), { code: "ACTOR_NAME_TAKEN" });
    const same = remote(Counter).options({ name: "hits", getIfExists: true }).remote();
    assert.equal(await get(same.add.remote(1)), 8);
    await assert.rejects(getActor("hits", { namespace: "elsewhere" }), { code: "ACTOR_NOT_FOUND" });
    await kill(counter);
    assert.ok(
      await eventually(
        () =>
          getActor("hits").then(
            () => false,
            (error: unknown) => (error as RaiaError).code === "ACTOR_NOT_FOUND",
          ),
        5000,
      ),
    );
  });

  test("getIfExists: its handle may be sent before it is known which actor it is", async () => {
    const ask = remote((actor: ActorHandle<Counter>, by: number) => get(actor.add.remote(by)));
    const made = Array.from({ length: 3 }, () => remote(Counter).options({ name: "sent", getIfExists: true, numCpus: 0 }).remote(10));
    const [first, second, third] = made;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const sums = await get([ask.remote(second, 1), ask.remote(third, 1), first.add.remote(1), second.add.remote(1), third.add.remote(1)]);
    assert.deepEqual(
      sums.toSorted((a, b) => a - b),
      [11, 12, 13, 14, 15],
    );
    const alive = (await listActors()).filter(({ name, state }) => name === "sent" && state !== "dead");
    assert.equal(alive.length, 1);
    await kill(third);
    await assert.rejects(get(second.add.remote(1)), { code: "ACTOR_DIED" });
  });

  test("detached: its arguments are its own, large ones and values of refs too, and not more than it may have", async () => {
    class Table {
      readonly #rows: Float64Array;
      constructor(rows: Float64Array, _label: string) {
        this.#rows = rows;
      }
      last(): number | undefined {
        return this.#rows.at(-1);
      }
    }
    const detached = remote(Table, { lifetime: "detached", maxRestarts: 1 });
    const rows = new Float64Array(200_000).fill(6);
    const ref = put(rows);
    const actors = [detached.options({ name: "own rows" }).remote(rows, "a"), detached.options({ name: "ref rows" }).remote(ref, "b")];
    assert.deepEqual(await get(actors.map((actor) => actor.last.remote())), [6, 6]);
    // Made again, it needs nothing of who made it.
    free(ref);
    for (const actor of actors) {
      await kill(actor, { noRestart: false });
      assert.equal(await get(actor.last.remote()), 6);
      await kill(actor);
    }
    const tooMuch = new Uint8Array(11 * 1024 * 1024);
    assert.throws(() => detached.remote(tooMuch as never, "c"), /LIMIT_EXCEEDED.*detached actor's constructor/);
    await assert.rejects(get(detached.remote(put(tooMuch) as never, "d").last.remote()), (error: RaiaError) => {
      assert.deepEqual([error.code, error.facts["code"]], ["ACTOR_DIED", "LIMIT_EXCEEDED"]);
      return true;
    });
  });

  test("a namespace of its own", async () => {
    const counter = remote(Counter).options({ name: "spaced", namespace: "there" }).remote(1);
    await get(counter.add.remote(1));
    await assert.rejects(getActor("spaced"), { code: "ACTOR_NOT_FOUND" });
    const found = await getActor<ActorHandle<Counter>>("spaced", { namespace: "there" });
    assert.equal(await get(found.add.remote(1)), 3);
  });

  test("tasks find it, too", async () => {
    const counter = remote(Counter).options({ name: "for-tasks" }).remote(1);
    await get(counter.add.remote(0));
    const ask = remote(async () => {
      const found = await getActor<ActorHandle<Counter>>("for-tasks");
      return get(found.add.remote(10));
    });
    assert.equal(await get(ask.remote()), 11);
  });
});

describe("handles as values", () => {
  test("in an argument, nested in one, and in a result", async () => {
    const counter = remote(Counter).remote();
    const use = remote(async (handle: ActorHandle<Counter>) => get(handle.add.remote(1)));
    const useNested = remote(async ({ handles }: { handles: ActorHandle<Counter>[] }) => get(handles[0]!.add.remote(1)));
    assert.equal(await get(use.remote(counter as never)), 1);
    assert.equal(await get(useNested.remote({ handles: [counter] })), 2);
    const make = remote(() => remote(Counter).remote(40) as unknown as { handle: never });
    const made = (await get(make.remote())) as unknown as ActorHandle<Counter>;
    assert.equal(await get(made.add.remote(2)), 42);
  });

  test("captured by a function", async () => {
    const counter = remote(Counter).remote();
    const use = remote(async () => get(counter.add.remote(3)));
    assert.equal(await get(use.remote()), 3);
  });

  test("a handle in an actor's arguments keeps the other alive", async () => {
    class Holder {
      #held: ActorHandle<Counter>;
      constructor(held: ActorHandle<Counter>) {
        this.#held = held;
      }
      async add(by: number): Promise<number> {
        return get(this.#held.add.remote(by));
      }
    }
    const inner = remote(Counter).remote(7);
    const holder = remote(Holder).remote(inner);
    assert.equal(await get(holder.add.remote(1)), 8);
    await inner[Symbol.asyncDispose]();
    assert.equal(await get(holder.add.remote(1)), 9);
  });
});

describe("life and death", () => {
  test("killed: calls reject with ACTOR_DIED and the process is gone", async () => {
    const counter = remote(Counter).remote();
    const pid = await get(counter.pid.remote());
    await kill(counter);
    await assert.rejects(get(counter.add.remote(1)), { code: "ACTOR_DIED" });
    assert.ok(await eventually(() => !isAlive(pid), 5000));
  });

  test("C-4: killed in a call: it rejects with ACTOR_UNAVAILABLE while restarts remain, later ones reach the new one in order", async () => {
    const started = cluster.path("started");
    class Worker {
      #n = 0;
      async hang(path: string): Promise<void> {
        raise(path);
        await new Promise(() => {});
      }
      next(): number {
        return ++this.#n;
      }
      pid(): number {
        return process.pid;
      }
    }
    const worker = remote(Worker).options({ maxRestarts: 1, maxConcurrency: 4 }).remote();
    const pid = await get(worker.pid.remote());
    const lost = worker.hang.remote(started);
    await whenRaised(started);
    process.kill(pid, "SIGKILL");
    await assert.rejects(get(lost), { code: "ACTOR_UNAVAILABLE" });
    assert.deepEqual(await get([worker.next.remote(), worker.next.remote(), worker.next.remote()]), [1, 2, 3]);
    const second = await get(worker.pid.remote());
    assert.notEqual(second, pid);
    process.kill(second, "SIGKILL");
    assert.ok(
      await eventually(
        () =>
          get(worker.next.remote()).then(
            () => false,
            (error: unknown) => (error as RaiaError).code === "ACTOR_DIED",
          ),
        10_000,
      ),
    );
  });

  test("maxTaskRetries: a call that was lost is sent again", async () => {
    const log = cluster.path("log");
    class Flaky {
      work(path: string): number {
        note(path, process.pid);
        if (runtimeContext().actorRestarts === 0) process.kill(process.pid, "SIGKILL");
        return runtimeContext().actorRestarts;
      }
    }
    const flaky = remote(Flaky).options({ maxRestarts: 2, maxTaskRetries: 1 }).remote();
    assert.equal(await get(flaky.work.remote(log)), 1);
    assert.equal(notes(log).length, 2);
  });

  test("kill without noRestart: it is made anew", async () => {
    const counter = remote(Counter).options({ maxRestarts: 1 }).remote(5);
    const pid = await get(counter.pid.remote());
    await kill(counter, { noRestart: false });
    assert.ok(
      await eventually(
        () =>
          get(counter.pid.remote()).then(
            (now) => now !== pid,
            () => false,
          ),
        10_000,
      ),
    );
    assert.equal(await get(counter.restarts.remote()), 1);
    assert.equal(await get(counter.add.remote(1)), 6);
  });

  test("exitActor: its call is answered, then it is dead and not made anew", async () => {
    class Leaver {
      leave(): string {
        exitActor();
        return "bye";
      }
      pid(): number {
        return process.pid;
      }
    }
    const leaver = remote(Leaver).options({ maxRestarts: -1 }).remote();
    const pid = await get(leaver.pid.remote());
    assert.equal(await get(leaver.leave.remote()), "bye");
    await assert.rejects(get(leaver.pid.remote()), { code: "ACTOR_DIED" });
    assert.ok(await eventually(() => !isAlive(pid), 5000));
  });

  test("an unnamed actor dies with its last handle, after the calls that it has", async () => {
    const go = cluster.path("go");
    const ended = cluster.path("ended");
    class Last {
      async work(path: string, end: string): Promise<number> {
        await whenRaised(path);
        raise(end);
        return process.pid;
      }
      pid(): number {
        return process.pid;
      }
    }
    const actor = remote(Last).remote();
    const pid = await get(actor.pid.remote());
    const ref = actor.work.remote(go, ended);
    await actor[Symbol.asyncDispose]();
    assert.equal(isRaised(ended), false);
    raise(go);
    assert.equal(await get(ref), pid);
    assert.ok(await eventually(() => !isAlive(pid), 5000), "it still runs");
  });

  test("refs that an actor gave are good when it is dead", async () => {
    class Keeper {
      keep(): { ref: ObjectRef<Float64Array> } {
        return { ref: put(new Float64Array(10).fill(3)) };
      }
      pid(): number {
        return process.pid;
      }
    }
    const keeper = remote(Keeper).remote();
    const { ref } = await get(keeper.keep.remote());
    assert.equal((await get(ref))[9], 3);
    const { ref: other } = await get(keeper.keep.remote());
    process.kill(await get(keeper.pid.remote()), "SIGKILL");
    await assert.rejects(get(keeper.pid.remote()), { code: "ACTOR_DIED" });
    assert.equal((await get(other))[9], 3);
  });

  test("a getter that throws, called as a method, fails that call alone", async () => {
    class Odd {
      get prop(): () => void {
        throw new RangeError("getter");
      }
      value(): number {
        return 5;
      }
    }
    const odd = remote(Odd).remote();
    await assert.rejects(get((odd as unknown as { prop: { remote(): never } }).prop.remote()), { message: "getter" });
    assert.equal(await get(odd.value.remote()), 5);
  });

  test("an actor that asks for more than there is", async () => {
    const counter = remote(Counter).options({ numCpus: 64 }).remote();
    await assert.rejects(get(counter.add.remote(1)), { code: "ACTOR_UNSCHEDULABLE" });
  });
});
