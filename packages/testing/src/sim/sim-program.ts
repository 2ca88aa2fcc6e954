/**
 * The driver of a simulated program: fibers that submit, wait, drop, free, cancel, stream and call actors at random, and
 * know what each answer must be. An answer that is wrong, or an error that nothing has caused, breaks the run.
 */
import { cancel, free, get, onOutOfScope, put, RaiaError, wait } from "@raia/core";
import { type Random, randomBelow } from "@raia/core/internal";
import { SimActors } from "./sim-actors.ts";
import { BrokenAnswer, type Excuses, type Item, Judge, newItem } from "./sim-answers.ts";
import { simContext, simSleep } from "./sim-context.ts";
import { dropValue, submitKeyed, submitPair, sumOf } from "./sim-functions.ts";
import { expectedOf, LARGE_LENGTH, type Plan, PlannedError, type PlanValue, sumOrUndefined, type TaskOptionsPlan } from "./sim-plans.ts";
import { SimGroups } from "./sim-groups.ts";
import { SimStreams } from "./sim-streams.ts";

export interface ProgramOptions {
  readonly fibers: number;
  readonly statements: number;
  readonly cpus: number;
  readonly excuses: Excuses;
  /** Ends what would end with its job only. */
  readonly isTidy: boolean;
  /** Told of each statement, for traces. */
  readonly say: (what: string) => void;
}

interface Statement {
  readonly name: string;
  /** How often it is drawn, against the others. */
  readonly weight: number;
  run(): Promise<void> | void;
}

export class SimProgram {
  readonly #random: Random;
  readonly #options: ProgramOptions;
  readonly #judge: Judge;
  readonly #streams: SimStreams;
  readonly #actors: SimActors;
  readonly #groups: SimGroups;
  readonly #pool: Item[] = [];
  /** Keys of tasks and calls that may begin once only. */
  readonly #onceKeys: number[] = [];
  readonly #statements: readonly Statement[];
  /** What each fiber waits for, for the report of a run that hangs. */
  readonly doing: string[] = [];
  /** Objects whose going out of scope was asked to be told, and was not yet. */
  watched = 0;

  constructor(random: Random, options: ProgramOptions) {
    this.#random = random;
    this.#options = options;
    this.#judge = new Judge(options.excuses);
    const draws = {
      below: (count: number) => this.#below(count),
      pick: () => this.#pick(),
      drop: (item: Item) => this.#drop(item),
      taskOptions: () => this.#taskOptions(),
      key: (isOnce: boolean) => this.#key(isOnce),
    };
    this.#streams = new SimStreams(draws, this.#judge);
    this.#actors = new SimActors(draws, this.#judge, this.#streams);
    this.#groups = new SimGroups(draws, this.#judge, options.cpus);
    this.#statements = this.#table();
  }

