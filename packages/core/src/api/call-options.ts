/** The options of calls that act at once and keep nothing: checked before anything is sent, each by the rules of all options. */
import { checkRecord, durationMs, name, type Rule, type Rules, signal, truth, unknownOption, whole } from "./option-rules.ts";

/** Rows of a listing; the wire has 32 bits for it. */
const MAX_ROWS = 4_294_967_295;

/** No time at all is a time to wait: what is there now, or else the error. */
const waitMs: Rule = (value, option) => (value === 0 ? value : durationMs(value, option));

export const callRules = {
  cancel: { force: truth, recursive: truth },
  getActor: { namespace: name },
  kill: { noRestart: truth },
  list: { limit: whole(0, MAX_ROWS) },
  placementGroupWait: { timeoutMs: waitMs },
  queueWait: { timeoutMs: waitMs, signal },
} as const satisfies Record<string, Rules>;

/** @throws {RaiaError} INVALID_OPTION for a name that nobody knows, a value of the wrong kind, and what is no record */
export function checkCallOptions(call: keyof typeof callRules, options: unknown): void {
  if (options !== undefined) checkRecord(options, "", callRules[call], "a record");
}

/**
 * For a call that has no options: a record where they would stand was meant as some. Anything else is what `map` and `forEach`
 * pass behind the item.
 *
 * @throws {RaiaError} INVALID_OPTION
 */
export function refuseOptions(call: string, options: unknown): void {
  if (typeof options !== "object" || options === null || Object.getPrototypeOf(options) !== Object.prototype) return;
  const [first] = Object.keys(options);
  if (first !== undefined) throw unknownOption(first, first, [], `${call} has no options`);
}
