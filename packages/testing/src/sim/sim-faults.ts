/** What goes wrong in a run, as its seed decides: some runs are calm, so that nothing is excused there. */
import { type Arena, type ProcessShell, type Random, randomBelow, type World } from "@raia/core/internal";
import type { SimClock } from "./sim-clock.ts";
import type { SimCounts } from "./sim-counts.ts";
import type { DiskFaults } from "./sim-disk.ts";
import type { NetworkFaults } from "./sim-network.ts";
import type { SimTrace } from "./sim-trace.ts";

const LONGEST_PAUSE_MS = 2000;
const LONGEST_JUMP_MS = 3_600_000;
const LONGEST_CONTROL_START_MS = 1000;

/** A task that is tried again without end would die without end. */
const LAST_FAULT_MS = 60_000;

export interface FaultDependencies {
  readonly random: Random;
  readonly clock: SimClock;
  readonly trace: SimTrace;
  readonly counts: SimCounts;
}

export class SimFaults {
  readonly hasDeaths: boolean;
  readonly hasCuts: boolean;
  readonly isControlApart: boolean;
  readonly hasControlDeaths: boolean;
  readonly network: NetworkFaults;
  readonly disk: DiskFaults;
  readonly #deps: FaultDependencies;
  readonly #deathShare: number;
  readonly #cutShare: number;
  readonly #pauseShare: number;
  readonly #jumpShare: number;
  readonly #fullShare: number;
  readonly #controlDeathShare: number;
  #world: World | undefined;

  constructor(deps: FaultDependencies, loses?: string) {
    const { random } = deps;
    this.#deps = deps;
    const sometimes = (share: number): boolean => random.next() < share;
    this.hasDeaths = sometimes(0.5);
    // From one death in a run to dozens.
    this.#deathShare = this.hasDeaths ? 0.03 * random.next() ** 3 : 0;
    this.hasCuts = this.hasDeaths && sometimes(0.4);
    this.#cutShare = this.hasCuts ? 0.02 * random.next() ** 2 : 0;
    this.#pauseShare = sometimes(0.3) ? 0.005 * random.next() : 0;
    this.#jumpShare = sometimes(0.3) ? 0.01 * random.next() : 0;
    this.#fullShare = sometimes(0.3) ? random.next() : 0;
    this.isControlApart = sometimes(0.5);
    this.hasControlDeaths = this.isControlApart && sometimes(0.6);
    this.#controlDeathShare = this.hasControlDeaths ? 0.01 * random.next() ** 2 : 0;
    this.disk = { share: sometimes(0.3) ? 0.5 * random.next() ** 2 : 0 };
    this.network = {
      delayMs: sometimes(0.5) ? 0.1 : 2,
      slowShare: sometimes(0.4) ? 0.1 * random.next() : 0,
      slowMs: 100,
      repeatShare: sometimes(0.3) ? 0.3 * random.next() : 0,
      loses,
    };
  }

  get hasPauses(): boolean {
    return this.#pauseShare > 0;
  }

  start(world: World): void {
    this.#world = world;
  }

  stop(): void {
    for (const shell of this.#shells()) shell.resume();
    this.#world = undefined;
  }

  /** Called after each event. */
  stepped(): void {
    if (this.#world === undefined || this.#deps.clock.nowMs() > LAST_FAULT_MS) return;
    if (this.#isNow(this.#deathShare)) this.#kill(this.#world);
    if (this.#isNow(this.#pauseShare)) this.#pause();
    if (this.#isNow(this.#cutShare)) this.#cut(this.#world);
    if (this.#isNow(this.#jumpShare)) this.#jump();
    if (this.#isNow(this.#controlDeathShare)) this.#killControl(this.#world);
  }

  #isNow(share: number): boolean {
    return share > 0 && this.#deps.random.next() < share;
  }

  #kill(world: World): void {
    const victim = this.#oneOf([...world.launcher.workers]);
    if (victim === undefined) return;
    this.#note("worker death", victim.shell.name);
    victim.die();
  }

  /** Its node starts it again after a while. */
  #killControl({ controlProcess: control }: World): void {
    if (control === undefined || control.shell.isEnded) return;
    this.#note("control death", control.shell.name);
    control.kill();
    this.#deps.clock.after(this.#deps.random.next() * LONGEST_CONTROL_START_MS, () => void control.startAgain());
  }

  #pause(): void {
    const victim = this.#oneOf(this.#shells());
    if (victim === undefined) return;
    this.#note("pause", victim.name);
    victim.pause();
    this.#deps.clock.after(this.#deps.random.next() * LONGEST_PAUSE_MS, () => victim.resume());
  }

  /** A connection between two processes that both live breaks; what was on its way is lost. */
  #cut(world: World): void {
    const streams = [...world.launcher.workers].flatMap(({ shell }) => [...shell.streams]).filter(({ address }) => address !== "head");
    const victim = this.#oneOf(streams);
    if (victim === undefined) return;
    this.#note("lost connection", victim.address);
    victim.stream.close();
  }

  #jump(): void {
    this.#note("clock jump", "wall clock");
    this.#deps.clock.jumpWall((2 * this.#deps.random.next() - 1) * LONGEST_JUMP_MS);
  }

  #note(fault: string, where: string): void {
    const { counts, trace, clock } = this.#deps;
    counts.add(`fault: ${fault}`);
    trace.say(`** ${fault}: ${where}`, clock.nowMs());
  }

  #shells(): ProcessShell[] {
    if (this.#world === undefined) return [];
    const { head, controlProcess } = this.#world;
    return [
      head,
      ...(controlProcess === undefined ? [] : [controlProcess.shell]),
      ...[...this.#world.launcher.workers].map(({ shell }) => shell),
    ];
  }

  #oneOf<T>(candidates: readonly T[]): T | undefined {
    return candidates[randomBelow(this.#deps.random, Math.max(1, candidates.length))];
  }

  /** An arena that has no room now and then, whatever is free. */
  wrapArena(arena: Arena): Arena {
    if (this.#fullShare === 0) return arena;
    const allocate = arena.allocate.bind(arena);
    arena.allocate = (bytes) => {
      if (this.#deps.random.next() >= this.#fullShare) return allocate(bytes);
      this.#deps.counts.add("fault: full arena");
      return undefined;
    };
    return arena;
  }
}
