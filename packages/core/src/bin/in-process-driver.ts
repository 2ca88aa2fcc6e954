/** `init({ mode: "inProcess" })`: this process is driver, head and workers at once. */
import { enableCompileCache } from "node:module";
import { unhandledPrinter } from "./unhandled-printer.ts";
import type { Driver, DriverOptions } from "../api/init.ts";
import { clusterOptionsOf } from "./cluster-options.ts";
import { installRemoteValues } from "../api/remote-value-codecs.ts";
import { realClock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { realFinalizers } from "../base/finalizers.ts";
import { newWorkerId } from "../base/ids.ts";
import { realRandom } from "../base/random.ts";
import { parseResources } from "../base/resources.ts";
import type { WorkerDemand } from "../messages/common.ts";
import { MemoryTransport } from "../wire/memory-transport.ts";
import { currentContext } from "../worker/task-context.ts";
import { WorkerRuntime } from "../worker/worker-runtime.ts";
import type { World, WorldOptions } from "./in-process-world.ts";
import { KeepAlive } from "./keep-alive.ts";
import { ProgramEnd } from "./program-end.ts";
import { withOwnModules } from "./own-modules.ts";

/** Memory is taken from the system as it is touched, so this is a limit and no cost. */
const DEFAULT_CAPACITY_BYTES = 512 * 1024 ** 2;
const DEFAULT_CPUS = 4;
const MEMORY_BYTES = 4 * 1024 ** 3;

/** The parts of a cluster are loaded when the first one starts; the driver takes work meanwhile. */
export function startInProcess(options: DriverOptions): Driver {
  const clock = realClock;
  const finalizers = realFinalizers();
  const transport = MemoryTransport.immediate(clock);
  const { labels, objectStoreMemory, spillDirectory, resources: asked } = clusterOptionsOf(options);
  if (spillDirectory !== undefined) throw notInProcess("spillDirectory", "objects that do not fit stay in memory");
  const resources = parseResources({ numCpus: DEFAULT_CPUS, memory: MEMORY_BYTES, ...asked });
  const worldOptions: Omit<WorldOptions, "disk"> = {
    clock,
    random: realRandom,
    transport,
    finalizers,
    resources,
    labels,
    capacityBytes: objectStoreMemory ?? DEFAULT_CAPACITY_BYTES,
    pidOf: () => process.pid,
    checkDemand,
    install: installRemoteValues,
  };
  const alive = new KeepAlive();
  let world: World | undefined;
  const started = startWorld(worldOptions).then((made) => {
    world = made;
  });
  const peerId = newWorkerId(realRandom);
  const runtime: WorkerRuntime = new WorkerRuntime({
    kind: "driver",
    identity: { peerId, pid: process.pid, address: `d-${peerId.slice(0, 16)}`, secret: "in-process" },
    cluster: started.then(() => ({ nodeAddress: "head", controlAddress: "head" })),
    transport: alive.over(transport),
    clock,
    finalizers,
    checkDemand,
    openArena: ({ arenaSlot }) => (world as World).openArena(arenaSlot),
    openSpillDisk: () => (world as World).disk,
    showOutput: () => {},
    showUnhandled: unhandledPrinter(options),
    keepAlive: (isNeeded) => {
      if (isNeeded) end.worked();
      alive.set(runtime, isNeeded);
    },
    nodeLost: () => {},
  });
  installRemoteValues(runtime);
  const end = new ProgramEnd(runtime);
  const unguard = guardProcess();
  return {
    runtime,
    joined: alive.during(runtime.join({ entrypoint: process.argv[1] ?? "", namespace: options.namespace })),
    stop: async (code) => {
      end.cancel();
      await alive.during(runtime.shutdown(code));
      await world?.stop();
      unguard();
    },
  };
}

async function startWorld(options: Omit<WorldOptions, "disk">): Promise<World> {
  // What is loaded from now on is compiled once a machine, not once a start.
  enableCompileCache?.();
  const [{ World }, { FakeDisk }] = await withOwnModules(() =>
    Promise.all([import("./in-process-world.ts"), import("../store/fake-disk.ts")]),
  );
  const world = new World({ ...options, disk: new FakeDisk() });
  await world.start();
  return world;
}

function checkDemand({ runtimeEnv, isolation, name }: Omit<WorkerDemand, "jobId">): void {
  if (isolation === "thread") throw notInProcess("isolation", "all tasks share one thread", name);
  const [asked] = [
    Object.keys(runtimeEnv.envVars).length > 0 && "envVars",
    runtimeEnv.workingDir !== undefined && "workingDir",
    runtimeEnv.setupHook !== undefined && "setupHook",
  ].filter((option) => option !== false);
  if (asked !== undefined) throw notInProcess(`runtimeEnv.${asked}`, "all tasks share one environment", name);
}

function notInProcess(asked: string, reason: string, task?: string): RaiaError {
  return new RaiaError("NOT_IN_PROCESS", { asked, reason, task, mode: "inProcess" });
}

/** A task that ends "its" process would end everything: it gets an error instead. @returns what undoes this */
function guardProcess(): () => void {
  // Kept as they are, not bound: they are put back.
  const exit = Reflect.get(process, "exit");
  const abort = Reflect.get(process, "abort");
  const kill = Reflect.get(process, "kill");
  const refuse = (call: string): void => {
    const context = currentContext();
    if (context !== undefined) throw notInProcess(call, "the process is not the task's own", context.name);
  };
  const guarded = {
    exit: ((code) => {
      refuse("process.exit");
      return exit.call(process, code);
    }) as typeof exit,
    abort: (() => {
      refuse("process.abort");
      return abort.call(process);
    }) as typeof abort,
    kill: ((pid, signal) => {
      if (pid === process.pid && signal !== 0) refuse("process.kill");
      return kill.call(process, pid, signal);
    }) as typeof kill,
  };
  Object.assign(process, guarded);
  return () => {
    // Only what is still ours: somebody may have put something over it since.
    for (const [name, original] of Object.entries({ exit, abort, kill })) {
      if (Reflect.get(process, name) === guarded[name as keyof typeof guarded]) Reflect.set(process, name, original);
    }
  };
}
