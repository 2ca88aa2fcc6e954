/**
 * The sending half of a round trip between processes: each case is shipped, then run here, and written down with its result for
 * a receiver to compare. Many cases a process, since starting one costs more than all of them.
 */
import { writeFileSync } from "node:fs";
import { serialize } from "node:v8";
import { RaiaError } from "../../src/base/errors.ts";
import { shipFunction, type ValueHooks } from "../../src/values/function-capture.ts";
import { receiverLaunchFlags } from "../../src/values/module-launch.ts";

export interface TripRecord {
  readonly name: string;
  readonly form: "module" | "source";
  /** base64 */
  readonly bytes: string;
  readonly args: string;
  readonly outcome: string;
}

export interface RefusalRecord {
  readonly name: string;
  /** The facts of the error; undefined when the function was shipped, which is the failure. */
  readonly facts: RaiaError["facts"] | undefined;
  readonly wanted: { readonly path?: string; readonly reason: string };
}

export interface TripFile {
  readonly launch: ReturnType<typeof receiverLaunchFlags>;
  readonly trips: readonly TripRecord[];
  readonly refusals: readonly RefusalRecord[];
}

/** What a call came to: a value or the message of an error. */
export type Outcome = { readonly value: unknown } | { readonly error: string };

export const NO_BRANDS: ValueHooks = { replace: () => undefined, revive: (kind) => kind };

const trips: TripRecord[] = [];
const refusals: RefusalRecord[] = [];

/** Ships `fn` as it is now, then calls it here. Generators are drained on both sides. */
export async function trip(name: string, fn: Function, ...args: readonly unknown[]): Promise<void> {
  const { bytes, form } = shipFunction(fn, NO_BRANDS);
  const sentArgs = base64(serialize(args));
  const outcome = await outcomeOf(fn, args);
  trips.push({ name, form, bytes: base64(bytes), args: sentArgs, outcome: base64(serialize(outcome)) });
}

/** Expects `fn` to be refused for a reason that contains `reason`. */
export function refused(name: string, fn: Function, wanted: { readonly path?: string; readonly reason: string }): void {
  let facts: RaiaError["facts"] | undefined;
  try {
    shipFunction(fn, NO_BRANDS);
  } catch (error) {
    if (!RaiaError.is(error, "FUNCTION_UNCAPTURABLE")) throw error;
    facts = error.facts;
  }
  refusals.push({ name, facts, wanted });
}

export function finish(file = process.env.TRIP_FILE as string): void {
  const all: TripFile = { launch: receiverLaunchFlags(), trips, refusals };
  writeFileSync(file, JSON.stringify(all));
}

export async function outcomeOf(fn: Function, args: readonly unknown[]): Promise<Outcome> {
  try {
    const result: unknown = isClass(fn)
      ? describeInstance(new (fn as new (...args: readonly unknown[]) => object)(...args))
      : await (fn as (...args: readonly unknown[]) => unknown)(...args);
    return { value: await drained(result) };
  } catch (error) {
    return { error: `${(error as Error).name}: ${(error as Error).message}` };
  }
}

async function drained(result: unknown): Promise<unknown> {
  if (typeof result !== "object" || result === null || !("next" in result)) return result;
  const items: unknown[] = [];
  for await (const item of result as unknown as AsyncIterable<unknown>) items.push(item);
  return items;
}

function isClass(fn: Function): boolean {
  return /^class\b/.test(Function.prototype.toString.call(fn));
}

/** A class is compared by what its instances say of themselves. */
function describeInstance(instance: object): unknown {
  return (instance as { describe?: () => unknown }).describe?.() ?? { ...instance };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
