/**
 * The user code of simulated programs. A task is told what to do by a plan, so a few functions make any program.
 */
import type { ObjectRef, ObjectRefStream } from "@raia/core";
import { exitActor, get, put, remote, wait } from "@raia/core";
import { currentContext, type FunctionCodec } from "@raia/core/internal";
import { simContext, simSleep } from "./sim-context.ts";
import { LARGE_LENGTH, type Plan, PlannedError, type PlanValue, type TaskOptionsPlan } from "./sim-plans.ts";

/** The sum of a value, through the refs in it; everything in it is dropped. */
export async function sumOf(value: unknown): Promise<number> {
  if (typeof value === "number") return value;
  if (value instanceof Float64Array) {
    let sum = 0;
    for (const number of value) sum += number;
    return sum;
  }
  const { refs } = value as { refs: readonly ObjectRef<PlanValue>[] };
  let sum = 0;
  try {
    for (const ref of refs) {
      const inner = await get(ref);
      sum += await sumOf(inner);
      dropValue(inner);
    }
  } finally {
    for (const ref of refs) simContext().finalizers.drop(ref);
  }
  return sum;
}

export function dropValue(value: unknown): void {
  if (value instanceof Float64Array) simContext().finalizers.drop(value.buffer);
  else if (typeof value === "object" && value !== null && "refs" in value) {
    for (const ref of (value as { refs: readonly object[] }).refs) simContext().finalizers.drop(ref);
  }
}

function began(key: number): void {
  const { starts } = simContext();
  starts.set(key, (starts.get(key) ?? 0) + 1);
}

/** Runs a plan; what `args` sum up to is added. */
export async function work(key: number, plan: Plan, ...args: PlanValue[]): Promise<PlanValue> {
  began(key);
  let sum = 0;
  for (const arg of args) sum += await sumOf(arg);
  for (const arg of args) dropValue(arg);
  switch (plan.op) {
    case "add":
      if (plan.sleepMs > 0) await (plan.heeds ? heedfulSleep(plan.sleepMs) : simSleep(plan.sleepMs));
      return sum + plan.n;
    case "array":
      return new Float64Array(plan.length).fill(plan.n + sum / plan.length);
    case "throw":
      throw new PlannedError(`planned ${plan.n}`);
    case "flaky":
      if ((simContext().starts.get(key) ?? 0) <= plan.failures) throw new PlannedError(`planned ${plan.n}`);
      return sum + plan.n;
    case "refs":
      return { refs: plan.children.map((child) => submit(child, plan.options)) };
    case "put":
      return { refs: [put<PlanValue>(plan.isLarge ? new Float64Array(LARGE_LENGTH).fill(plan.n) : plan.n)] };
    case "tree":
      return sum + plan.n + (await sumOfChildren(plan));
  }
}

async function heedfulSleep(delayMs: number): Promise<void> {
  const signal = currentContext()?.signal;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  await Promise.race([simSleep(delayMs), aborted]);
}

async function sumOfChildren({ children, how, options }: Extract<Plan, { op: "tree" }>): Promise<number> {
  const refs = children.map((child) => submit(child, options));
  let sum = 0;
  try {
    if (how === "get") {
      for (const value of await get(refs)) {
        sum += await sumOf(value);
        dropValue(value);
      }
    } else if (how === "each") {
      for (const ref of refs) sum += await taken(ref);
    } else {
      let pending = refs;
      while (pending.length > 0) {
        const found = await wait(pending);
        pending = found.pending;
        for (const ref of found.ready) sum += await taken(ref);
      }
    }
  } finally {
    for (const ref of refs) simContext().finalizers.drop(ref);
  }
  return sum;
}

async function taken(ref: ObjectRef<PlanValue>): Promise<number> {
  const value = await get(ref);
  const sum = await sumOf(value);
  dropValue(value);
  return sum;
}

/** Two results: a number, and an array that goes to the store. */
export async function pair(key: number, n: number, sleepMs: number): Promise<[number, Float64Array]> {
  began(key);
  if (sleepMs > 0) await simSleep(sleepMs);
  return [n, new Float64Array(LARGE_LENGTH).fill(n)];
}

export async function* count(key: number, from: number, items: number, sleepMs: number): AsyncGenerator<PlanValue> {
  began(key);
  yield* countFrom(from, items, sleepMs);
}

/** Numbers, arrays, and refs of numbers. */
async function* countFrom(from: number, items: number, sleepMs: number): AsyncGenerator<PlanValue> {
  for (let index = 0; index < items; index++) {
    if (sleepMs > 0) await simSleep(sleepMs);
    const n = from + index;
    if (index % 7 === 3) yield new Float64Array(LARGE_LENGTH).fill(n);
    else if (index % 7 === 5) yield { refs: [put<PlanValue>(n)] };
    else yield n;
  }
}

/** What the item of a stream sums up to. */
export function expectedItem(from: number, index: number): number {
  return index % 7 === 3 ? (from + index) * LARGE_LENGTH : from + index;
}

/** Calls an actor whose handle it was given. */
export async function callTally(key: number, handle: TallyHandle, by: number): Promise<[instance: number, n: number]> {
  began(key);
  const ref = handle.add.remote(simContext().nextKey++, by, 0) as ObjectRef<[number, number]>;
  try {
    return await get(ref);
  } finally {
    simContext().finalizers.drop(ref);
    simContext().finalizers.drop(handle);
  }
}

