/** The programs of these tests: a driver that does one thing and says what came of it, one JSON value a line. */
import { get, getActor, init, listWorkers, RaiaError, remote, runtimeContext, shutdown } from "../../src/index.ts";

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

const modes: { readonly [mode: string]: () => Promise<void> } = {
  /** One task. */
  async task() {
    const { jobId, sessionDirectory } = await init();
    const where = remote(() => ({ pid: process.pid, jobId: runtimeContext().jobId }));
    say({ jobId, sessionDirectory, ran: await get(where.remote()) });
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
  /** Adds one to a detached actor that any of them makes. */
  async detached() {
    await init({ namespace: "shared" });
    const tally = remote(Tally).options({ name: "tally", lifetime: "detached", getIfExists: true }).remote();
    say(await get(tally.add.remote(1)));
    const again = await getActor<typeof tally>("tally");
    say(await get(again.add.remote(1)));
  },
};

function factsOf(error: unknown): unknown {
  return RaiaError.is(error) ? { code: error.code, facts: error.facts } : String(error);
}

try {
  await modes[process.argv[2] ?? ""]?.();
  await shutdown();
} catch (error) {
  say(factsOf(error));
}