  #table(): readonly Statement[] {
    const picked = (run: (item: Item) => Promise<void> | void) => () => {
      const item = this.#pick();
      return item === undefined ? undefined : run(item);
    };
    return [
      { name: "submit", weight: 26, run: () => this.#submit() },
      { name: "submit flaky", weight: 3, run: () => this.#submitFlaky() },
      { name: "submit limited", weight: 3, run: () => this.#submitLimited() },
      { name: "submit pair", weight: 3, run: () => this.#submitPair() },
      { name: "put", weight: 8, run: () => this.#put() },
      { name: "get", weight: 17, run: picked((item) => this.#check(item)) },
      { name: "get several", weight: 3, run: () => this.#checkSeveral() },
      { name: "get what a task left", weight: 3, run: () => this.#checkLeft() },
      { name: "drop", weight: 8, run: picked((item) => this.#drop(item)) },
      { name: "free", weight: 3, run: picked((item) => this.#free(item)) },
      { name: "cancel", weight: 4, run: picked((item) => this.#cancel(item)) },
      { name: "wait", weight: 4, run: () => this.#wait() },
      { name: "stream", weight: 6, run: () => this.#streams.run() },
      { name: "actor", weight: 7, run: () => this.#actors.run() },
      { name: "named actor", weight: 4, run: () => this.#actors.runNamed() },
      { name: "placement group", weight: 4, run: () => this.#groups.run() },
      { name: "sleep", weight: 6, run: () => simSleep(this.#below(1000)) },
    ];
  }

  async run(): Promise<void> {
    const fibers = Array.from({ length: this.#options.fibers }, (_, fiber) => this.#fiber(fiber));
    await Promise.all(fibers);
    for (const item of this.#pool.splice(0)) {
      await this.#check(item);
      this.#drop(item);
    }
    if (this.#options.isTidy) await this.#actors.end();
    this.checkStarts();
  }

  checkStarts(): void {
    const { starts } = simContext();
    for (const key of this.#onceKeys) {
      if ((starts.get(key) ?? 0) > 1) throw new BrokenAnswer(`a call that may run once began ${starts.get(key)} times`);
    }
  }

  #below(count: number): number {
    return randomBelow(this.#random, count);
  }

  #key(isOnce: boolean): number {
    const key = simContext().nextKey++;
    if (isOnce) this.#onceKeys.push(key);
    return key;
  }

  async #fiber(fiber: number): Promise<void> {
    for (let number = 0; number < this.#options.statements; number++) {
      const statement = this.#draw();
      this.doing[fiber] = `${number}: ${statement.name}`;
      this.#options.say(`fiber ${fiber}: ${statement.name}`);
      simContext().counts.add(statement.name);
      await statement.run();
    }
    this.doing[fiber] = "done";
  }

  #draw(): Statement {
    let left = this.#below(this.#statements.reduce((sum, { weight }) => sum + weight, 0));
    for (const statement of this.#statements) {
      left -= statement.weight;
      if (left < 0) return statement;
    }
    throw new Error("no statement");
  }

  #pick(): Item | undefined {
    return this.#pool[this.#below(Math.max(1, this.#pool.length))];
  }

  // -- tasks ------------------------------------------------------------------------------------------------------

  #taskOptions(): TaskOptionsPlan {
    const numCpus = [1, 1, 1, 0.5, 0.25, this.#options.cpus][this.#below(6)] as number;
    const maxRetries = [0, 1, 3, 3, -1][this.#below(5)] as number;
    const isolation = ([undefined, undefined, undefined, "shared", "process"] as const)[this.#below(5)];
    return {
      maxRetries,
      numCpus,
      maxCalls: [0, 0, 0, 0, 1, 2][this.#below(6)] as number,
      ...(isolation !== undefined && numCpus <= 1 && { isolation }),
    };
  }

  #plan(depth: number): Plan {
    const choice = this.#below(depth === 0 ? 11 : 17);
    const n = this.#below(1000);
    if (choice < 6) return { op: "add", n, sleepMs: this.#below(3) === 0 ? this.#below(200) : 0 };
    if (choice < 8) return { op: "array", n, length: LARGE_LENGTH };
    if (choice < 9) return { op: "throw", n };
    if (choice < 10) return { op: "add", n, sleepMs: 0 };
    if (choice < 11) return { op: "put", n, isLarge: this.#below(2) === 0 };
    const children = Array.from({ length: 1 + this.#below(3) }, () => this.#plan(depth - 1));
    const options = this.#taskOptions();
    if (choice < 15) return { op: "tree", n, how: (["get", "wait", "each"] as const)[this.#below(3)] as "get", options, children };
    return { op: "refs", options, children };
  }

  #submit(): void {
    const from: Item[] = [];
    const args: unknown[] = [];
    for (let i = this.#below(3); i > 0; i--) {
      const item = this.#pick();
      if (item === undefined) break;
      from.push(item);
      args.push(this.#below(3) === 0 ? { refs: [item.ref] } : item.ref);
    }
    const plan = this.#plan(2);
    simContext().counts.add(`plan ${plan.op}`);
    const options = this.#taskOptions();
    const ref = submitKeyed(this.#key(options.maxRetries === 0), plan, options, ...args);
    const own = expectedOf(plan);
    const isSumOfArguments = plan.op !== "refs" && plan.op !== "put";
    const parts = from.map((item) => item.expected);
    // A plan that gives refs leaves its arguments out of the sum, but reads them.
    const expected = isSumOfArguments ? sumOrUndefined([own, ...parts]) : parts.includes(undefined) ? undefined : own;
    this.#pool.push(newItem(ref, expected, { from, isTask: true }));
  }

  #submitFlaky(): void {
    const failures = this.#below(4);
    const n = this.#below(1000);
    const maxRetries = this.#below(4);
    const key = this.#key(false);
    const ref = submitKeyed(key, { op: "flaky", n, failures }, { ...this.#taskOptions(), maxRetries, retryExceptions: true });
    const item = newItem(ref, maxRetries >= failures ? n : undefined, { isTask: true });
    // What died with its process was a try as well.
    if (this.#options.excuses.hasDeaths) item.excuses.add(PlannedError.name);
    if (item.expected !== undefined || !this.#options.excuses.hasDeaths) this.#pool.push(item);
    else simContext().finalizers.drop(ref);
  }

  #submitLimited(): void {
    const { hasDeaths, hasPauses } = this.#options.excuses;
    // Past its time limit one that does not listen takes its process along, and what that owns; so does one that stands still.
    const mayTakeTooLong = hasDeaths || !hasPauses;
    const isQueue = this.#below(2) === 0 || !mayTakeTooLong;
    const limitMs = 20 + this.#below(100);
    const sleepMs = [0, 0, limitMs * 2, 4000][this.#below(4)] as number;
    const n = this.#below(1000);
    const options = { ...this.#taskOptions(), ...(isQueue ? { queueTimeoutMs: limitMs } : { timeoutMs: limitMs }) };
    const heeds = !hasDeaths || this.#below(2) === 0;
    const ref = submitKeyed(this.#key(options.maxRetries === 0), { op: "add", n, sleepMs, heeds }, options);
    this.#pool.push(newItem(ref, n, { isTask: true, excuses: new Set([isQueue ? "QUEUE_TIMEOUT" : "TASK_TIMEOUT"]) }));
  }

  #submitPair(): void {
    const n = this.#below(1000);
    const options = this.#taskOptions();
    const [number, array] = submitPair(this.#key(options.maxRetries === 0), n, this.#below(100), options);
    const excuses = new Set<string>();
    if (number !== undefined) this.#pool.push(newItem(number, n, { isTask: true, excuses }));
    if (array !== undefined) this.#pool.push(newItem(array, n * LARGE_LENGTH, { isTask: true, excuses }));
  }

  #put(): void {
    const n = this.#below(1000);
    const isLarge = this.#below(3) === 0;
    const inner = this.#below(4) === 0 ? this.#pick() : undefined;
    try {
      const item =
        inner !== undefined
          ? newItem(put<PlanValue>({ refs: [inner.ref] }), inner.expected, { from: [inner] })
          : newItem(put<PlanValue>(isLarge ? new Float64Array(LARGE_LENGTH).fill(n) : n), isLarge ? n * LARGE_LENGTH : n);
      this.#watch(item);
      this.#pool.push(item);
    } catch (error) {
      this.#judge.error(error, undefined);
    }
  }

  #watch(item: Item): void {
    this.watched++;
    onOutOfScope(item.ref, () => void this.watched--);
  }

  #drop(item: Item): void {
    const index = this.#pool.indexOf(item);
    if (index >= 0) this.#pool.splice(index, 1);
    // Whoever waits for it now still holds the ref itself.
    simContext().finalizers.drop(item.ref);
  }

  #free(item: Item): void {
    item.excuses.add("OBJECT_FREED");
    free(item.ref);
  }

  #cancel(item: Item): void {
    if (!item.isTask) return;
    item.excuses.add("TASK_CANCELLED");
    const force = this.#options.excuses.hasDeaths && this.#below(4) === 0;
    if (force) simContext().counts.add("cancel by force");
    cancel(item.ref, { recursive: this.#below(2) === 0, force });
  }

  // -- looking ----------------------------------------------------------------------------------------------------

  async #wait(): Promise<void> {
    const items = [...new Set(Array.from({ length: 3 }, () => this.#pick()))].filter((item) => item !== undefined);
    if (items.length === 0) return;
    const timeoutMs = this.#below(2) === 0 ? this.#below(500) : undefined;
    const { ready, pending } = await wait(
      items.map(({ ref }) => ref),
      { numReturns: 1 + this.#below(items.length), ...(timeoutMs !== undefined && { timeoutMs }) },
    );
    if (ready.length + pending.length !== items.length) throw new BrokenAnswer("wait lost a ref");
    if (timeoutMs === undefined && ready.length === 0) throw new BrokenAnswer("wait without a limit gave nothing");
  }

  async #check(item: Item): Promise<void> {
    let sum: number;
    try {
      const value = await get(item.ref);
      sum = await sumOf(value);
      dropValue(value);
    } catch (error) {
      this.#judge.error(error, item);
      return;
    }
    this.#judge.value(sum, item);
  }

  /** What a task put and returned a ref of is good, whatever becomes of its worker. */
  async #checkLeft(): Promise<void> {
    const n = this.#below(1000);
    const plan: Plan = { op: "put", n, isLarge: this.#below(2) === 0 };
    const ref = submitKeyed(this.#key(false), plan, { ...this.#taskOptions(), maxRetries: -1 });
    const item = newItem(ref, expectedOf(plan), { isTask: true });
    let value: PlanValue;
    try {
      value = await get(ref);
    } catch (error) {
      this.#judge.error(error, item);
      return;
    }
    await simSleep(this.#below(500));
    try {
      this.#judge.value(await sumOf(value), item);
    } catch (error) {
      if (RaiaError.is(error, "OWNER_DIED")) throw new BrokenAnswer("what a task returned went with its worker", { cause: error });
      this.#judge.error(error, item);
    } finally {
      dropValue(value);
      simContext().finalizers.drop(ref);
    }
  }

  async #checkSeveral(): Promise<void> {
    const items = [...new Set(Array.from({ length: 4 }, () => this.#pick()))].filter((item) => item !== undefined);
    const timeoutMs = this.#below(500);
    const all = newItem(undefined as never, sumOrUndefined(items.map(({ expected }) => expected)), { from: items });
    let sum = 0;
    try {
      for (const value of await get(
        items.map(({ ref }) => ref),
        { timeoutMs },
      )) {
        sum += await sumOf(value);
        dropValue(value);
      }
    } catch (error) {
      if (RaiaError.is(error, "GET_TIMEOUT")) simContext().counts.add("get that timed out");
      else this.#judge.error(error, all);
      return;
    }
    this.#judge.value(sum, all);
  }
}
