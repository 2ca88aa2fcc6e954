/** Streams of a simulated program: read to the end or left early, item by item against what each must be. */
import { get, type ObjectRefStream } from "@raia/core";
import { BrokenAnswer, type Item, type Judge, newItem } from "./sim-answers.ts";
import { simContext } from "./sim-context.ts";
import { dropValue, expectedItem, submitStream, sumOf } from "./sim-functions.ts";
import type { PlanValue, TaskOptionsPlan } from "./sim-plans.ts";

/** What the parts of a program draw from it. */
export interface Draws {
  readonly below: (count: number) => number;
  readonly pick: () => Item | undefined;
  readonly drop: (item: Item) => void;
  readonly taskOptions: () => TaskOptionsPlan;
  /** A number for a call, by which its starts are counted. */
  readonly key: (isOnce: boolean) => number;
}

export class SimStreams {
  readonly #draws: Draws;
  readonly #judge: Judge;

  constructor(draws: Draws, judge: Judge) {
    this.#draws = draws;
    this.#judge = judge;
  }

  async run(): Promise<void> {
    const { below, key, taskOptions } = this.#draws;
    const items = below(12);
    const from = below(100);
    const options = taskOptions();
    const sleepMs = below(2) * below(30);
    const stream = submitStream(key(options.maxRetries === 0), from, items, sleepMs, options);
    await this.consume(stream, from, items, (error, item) => this.#judge.error(error, item));
  }

  /** @param judge throws when nothing excuses an error */
  async consume(
    stream: ObjectRefStream<PlanValue>,
    from: number,
    items: number,
    judge: (error: unknown, item: Item) => void,
  ): Promise<void> {
    const { below } = this.#draws;
    const breakAt = below(3) === 0 ? below(items + 1) : items + 1;
    if (breakAt <= items) simContext().counts.add("stream left early");
    try {
      await this.#read(stream, from, items, breakAt, judge);
    } finally {
      simContext().finalizers.drop(stream);
    }
  }

  async #read(
    stream: ObjectRefStream<PlanValue>,
    from: number,
    items: number,
    breakAt: number,
    judge: (error: unknown, item: Item) => void,
  ): Promise<void> {
    let index = 0;
    for await (const ref of stream) {
      const item = newItem(ref, expectedItem(from, index));
      try {
        const value = await get(ref);
        const sum = await sumOf(value);
        dropValue(value);
        if (sum !== item.expected) throw new BrokenAnswer(`item ${index} of a stream is ${sum}, not ${item.expected}`);
      } catch (error) {
        judge(error, item);
        simContext().finalizers.drop(ref);
        return;
      }
      simContext().finalizers.drop(ref);
      index++;
      if (index === breakAt) return;
    }
    if (index !== items) throw new BrokenAnswer(`a stream of ${items} gave ${index}`);
  }
}
