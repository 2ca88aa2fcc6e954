/**
 * The user code of simulated programs. A task is told what to do by a plan, so a few functions make any program, and
 * `expectedOf` computes without running anything what the plan must give.
 */
import type { ObjectRef, ObjectRefStream } from "@raia/core";
import { get, remote, wait } from "@raia/core";
import type { FunctionCodec } from "@raia/core/internal";
import { simContext, simSleep } from "./sim-context.ts";

export interface TaskOptionsPlan {
  readonly maxRetries: number;
  readonly numCpus: number;
  readonly maxCalls: number;
}

export type Plan =
  | { readonly op: "add"; readonly n: number; readonly sleepMs: number }
  /** A result that goes to the store. */
  | { readonly op: "array"; readonly n: number; readonly length: number }
  /** Waits for children of its own. */
  | {
      readonly op: "tree";
      readonly n: number;
      readonly how: "get" | "wait" | "each";
      readonly options: TaskOptionsPlan;
      readonly children: readonly Plan[];
    }
  /** Returns refs of children that it did not wait for. */
  | { readonly op: "refs"; readonly options: TaskOptionsPlan; readonly children: readonly Plan[] }
  | { readonly op: "throw"; readonly n: number };

/** A value that a plan gives: a number, an array of equal numbers, or refs of such. */
export type PlanValue = number | Float64Array | { readonly refs: readonly ObjectRef<PlanValue>[] };

/** The sum of what a plan gives; undefined when it throws. */
export function expectedOf(plan: Plan): number | undefined {
  switch (plan.op) {
    case "add":
      return plan.n;
    case "array":
      return plan.n * plan.length;
    case "throw":
      return undefined;
    case "tree":
    case "refs": {
      let sum = plan.op === "tree" ? plan.n : 0;
      for (const child of plan.children) {
        const part = expectedOf(child);
        if (part === undefined) return undefined;
        sum += part;
      }
      return sum;
    }
  }
}

/** Whether the plan gives refs anywhere: their owners may die. */
export function givesRefs(plan: Plan): boolean {
  return plan.op === "refs" || (plan.op === "tree" && plan.children.some(givesRefs));
}

export class PlannedError extends Error {
  override readonly name = "PlannedError";
}

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
      if (plan.sleepMs > 0) await simSleep(plan.sleepMs);
      return sum + plan.n;
    case "array":
      return new Float64Array(plan.length).fill(plan.n + sum / plan.length);
    case "throw":
      throw new PlannedError(`planned ${plan.n}`);
    case "refs":
      return { refs: plan.children.map((child) => submit(child, plan.options)) };
    case "tree":
      return sum + plan.n + (await sumOfChildren(plan));
  }
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

export async function* count(key: number, from: number, items: number, sleepMs: number): AsyncGenerator<PlanValue> {
  began(key);
  for (let index = 0; index < items; index++) {
    if (sleepMs > 0) await simSleep(sleepMs);
    yield index % 7 === 3 ? new Float64Array(16 * 1024).fill(from + index) : from + index;
  }
}

/** Counts, and keeps a ref that its caller may drop. */
export class Tally {
  readonly instance: number;
  #n = 0;
  #kept: ObjectRef<PlanValue> | undefined;

  constructor(start: number) {
    this.#n = start;
    this.instance = simContext().nextInstance++;
  }

  async add(by: number, sleepMs: number): Promise<[instance: number, n: number]> {
    this.#n += by;
    const n = this.#n;
    if (sleepMs > 0) await simSleep(sleepMs);
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
}

type UserFunction = (...args: never[]) => unknown;
const registry: Readonly<Record<string, UserFunction>> = { work, count, Tally: Tally as unknown as UserFunction };

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

const workTask = remote(work as never) as unknown as Remote;
const countTask = remote(count as never) as unknown as Remote;
export const TallyActor = remote(Tally as never) as unknown as Remote;

const variants = new Map<string, Remote>();

/** One handle for each set of options, as a program would have. */
function variant(base: Remote, name: string, options: TaskOptionsPlan): Remote {
  const key = `${name} ${options.maxRetries} ${options.numCpus} ${options.maxCalls}`;
  let found = variants.get(key);
  if (found === undefined) variants.set(key, (found = base.options({ ...options })));
  return found;
}

export function submit(plan: Plan, options: TaskOptionsPlan, ...args: unknown[]): ObjectRef<PlanValue> {
  return submitKeyed(simContext().nextKey++, plan, options, ...args);
}

export function submitKeyed(key: number, plan: Plan, options: TaskOptionsPlan, ...args: unknown[]): ObjectRef<PlanValue> {
  return variant(workTask, "work", options).remote(key, plan, ...args) as ObjectRef<PlanValue>;
}

export function submitStream(
  key: number,
  from: number,
  items: number,
  sleepMs: number,
  options: TaskOptionsPlan,
): ObjectRefStream<PlanValue> {
  return variant(countTask, "count", options).remote(key, from, items, sleepMs) as ObjectRefStream<PlanValue>;
}
