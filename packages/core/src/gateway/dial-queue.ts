/**
 * How many connections a gateway makes at once to another. Below what one address may have unproved at a port: a machine whose
 * processes all dial at the same moment is not taken for a flood.
 */
import { Deque } from "../base/deque.ts";
import { type Fact, RaiaError } from "../base/errors.ts";

const MAX_AT_ONCE = 64;

export class DialQueue {
  readonly #atOnce: number;
  readonly #machines = new Map<string, { running: number; readonly waiting: Deque<PromiseWithResolvers<void>> }>();

  constructor(atOnce = MAX_AT_ONCE) {
    this.#atOnce = atOnce;
  }

  /** The queue is bounded by the places that whoever waits holds. */
  async run<T>(machine: string, dial: () => Promise<T>): Promise<T> {
    const queue = this.#machines.get(machine) ?? { running: 0, waiting: new Deque<PromiseWithResolvers<void>>() };
    this.#machines.set(machine, queue);
    if (queue.running < this.#atOnce) {
      queue.running++;
    } else {
      // Whoever is done hands its place on, so the count stays.
      const turn = Promise.withResolvers<void>();
      queue.waiting.push(turn);
      await turn.promise;
    }
    try {
      return await dial();
    } catch (error) {
      // They would find the same, each after the time that it takes to find out.
      if (RaiaError.is(error, "CONNECTION_LOST") && isOfMachine(error.facts["cause"])) {
        for (let turn = queue.waiting.shift(); turn !== undefined; turn = queue.waiting.shift()) turn.reject(error);
      }
      throw error;
    } finally {
      const next = queue.waiting.shift();
      if (next !== undefined) next.resolve();
      else if (--queue.running === 0) this.#machines.delete(machine);
    }
  }
}

function isOfMachine(cause: Fact): boolean {
  return cause === "machine-refused" || cause === "unreachable";
}
