/**
 * Actors of a simulated program: short-lived ones whose calls are counted, ordered and compared, and named ones that
 * several fibers and drivers share.
 */
import { get, getActor, kill, type ObjectRef, type ObjectRefStream, RaiaError } from "@raia/core";
import { BrokenAnswer, type Item, type Judge } from "./sim-answers.ts";
import { simContext, simSleep } from "./sim-context.ts";
import { dropValue, submitCallTally, sumOf, TallyActor, type TallyHandle } from "./sim-functions.ts";
import { PlannedError, type PlanValue } from "./sim-plans.ts";
import type { Draws, SimStreams } from "./sim-streams.ts";

interface Counted {
  readonly ref: ObjectRef;
  readonly by: number;
}

/** One short-lived actor, and what was asked of it. */
interface Life {
  readonly handle: TallyHandle;
  readonly isSerial: boolean;
  readonly isOnce: boolean;
  readonly calls: Counted[];
  /** Calls of the same actor by tasks: another caller, whose order is its own. */
  readonly others: Counted[];
  readonly checks: (() => Promise<void>)[];
  isEnded: boolean;
}

const NAMES = ["a", "b", "c"];

export class SimActors {
  readonly #draws: Draws;
  readonly #judge: Judge;
  readonly #streams: SimStreams;
  readonly #named = new Set<object>();

  constructor(draws: Draws, judge: Judge, streams: SimStreams) {
    this.#draws = draws;
    this.#judge = judge;
    this.#streams = streams;
  }

  async run(): Promise<void> {
    const { below } = this.#draws;
    const maxTaskRetries = [0, 0, 2, -1][below(4)] as number;
    const maxConcurrency = [1, 1, 3][below(3)] as number;
    const options = { maxRestarts: [0, 0, 1, -1][below(4)], maxTaskRetries, maxConcurrency };
    const life: Life = {
      handle: TallyActor.options(options).remote(0, maxConcurrency) as TallyHandle,
      isSerial: maxConcurrency === 1,
      isOnce: maxTaskRetries === 0,
      calls: [],
      others: [],
      checks: [],
      isEnded: false,
    };
    for (let i = 1 + below(6); i > 0; i--) await this.#step(life);
    await this.#checkCalls(life);
    for (const check of life.checks) await check();
    simContext().finalizers.drop(life.handle);
  }

