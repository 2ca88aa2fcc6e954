/** One simulated run: everything in it follows from the seed. */
import {
  FakeDisk,
  installRemoteValues,
  randomBelow,
  seededRandom,
  setProcessRuntime,
  World,
  type WorkerRuntime,
} from "@raia/core/internal";
import { SimClock } from "./sim-clock.ts";
import { setSimContext } from "./sim-context.ts";
import { SimFaults } from "./sim-faults.ts";
import { SimFinalizers } from "./sim-finalizers.ts";
import { simFunctionCodec } from "./sim-functions.ts";
import { BrokenInvariant, checkAlways, leftovers } from "./sim-invariants.ts";
import { simTransport } from "./sim-network.ts";
import { SimProgram } from "./sim-program.ts";
import { TraceHash } from "./trace-hash.ts";

export interface SimResult {
  readonly seed: number;
  /** Equal for equal runs. */
  readonly hash: string;
  readonly steps: number;
  readonly deaths: number;
  readonly virtualMs: number;
  /** Undefined when everything held. */
  readonly failure: Error | undefined;
}

/** A program that has not ended by then hangs: its own sleeps sum up to seconds. */
const HANGS_AFTER_MS = 600_000;
const HANGS_AFTER_STEPS = 400_000;
/** Idle leases, borrows, finalizers: all are over by then. */
const QUIET_MS = 120_000;
const ARENA_BYTES = 4 * 1024 * 1024;

export async function runSeed(seed: number): Promise<SimResult> {
  const random = seededRandom(seed);
  const clock = new SimClock();
  const trace = new TraceHash();
  const finalizers = new SimFinalizers(clock, random);
  const faults = new SimFaults(random, clock);
  const transport = simTransport(clock, random, faults.network, trace);
  const cpus = 1 + randomBelow(random, 4);
  const world = new World({
    clock,
    random,
    transport,
    finalizers,
    disk: new FakeDisk(),
    resources: { CPU: cpus * 10_000 },
    capacityBytes: ARENA_BYTES,
    pidOf: (process) => 1000 + process,
    functionCodec: simFunctionCodec,
    install: installRemoteValues,
    wrapArena: (arena) => faults.wrapArena(arena),
  });
  setSimContext({ clock, finalizers, starts: new Map(), nextKey: 1, nextInstance: 1 });
  const state: { failure: Error | undefined; isDone: boolean } = { failure: undefined, isDone: false };
  const fail = (error: unknown): void => void (state.failure ??= error instanceof Error ? error : new Error(String(error)));
  const { runtime, shell } = world.newDriver(() => fail(new Error("the driver lost its node")));
  setProcessRuntime(runtime);
  const unhandled = (error: unknown): void => fail(error);
  process.on("unhandledRejection", unhandled);
  const program = new SimProgram(random, {
    fibers: 1 + randomBelow(random, 4),
    statements: 5 + randomBelow(random, 25),
    cpus,
    hasDeaths: faults.hasDeaths,
  });
  const main = async (): Promise<void> => {
    await world.start();
    await runtime.join({ entrypoint: "simulation", namespace: undefined });
    faults.start(world);
    await program.run();
    faults.stop();
  };
  const run = async (until: Promise<void>): Promise<void> => {
    state.isDone = false;
    until.then(() => void (state.isDone = true), fail);
    const lastMs = clock.nowMs() + HANGS_AFTER_MS;
    for (;;) {
      await turn();
      if (state.failure !== undefined || state.isDone) return;
      checkAlways(world);
      if (!clock.step() || clock.nowMs() > lastMs || clock.steps > HANGS_AFTER_STEPS) {
        throw new BrokenInvariant(
          `I6: the program hangs at ${Math.round(clock.nowMs())} ms, step ${clock.steps}: ${JSON.stringify({ doing: program.doing, driver: runtime.inspect(), workers: [...world.launcher.workers].map((worker) => ({ workerId: worker.workerId.slice(0, 6), isPaused: worker.shell.isPaused, ...worker.runtime.inspect() })), node: world.node.inspect() })}`,
        );
      }
      faults.stepped();
    }
  };
  try {
    await run(main());
    if (state.failure === undefined) await run(settle(world, runtime, clock, finalizers));
    if (state.failure === undefined) await run(runtime.shutdown());
    shell.end();
  } catch (error) {
    fail(error);
  } finally {
    setProcessRuntime(undefined);
    for (const worker of [...world.launcher.workers]) worker.die();
    world.head.end();
    setSimContext(undefined);
    await turn();
    process.removeListener("unhandledRejection", unhandled);
  }
  return {
    seed,
    hash: trace.value,
    steps: clock.steps,
    deaths: faults.deaths,
    virtualMs: Math.round(clock.nowMs()),
    failure: state.failure,
  };
}

/** Everything is dropped; after a while nothing may be left. */
async function settle(world: World, runtime: WorkerRuntime, clock: SimClock, finalizers: SimFinalizers): Promise<void> {
  // What still runs holds what it uses; nobody can tell the collector otherwise.
  await new Promise<void>((resolve) => clock.after(QUIET_MS, resolve));
  const pauses = 12;
  for (let pause = 0; pause < pauses; pause++) {
    finalizers.collectAll();
    await new Promise<void>((resolve) => clock.after(QUIET_MS / pauses, resolve));
  }
  const left = leftovers(world, [runtime]);
  if (left.length > 0) throw new BrokenInvariant(`I4: left when nothing is needed: ${left.join("; ")}`);
}

/** Lets every promise that can settle do so. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
