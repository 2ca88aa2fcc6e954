/** Whether something can be sent, found out without sending it. */
import { RaiaError } from "../../base/errors.ts";
import { checkFunction } from "../../values/function-check.ts";
import { encodeValue, type ValueHooks } from "../../values/value-codec.ts";
import { problemOf, problemsIn } from "../../values/value-problems.ts";
import { brand } from "./object-ref.ts";

export interface SendableProblem {
  /** From the value or function to what stands in the way: `$.user.repo[3]`, `handler -> pool -> socket`. */
  readonly path: string;
  readonly reason: string;
  readonly wayOut: string;
  /** Of a function: `file:line:column`. */
  readonly location?: string | undefined;
}

export interface SendableReport {
  readonly isSendable: boolean;
  readonly problems: readonly SendableProblem[];
  /** Of a value: its encoded size. Of a function: about what its captures weigh. */
  readonly bytes: number;
  /** Of a function: what it captures, the largest first. */
  readonly captures: readonly { readonly path: string; readonly bytes: number }[];
}

/** @param madeFrom of a remote function or class, the function; what else Raia puts into values travels in ways of its own */
export function reportOnFunction(fn: Function, madeFrom: (value: object) => Function | undefined): SendableReport {
  const replace = (value: object): { kind: string; payload: unknown } | undefined => {
    const kind = brandOf(value);
    return kind === undefined ? undefined : { kind, payload: madeFrom(value) };
  };
  const { isSendable, problems, captures } = checkFunction(fn, { replace });
  return { isSendable, problems, captures, bytes: captures.reduce((sum, capture) => sum + capture.bytes, 0) };
}

export function reportOnValue(value: unknown): SendableReport {
  try {
    return { isSendable: true, problems: [], captures: [], bytes: encodeValue(value, hooks).byteLength };
  } catch (error) {
    if (!RaiaError.is(error, "UNSERIALIZABLE")) throw error;
    const problems = problemsIn(value, hooks);
    if (problems.length > 0) return { isSendable: false, problems, captures: [], bytes: 0 };
    // Each part can be sent, and the whole cannot: it is too large, say.
    return { isSendable: false, problems: [problemOf(value, hooks)].filter((each) => each !== undefined), captures: [], bytes: 0 };
  }
}

const hooks: ValueHooks = {
  replace: (value) => {
    const kind = brandOf(value);
    return kind === undefined ? undefined : { kind, payload: null };
  },
  revive: () => undefined,
};

function brandOf(value: object): string | undefined {
  const kind = (value as { readonly [brand]?: unknown })[brand];
  return typeof kind === "string" ? kind : undefined;
}