/** Counts, and keeps a ref that its caller may drop. */
export class Tally {
  readonly instance: number;
  readonly #limit: number;
  #n = 0;
  #running = 0;
  #kept: ObjectRef<PlanValue> | undefined;

  constructor(start: number, limit: number) {
    this.#n = start;
    this.#limit = limit;
    this.instance = simContext().nextInstance++;
  }

  async add(key: number, by: number, sleepMs: number): Promise<[instance: number, n: number]> {
    began(key);
    this.#running++;
    if (this.#running > this.#limit) simContext().fail(new Error(`an actor runs ${this.#running} calls at a time, not ${this.#limit}`));
    this.#n += by;
    const n = this.#n;
    if (sleepMs > 0) await simSleep(sleepMs);
    this.#running--;
    return [this.instance, n];
  }

  keep({ ref }: { ref: ObjectRef<PlanValue> }): number {
    if (this.#kept !== undefined) simContext().finalizers.drop(this.#kept);
    this.#kept = ref;
    return this.instance;
  }

  /** The sum of what is kept; null when this instance keeps nothing. */
  async read(): Promise<number | null> {
    if (this.#kept === undefined) return null;
    const value = await get(this.#kept);
    return typeof value === "number" || value instanceof Float64Array ? await sumOf(value) : -1;
  }

  /** A ref of something that the actor's process owns. */
  give(n: number): PlanValue {
    return { refs: [put<PlanValue>(n)] };
  }

  async *items(from: number, items: number): AsyncGenerator<PlanValue> {
    yield* countFrom(from, items, 0);
  }

  fail(n: number): never {
    throw new PlannedError(`planned ${n}`);
  }

  exit(): void {
    exitActor();
  }
}

type UserFunction = (...args: never[]) => unknown;
const registry: Readonly<Record<string, UserFunction>> = { work, pair, count, callTally, Tally: Tally as unknown as UserFunction };

/** Functions travel by name: how they are captured is tested elsewhere, and costs real time. */
export const simFunctionCodec: FunctionCodec = {
  ship: (fn) => {
    const name = Object.keys(registry).find((known) => registry[known] === (fn as unknown)) as string;
    return {
      name,
      form: "module",
      hash: `sim-${name}`,
      bytes: Buffer.from(name),
      isAsync: true,
      isGenerator: name === "count",
      isClass: name === "Tally",
      asyncMethodNames: [],
    };
  },
  load: (bytes) => Promise.resolve(registry[Buffer.from(bytes).toString()]),
};

interface Remote {
  options(options: Readonly<Record<string, unknown>>): Remote;
  remote(...args: unknown[]): unknown;
}

interface RemoteMethod {
  remote(...args: unknown[]): unknown;
}
export type TallyHandle = Readonly<Record<"add" | "keep" | "read" | "give" | "items" | "fail" | "exit", RemoteMethod>>;

const tasks = {
  work: remote(work as never) as unknown as Remote,
  pair: (remote(pair as never) as unknown as Remote).options({ numReturns: 2 }),
  count: remote(count as never) as unknown as Remote,
  callTally: remote(callTally as never) as unknown as Remote,
};
export const TallyActor = remote(Tally as never) as unknown as Remote;

/** One handle for each set of options, as a program would have; each run its own, since a handle knows its last runtime. */
function variant(name: keyof typeof tasks, options: TaskOptionsPlan): Remote {
  const key = `${name} ${JSON.stringify(options)}`;
  const { handles } = simContext();
  const known = handles.get(key) as Remote | undefined;
  if (known !== undefined) return known;
  const made = tasks[name].options({ ...options });
  handles.set(key, made);
  return made;
}

export function submit(plan: Plan, options: TaskOptionsPlan, ...args: unknown[]): ObjectRef<PlanValue> {
  return submitKeyed(simContext().nextKey++, plan, options, ...args);
}

export function submitKeyed(key: number, plan: Plan, options: TaskOptionsPlan, ...args: unknown[]): ObjectRef<PlanValue> {
  return variant("work", options).remote(key, plan, ...args) as ObjectRef<PlanValue>;
}

/** With a handle of its own, as a program has one for each group. */
export function submitInGroup(
  key: number,
  plan: Plan,
  options: TaskOptionsPlan & { readonly schedulingStrategy: object },
): ObjectRef<PlanValue> {
  return tasks.work.options({ ...options }).remote(key, plan) as ObjectRef<PlanValue>;
}

export function submitPair(key: number, n: number, sleepMs: number, options: TaskOptionsPlan): ObjectRef<PlanValue>[] {
  return variant("pair", options).remote(key, n, sleepMs) as ObjectRef<PlanValue>[];
}

export function submitCallTally(key: number, handle: TallyHandle, by: number, options: TaskOptionsPlan): ObjectRef {
  return variant("callTally", options).remote(key, handle, by) as ObjectRef;
}

export function submitStream(
  key: number,
  from: number,
  items: number,
  sleepMs: number,
  options: TaskOptionsPlan,
): ObjectRefStream<PlanValue> {
  return variant("count", options).remote(key, from, items, sleepMs) as ObjectRefStream<PlanValue>;
}
