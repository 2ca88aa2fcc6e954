/** What a program expects of each ref that it holds, and which errors the run's faults excuse. */
import { type ObjectRef, RaiaError } from "@raia/core";
import { PlannedError, type PlanValue } from "./sim-plans.ts";

export class BrokenAnswer extends Error {
  override readonly name = "BrokenAnswer";
}

/** A ref that the program holds, and what getting it must give. */
export interface Item {
  readonly ref: ObjectRef<PlanValue>;
  /** Undefined when it must throw a PlannedError. */
  readonly expected: number | undefined;
  /** What its value was made of: what befalls those befalls it. */
  readonly from: readonly Item[];
  readonly isTask: boolean;
  /** Codes that getting it may reject with, beside those that every ref may. */
  readonly excuses: Set<string>;
}

export interface Excuses {
  /** Processes die in this run, or lose one another. */
  readonly hasDeaths: boolean;
  /** Processes stand still for a while, longer than one that is told to end its work is waited for. */
  readonly hasPauses: boolean;
  /** The spill disk fails. */
  readonly hasDiskFaults: boolean;
  /** Other drivers come and go: what they own, and their actors, go with them. */
  readonly hasOthers: boolean;
}

const DEATHS: ReadonlySet<string> = new Set(["WORKER_CRASHED", "OWNER_DIED"]);
const ACTOR_DEATHS: ReadonlySet<string> = new Set(["ACTOR_DIED", "ACTOR_UNAVAILABLE", "WORKER_CRASHED", "OWNER_DIED"]);
const DISK_FAILURES: ReadonlySet<string> = new Set(["OUT_OF_DISK", "STORE_FULL", "OBJECT_CORRUPT", "OBJECT_LOST"]);

export class Judge {
  readonly excuses: Excuses;

  constructor(excuses: Excuses) {
    this.excuses = excuses;
  }

  /** @throws {BrokenAnswer} when nothing that happened in this run explains the error */
  error(error: unknown, item: Item | undefined): void {
    if (error instanceof BrokenAnswer) throw error;
    if (error instanceof Error && error.name === PlannedError.name && mayThrow(item)) return;
    const code = RaiaError.is(error) ? error.code : undefined;
    if (code !== undefined && this.excuses.hasDeaths && DEATHS.has(code)) return;
    if (code !== undefined && this.excuses.hasDiskFaults && DISK_FAILURES.has(code)) return;
    if (code !== undefined && item !== undefined && isExcused(item, code)) return;
    throw new BrokenAnswer(`an error that nothing has caused: ${String(error)}`, { cause: error });
  }

  /** @param isExcusedEnd the actor was killed, left, or is another's */
  actorError(error: unknown, item: Item | undefined, isExcusedEnd: boolean): void {
    const code = RaiaError.is(error) ? error.code : undefined;
    if (code !== undefined && (isExcusedEnd || this.excuses.hasDeaths) && ACTOR_DEATHS.has(code)) return;
    this.error(error, item);
  }

  value(sum: number, { expected }: Item): void {
    if (expected === undefined) throw new BrokenAnswer(`a task gave ${sum} where it must throw`);
    if (Math.abs(sum - expected) > 1e-6 * Math.abs(expected)) throw new BrokenAnswer(`a task gave ${sum}, not ${expected}`);
  }
}

export function newItem(ref: ObjectRef<PlanValue>, expected: number | undefined, rest: Partial<Omit<Item, "ref" | "expected">> = {}): Item {
  return { ref, expected, from: [], isTask: false, excuses: new Set(), ...rest };
}

function mayThrow(item: Item | undefined): boolean {
  return item !== undefined && (item.expected === undefined || isExcused(item, PlannedError.name));
}

function isExcused(item: Item, code: string): boolean {
  return item.excuses.has(code) || item.from.some((other) => isExcused(other, code));
}
