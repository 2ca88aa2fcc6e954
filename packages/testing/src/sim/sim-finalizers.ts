/**
 * The garbage collector of a simulation: what code drops is found a while later, in an order that the seed decides. What it
 * was not told of lives until `collectAll`, as in a process that never collects.
 */
import { type Clock, type FinalizerKind, type Finalizers, type Random, randomBelow } from "@raia/core/internal";

interface Watched {
  readonly target: object;
  readonly dispose: () => void;
}

const LATEST_MS = 200;

export class SimFinalizers implements Finalizers {
  readonly #watched = new Map<object, Watched[]>();
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  watch<Held>(kind: FinalizerKind<Held>, target: object, held: Held): void {
    const watched: Watched = { target, dispose: () => kind.dispose(held) };
    const others = this.#watched.get(target);
    if (others === undefined) this.#watched.set(target, [watched]);
    else others.push(watched);
  }

  collect(): void {}

  /** Nobody can reach the target any more. Safe to repeat. */
  drop(target: object): void {
    if (!this.#watched.has(target)) return;
    this.#clock.after(randomBelow(this.#random, LATEST_MS), () => this.#collect(target));
  }

  collectAll(): void {
    for (const target of [...this.#watched.keys()]) this.#collect(target);
  }

  get size(): number {
    return this.#watched.size;
  }

  #collect(target: object): void {
    const found = this.#watched.get(target);
    this.#watched.delete(target);
    for (const { dispose } of found ?? []) dispose();
  }
}