  async #step(life: Life): Promise<void> {
    const { below, key } = this.#draws;
    const { handle, calls } = life;
    const choice = below(20);
    if (choice < 9) {
      const by = 1 + below(5);
      calls.push({ ref: handle.add.remote(key(life.isOnce), by, below(3) === 0 ? below(50) : 0) as ObjectRef, by });
    } else if (choice < 11) await this.#keep(life);
    else if (choice < 12) await this.#kill(life);
    else if (choice < 13) this.#callByTask(life);
    else if (choice < 14) this.#give(life);
    else if (choice < 15) this.#stream(life);
    else if (choice < 16) this.#fail(life);
    else if (choice < 17 && below(3) === 0) this.#exit(life);
    else await simSleep(below(100));
  }

  async #keep(life: Life): Promise<void> {
    const { below, drop, pick } = this.#draws;
    const kept = pick();
    if (kept === undefined || life.checks.length > 0) return;
    const { finalizers } = simContext();
    finalizers.drop(life.handle.keep.remote({ ref: kept.ref }) as ObjectRef);
    if (below(2) === 0) drop(kept);
    await simSleep(below(300));
    const reading = life.handle.read.remote() as ObjectRef;
    life.checks.push(() => this.#checkRead(reading, kept, life));
  }

  async #kill(life: Life): Promise<void> {
    if (life.isEnded) return;
    life.isEnded = true;
    const noRestart = this.#draws.below(2) === 0;
    simContext().counts.add(noRestart ? "actor killed" : "actor told to restart");
    await kill(life.handle, { noRestart });
  }

  #callByTask(life: Life): void {
    const by = 1 + this.#draws.below(5);
    simContext().counts.add("actor called by a task");
    const options = { ...this.#draws.taskOptions(), maxRetries: 0 };
    life.others.push({ ref: submitCallTally(this.#draws.key(true), life.handle, by, options), by });
  }

  #give(life: Life): void {
    const n = this.#draws.below(1000);
    const ref = life.handle.give.remote(n) as ObjectRef<PlanValue>;
    simContext().counts.add("actor gave a ref");
    life.checks.push(async () => {
      try {
        const value = await get(ref);
        if ((await sumOf(value)) !== n) throw new BrokenAnswer(`an actor gave something else than ${n}`);
        dropValue(value);
      } catch (error) {
        this.#judge.actorError(error, undefined, life.isEnded);
      } finally {
        simContext().finalizers.drop(ref);
      }
    });
  }

  #stream(life: Life): void {
    const [from, items] = [this.#draws.below(100), this.#draws.below(10)];
    const stream = life.handle.items.remote(from, items) as ObjectRefStream<PlanValue>;
    simContext().counts.add("actor streamed");
    life.checks.push(() => this.#streams.consume(stream, from, items, (error, item) => this.#judge.actorError(error, item, life.isEnded)));
  }

  #fail(life: Life): void {
    const ref = life.handle.fail.remote(this.#draws.below(1000)) as ObjectRef;
    life.checks.push(async () => {
      try {
        await get(ref);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== PlannedError.name) this.#judge.actorError(error, undefined, life.isEnded);
        return;
      } finally {
        simContext().finalizers.drop(ref);
      }
      throw new BrokenAnswer("a method gave something where it must throw");
    });
  }

  #exit(life: Life): void {
    life.isEnded = true;
    simContext().counts.add("actor left");
    simContext().finalizers.drop(life.handle.exit.remote() as ObjectRef);
  }

  async #checkCalls(life: Life): Promise<void> {
    const isCalm = !this.#judge.excuses.hasDeaths && !life.isEnded;
    let expected = 0;
    let last: [number, number] = [-1, 0];
    for (const { ref, by } of life.calls) {
      expected += by;
      try {
        const [instance, n] = (await get(ref)) as [number, number];
        if (isCalm && life.others.length === 0 && n !== expected) throw new BrokenAnswer(`an actor counted ${n}, not ${expected}`);
        const isEarlier = instance < last[0] || (instance === last[0] && n < last[1] + by);
        // Of several at a time, one that is tried again may be answered by a later incarnation than the next.
        if (isEarlier && (life.isSerial || life.isOnce))
          throw new BrokenAnswer(`calls of one caller ran out of order: ${last.join(".")} before ${instance}.${n}`);
        last = [instance, n];
      } catch (error) {
        this.#judge.actorError(error, undefined, life.isEnded);
      }
      simContext().finalizers.drop(ref);
    }
    for (const { ref } of life.others) {
      await get(ref).catch((error: unknown) => this.#judge.actorError(error, undefined, life.isEnded));
      simContext().finalizers.drop(ref);
    }
  }

  async #checkRead(ref: ObjectRef, kept: Item, life: Life): Promise<void> {
    try {
      const sum = (await get(ref)) as number | null;
      // Several at a time: the reading may overtake a call whose ref is still to be made known to its owner.
      const isCalm = !this.#judge.excuses.hasDeaths && !life.isEnded && life.isSerial;
      if (sum === null && isCalm) throw new BrokenAnswer("an actor lost what it kept");
      if (sum !== null && sum !== -1 && sum !== kept.expected) throw new BrokenAnswer(`an actor read ${sum}, not ${kept.expected}`);
    } catch (error) {
      this.#judge.actorError(error, kept, life.isEnded);
    } finally {
      simContext().finalizers.drop(ref);
    }
  }

  // -- shared by name -----------------------------------------------------------------------------------------------

  /** One that others may have made, may call and may kill meanwhile: only order is sure, and that nothing hangs. */
  async runNamed(): Promise<void> {
    const { below, key } = this.#draws;
    const name = NAMES[below(NAMES.length)] as string;
    const handle = await this.#shared(name);
    if (handle === undefined) return;
    this.#named.add(handle);
    const calls: Counted[] = [];
    for (let i = 1 + below(4); i > 0; i--) {
      const by = 1 + below(5);
      calls.push({ ref: handle.add.remote(key(false), by, below(30)) as ObjectRef, by });
    }
    if (below(6) === 0) {
      simContext().counts.add("named actor killed");
      await kill(handle, { noRestart: below(2) === 0 }).catch((error: unknown) => this.#namedError(error));
    }
    let last: [number, number] = [-1, 0];
    for (const { ref, by } of calls) {
      try {
        const [instance, n] = (await get(ref)) as [number, number];
        if (instance < last[0] || (instance === last[0] && n < last[1] + by))
          throw new BrokenAnswer(`calls of one caller ran out of order: ${last.join(".")} before ${instance}.${n}`);
        last = [instance, n];
      } catch (error) {
        this.#namedError(error);
      }
      simContext().finalizers.drop(ref);
    }
  }

  async #shared(name: string): Promise<TallyHandle | undefined> {
    const { below } = this.#draws;
    if (below(3) > 0) {
      return TallyActor.options({ name, getIfExists: true, maxRestarts: -1, maxConcurrency: 2 }).remote(0, 2) as TallyHandle;
    }
    try {
      simContext().counts.add("actor asked for by name");
      return await getActor<TallyHandle>(name);
    } catch (error) {
      this.#namedError(error);
      return undefined;
    }
  }

  #namedError(error: unknown): void {
    if (RaiaError.is(error, "ACTOR_NOT_FOUND")) return;
    this.#judge.actorError(error, undefined, true);
  }

  /** Named ones would stay until their job ends. */
  async end(): Promise<void> {
    for (const handle of this.#named) {
      await kill(handle).catch((error: unknown) => this.#namedError(error));
      simContext().finalizers.drop(handle);
    }
  }
}
