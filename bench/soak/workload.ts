/** Runs operations side by side, each chosen by chance, until it is told to stop. */
import { currentRuntime, type Random, seededRandom } from "@raia/core/internal";
import type { Operation, OperationContext } from "./operation.ts";
import type { Tally } from "./tally.ts";

export interface WorkloadDependencies {
  readonly operations: readonly Operation[];
  readonly tally: Tally;
  readonly sessionDirectory: string;
  readonly newPath: () => string;
  readonly secondsNow: () => number;
}

/** Many times the slowest operation, on a machine where others compute and each process that is shot takes seconds to replace. */
const HUNG_AFTER_MS = 600_000;

/** Settles when all lanes have ended their last operation. */
export async function runWorkload(
  deps: WorkloadDependencies,
  { lanes, seed }: { readonly lanes: number; readonly seed: number },
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      const random = seededRandom(seed + 1000 * lane);
      while (!signal.aborted) await runOne(deps, chooseOperation(deps.operations, random), random);
    }),
  );
}

async function runOne(deps: WorkloadDependencies, operation: Operation, random: Random): Promise<void> {
  const { tally, sessionDirectory, newPath, secondsNow } = deps;
  const { name } = operation;
  const context: OperationContext = { random, sessionDirectory, newPath, allowed: (code) => tally.allow(name, code) };
  const startMs = performance.now();
  const hung = Promise.withResolvers<"hung">();
  const timer = setTimeout(() => hung.resolve("hung"), HUNG_AFTER_MS);
  try {
    const ended = await Promise.race([operation.run(context), hung.promise]);
    if (ended === "hung") tally.fault({ operation: name, atSeconds: secondsNow(), kind: "hung", text: whatIsHeld() });
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tally.fault({ operation: name, atSeconds: secondsNow(), kind: "wrong", text });
  } finally {
    clearTimeout(timer);
    tally.done(name, performance.now() - startMs);
  }
}

function whatIsHeld(): string {
  return JSON.stringify(currentRuntime()?.inspect());
}

function chooseOperation(operations: readonly Operation[], random: Random): Operation {
  let left = random.next() * operations.reduce((sum, { weight }) => sum + weight, 0);
  for (const operation of operations) if ((left -= operation.weight) < 0) return operation;
  return operations[0] as Operation;
}
