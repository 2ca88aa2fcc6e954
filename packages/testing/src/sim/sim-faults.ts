/** What goes wrong in a run, as its seed decides: some runs are calm, so that nothing is excused there. */
import { type Arena, type Clock, type Random, randomBelow, type World } from "@raia/core/internal";
import type { NetworkFaults } from "./sim-network.ts";

const LONGEST_PAUSE_MS = 2000;

export class SimFaults {
  readonly hasDeaths: boolean;
  readonly network: NetworkFaults;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #deathShare: number;
  readonly #pauseShare: number;
  readonly #fullShare: number;
  #world: World | undefined;
  deaths = 0;

  constructor(random: Random, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
    this.hasDeaths = random.next() < 0.5;
    // From one death in a run to dozens.
    this.#deathShare = this.hasDeaths ? 0.03 * random.next() ** 3 : 0;
    this.#pauseShare = random.next() < 0.3 ? 0.005 * random.next() : 0;
    this.#fullShare = random.next() < 0.3 ? random.next() : 0;
    this.network = {
      delayMs: random.next() < 0.5 ? 0.1 : 2,
      slowShare: random.next() < 0.4 ? 0.1 * random.next() : 0,
      slowMs: 100,
    };
  }

  start(world: World): void {
    this.#world = world;
  }

  stop(): void {
    for (const { shell } of this.#world?.launcher.workers ?? []) shell.resume();
    this.#world = undefined;
  }

  /** Called after each event. */
  stepped(): void {
    if (this.#world === undefined) return;
    if (this.#deathShare > 0 && this.#random.next() < this.#deathShare) this.#kill(this.#world);
    if (this.#pauseShare > 0 && this.#random.next() < this.#pauseShare) this.#pause(this.#world);
  }

  #kill(world: World): void {
    const workers = [...world.launcher.workers];
    const victim = workers[randomBelow(this.#random, Math.max(1, workers.length))];
    if (victim === undefined) return;
    this.deaths++;
    victim.die();
  }

  #pause(world: World): void {
    const workers = [...world.launcher.workers];
    const victim = workers[randomBelow(this.#random, Math.max(1, workers.length))];
    if (victim === undefined) return;
    victim.shell.pause();
    this.#clock.after(this.#random.next() * LONGEST_PAUSE_MS, () => victim.shell.resume());
  }

  /** An arena that has no room now and then, whatever is free. */
  wrapArena(arena: Arena): Arena {
    if (this.#fullShare === 0) return arena;
    const allocate = arena.allocate.bind(arena);
    arena.allocate = (bytes) => (this.#random.next() < this.#fullShare ? undefined : allocate(bytes));
    return arena;
  }
}
