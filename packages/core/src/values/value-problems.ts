/**
 * Everything in a value that cannot be sent. The encoder stops at the first; here each part that it would not merely walk through
 * is encoded alone, so that what sending costs is not paid by everybody for the sake of a report.
 */
import { types } from "node:util";
import { RaiaError } from "../base/errors.ts";
import { encodePacked } from "./value-packing.ts";
import type { ValueHooks } from "./value-hooks.ts";
import { everythingIn, THROWS } from "./value-path.ts";
import { isPrototypeOf } from "./value-realm.ts";
import { brandSymbol } from "./value-tags.ts";

export interface ValueProblem {
  readonly path: string;
  readonly reason: string;
  readonly wayOut: string;
}

/** More than anybody reads; a list of a million sockets has one reason. */
const MAX_PROBLEMS = 1000;

/**
 * @returns in the order of the shortest ways, each place once; at most a thousand. Empty where all parts can be sent, though the
 * whole may be too large.
 */
export function problemsIn(root: unknown, hooks: ValueHooks): ValueProblem[] {
  const problems: ValueProblem[] = [];
  for (const { value, way } of everythingIn(root, isPerhapsUnsendable, isContainer)) {
    if (problems.length >= MAX_PROBLEMS) break;
    if (value === THROWS) problems.push({ path: `$${way()}`, reason: "reading it threw", wayOut: PLAIN_DATA });
    else if (isPerhapsUnsendable(value) || (typeof value === "object" && value !== null && !isContainer(value))) {
      const problem = problemOf(value, hooks);
      if (problem !== undefined) problems.push({ ...problem, path: `$${way()}${problem.path.slice(1)}` });
    }
  }
  return problems;
}

const PLAIN_DATA = "send plain data";

function isPerhapsUnsendable(value: unknown): boolean {
  return typeof value === "function" || typeof value === "symbol";
}

/** What is no more than its contents. */
function isContainer(value: object): boolean {
  if (types.isProxy(value) || brandSymbol in value) return false;
  const proto = Object.getPrototypeOf(value) as object | null;
  if (proto === null) return true;
  if (Array.isArray(value)) return isPrototypeOf(proto, Array);
  if (types.isMap(value)) return isPrototypeOf(proto, Map);
  if (types.isSet(value)) return isPrototypeOf(proto, Set);
  return isPrototypeOf(proto, Object) && !types.isExternal(value);
}

/** The first problem of one part. @throws what is no problem of the value */
export function problemOf(value: unknown, hooks: ValueHooks): ValueProblem | undefined {
  try {
    encodePacked(value, hooks);
    return undefined;
  } catch (error) {
    if (!RaiaError.is(error, "UNSERIALIZABLE")) throw error;
    const { path = "$", reason = error.message, wayOut = PLAIN_DATA } = error.facts;
    return { path: text(path), reason: text(reason), wayOut: text(wayOut) };
  }
}

function text(fact: unknown): string {
  return typeof fact === "string" ? fact : JSON.stringify(fact);
}
