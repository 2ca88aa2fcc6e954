/** One simulated run: everything in it follows from the seed. */
import { installRemoteValues, type Random, randomBelow, seededRandom, World } from "@raia/core/internal";
import { SimClock } from "./sim-clock.ts";
import { setSimContext } from "./sim-context.ts";
import { SimCounts } from "./sim-counts.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimDriver } from "./sim-driver.ts";
import { SimFaults } from "./sim-faults.ts";
import { SimFinalizers } from "./sim-finalizers.ts";
import { simFunctionCodec } from "./sim-functions.ts";
import { BrokenInvariant, checkAlways, leftovers, watchSettling } from "./sim-invariants.ts";
import { SimTransport } from "./sim-network.ts";
import { SimProgram } from "./sim-program.ts";
import { SimTrace } from "./sim-trace.ts";

export interface SimOptions {
  /** Takes the story of the run, line by line. */
  readonly trace?: ((line: string) => void) | undefined;
  /** Loses messages of that name; for bugs that are planted. */
  readonly loses?: string | undefined;
}

export interface SimResult {
  readonly seed: number;
  /** Equal for equal runs. */
  readonly hash: string;
  readonly steps: number;
  readonly virtualMs: number;
  readonly counts: SimCounts;
  /** Undefined when everything held. */
  readonly failure: Error | undefined;
}

/** A program that has not ended by then hangs: its own sleeps sum up to seconds. */
const HANGS_AFTER_MS = 600_000;
const HANGS_AFTER_STEPS = 400_000;
/** Idle leases, borrows, finalizers: all are over by then. */
const QUIET_MS = 120_000;
const MIB = 1024 * 1024;

export function runSeed(seed: number, options: SimOptions = {}): Promise<SimResult> {
  return new SimRun(seed, options).run();
}

class SimRun {
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimClock();
  readonly #counts = new SimCounts();
  readonly #trace: SimTrace;
  readonly #finalizers: SimFinalizers;
  readonly #faults: SimFaults;
  readonly #disk: SimDisk;
  readonly #world: World;
  readonly #drivers: SimDriver[] = [];
  readonly #cpus: number;
  readonly #isTidy: boolean;
  #failure: Error | undefined;

