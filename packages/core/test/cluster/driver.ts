/** The programs of these tests: a driver that does one thing and says what came of it, one JSON value a line. */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ActorHandle,
  get,
  getActor,
  init,
  listWorkers,
  type ObjectRef,
  put,
  RaiaError,
  remote,
  runtimeContext,
  shutdown,
} from "../../src/index.ts";

const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

class Tally {
  #sum = 0;
  add(by: number): number {
    return (this.#sum += by);
  }
  pid(): number {
    return process.pid;
  }
}

class DisposedTally extends Tally {
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** Tells the first who arrives. */
class Gate {
  readonly #first = Promise.withResolvers<number>();
  arrived(pid: number): void {
    this.#first.resolve(pid);
  }
  async first(): Promise<number> {
    return this.#first.promise;
  }
}

/** Keeps refs that others own, and tells what reading them gives. */
class Keeper {
  #refs: ObjectRef[] = [];
  keep({ refs }: { refs: ObjectRef[] }): number {
    return (this.#refs = refs).length;
  }
  async read(): Promise<string[]> {
    const outcomes = await Promise.allSettled(this.#refs.map((ref) => get(ref)));
    return outcomes.map((outcome) => (outcome.status === "fulfilled" ? "read" : codeOf(outcome.reason)));
  }
}

function codeOf(error: unknown): string {
  return RaiaError.is(error) ? error.code : String(error);
}

const modes: { readonly [mode: string]: () => Promise<void> } = {
  /** One task. */
  async task() {
    const { jobId, sessionDirectory } = await init();
    const where = remote(() => ({ pid: process.pid, jobId: runtimeContext().jobId }));
    say({ jobId, sessionDirectory, ran: await get(where.remote()) });
  },
  async whereTasksRun() {
    say(await get(remote(() => process.cwd()).remote()));
  },
  /** As a service does whose release was replaced. */
  async directoryGone() {
    const directory = mkdtempSync(join(tmpdir(), "rc-gone-"));
    process.chdir(directory);
    rmdirSync(directory);
    say(await get(remote(() => process.cwd()).remote()));
  },
  async withCpus() {
    await init({ numCpus: 1 }).then(
      ({ sessionDirectory }) => say({ sessionDirectory }),
      (error: unknown) => say(factsOf(error)),
    );
  },
  /** A task and an actor that never end. */
  async hold() {
    const { jobId, sessionDirectory } = await init();
    const actor = remote(Tally).remote();
    const forever = remote(async () => new Promise(() => setInterval(() => {}, 1000)));
    const pids = [await get(actor.pid.remote())];
    void forever.remote().get();
    for (;;) {
      const mine = (await listWorkers()).filter((worker) => worker.jobId === jobId && worker.kind !== "driver" && worker.state === "busy");
      if (mine.length === 2) break;
    }
    pids.push(...(await listWorkers()).filter((worker) => worker.jobId === jobId).map(({ pid }) => pid));
    say({ jobId, sessionDirectory, pids: pids.filter((pid) => pid !== process.pid) });
    await new Promise(() => setInterval(() => {}, 1000));
  },
  /** Tasks and actors of a program that is over at once, in the way that END says. */
  async brief() {
    const { jobId } = await init();
    const [tally, gate] = [remote(Tally).options({ numCpus: 0 }).remote(), remote(DisposedTally).options({ numCpus: 0 }).remote()];
    const square = remote(function square(x: number) {
      return x * x;
    });
    await get([...[1, 2, 3].map((x) => square.remote(x)), tally.add.remote(1), gate.add.remote(1)]);
    say({ jobId });
    if (process.env["END"] === "exit") process.exit();
  },
  /** Adds one to a detached actor that any of them makes. */
  async detached() {
    await init({ namespace: "shared" });
    const tally = remote(Tally).options({ name: "tally", lifetime: "detached", getIfExists: true }).remote();
    say(await get(tally.add.remote(1)));
    const again = await getActor<typeof tally>("tally");
    say(await get(again.add.remote(1)));
  },
  /** Lends a small and a large object to a detached actor, and has a task and an actor of its own that never end. */
  async lend() {
    await init({ namespace: "shared" });
    const keeper = remote(Keeper).options({ name: "keeper", lifetime: "detached", numCpus: 0 }).remote();
    const large = put(new Uint8Array(4 * 1024 * 1024));
    await large.stored;
    await get(keeper.keep.remote({ refs: [put({ a: 1 }), large] }));
    const tally = remote(Tally).options({ numCpus: 0 }).remote();
    const gate = remote(Gate).options({ numCpus: 0 }).remote();
    const forever = remote(async ({ gate: open }: { gate: typeof gate }) => {
      await get(open.arrived.remote(process.pid));
      await new Promise(() => setInterval(() => {}, 1000));
    });
    void forever.remote({ gate }).get();
    const pids = await get([tally.pid.remote(), gate.first.remote()]);
    say({ pids, storedBytes: 4 * 1024 * 1024 });
    await new Promise(() => setInterval(() => {}, 1000));
  },
  /** What the detached actor can still read. */
  async ask() {
    await init({ namespace: "shared" });
    const keeper = await getActor<ActorHandle<Keeper>>("keeper");
    say(await get(keeper.read.remote()));
  },
};

function factsOf(error: unknown): unknown {
  return RaiaError.is(error) ? { code: error.code, facts: error.facts } : String(error);
}

try {
  await modes[process.argv[2] ?? ""]?.();
  if (process.env["END"] !== "itself") await shutdown();
} catch (error) {
  say(factsOf(error));
}
