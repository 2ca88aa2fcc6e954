/** One thing a program does with Raia and whose right answer is known. */
import { type ErrorCode, get, type ObjectRef, RaiaError } from "@raia/core";
import type { Random } from "@raia/core/internal";

export interface Operation {
  readonly name: string;
  /** How often it is chosen, beside the others. */
  readonly weight: number;
  /** @throws on a wrong answer, or on a failure that its semantics do not allow */
  run(context: OperationContext): Promise<void>;
}

export interface OperationContext {
  readonly random: Random;
  /** The session, for drivers that join. */
  readonly sessionDirectory: string;
  /** A path that nobody has had, for what must be seen after a process has died. What is written there, the operation removes. */
  readonly newPath: () => string;
  /** Counts a failure that the semantics allow when a process was shot. */
  readonly allowed: (code: string) => void;
}

export type Outcome<T> = { readonly value: T } | { readonly code: ErrorCode };

/** The value, or the code of an allowed failure. @throws any other failure */
export async function outcome<T>(context: OperationContext, ref: ObjectRef<T>, allowed: readonly ErrorCode[]): Promise<Outcome<T>> {
  try {
    return { value: await get(ref) };
  } catch (error) {
    return { code: allowedCode(context, error, allowed) };
  }
}

/** @throws the error when its code is not among the allowed */
export function allowedCode(context: OperationContext, error: unknown, allowed: readonly ErrorCode[]): ErrorCode {
  if (!RaiaError.is(error) || !allowed.includes(error.code)) throw error;
  context.allowed(error.code);
  return error.code;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
