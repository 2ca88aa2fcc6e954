/**
 * The driver of a simulated program: fibers that submit, wait, drop, free, cancel, stream and call actors at random, and
 * know what each answer must be. An answer that is wrong, or an error that nothing has caused, breaks the run.
 */
import { cancel, free, get, kill, type ObjectRef, type ObjectRefStream, put, RaiaError, wait } from "@raia/core";
import { type Random, randomBelow } from "@raia/core/internal";
import { simContext, simSleep } from "./sim-context.ts";
import {
  dropValue,
  expectedOf,
  givesRefs,
  type Plan,
  PlannedError,
  type PlanValue,
  submitKeyed,
  submitStream,
  sumOf,
  TallyActor,
  type TaskOptionsPlan,
} from "./sim-functions.ts";

export interface ProgramOptions {
  readonly fibers: number;
  readonly statements: number;
  readonly cpus: number;
  /** Workers die in this run: what death excuses is allowed. */
  readonly hasDeaths: boolean;
}

/** A ref that the program holds, and what getting it must give. */
interface Item {
  readonly ref: ObjectRef<PlanValue>;
  /** Undefined when it must throw a PlannedError. */
  readonly expected: number | undefined;
  /** What its value was made of: what befalls those befalls it. */
  readonly from: readonly Item[];
  readonly isTask: boolean;
  /** Its value is owned by workers, in part. */
  readonly hasWorkerRefs: boolean;
  readonly excuses: Set<string>;
}

interface RemoteMethod {
  remote(...args: unknown[]): ObjectRef;
}
type TallyHandle = Readonly<Record<"add" | "keep" | "read", RemoteMethod>>;

const LARGE_LENGTH = 16 * 1024;
const DEATHS = new Set(["WORKER_CRASHED", "OWNER_DIED"]);
const ACTOR_DEATHS = new Set(["ACTOR_DIED", "ACTOR_UNAVAILABLE", "WORKER_CRASHED", "OWNER_DIED"]);

export class BrokenAnswer extends Error {
  override readonly name = "BrokenAnswer";
}

export class SimProgram {
  readonly #random: Random;
  readonly #options: ProgramOptions;
  readonly #pool: Item[] = [];
  /** Keys of tasks that may begin once only. */
  readonly #onceKeys: number[] = [];
  /** What each fiber waits for, for the report of a run that hangs. */
  readonly doing: string[] = [];

  constructor(random: Random, options: ProgramOptions) {
    this.#random = random;
    this.#options = options;
  }

  async run(): Promise<void> {
    const fibers = Array.from({ length: this.#options.fibers }, (_, fiber) => this.#fiber(fiber));
    await Promise.all(fibers);
    for (const item of this.#pool.splice(0)) {
      await this.#check(item);
      this.#drop(item);
    }
    this.#checkStarts();
  }

  #checkStarts(): void {
    const { starts } = simContext();
    for (const key of this.#onceKeys) {
      if ((starts.get(key) ?? 0) > 1) throw new BrokenAnswer(`a task with maxRetries 0 began ${starts.get(key)} times`);
    }
  }

  #below(count: number): number {
    return randomBelow(this.#random, count);
  }

  async #fiber(fiber: number): Promise<void> {
    for (let statement = 0; statement < this.#options.statements; statement++) {
      const choice = this.#below(100);
      const say = (what: string): void => void (this.doing[fiber] = `${statement}: ${what}`);
      if (choice < 35) this.#submit();
      else if (choice < 42) this.#put();
      else if (choice < 60) {
        say("get");
        const item = this.#pick();
        if (item !== undefined) await this.#check(item);
      } else if (choice < 68) {
        const item = this.#pick();
        if (item !== undefined) this.#drop(item);
      } else if (choice < 71) {
        const item = this.#pick();
        if (item !== undefined) this.#free(item);
      } else if (choice < 75) {
        const item = this.#pick();
        if (item?.isTask) this.#cancel(item);
      } else if (choice < 79) {
        say("wait");
        await this.#wait();
      } else if (choice < 85) {
        say("stream");
        await this.#stream();
      } else if (choice < 93) {
        say("actor");
        await this.#actor();
      } else {
        say("sleep");
        await simSleep(this.#below(1000));
      }
    }
    this.doing[fiber] = "done";
  }

  #pick(): Item | undefined {
    return this.#pool[this.#below(Math.max(1, this.#pool.length))];
  }

