/** Programs for machines that lack something: each tells what came of it as one line of JSON. */
import { free, get, init, type InitOptions, put, RaiaError, remote, shutdown } from "../../src/index.ts";

const MiB = 1024 * 1024;
const [what = "", spillDirectory = ""] = process.argv.slice(2);

class Tally {
  #sum = 0;
  add(by: number): number {
    return (this.#sum += by);
  }
}

/** Tasks, actors and a large object: whether the cluster works. */
async function work(actors: number): Promise<unknown> {
  const square = remote((x: number) => x * x);
  const tallies = Array.from({ length: actors }, () => remote(Tally).options({ numCpus: 0 }).remote());
  const data = put(new Float64Array(MiB));
  const length = remote((numbers: Float64Array) => numbers.length);
  const squares = await get(Array.from({ length: 200 }, (_, x) => square.remote(x)));
  const sums = await get(tallies.map((tally) => tally.add.remote(2)));
  return { squares: squares.length, sums: sums.reduce((sum, x) => sum + x, 0), length: await get(length.remote(data)) };
}

/** More than memory and disk hold together, then room again. */
async function overflow(): Promise<unknown> {
  const refs = Array.from({ length: 7 }, (_, index) => put(new Uint8Array(8 * MiB).fill(index)));
  const outcomes = await Promise.allSettled(refs.map((ref) => ref.stored));
  const codes = new Set(outcomes.map((outcome) => (outcome.status === "fulfilled" ? "stored" : codeOf(outcome.reason))));
  const lost = outcomes.findIndex(({ status }) => status === "rejected");
  const read = lost < 0 ? "nothing was lost" : await get(refs[lost]!).then(() => "read", codeOf);
  // What was stored is whole: the newest in memory, the oldest on disk. Each read makes room for the next.
  let wrong = 0;
  for (const [index, ref] of [...refs.entries()].reverse()) {
    if (outcomes[index]?.status === "fulfilled") wrong += (await get(ref)).every((byte) => byte === index) ? 0 : 1;
    free(ref);
  }
  const later = put(new Uint8Array(8 * MiB).fill(99));
  await later.stored;
  return { codes: [...codes].sort(), read, wrong, later: (await get(later))[7], works: await work(1) };
}

function codeOf(error: unknown): string {
  return RaiaError.is(error) ? error.code : String(error);
}

const local: InitOptions = { address: "local", numCpus: 2, logToDriver: false };
const programs: { readonly [name: string]: () => Promise<unknown> } = {
  async work() {
    await init({ ...local, objectStoreMemory: 32 * MiB });
    return work(3);
  },
  async manyActors() {
    await init({ ...local, objectStoreMemory: 32 * MiB });
    return work(24);
  },
  /** More shared memory than the tmpfs holds. */
  async large() {
    await init({ ...local, objectStoreMemory: 256 * MiB });
    const ref = put(new Uint8Array(160 * MiB).fill(3));
    return { length: (await get(ref)).length, works: await work(1) };
  },
  async overflow() {
    await init({ ...local, objectStoreMemory: 32 * MiB, spillDirectory });
    return overflow();
  },
};

try {
  console.log(JSON.stringify(await programs[what]?.()));
  await shutdown();
} catch (error) {
  console.log(JSON.stringify({ code: codeOf(error), message: (error as Error).message }));
  process.exitCode = 1;
}