  constructor(seed: number, options: SimOptions) {
    this.#seed = seed;
    const random = (this.#random = seededRandom(seed));
    const [clock, counts] = [this.#clock, this.#counts];
    const trace = (this.#trace = new SimTrace(options.trace));
    const finalizers = (this.#finalizers = new SimFinalizers(clock, random));
    const faults = (this.#faults = new SimFaults({ random, clock, trace, counts }, options.loses));
    this.#disk = new SimDisk(clock, random, faults.disk, counts);
    this.#cpus = 1 + randomBelow(random, 4);
    this.#world = new World({
      clock,
      random,
      transport: new SimTransport({ clock, random, faults: faults.network, trace, counts }),
      finalizers,
      disk: this.#disk,
      resources: { CPU: this.#cpus * 10_000 },
      capacityBytes: ([1, 2, 4, 4][randomBelow(random, 4)] as number) * MIB,
      pidOf: (process) => 1000 + process,
      functionCodec: simFunctionCodec,
      install: installRemoteValues,
      wrapArena: (arena) => faults.wrapArena(arena),
      isControlApart: faults.isControlApart,
    });
    this.#isTidy = randomBelow(random, 2) === 0;
    const driverCount = randomBelow(random, 3) === 0 ? 2 + randomBelow(random, 2) : 1;
    for (let driver = 0; driver < driverCount; driver++) this.#drivers.push(this.#newDriver(driver, driverCount));
  }

  #newDriver(number: number, count: number): SimDriver {
    const { hasDeaths, hasPauses, disk } = this.#faults;
    const random = this.#random;
    const program = new SimProgram(random, {
      fibers: 1 + randomBelow(random, 4),
      statements: 5 + randomBelow(random, 25),
      cpus: this.#cpus,
      excuses: { hasDeaths, hasPauses, hasDiskFaults: disk.share > 0, hasOthers: count > 1 },
      isTidy: this.#isTidy,
      say: (what) => this.#trace.say(`driver ${number} ${what}`, this.#clock.nowMs()),
    });
    return new SimDriver(this.#world, program, (driver) => {
      if (driver.state === "running") this.#fail(new Error("a driver lost its node"));
    });
  }

  readonly #fail = (error: unknown): void => void (this.#failure ??= error instanceof Error ? error : new Error(String(error)));

  async run(): Promise<SimResult> {
    const [clock, counts, finalizers] = [this.#clock, this.#counts, this.#finalizers];
    setSimContext({ clock, finalizers, counts, starts: new Map(), handles: new Map(), nextKey: 1, nextInstance: 1, fail: this.#fail });
    const unwatch = watchSettling(this.#fail);
    process.on("unhandledRejection", this.#fail);
    try {
      await this.#runUntil(this.#main());
      if (this.#isTidy) await this.#runUntil(this.#settle());
      await this.#runUntil(this.#leaveAll());
      await this.#runUntil(this.#settle());
    } catch (error) {
      this.#fail(error);
    } finally {
      for (const worker of [...this.#world.launcher.workers]) worker.die();
      for (const driver of this.#drivers) driver.kill();
      this.#world.head.end();
      this.#world.controlProcess?.kill();
      setSimContext(undefined);
      await turn();
      process.removeListener("unhandledRejection", this.#fail);
      unwatch();
    }
    counts.add("steps", clock.steps);
    return {
      seed: this.#seed,
      hash: this.#trace.hash,
      steps: clock.steps,
      virtualMs: Math.round(clock.nowMs()),
      counts,
      failure: this.#failure,
    };
  }

  async #main(): Promise<void> {
    await this.#world.start();
    this.#faults.start(this.#world);
    await Promise.all(this.#drivers.map((driver, number) => this.#runDriver(driver, number)));
    this.#faults.stop();
    this.#disk.isBroken = false;
  }

  /** The first stays; another leaves when its program is done, or is shot in the middle of it. */
  async #runDriver(driver: SimDriver, number: number): Promise<void> {
    if (number > 0 && randomBelow(this.#random, 2) === 0) {
      this.#clock.after(this.#random.next() ** 2 * 5000, () => {
        if (driver.state !== "running") return;
        this.#counts.add("fault: driver death");
        this.#trace.say(`** driver death: ${number}`, this.#clock.nowMs());
        driver.kill();
      });
    }
    await driver.run();
    if (number === 0) return;
    await driver.leave();
    if (driver.state === "left") this.#counts.add("driver left");
  }

  async #leaveAll(): Promise<void> {
    for (const driver of this.#drivers) await driver.leave();
  }

  async #runUntil(until: Promise<void>): Promise<void> {
    let isDone = this.#failure !== undefined;
    until.then(() => void (isDone = true), this.#fail);
    const clock = this.#clock;
    const lastMs = clock.nowMs() + HANGS_AFTER_MS;
    for (;;) {
      await turn();
      if (this.#failure !== undefined || isDone) return;
      checkAlways(this.#world);
      if (!clock.step() || clock.nowMs() > lastMs || clock.steps > HANGS_AFTER_STEPS) throw this.#hanging();
      this.#faults.stepped();
      if (this.#trace.isWatched) this.#tellProcesses();
    }
  }

  readonly #told = new Set<string>();

  /** For the story: which processes came and went. */
  #tellProcesses(): void {
    const alive = new Set([...this.#world.launcher.workers].map(({ workerId }) => workerId.slice(0, 6)));
    for (const worker of alive) if (!this.#told.has(worker)) this.#trace.tell(`-- worker ${worker} began`, this.#clock.nowMs());
    for (const worker of this.#told) if (!alive.has(worker)) this.#trace.tell(`-- worker ${worker} ended`, this.#clock.nowMs());
    this.#told.clear();
    for (const worker of alive) this.#told.add(worker);
  }

  #hanging(): BrokenInvariant {
    const facts = {
      drivers: this.#drivers.map(({ program, runtime, state }) => ({ state, doing: program.doing, ...runtime.inspect() })),
      workers: [...this.#world.launcher.workers].map(({ workerId, shell, runtime }) => ({
        workerId: workerId.slice(0, 6),
        isPaused: shell.isPaused,
        ...runtime.inspect(),
      })),
      node: this.#world.node.inspect(),
    };
    return new BrokenInvariant(
      `I6: the program hangs at ${Math.round(this.#clock.nowMs())} ms, step ${this.#clock.steps}: ${JSON.stringify(facts)}`,
    );
  }

  /** Everything is dropped; after a while nothing may be left. */
  async #settle(): Promise<void> {
    // What still runs holds what it uses; nobody can tell the collector otherwise.
    await this.#sleep(QUIET_MS);
    const pauses = 12;
    for (let pause = 0; pause < pauses; pause++) {
      this.#finalizers.collectAll();
      await this.#sleep(QUIET_MS / pauses);
    }
    const living = this.#drivers.filter(({ state }) => state === "done");
    const left = leftovers(
      this.#world,
      living.map(({ runtime }) => runtime),
    );
    const watched = living.reduce((sum, { program }) => sum + program.watched, 0);
    if (watched > 0) left.push(`objects whose end nobody was told: ${watched}`);
    if (this.#disk.fileNames.length > 0) left.push(`files on the spill disk: ${this.#disk.fileNames.join(", ")}`);
    if (left.length > 0) throw new BrokenInvariant(`I4: left when nothing is needed: ${left.join("; ")}`);
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(delayMs, resolve));
  }
}

/** Lets every promise that can settle do so. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