  #taskOptions(): TaskOptionsPlan {
    return {
      maxRetries: [0, 1, 3, 3, -1][this.#below(5)] as number,
      numCpus: [1, 1, 1, 0.5, 0.25, this.#options.cpus][this.#below(6)] as number,
      maxCalls: [0, 0, 0, 0, 1, 2][this.#below(6)] as number,
    };
  }

  #plan(depth: number): Plan {
    const choice = this.#below(depth === 0 ? 10 : 16);
    const n = this.#below(1000);
    if (choice < 6) return { op: "add", n, sleepMs: this.#below(3) === 0 ? this.#below(200) : 0 };
    if (choice < 8) return { op: "array", n, length: LARGE_LENGTH };
    if (choice < 9) return { op: "throw", n };
    if (choice < 10) return { op: "add", n, sleepMs: 0 };
    const children = Array.from({ length: 1 + this.#below(3) }, () => this.#plan(depth - 1));
    const options = this.#taskOptions();
    if (choice < 14) return { op: "tree", n, how: (["get", "wait", "each"] as const)[this.#below(3)] as "get", options, children };
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
    const options = this.#taskOptions();
    const key = simContext().nextKey++;
    if (options.maxRetries === 0) this.#onceKeys.push(key);
    const ref = submitKeyed(key, plan, options, ...args);
    const own = expectedOf(plan);
    // A plan that gives refs leaves its arguments out of the sum.
    const expected =
      plan.op === "refs"
        ? from.some((item) => item.expected === undefined)
          ? undefined
          : own
        : sumOrUndefined([own, ...from.map((item) => item.expected)]);
    this.#pool.push({ ref, expected, from, isTask: true, hasWorkerRefs: givesRefs(plan), excuses: new Set() });
  }

  #put(): void {
    const n = this.#below(1000);
    const isLarge = this.#below(3) === 0;
    const inner = this.#below(4) === 0 ? this.#pick() : undefined;
    if (inner !== undefined) {
      const ref = put<PlanValue>({ refs: [inner.ref] });
      this.#pool.push({ ref, expected: inner.expected, from: [inner], isTask: false, hasWorkerRefs: false, excuses: new Set() });
      return;
    }
    const ref = put<PlanValue>(isLarge ? new Float64Array(LARGE_LENGTH).fill(n) : n);
    this.#pool.push({ ref, expected: isLarge ? n * LARGE_LENGTH : n, from: [], isTask: false, hasWorkerRefs: false, excuses: new Set() });
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
    item.excuses.add("TASK_CANCELLED");
    cancel(item.ref, { recursive: this.#below(2) === 0, force: this.#options.hasDeaths && this.#below(4) === 0 });
  }

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
      this.#judge(error, item, DEATHS);
      return;
    }
    if (item.expected === undefined) throw new BrokenAnswer(`a task gave ${sum} where it must throw`);
    if (Math.abs(sum - item.expected) > 1e-6 * Math.abs(item.expected)) throw new BrokenAnswer(`a task gave ${sum}, not ${item.expected}`);
  }

  #judge(error: unknown, item: Item | undefined, deaths: ReadonlySet<string>): void {
    if (error instanceof BrokenAnswer) throw error;
    if (error instanceof Error && error.name === PlannedError.name && item !== undefined && item.expected === undefined) return;
    const code = RaiaError.is(error) ? error.code : undefined;
    if (code !== undefined && this.#options.hasDeaths && deaths.has(code)) return;
    if (code !== undefined && item !== undefined && isExcused(item, code)) return;
    throw new BrokenAnswer(`an error that nothing has caused: ${String(error)}`, { cause: error });
  }

  // -- streams ----------------------------------------------------------------------------------------------------

  async #stream(): Promise<void> {
    const items = this.#below(12);
    const from = this.#below(100);
    const breakAt = this.#below(3) === 0 ? this.#below(items + 1) : items + 1;
    const options = this.#taskOptions();
    const key = simContext().nextKey++;
    if (options.maxRetries === 0) this.#onceKeys.push(key);
    const stream = submitStream(key, from, items, this.#below(2) * this.#below(30), options);
    try {
      await this.#consume(stream, from, items, breakAt);
    } finally {
      simContext().finalizers.drop(stream);
    }
  }

  async #consume(stream: ObjectRefStream<PlanValue>, from: number, items: number, breakAt: number): Promise<void> {
    let index = 0;
    for await (const ref of stream) {
      const expected = index % 7 === 3 ? (from + index) * LARGE_LENGTH : from + index;
      const item: Item = { ref, expected, from: [], isTask: false, hasWorkerRefs: false, excuses: new Set() };
      try {
        const value = await get(ref);
        const sum = await sumOf(value);
        dropValue(value);
        if (sum !== expected) throw new BrokenAnswer(`item ${index} of a stream is ${sum}, not ${expected}`);
      } catch (error) {
        this.#judge(error, item, DEATHS);
        simContext().finalizers.drop(ref);
        return;
      }
      simContext().finalizers.drop(ref);
      index++;
      if (index === breakAt) return;
    }
    if (index !== items) throw new BrokenAnswer(`a stream of ${items} gave ${index}`);
  }

  // -- actors -----------------------------------------------------------------------------------------------------

  async #actor(): Promise<void> {
    const maxRestarts = [0, 0, 1, -1][this.#below(4)] as number;
    const maxTaskRetries = [0, 0, 2, -1][this.#below(4)] as number;
    const handle = TallyActor.options({ maxRestarts, maxTaskRetries }).remote(0) as TallyHandle;
    const { finalizers } = simContext();
    let isKilled = false;
    const calls: { ref: ObjectRef; by: number }[] = [];
    let kept: Item | undefined;
    let reading: ObjectRef | undefined;
    for (let i = 1 + this.#below(6); i > 0; i--) {
      const choice = this.#below(12);
      if (choice < 8) {
        const by = 1 + this.#below(5);
        calls.push({ ref: handle.add.remote(by, this.#below(3) === 0 ? this.#below(50) : 0), by });
      } else if (choice < 10 && kept === undefined) {
        kept = this.#pick();
        if (kept === undefined) continue;
        finalizers.drop(handle.keep.remote({ ref: kept.ref }));
        if (this.#below(2) === 0) this.#drop(kept);
        await simSleep(this.#below(300));
        reading = handle.read.remote();
      } else if (choice === 10 && !isKilled) {
        isKilled = true;
        await kill(handle, { noRestart: this.#below(2) === 0 });
      } else {
        await simSleep(this.#below(100));
      }
    }
    const excused = this.#options.hasDeaths || isKilled;
    await this.#checkCalls(calls, excused);
    if (reading !== undefined && kept !== undefined) await this.#checkRead(reading, kept, excused);
    finalizers.drop(handle);
  }

  async #checkCalls(calls: readonly { ref: ObjectRef; by: number }[], excused: boolean): Promise<void> {
    let expected = 0;
    let last: [number, number] = [-1, 0];
    for (const { ref, by } of calls) {
      expected += by;
      try {
        const [instance, n] = (await get(ref)) as [number, number];
        if (!excused && n !== expected) throw new BrokenAnswer(`an actor counted ${n}, not ${expected}`);
        if (instance < last[0] || (instance === last[0] && n < last[1] + by))
          throw new BrokenAnswer(`calls of one caller ran out of order: ${last.join(".")} before ${instance}.${n}`);
        last = [instance, n];
      } catch (error) {
        if (!excused || error instanceof BrokenAnswer) this.#judge(error, undefined, ACTOR_DEATHS);
        else if (!RaiaError.is(error) || !ACTOR_DEATHS.has(error.code))
          throw new BrokenAnswer(`an actor's call failed: ${String(error)}`, { cause: error });
      }
      simContext().finalizers.drop(ref);
    }
  }

  async #checkRead(ref: ObjectRef, kept: Item, excused: boolean): Promise<void> {
    try {
      const sum = (await get(ref)) as number | null;
      if (sum === null && !excused) throw new BrokenAnswer("an actor lost what it kept");
      if (sum !== null && sum !== -1 && sum !== kept.expected) throw new BrokenAnswer(`an actor read ${sum}, not ${kept.expected}`);
    } catch (error) {
      if (error instanceof BrokenAnswer) throw error;
      if (excused && RaiaError.is(error) && ACTOR_DEATHS.has(error.code)) return;
      this.#judge(error, kept, ACTOR_DEATHS);
    } finally {
      simContext().finalizers.drop(ref);
    }
  }
}

function sumOrUndefined(parts: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const part of parts) {
    if (part === undefined) return undefined;
    sum += part;
  }
  return sum;
}

function isExcused(item: Item, code: string): boolean {
  return item.excuses.has(code) || item.from.some((other) => isExcused(other, code));
}
